"""All that `baseline` can be told."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from ..core.settings import Settings
from ..extractors.features.settings import FEATURES, FeatureSettings
from ..extractors.settings import EMBEDDED_SPEECH, FaceSettings, SpeechSettings, VoiceSettings, check_modalities
from ..training.optimizers import OptimizerSettings
from ..training.settings import LoopSettings

Fusion = Literal["lfan", "can", "jmt", "bilstm-attention", "tfn", "late-fusion", "crossmodal", "unimodal"]
FUSIONS: tuple[str, ...] = get_args(Fusion)


class SearchSettings(Settings):
    """A random search over a few settings, scored on dev (Bergstra and Bengio, 2012)."""

    trials: int = Field(default=8, ge=1)
    """How many draws are trained."""
    learning_rate: tuple[float, float] = (1e-4, 1e-2)
    """Range from which the learning rate is drawn, evenly in its logarithm."""
    dropout: tuple[float, ...] = (0.1, 0.3, 0.5)
    """Values from which dropout is drawn."""
    weight_decay: tuple[float, ...] = (0.0, 1e-4, 1e-2)
    """Values from which weight decay is drawn."""

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
    """The highest learning rate, reached at the end of the warm-up."""
    head_learning_rate: float | None = None
    """Always null: all weights are fresh and have one rate."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Decay of the weights, decoupled from the gradient in adamw."""

    @field_validator("head_learning_rate")
    @classmethod
    def _one_rate(cls, rate: float | None) -> float | None:
        if rate is not None:
            raise ValueError("a fusion model has no head of its own rate; leave it null")
        return rate


class BaselineSettings(LoopSettings):
    """All that `baseline` can be told."""

    fusion: Fusion = "lfan"
    """The model that fuses the features."""
    modalities: str = "TVA"
    """What is fused: letters of TVA, T what is said, V the face, A the voice."""
    features: FeatureSettings = FeatureSettings()
    window_frames: int = Field(default=300, ge=1)
    """Frames a window; where windows overlap, their answers are averaged."""
    hop_frames: int = Field(default=200, ge=1)
    """Frames from the start of one window to the next."""
    decide: Literal["vote", "mean-probability", "mean-logit"] = "mean-probability"
    """How frames decide a clip."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the model's inner values that are dropped in training."""
    svm: bool = False
    """A support vector machine on the embedding of `bilstm-attention`, instead of its last layer."""
    class_weights: Literal["none", "sqrt", "balanced"] = "none"
    """Labels weigh by the inverse of how frequent they are (`balanced`), its square root, or all the same."""
    # Narrower than the loop's, which is no danger where settings never change.
    optimizer: FusionOptimizerSettings = FusionOptimizerSettings()  # pyright: ignore[reportIncompatibleVariableOverride]
    epochs: int = Field(default=30, ge=1)  # pyright: ignore[reportIncompatibleVariableOverride]
    """Times that the training data are read; the epoch that is best on dev is kept."""
    patience: int | None = Field(default=8, ge=1)
    """Epochs without a better dev score before training ends; null for never."""
    batch_size: int = Field(default=16, ge=1)
    """Windows an update."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """What is computed in; `auto` is bfloat16 on a GPU that multiplies it."""
    search: SearchSettings | None = None
    speech: SpeechSettings = EMBEDDED_SPEECH
    face: FaceSettings = FaceSettings(engine="landmarker")
    voice: VoiceSettings = VoiceSettings()
    labels: str | tuple[str, ...] | None = None
    """Label set of a table: a name or the labels themselves; null to take it from the data."""
    range: tuple[float, float] | None = None
    """Lowest and highest rating of a table; null to take whole numbers around its ratings."""
    task: str | None = None
    """Which of the corpus's annotations, where it has several; null for the usual one."""

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
