"""The settings of the feature-based baseline, and its runs.

A run of the baseline is a folder: `baseline.json` describes it,
`model.safetensors` are the fusion model's weights, `scaler.safetensors` is
what features are normalised by, and `svm.safetensors` the support vector
machine where there is one.  A search leaves `search.json` beside them, and its
trials, runs of their own, under `trials/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from .errors import SettingsError
from .features import FEATURES, FeatureSettings
from .files import make_folder, plain, read_json, write_json
from .settings import Device, FaceSettings, Settings, SpeechSettings, VoiceSettings, check_modalities, validate
from .training import OptimizerSettings

BASELINE = "baseline.json"
MODEL = "model.safetensors"
SCALER = "scaler.safetensors"
SVM = "svm.safetensors"
SEARCH = "search.json"
TRIALS = "trials"
VERSION = 1

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
    """How a fusion model's weights follow the loss: all are fresh, so all have one rate.

    Momentum of `sgd` is Nesterov's.
    """

    learning_rate: float = Field(default=1e-3, gt=0)
    head_learning_rate: float | None = None
    weight_decay: float = Field(default=1e-4, ge=0)

    @field_validator("head_learning_rate")
    @classmethod
    def _one_rate(cls, rate: float | None) -> float | None:
        if rate is not None:
            raise ValueError("a fusion model has no head of its own rate; leave it null")
        return rate


class BaselineSettings(Settings):
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
    optimizer: FusionOptimizerSettings = FusionOptimizerSettings()
    epochs: int = Field(default=30, ge=1)
    # Epochs without a better dev score before training ends; `None` for never.
    patience: int | None = Field(default=8, ge=1)
    # Windows an update.
    batch_size: int = Field(default=16, ge=1)
    # `auto` is bfloat16 autocast on a GPU that multiplies it.
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    search: SearchSettings | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)
    device: Device = "auto"
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


class BaselineRun(Settings):
    """A trained fusion model, as described.

    Attributes:
        folder: where it lies; not part of the description.
        streams: width of each feature that it reads, by name.
        labels: in the order of the scores; empty where the task is a number.
        thresholds: by label, from which probability on it is given (label sets only).
        sizes: `{"parameters", "bytes", "seconds_a_clip"}`: of all that it
            takes, on disk, and from features to scores of a clip of dev.
    """

    version: Literal[1] = VERSION
    folder: Path = Field(exclude=True)
    settings: BaselineSettings
    task: Task = "labels"
    label_set: str = ""
    labels: tuple[str, ...] = ()
    streams: Mapping[str, int]
    thresholds: Mapping[str, float] = {}
    licence: str = ""
    sizes: Mapping[str, float] = {}
    metrics: Mapping[str, Any] = {}
    training: Mapping[str, Any] = {}

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def modalities(self) -> str:
        """The letters of what it reads: fewer than asked for where the corpus had nothing of the others."""
        read = {FEATURES[name].letter for name in self.streams}
        return "".join(letter for letter in "TVA" if letter in read)


def load_baseline(folder: str | Path) -> BaselineRun:
    """The run in a folder.

    Raises:
        SettingsError: its description is damaged or of a newer version.
        MediaError: it is not there.
    """
    path = Path(folder) / BASELINE
    described = read_json(path)
    if not isinstance(described, dict):
        raise SettingsError(f"{path} must be a mapping, got a {type(described).__name__}")
    if isinstance(version := described.get("version"), int) and version > VERSION:
        raise SettingsError(f"{path} is version {version}, this emoscribe reads up to {VERSION}; update emoscribe")
    return validate(BaselineRun, {**described, "folder": Path(folder)}, str(path))


def save_baseline(run: BaselineRun) -> None:
    """Write the description into the run's folder.

    Raises:
        EmoscribeError: the folder cannot be written to.
    """
    write_json(make_folder(run.folder) / BASELINE, plain(run.model_dump(mode="json")))
