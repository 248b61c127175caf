"""All that `baseline` can be told."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from ..core.settings import Settings
from ..extractors.features.settings import FEATURES, FeatureSettings
from ..extractors.settings import FaceSettings, SpeechSettings, VoiceSettings, check_modalities
from ..training.optimizers import OptimizerSettings
from ..training.settings import LoopSettings

Fusion = Literal["lfan", "can", "jmt", "bilstm-attention", "tfn", "late-fusion", "crossmodal", "unimodal"]
FUSIONS: tuple[str, ...] = get_args(Fusion)
# `labels` is one of them a clip, `label-sets` any number of them, `number` a rating.
Task = Literal["labels", "label-sets", "number"]


class SearchSettings(Settings):
    """A random search over a few settings, scored on dev (Bergstra and Bengio, 2012).

    Attributes:
        trials: how many draws.
        learning_rate: drawn log-uniformly from this range.
        dropout, weight_decay: drawn from these values.
    """

    trials: int = Field(default=8, ge=1)
    learning_rate: tuple[float, float] = (1e-4, 1e-2)
    dropout: tuple[float, ...] = (0.1, 0.3, 0.5)
    weight_decay: tuple[float, ...] = (0.0, 1e-4, 1e-2)

    @model_validator(mode="after")
    def _drawable(self) -> SearchSettings:
        low, high = self.learning_rate
        if not 0 < low <= high:
            raise ValueError(
                f"search.learning_rate must be a range above 0, the lower end first, got {low:g} to {high:g}"
            )
        if not self.dropout or any(not 0 <= value < 1 for value in self.dropout):
            raise ValueError("search.dropout must be values from 0 to below 1, at least one")
        if not self.weight_decay or min(self.weight_decay) < 0:
            raise ValueError("search.weight_decay must be values of 0 or more, at least one")
        return self


class FusionOptimizerSettings(OptimizerSettings):
    """How a fusion model's weights follow the loss: all are fresh, so all have one rate."""

    learning_rate: float = Field(default=1e-3, gt=0)
    head_learning_rate: float | None = None
    weight_decay: float = Field(default=1e-4, ge=0)

    @field_validator("head_learning_rate")
    @classmethod
    def _one_rate(cls, rate: float | None) -> float | None:
        if rate is not None:
            raise ValueError("a fusion model has no head of its own rate; leave it null")
        return rate


class BaselineSettings(LoopSettings):
    """All that `baseline` can be told."""

    fusion: Fusion = "lfan"
    modalities: str = "TVA"
    features: FeatureSettings = FeatureSettings()
    # Frames a window; windows overlap by `window_frames - hop_frames`, and overlaps are averaged.
    window_frames: int = Field(default=300, ge=1)
    hop_frames: int = Field(default=200, ge=1)
    # How frames decide a clip.
    decide: Literal["vote", "mean-probability", "mean-logit"] = "mean-probability"
    dropout: float = Field(default=0.1, ge=0, lt=1)
    # A support vector machine on the embedding of `bilstm-attention`, instead of its last layer.
    svm: bool = False
    class_weights: Literal["none", "sqrt", "balanced"] = "none"
    # Narrower than the loop's, which is no danger where settings never change.
    optimizer: FusionOptimizerSettings = FusionOptimizerSettings()  # pyright: ignore[reportIncompatibleVariableOverride]
    epochs: int = Field(default=30, ge=1)
    patience: int | None = Field(default=8, ge=1)
    # Windows an update.
    batch_size: int = Field(default=16, ge=1)
    # `auto` is bfloat16 autocast on a GPU that multiplies it.
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    search: SearchSettings | None = None
    speech: SpeechSettings = SpeechSettings(engine="pocketsphinx")
    face: FaceSettings = FaceSettings(engine="mediapipe")
    voice: VoiceSettings = VoiceSettings()
    labels: str | tuple[str, ...] | None = None
    # Which of the corpus's annotations, where it has several.
    task: str | None = None
    offline: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> BaselineSettings:
        check_modalities(self.modalities)
        if self.hop_frames > self.window_frames:
            raise ValueError("hop_frames must not exceed window_frames: frames between windows would be lost")
        about = {FEATURES[name].letter for name in self.features.names}
        silent = [letter for letter in self.modalities if letter not in about]
        if silent:
            raise ValueError(f"modalities {self.modalities} ask for {silent[0]}, which no feature is about")
        if self.svm and self.fusion != "bilstm-attention":
            raise ValueError(f"svm reads the embedding of bilstm-attention, and {self.fusion} has none; set svm: false")
        return self

    @property
    def streams(self) -> tuple[str, ...]:
        """The features of the modalities that are asked for."""
        return tuple(name for name in self.features.names if FEATURES[name].letter in self.modalities)
