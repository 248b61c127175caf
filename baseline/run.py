"""Runs of the feature-based baseline.

A run is a folder: `baseline.json` describes it,
`model.safetensors` are the fusion model's weights, `scaler.safetensors` is
what features are normalised by, and `svm.safetensors` the support vector
machine where there is one.  A search leaves `search.json` beside them, and its
trials, runs of their own, under `trials/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from ..extractors.features.settings import FEATURES
from ..training.run import Run
from .settings import BaselineSettings

BASELINE = "baseline.json"
MODEL = "model.safetensors"
SCALER = "scaler.safetensors"
SVM = "svm.safetensors"
SEARCH = "search.json"
TRIALS = "trials"


class FusionRun(Run):
    """A trained fusion model, as described.

    Attributes:
        streams: width of each feature that it reads, by name.
        sizes: `{"parameters", "bytes", "seconds_a_clip"}`: of all that it
            takes, on disk, and from features to scores of a clip of dev.
    """

    kind: ClassVar[str] = "fusion"
    description: ClassVar[str] = BASELINE

    settings: BaselineSettings
    streams: Mapping[str, int]
    sizes: Mapping[str, float] = {}

    @model_validator(mode="before")
    @classmethod
    def _as_now(cls, described: Any) -> Any:
        """Earlier descriptions said whether the run was trained offline, which nobody asks of a run."""
        settings = described.get("settings") if isinstance(described, dict) else None
        if isinstance(settings, dict) and "offline" in settings:
            kept = {key: value for key, value in settings.items() if key != "offline"}
            return {**described, "settings": kept}
        return described

    @property
    def modalities(self) -> str:
        """The letters of what it reads: fewer than asked for where the corpus had nothing of the others."""
        read = {FEATURES[name].letter for name in self.streams}
        return "".join(letter for letter in "TVA" if letter in read)

    @property
    def in_words(self) -> str:
        return f"{self.settings.fusion} on {', '.join(self.streams)}"

    @property
    def annotation(self) -> str | None:
        return self.settings.task
