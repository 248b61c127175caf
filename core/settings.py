"""The settings of every command: one validated model each, read from YAML.

Unknown keys are refused by name.  What was used is saved beside the result,
so a field here is also a line in somebody's provenance: names are chosen to
be read there.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import SettingsError

CONFIGS = Path(__file__).parent.parent / "configs"

Device = Literal["auto", "cpu", "cuda"]


class Settings(BaseModel):
    """What all settings share: frozen, and nothing unknown gets in."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


# ── perceiving ───────────────────────────────────────────────────────────────


class SpeechSettings(Settings):
    """Who hears the words."""

    engine: Literal["auto", "whisper", "pocketsphinx", "none"] = "auto"
    # A Whisper size (`base`, `turbo`, …) or a checkpoint file; `auto` is
    # `turbo` on a GPU and `base` on a CPU.
    model: str = "auto"
    language: str | None = None
    device: Device = "auto"


class FaceSettings(Settings):
    """Who sees the faces, and how often it looks."""

    engine: Literal["auto", "mediapipe", "py-feat", "none"] = "auto"
    # Frames a second; `auto` is what the engine can afford.
    sampling_fps: Literal["auto"] | float = "auto"
    max_faces: int = Field(default=4, ge=1, le=32)
    device: Device = "auto"
    batch_size: int = Field(default=16, ge=1)

    @model_validator(mode="after")
    def _positive_rate(self) -> FaceSettings:
        if self.sampling_fps != "auto" and not 0.1 <= self.sampling_fps <= 240:
            raise ValueError("sampling_fps must be auto or from 0.1 to 240 frames a second")
        return self


class VoiceSettings(Settings):
    """How the sound of the voice is measured."""

    engine: Literal["opensmile", "none"] = "opensmile"
    # Shorter utterances are not measured: MELD's published voice measurements
    # leave them out as well.
    min_utterance_s: float = Field(default=0.5, ge=0.1)


# ── putting into words ───────────────────────────────────────────────────────


class WindowSettings(Settings):
    """How time is cut into moments.

    Without `window_s`: each utterance, and gaps in speech where a face is
    seen.  With it: windows of that length every `hop_s`.
    """

    window_s: float | None = Field(default=None, ge=0.1, le=3600)
    hop_s: float | None = Field(default=None, ge=0.05, le=3600)
    # Shorter silences are not moments of their own.
    min_gap_s: float = Field(default=1.0, ge=0.1)
    # Longer stretches are cut: an expression rarely lasts longer.
    max_gap_s: float = Field(default=4.0, ge=0.5)
    max_utterance_s: float = Field(default=12.0, ge=1.0)

    @model_validator(mode="after")
    def _hop_needs_window(self) -> WindowSettings:
        if self.hop_s is not None and self.window_s is None:
            raise ValueError("hop_s needs window_s")
        return self


class WordingSettings(Settings):
    """How cues are put into words.  A trained run knows the wording it reads."""

    # How a unit's values over a moment become one: `max` as in Richet et al.
    # (2024), or a percentile.
    face_pooling: Literal["max"] | float = 90.0
    # Whose voice is the measure: the speaker's own other utterances where
    # there are five, only the earlier ones (causal), or the population.
    voice_scope: Literal["speaker", "past", "population"] = "speaker"
    # Words the recogniser gave less than this are worded as [unclear].
    unclear_below: float = Field(default=0.35, ge=0, le=1)

    @model_validator(mode="after")
    def _percentile(self) -> WordingSettings:
        if self.face_pooling != "max" and not 0 < self.face_pooling <= 100:
            raise ValueError("face_pooling must be max or a percentile above 0, up to 100")
        return self


class PromptSettings(Settings):
    """How words become a prompt.  A trained run knows the prompt it reads."""

    template: str = "brief"
    context_turns: int = Field(default=0, ge=0, le=64)


# ── reading ──────────────────────────────────────────────────────────────────


class ModelSettings(Settings):
    """The language model: a run folder, or a shipped adapter's name."""

    run: str = "meld-minilm"
    device: Device = "auto"
    # Tokens a batch holds, padding included.  More is no faster on a CPU, and costs
    # 30 kB of memory each with a small encoder.
    batch_tokens: int = Field(default=2048, ge=64)


class AnalyzeSettings(Settings):
    """All that `analyze` and `prompt` can be told.

    `wording` and `prompt` are normally left out: the run brings those it was
    trained with, and a config that contradicts them is refused by name.
    """

    labels: str | None = None
    modalities: str = "TVA"
    offline: bool = False
    speech: SpeechSettings = SpeechSettings()
    face: FaceSettings = FaceSettings()
    voice: VoiceSettings = VoiceSettings()
    windows: WindowSettings = WindowSettings()
    wording: WordingSettings | None = None
    prompt: PromptSettings | None = None
    model: ModelSettings = ModelSettings()

    @model_validator(mode="after")
    def _known_modalities(self) -> AnalyzeSettings:
        check_modalities(self.modalities)
        return self


def check_modalities(letters: str) -> None:
    """Raises:
    SettingsError: not letters of TVA, each at most once.
    """
    if not letters or set(letters) - set("TVA") or len(set(letters)) != len(letters):
        raise SettingsError(
            f"modalities must be letters of TVA (T what was said, V the face, A the voice), each once, got {letters!r}"
        )


# ── fine-tuning ──────────────────────────────────────────────────────────────


class Head(Settings):
    """What turns the model's reading into scores.

    Attributes:
        kind: `classification` is a linear layer over the label set;
            `label-words` asks a causal model how likely each label's words
            are as the answer.
        pooling: what a classification head sees: the mean over the target's
            tokens, beside the model's pooled first token where it has one, or
            the last token of the prompt (Richet et al., 2024).
    """

    kind: Literal["classification", "label-words"] = "classification"
    pooling: Literal["target-mean+pooler", "target-mean", "last-token"] = "target-mean+pooler"


class BaseSettings(Settings):
    """The model under the adapter."""

    # A hub id, which is what a run remembers, or a folder.
    id: str = Field(default="sentence-transformers/all-MiniLM-L6-v2", min_length=1)
    # `nf4` needs bitsandbytes and a GPU (Dettmers et al., 2023).
    quantization: Literal["none", "nf4"] = "none"
    # Less memory for a third more computing.
    activation_checkpointing: bool = False


class LoraSettings(Settings):
    """The adapter (Hu et al., 2021); rank-stabilised it is scaled by alpha/√rank (Kalajdzievski, 2023)."""

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    rank_stabilized: bool = False
    # Names of the linear layers that get one, or all of them.
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"


class LossSettings(Settings):
    """Cross-entropy, and how labels weigh in it."""

    # 1 learns to answer as if all labels were equally frequent in their corpus,
    # 0 as they are (Menon et al., 2021).
    logit_adjustment: float = Field(default=0.0, ge=0, le=1)
    # By the inverse of how frequent a label is, or its square root.
    class_weights: Literal["none", "sqrt", "balanced"] = "none"
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    # How much a teacher's opinion counts against the given label, where there is one.
    soft_weight: float = Field(default=0.5, ge=0, le=1)


class OptimizerSettings(Settings):
    """How weights follow the loss."""

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=5e-4, gt=0)
    # A fresh head learns faster than an adapter; `None` for the same rate.
    head_learning_rate: float | None = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_share: float = Field(default=0.06, ge=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)


class TrainingSettings(Settings):
    """How an adapter is trained, whatever on."""

    base: BaseSettings = BaseSettings()
    head: Head = Head()
    head_dropout: float = Field(default=0.1, ge=0, lt=1)
    lora: LoraSettings = LoraSettings()
    loss: LossSettings = LossSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    epochs: int = Field(default=4, ge=1)
    # Epochs without a better dev score before training ends early; `None` for never.
    patience: int | None = Field(default=None, ge=1)
    # Examples an update; each process takes its share of them.
    batch_size: int = Field(default=32, ge=1)
    # Examples at once on one device, where a whole batch does not fit.
    micro_batch_size: int | None = Field(default=None, ge=1)
    # `auto` computes in bfloat16 where the hardware multiplies it.
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    # Decay an update of the moving average of the weights, which is what is
    # judged and kept; 0 keeps the last weights.
    weight_average: float = Field(default=0.0, ge=0, lt=1)
    # Updates between checkpoints within an epoch; there is always one at its end.
    checkpoint_steps: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)
    device: Device = "auto"


class MixSettings(Settings):
    """A corpus that is trained on beside the first.

    Attributes:
        name: what `--mix NAME=DIR` calls it; the corpus, unless given.
        data: its folder.
        teaches: what its labels are about: T what is said, V the face, A the
            voice.  That is always in its examples.
        examples: how many of its clips an epoch draws, as many of each label;
            `None` for each clip once.
    """

    corpus: str
    name: str | None = None
    data: Path | None = None
    columns: Mapping[str, str] = {}
    teaches: Literal["T", "V", "A"]
    examples: int | None = Field(default=None, ge=1)


class MixtureSettings(Settings):
    """How an example comes by signals that its corpus lacks, or whose labels are not about them.

    Each is lent by a clip whose labels are: one with the same label, which
    teaches to read the signals together, or with another, which teaches how
    far to trust each.

    Attributes:
        alone: share of the examples with nothing but what the label is about.
        unknown: of the others' signals, those that nobody looked at or listened to.
        own, same, other, absent: weights of where a signal comes from: its
            own clip, a clip with the same label, one with any, or from
            nowhere (“no face seen”).
        population: share of voices graded by the population's norms where
            there are the speaker's own.
        phrases_dropped: share of the phrases of faces and voices left out.
        misheard: share of the lines whose words come as a weak recogniser
            hears them.
        expressions: share of faces as the textbook has them
            (`textualize/expressions.py`).
        nothing: share of an epoch with nothing to judge by.
    """

    alone: float = Field(default=0.55, ge=0, le=1)
    unknown: float = Field(default=0.2, ge=0, le=1)
    own: float = Field(default=0.55, ge=0)
    same: float = Field(default=0.25, ge=0)
    other: float = Field(default=0.1, ge=0)
    absent: float = Field(default=0.2, ge=0)
    population: float = Field(default=0.4, ge=0, le=1)
    phrases_dropped: float = Field(default=0.1, ge=0, lt=1)
    misheard: float = Field(default=0.15, ge=0, le=1)
    expressions: float = Field(default=0.2, ge=0, le=1)
    nothing: float = Field(default=0.013, ge=0, le=1)


class TeacherSettings(Settings):
    """Teachers that tell how likely each label of a clip is, so that a doubtful one counts less.

    Self-distillation (Furlanello et al., 2018), cross-fitted, since of what
    it has learnt by heart a teacher only repeats the label: each is trained
    like the run, on what the first corpus's labels are about and nothing
    else, and asked about the dialogues or sources that it has not seen.

    Attributes:
        count: how many share the clips among them.
        epochs: each trains for.
        opinions: what teachers said in another run (its `opinions.json`),
            instead of training some.
    """

    count: int = Field(default=5, ge=2)
    epochs: int = Field(default=3, ge=1)
    opinions: Path | None = None


class FinetuneSettings(TrainingSettings):
    """All that `finetune` can be told: what is read, how it is worded, how it is learnt."""

    modalities: str = "TVA"
    prompt: PromptSettings = PromptSettings()
    wording: WordingSettings = WordingSettings()
    speech: SpeechSettings = SpeechSettings(engine="pocketsphinx")
    face: FaceSettings = FaceSettings(engine="mediapipe")
    voice: VoiceSettings = VoiceSettings()
    # What is usual for voices: those of a run, or a `norms.json`.
    norms: str = "meld-minilm"
    # Label set of tables, where it is not to be taken from the data.
    labels: str | tuple[str, ...] | None = None
    # What the first corpus's labels are about, where others are mixed in.
    teaches: Literal["T", "V", "A"] = "T"
    mix: tuple[MixSettings, ...] = ()
    mixture: MixtureSettings = MixtureSettings()
    teachers: TeacherSettings | None = None
    offline: bool = False

    @model_validator(mode="after")
    def _known_modalities(self) -> FinetuneSettings:
        check_modalities(self.modalities)
        untaught = [mixed.corpus for mixed in self.mix if mixed.teaches not in self.modalities]
        if untaught:
            raise ValueError(f"{untaught[0]} teaches what modalities {self.modalities} leave out")
        return self


# ── from YAML, and from the command line ─────────────────────────────────────

S = TypeVar("S", bound=Settings)


def shipped_configs() -> list[str]:
    """Names of the configs in the package."""
    return sorted(path.stem for path in CONFIGS.glob("*.yaml"))


def load(model: type[S], config: str | Path | None = None, assignments: Sequence[str] = (), **given: Any) -> S:
    """Settings from a config, then `KEY=VALUE` assignments, then arguments.

    Args:
        model: the settings class to fill.
        config: a shipped config's name or a YAML file; `None` for defaults.
        assignments: `section.key=value` each, the value in YAML.
        given: dotted keys with `__` for the dot (`windows__window_s=2.0`);
            `None` is “not given”.

    Raises:
        SettingsError: a config that is not there or not YAML, an unknown key,
            a value out of range.
    """
    values, origin = _read(config) if config is not None else ({}, "the defaults")
    for assignment in assignments:
        key, sep, text = assignment.partition("=")
        if not sep or not key.strip():
            raise SettingsError(f"--set takes KEY=VALUE (as in face.sampling_fps=10), got {assignment!r}")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise SettingsError(f"--set {key}: {text!r} is not a YAML value") from None
        _put(values, key.strip().split("."), value)
        origin = "--set"
    for key, value in given.items():
        if value is not None:
            _put(values, key.split("__"), value)
    return validate(model, values, origin)


def validate(model: type[S], values: Mapping[str, Any], origin: str) -> S:
    """`values` as settings; the error names the first key that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part in _keys(model) or isinstance(part, int))
        if first["type"] == "extra_forbidden":
            key = ".".join(map(str, first["loc"]))
            raise SettingsError(f"{origin}: unknown key {key!r}{_hint(model, key)}") from None
        message = first["msg"].removeprefix("Value error, ")
        where = f"{key}: " if key else ""
        got = "" if isinstance(first["input"], (Mapping, Settings)) else f", got {first['input']!r}"
        raise SettingsError(f"{origin}: {where}{message[0].lower()}{message[1:]}{got}") from None


def _read(config: str | Path) -> tuple[dict[str, Any], str]:
    path = Path(config)
    if not path.suffix and not path.exists():
        path = CONFIGS / f"{config}.yaml"
    if not path.is_file():
        raise SettingsError(
            f"no config {str(config)!r}: neither a file nor one that ships ({', '.join(shipped_configs())})"
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f", line {line + 1}" if line is not None else ""
        raise SettingsError(f"config {path} is not readable YAML{where}") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise SettingsError(f"config {path} must be a mapping of settings, got a {type(values).__name__}")
    return values, f"config {path.name}"


def _put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        inner = values.get(part)
        values[part] = inner = dict(inner) if isinstance(inner, Mapping) else {}
        values = inner
    values[path[-1]] = value


def _keys(model: type[Settings]) -> set[str]:
    return {part for dotted in _dotted(model) for part in dotted.split(".")}


def _dotted(model: type[Settings]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield name
        kinds = [info.annotation, *getattr(info.annotation, "__args__", ())]
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, Settings):
                yield from (f"{name}.{inner}" for inner in _dotted(kind))


def _hint(model: type[Settings], key: str) -> str:
    """What the writer of an unknown key may have meant."""
    known = list(_dotted(model))
    section, _, name = key.rpartition(".")
    siblings = [dotted.rpartition(".")[2] for dotted in known if dotted.rpartition(".")[0] == section]
    meant = [f"{section}.{near}".lstrip(".") for near in difflib.get_close_matches(name, siblings, n=1, cutoff=0.7)]
    meant += [dotted for dotted in known if dotted.rpartition(".")[2] == name]
    return f"; did you mean {meant[0]!r}?" if meant else f"; there are: {', '.join(siblings)}"
