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
    # `auto` is float16 on a GPU and float32 on a CPU, which has no fast float16.
    precision: Literal["auto", "float32", "float16"] = "auto"
    # Windows of speech that Whisper decodes at a time; the words are the same.
    batch_size: int = Field(default=8, ge=1, le=256)
    # Who says it: an RTTM or JSON file of turns, or `seen` for the face whose
    # mouth moves; `None` leaves it to the transcript.
    speakers: Literal["seen"] | str | None = None


class FaceSettings(Settings):
    """Who sees the faces, and how often it looks."""

    engine: Literal["auto", "mediapipe", "py-feat", "none"] = "auto"
    # Frames a second; `auto` is what the engine can afford.
    sampling_fps: Literal["auto"] | float = "auto"
    max_faces: int = Field(default=4, ge=1, le=32)
    device: Device = "auto"
    # Frames that py-feat looks at together; `None` is what suits the device:
    # 16 on a GPU, and one on a CPU, where more are slower.
    batch_size: int | None = Field(default=None, ge=1)

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
    # `chat` asks in the turns that an instruct model's own template makes,
    # `auto` where the base has one.
    frame: Literal["plain", "chat", "auto"] = "plain"


# ── reading ──────────────────────────────────────────────────────────────────


class ModelSettings(Settings):
    """The language model: a run folder, or a shipped adapter's name."""

    run: str = "meld-minilm"
    device: Device = "auto"
    # Tokens a batch holds, padding included; `None` is what suits the device.
    # With a small encoder each costs 30 kB of memory.
    batch_tokens: int | None = Field(default=None, ge=64)


class AnalyzeSettings(Settings):
    """All that `analyze` and `prompt` can be told.

    `wording` and `prompt` are normally left out: the run brings those it was
    trained with, and a config that contradicts them is refused by name.
    """

    labels: str | None = None
    # By default what the run was trained on.
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
    if not path.suffix and not path.is_file():
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
