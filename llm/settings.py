"""The language model: what is trained and how, and how a video is analysed with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from ..core.derived import BlendSettings
from ..core.settings import Device, Settings, load
from ..extractors.settings import PerceiveSettings
from ..prompts.settings import PromptSettings
from ..textualize.settings import WindowSettings, WordingSettings
from ..training.settings import LoopSettings


class Head(Settings):
    """What turns the model's reading into scores, or into a rating."""

    kind: Literal["classification", "label-words"] = "classification"
    """A linear layer, or how likely a causal model finds each label's words as the answer, of which there is one."""
    pooling: Literal["target-mean+pooler", "target-mean", "last-token"] = "target-mean+pooler"
    """What a linear layer sees: the mean of the target's tokens (and the pooled first one), or the prompt's last."""


class BaseSettings(Settings):
    """The model under the adapter."""

    id: str = Field(default="sentence-transformers/all-MiniLM-L6-v2", min_length=1)
    """A hub id, which is what a run remembers, or a folder."""
    quantization: Literal["none", "nf4"] = "none"
    """`nf4` keeps the base in four bits (Dettmers et al., 2023); needs bitsandbytes and a GPU."""
    activation_checkpointing: bool = False
    """Less memory for a third more computing."""


class LoraSettings(Settings):
    """The adapter (Hu et al., 2021); rank-stabilised it is scaled by alpha/√rank (Kalajdzievski, 2023)."""

    rank: int = Field(default=16, ge=1)
    """Rank of the matrices that are added."""
    alpha: int = Field(default=32, ge=1)
    """What is added is scaled by alpha/rank."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Share of the adapter's inputs that are dropped in training."""
    rank_stabilized: bool = False
    """Scaled by alpha/√rank instead."""
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Names of the linear layers that get one, or all of them."""


class LossSettings(Settings):
    """Cross-entropy, and how labels weigh in it; of ratings the absolute error, in which nothing weighs."""

    logit_adjustment: float = Field(default=0.0, ge=0, le=1)
    """1 learns to answer as if all labels were equally frequent in their corpus, 0 as they are (Menon et al., 2021)."""
    class_weights: Literal["none", "sqrt", "balanced"] = "none"
    """Labels weigh by the inverse of how frequent they are (`balanced`), its square root, or all the same."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Probability that is spread over all labels."""
    soft_weight: float = Field(default=0.5, ge=0, le=1)
    """How much a teacher's opinion counts against the given label, where there is one."""


class TrainingSettings(LoopSettings):
    """How an adapter is trained, whatever on."""

    base: BaseSettings = BaseSettings()
    init: str | None = None
    """A run to start from, and its head for labels it has; null for none, `auto`: goemotions-minilm for few words."""
    head: Head = Head()
    head_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of a linear layer's inputs that are dropped in training."""
    lora: LoraSettings = LoraSettings()
    loss: LossSettings = LossSettings()
    micro_batch_size: int | None = Field(default=None, ge=1)
    """Examples at once on one device, where a whole batch does not fit; null for all."""
    micro_batch_tokens: int | None = Field(default=None, ge=1)
    """The same in tokens, padding included, so that short prompts are read many at a time."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What is computed in; `auto` is bfloat16 where the hardware multiplies it."""

    @model_validator(mode="after")
    def _one_limit(self) -> TrainingSettings:
        if self.micro_batch_size is not None and self.micro_batch_tokens is not None:
            raise ValueError("micro_batch_size and micro_batch_tokens both say how a batch is cut up; set one of them")
        return self


class ModelSettings(Settings):
    """The language model: a run folder, or a shipped adapter's name."""

    run: str = "meld-minilm"
    """A run folder, a shipped adapter's name, or `zero-shot:` and the id of a causal model."""
    device: Device = "auto"
    """Where the model reads; `auto` is a GPU where there is one."""
    batch_tokens: int | None = Field(default=None, ge=64)
    """Tokens a batch holds, padding included; null is what suits the device (a small encoder takes 30 kB for each)."""


class AnalyzeSettings(PerceiveSettings):
    """All that `analyze` and `prompt` can be told.

    `wording` and `prompt` are normally left out: the run brings those it was
    trained with, and a config that contradicts them is refused by name.  So it
    brings the modalities that it reads.
    """

    labels: str | None = None
    """Label set: `basic`, `compound`, `blend`, or one of the run's own; null for the run's."""
    offline: bool = False
    """Never try the network."""
    windows: WindowSettings = WindowSettings()
    blends: BlendSettings = BlendSettings()
    wording: WordingSettings | None = None
    prompt: PromptSettings | None = None
    model: ModelSettings = ModelSettings()


# Settings that are asked for often, by the name that the command line and Python have for them.
SHORT_NAMES: Mapping[str, tuple[str, ...]] = {
    "run": ("model__run",),
    "window": ("windows__window_s",),
    "hop": ("windows__hop_s",),
    "speakers": ("speech__speakers",),
    "names": ("speakers__names",),
    "language": ("speech__language",),
    "model": ("speech__model",),
    "device": ("model__device", "speech__device", "face__device"),
}


def analyze_settings(
    config: str | Path | None = None, assignments: Sequence[str] = (), **given: Any
) -> AnalyzeSettings:
    """The settings of an analysis, see `core.settings.load`; those in `SHORT_NAMES` by either name."""
    asked = {name: value for short, value in given.items() for name in SHORT_NAMES.get(short, ())}
    asked |= {name: value for name, value in given.items() if name not in SHORT_NAMES}
    return load(AnalyzeSettings, config, assignments, **asked)
