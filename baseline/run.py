"""Runs of the feature-based baseline.

A run is a folder: `baseline.json` describes it,
`model.safetensors` are the fusion model's weights, `scaler.safetensors` is
what features are normalised by, and `svm.safetensors` the support vector
machine where there is one.  A search leaves `search.json` beside them, and its
trials, runs of their own, under `trials/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ..core.errors import SettingsError
from ..core.files import make_folder, plain, read_json, write_json
from ..core.settings import Settings, validate
from ..extractors.features.settings import FEATURES
from .settings import BaselineSettings, Task

BASELINE = "baseline.json"
MODEL = "model.safetensors"
SCALER = "scaler.safetensors"
SVM = "svm.safetensors"
SEARCH = "search.json"
TRIALS = "trials"
VERSION = 1


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
