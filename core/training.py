"""The settings of fine-tuning: the model and how it learns, and what it learns from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from .settings import (
    Device,
    FaceSettings,
    PromptSettings,
    Settings,
    SpeechSettings,
    VoiceSettings,
    WordingSettings,
    check_modalities,
)


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

    @model_validator(mode="after")
    def _momentum_of_sgd(self) -> OptimizerSettings:
        if self.momentum and self.name != "sgd":
            raise ValueError(f"momentum goes with sgd: {self.name} has its own")
        return self


def rate_factor(settings: OptimizerSettings, steps: int) -> Callable[[int], float]:
    """Of each of `steps` updates, from 0, the share of the learning rate.

    It rises in a line over the warm-up, then stays or falls to nothing over
    what is left.
    """
    warmup = round(steps * settings.warmup_share)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / max(1, steps - warmup)
        return {
            "linear": 1 - done,
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "constant": 1.0,
        }[settings.schedule]

    return factor


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
    # Examples at once on one device, where a whole batch does not fit; or
    # tokens, padding included, so that short prompts are read many at a time.
    micro_batch_size: int | None = Field(default=None, ge=1)
    micro_batch_tokens: int | None = Field(default=None, ge=1)
    # `auto` computes in bfloat16 where the hardware multiplies it.
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    # Decay an update of the moving average of the weights, which is what is
    # judged and kept; 0 keeps the last weights.
    weight_average: float = Field(default=0.0, ge=0, lt=1)
    # Updates between checkpoints within an epoch; there is always one at its end.
    checkpoint_steps: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    device: Device = "auto"

    @model_validator(mode="after")
    def _one_limit(self) -> TrainingSettings:
        if self.micro_batch_size is not None and self.micro_batch_tokens is not None:
            raise ValueError("micro_batch_size and micro_batch_tokens both say how a batch is cut up; set one of them")
        return self


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
        unpunctuated: share of the lines as recognisers spell them: in lower
            case, without a question mark.
        misheard: share of the lines as a weak recogniser hears them besides.
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
    unpunctuated: float = Field(default=0.25, ge=0, le=1)
    misheard: float = Field(default=0.15, ge=0, le=1)
    expressions: float = Field(default=0.2, ge=0, le=1)
    nothing: float = Field(default=0.013, ge=0, le=1)

    @model_validator(mode="after")
    def _lines_as_written(self) -> MixtureSettings:
        if self.unpunctuated + self.misheard > 1:
            raise ValueError("unpunctuated and misheard are shares of the same lines and cannot exceed 1 together")
        return self


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
    # What the first corpus's labels are about, where others are mixed in, or teachers asked.
    teaches: Literal["T", "V", "A"] = "T"
    mix: tuple[MixSettings, ...] = ()
    # Also of one corpus alone, whose lines are then misheard and left without
    # punctuation; by default only where others are mixed in.
    mixture: MixtureSettings | None = None
    teachers: TeacherSettings | None = None
    # Of the run; by default those of its corpora.
    licence: str | None = None
    offline: bool = False

    @model_validator(mode="after")
    def _known_modalities(self) -> FinetuneSettings:
        check_modalities(self.modalities)
        taught = {"the first corpus": self.teaches} if self.mix or self.mixture or self.teachers else {}
        for name, letter in [*taught.items(), *((mixed.corpus, mixed.teaches) for mixed in self.mix)]:
            if letter not in self.modalities:
                raise ValueError(f"{name} teaches {letter}, which modalities {self.modalities} leave out")
        return self

    @model_validator(mode="after")
    def _distinct_names(self) -> FinetuneSettings:
        names = [mixed.name or mixed.corpus for mixed in self.mix]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"mix has two corpora called {twice}; give them a name each")
        return self
