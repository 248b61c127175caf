"""Runs: a trained adapter and all that has to be known to use it.

A run is a folder.  `run.json` describes it, `adapter_config.json` and
`adapter_model.safetensors` are PEFT's own, `head.safetensors` is the head
where there is one beside the adapter, and `norms.json` says what is usual for
voices.  `traces.json` remembers, in hashes, which clips were learnt from.
Adapters that ship are runs too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from ..core.errors import MediaError, SettingsError
from ..core.files import make_folder, plain, read_json, write_json
from ..core.labels import BASIC, LabelSet
from ..core.settings import Settings, validate
from ..extractors.settings import FaceSettings, SpeechSettings, VoiceSettings
from ..prompts.settings import PromptSettings
from ..textualize.settings import WordingSettings
from .settings import Head

SHIPPED = Path(__file__).parent / "adapters"

DESCRIPTION = "run.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER = "adapter_model.safetensors"
HEAD = "head.safetensors"
NORMS = "norms.json"
VERSION = 1

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


class Run(Settings):
    """A trained adapter, as described; or a model that is asked without one.

    Attributes:
        folder: where it lies; not part of the description.
        norms: of voices, in the form of `norms.json`; likewise.
        zero_shot: whether there is no adapter; nothing of it is on disk.
        label_set: the name of it; `labels` are in the order of the scores.
        temperature: what logits are divided by, fitted on `dev`.
        metrics: what was measured, by data and seed.
        training: the settings and data it was trained with.
    """

    version: Literal[1] = VERSION
    zero_shot: bool = False
    folder: Path = Field(exclude=True)
    norms: Mapping[str, Any] | None = Field(default=None, exclude=True)
    base: Base
    head: Head = Head()
    label_set: str
    labels: tuple[str, ...] = Field(min_length=2)
    prompt: PromptSettings
    wording: WordingSettings = WordingSettings()
    extractors: Extractors = Extractors()
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    licence: str = ""
    seeds: tuple[int, ...] = ()
    metrics: Mapping[str, Any] = {}
    training: Mapping[str, Any] = {}

    @model_validator(mode="after")
    def _distinct_labels(self) -> Run:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be distinct")
        return self

    @property
    def modalities(self) -> str:
        """The letters of the signals that it was trained on; all where it does not say."""
        return self.training.get("modalities", "TVA")

    @property
    def name(self) -> str:
        return self.folder.resolve().name


def shipped_runs() -> list[str]:
    """Names of the adapters in the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{DESCRIPTION}"))


def find_run(run: str | Path) -> Run:
    """The run of that name, or in that folder; `zero-shot:MODEL` is a causal model without an adapter.

    Raises:
        SettingsError: there is none, or its description is not one.
    """
    shipped = shipped_runs()
    if str(run).startswith(ZERO_SHOT):
        return _zero_shot(str(run))
    if str(run) in shipped:
        return load_run(SHIPPED / str(run))
    if (Path(run) / DESCRIPTION).is_file():
        return load_run(run)
    what = "holds no run.json" if Path(run).is_dir() else "is neither a folder nor an adapter that ships"
    raise SettingsError(f"run {str(run)!r} {what}; there are: {', '.join(shipped) or 'none'}")


def _zero_shot(name: str) -> Run:
    id = name.removeprefix(ZERO_SHOT)
    if not id:
        raise SettingsError(f"run {name!r} names no model; give a hub id or a folder, as in {ZERO_SHOT}Qwen/Qwen3-8B")
    return Run(
        zero_shot=True,
        folder=Path(ZERO_SHOT + Path(id).name),
        # What is usual for voices is the same whoever reads of them.
        norms=load_run(SHIPPED / "meld-minilm").norms,
        base=Base(id=id),
        head=Head(kind="label-words"),
        label_set=BASIC.name,
        labels=BASIC.labels,
        prompt=PromptSettings(template="instruct", context_turns=12, frame="auto"),
        licence=f"that of {id}",
    )


def answering(run: Run, labels: LabelSet) -> Run:
    """A run without an adapter, asked for other labels: it has learnt none."""
    return run.model_copy(update={"label_set": labels.name, "labels": labels.labels})


def load_run(folder: str | Path) -> Run:
    """The run in a folder.

    Raises:
        SettingsError: the description is missing, damaged, or of a newer
            version.
    """
    folder = Path(folder)
    path = folder / DESCRIPTION
    try:
        described = read_json(path)
        norms = read_json(folder / NORMS) if (folder / NORMS).is_file() else None
    except MediaError as error:
        raise SettingsError(str(error)) from None
    if not isinstance(described, dict):
        raise SettingsError(f"{path} must be a mapping, got a {type(described).__name__}")
    if isinstance(version := described.get("version"), int) and version > VERSION:
        raise SettingsError(f"{path} is version {version}, this emoscribe reads up to {VERSION}; update emoscribe")
    return validate(Run, {**described, "folder": folder, "norms": norms}, str(path))


def save_run(run: Run) -> None:
    """Write the description (and norms) into the run's folder.

    Raises:
        EmoscribeError: the folder cannot be written to.
    """
    folder = make_folder(run.folder)
    if run.norms is not None:
        write_json(folder / NORMS, run.norms)
    write_json(folder / DESCRIPTION, plain(run.model_dump(mode="json")))
