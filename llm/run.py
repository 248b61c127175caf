"""Runs of language models: a trained adapter and all that has to be known to use it.

`run.json` describes it, `adapter_config.json` and `adapter_model.safetensors`
are PEFT's own, `head.safetensors` is the head where there is one beside the
adapter, and `norms.json` says what is usual for voices.  `traces.json`
remembers, in hashes, which clips were learnt from.  Adapters that ship are
runs too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..core.context import DEFAULT, Context
from ..core.errors import SettingsError
from ..core.files import make_folder, together, write_json
from ..core.labels import BASIC, LabelSet
from ..core.settings import Settings
from ..core.text import shortened
from ..core.versioned import read_setting
from ..core.weights import find_base
from ..extractors.settings import FaceSettings, SpeechSettings, VoiceSettings
from ..prompts.settings import PromptSettings
from ..textualize.levels import PopulationNorms, population_norms
from ..textualize.settings import WordingSettings
from ..training.run import Run
from .pack import Pack, check_onnxruntime, read_pack
from .settings import Head

SHIPPED = Path(__file__).parent / "adapters"

DESCRIPTION = "run.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER = "adapter_model.safetensors"
HEAD = "head.safetensors"
NORMS = "norms.json"

Temperature = Annotated[float, Field(gt=0, allow_inf_nan=False)]

# Before a model that is asked without an adapter.
ZERO_SHOT = "zero-shot:"


class Base(Settings):
    """The model under an adapter: a portable id, never a path, and its weights' hash.

    `quantization` is what the adapter was trained on, and is read on.  Without
    an adapter any weights will do: `sha256` is `None`.
    """

    id: str = Field(min_length=1)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    quantization: Literal["none", "nf4"] = "none"


class Extractors(Settings):
    """Whose cues the run was trained on."""

    speech: SpeechSettings | None = None
    face: FaceSettings | None = None
    voice: VoiceSettings | None = None


class TextRun(Run):
    """A trained adapter, as described; or a model that is asked without one.

    Attributes:
        norms: of voices, in the form of `norms.json`; not part of the description.
        pack: what the folder holds in place of adapter and head, where it is a pack; not part of the description.
        zero_shot: whether there is no adapter; nothing of it is on disk.
        temperature: what logits are divided by, fitted on `dev`; of sets of labels, thresholds are instead, and of
            ratings there is none.
        temperatures: the same for moments with these signals (letters of TVA) and no others, where `dev` has enough
            of them.
        answered: the labels that it gave to clips of `dev`; empty where that is not known.
    """

    kind: ClassVar[str] = "text"
    description: ClassVar[str] = DESCRIPTION

    zero_shot: bool = False
    norms: Mapping[str, Any] | None = Field(default=None, exclude=True)
    pack: Pack | None = Field(default=None, exclude=True)
    base: Base
    head: Head = Head()
    prompt: PromptSettings
    wording: WordingSettings = WordingSettings()
    extractors: Extractors = Extractors()
    temperature: Temperature = 1.0
    temperatures: Mapping[str, Temperature] = {}
    answered: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _distinct_labels(self) -> TextRun:
        fewest = {"labels": 2, "label-sets": 1, "number": 0}[self.task]
        if len(set(self.labels)) != len(self.labels) or len(self.labels) < fewest:
            raise ValueError(f"labels must be distinct, and at least {fewest} where the task is {self.task}")
        if self.task != "labels" and self.head.kind == "label-words":
            raise ValueError(f"head.kind label-words answers with one label, and the task is {self.task}")
        return self

    @property
    def corpus(self) -> str | None:
        return next((part["corpus"] for part in self.training.get("data", ())), None)

    @property
    def annotation(self) -> str | None:
        return self.training.get("settings", {}).get("task")

    @property
    def modalities(self) -> str:
        """The letters of the signals that it was trained on; all where it does not say."""
        return self.training.get("modalities", "TVA")

    @property
    def in_words(self) -> str:
        return self.base.id if self.pack is None else f"{self.base.id}, packed in {self.pack.precision}"

    @property
    def has_learnt(self) -> bool:
        return not self.zero_shot

    def answering(self, labels: LabelSet) -> TextRun:
        """The run, asked for these labels where it has learnt none."""
        if self.has_learnt:
            return self
        return self.model_copy(update={"label_set": labels.name, "labels": labels.labels})

    def check_here(self, context: Context = DEFAULT) -> None:
        """Raises:
        UnavailableError: the base model, or what reads a pack, is not here and cannot be had.
        EmoscribeError: it is there with other weights.
        """
        if self.pack is not None:
            check_onnxruntime()
            return
        find_base(self.base.id, self.base.sha256, context)

    @classmethod
    def load(cls, folder: str | Path, **beside: Any) -> TextRun:
        """The run in a folder, with its norms of voices if it has some; see `Run.load` and `population_norms`.

        Raises:
            EmoscribeError: it is a pack, and not as it was made; see `read_pack`.
        """
        pack, path = read_pack(Path(folder)), Path(folder) / NORMS
        if not path.is_file():
            return super().load(folder, pack=pack, **beside)
        norms = read_setting(path)
        if not isinstance(norms, dict):
            raise SettingsError(f"{path}: voice norms must be a mapping, got {shortened(norms)}; copy the run anew")
        run = super().load(folder, norms=norms, pack=pack, **beside)
        population_norms(norms, run.wording.voice_grades, str(path))
        return run

    def uncalibrated(self) -> TextRun:
        """The run with its logits as they are: at a temperature of 1, whatever the signals."""
        return self.model_copy(update={"temperature": 1.0, "temperatures": {}})

    @property
    def population(self) -> PopulationNorms | None:
        """What is usual for voices, with the bounds between the grades that the run reads; `None` if it has no norms.

        Raises:
            SettingsError: the norms have another form, or lack these bounds.
        """
        if self.norms is None:
            return None
        return population_norms(self.norms, self.wording.voice_grades, f"run {self.name}")

    @together()
    def save(self) -> None:
        """Write the description, and the norms, into the run's folder; see `Run.save`."""
        if self.norms is not None:
            write_json(make_folder(self.folder) / NORMS, self.norms)
        super().save()


def shipped_runs() -> list[str]:
    """Names of the adapters in the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{DESCRIPTION}"))


def find_run(run: str | Path) -> TextRun:
    """The run of that name, or in that folder; `zero-shot:MODEL` is a causal model without an adapter.

    Raises:
        SettingsError: there is none, or its description is not one.
    """
    shipped = shipped_runs()
    if str(run).startswith(ZERO_SHOT):
        return _zero_shot(str(run))
    if str(run) in shipped:
        return TextRun.load(SHIPPED / str(run))
    if (Path(run) / DESCRIPTION).is_file():
        return TextRun.load(run)
    what = "holds no run.json" if Path(run).is_dir() else "is neither a folder nor an adapter that ships"
    raise SettingsError(f"run {str(run)!r} {what}; there are: {', '.join(shipped) or 'none'}")


def _zero_shot(name: str) -> TextRun:
    id = name.removeprefix(ZERO_SHOT)
    if not id:
        raise SettingsError(f"run {name!r} names no model; give a hub id or a folder, as in {ZERO_SHOT}Qwen/Qwen3-8B")
    return TextRun(
        zero_shot=True,
        folder=Path(ZERO_SHOT + Path(id).name),
        # What is usual for voices is the same whoever reads of them.
        norms=TextRun.load(SHIPPED / "meld-minilm").norms,
        base=Base(id=id),
        head=Head(kind="label-words"),
        label_set=BASIC.name,
        labels=BASIC.labels,
        prompt=PromptSettings(template="instruct", context_turns=12, frame="auto"),
        licence=f"that of {id}",
    )
