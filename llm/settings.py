"""The language model: what is trained and how, and how a video is analysed with it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..core.settings import Device, Settings
from ..extractors.settings import PerceiveSettings
from ..prompts.settings import PromptSettings
from ..textualize.settings import WindowSettings, WordingSettings
from ..training.settings import LoopSettings


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


class TrainingSettings(LoopSettings):
    """How an adapter is trained, whatever on."""

    base: BaseSettings = BaseSettings()
    head: Head = Head()
    head_dropout: float = Field(default=0.1, ge=0, lt=1)
    lora: LoraSettings = LoraSettings()
    loss: LossSettings = LossSettings()
    # Examples at once on one device, where a whole batch does not fit; or
    # tokens, padding included, so that short prompts are read many at a time.
    micro_batch_size: int | None = Field(default=None, ge=1)
    micro_batch_tokens: int | None = Field(default=None, ge=1)
    # `auto` computes in bfloat16 where the hardware multiplies it.
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @model_validator(mode="after")
    def _one_limit(self) -> TrainingSettings:
        if self.micro_batch_size is not None and self.micro_batch_tokens is not None:
            raise ValueError("micro_batch_size and micro_batch_tokens both say how a batch is cut up; set one of them")
        return self


class ModelSettings(Settings):
    """The language model: a run folder, or a shipped adapter's name."""

    run: str = "meld-minilm"
    device: Device = "auto"
    # Tokens a batch holds, padding included; `None` is what suits the device.
    # With a small encoder each costs 30 kB of memory.
    batch_tokens: int | None = Field(default=None, ge=64)


class AnalyzeSettings(PerceiveSettings):
    """All that `analyze` and `prompt` can be told.

    `wording` and `prompt` are normally left out: the run brings those it was
    trained with, and a config that contradicts them is refused by name.  So it
    brings the modalities that it reads.
    """

    labels: str | None = None
    offline: bool = False
    windows: WindowSettings = WindowSettings()
    wording: WordingSettings | None = None
    prompt: PromptSettings | None = None
    model: ModelSettings = ModelSettings()
