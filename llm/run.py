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
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from ..core.settings import Settings
from ..extractors.settings import FaceSettings, SpeechSettings, VoiceSettings
from ..prompts.settings import PromptSettings
from ..textualize.settings import WordingSettings
from ..training.run import Run
from .settings import Head

SHIPPED = Path(__file__).parent / "adapters"

DESCRIPTION = "run.json"
ADAPTER_CONFIG = "adapter_config.json"
ADAPTER = "adapter_model.safetensors"
HEAD = "head.safetensors"
NORMS = "norms.json"

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
        zero_shot: whether there is no adapter; nothing of it is on disk.
        temperature: what logits are divided by, fitted on `dev`.
    """

    kind: ClassVar[str] = "text"
    description: ClassVar[str] = DESCRIPTION

    zero_shot: bool = False
    norms: Mapping[str, Any] | None = Field(default=None, exclude=True)
    base: Base
    head: Head = Head()
    prompt: PromptSettings
    wording: WordingSettings = WordingSettings()
    extractors: Extractors = Extractors()
    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    seeds: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _distinct_labels(self) -> TextRun:
        if len(set(self.labels)) != len(self.labels) or len(self.labels) < 2:
            raise ValueError("labels must be distinct, and at least two")
        return self

    @property
    def modalities(self) -> str:
        """The letters of the signals that it was trained on; all where it does not say."""
        return self.training.get("modalities", "TVA")

    @property
    def in_words(self) -> str:
        return self.base.id

    @property
    def has_learnt(self) -> bool:
        return not self.zero_shot
