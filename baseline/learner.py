"""What of a fusion model learns: all of it, on windows of similar length in batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.errors import SettingsError
from ..training.progress import Metrics
from .batches import check_streams, collate, shuffled_batches
from .deciding import ClipScores, tuned_thresholds, with_thresholds
from .frames import FeatureFrames
from .predictor import FusionPredictor
from .run import MODEL, FusionRun
from .tasks import objective_of, targets_of
from .weights import save_tensors
from .windows import windows_of


@dataclass(frozen=True, eq=False)
class LabelledFeatures:
    """What a fusion model learns from, and is measured by.

    Attributes:
        dev: what epochs are measured on, and the thresholds of label sets are tuned to.
        metrics: measures the scores of dev.
        select: the measure that the best epoch is chosen by.
    """

    train: Sequence[FeatureFrames]
    dev: Sequence[FeatureFrames]
    metrics: Metrics[ClipScores]
    select: str


class WindowLearner:
    """A `training.updates.Learner`: a fusion model, on the training clips in windows."""

    def __init__(self, predictor: FusionPredictor, data: LabelledFeatures) -> None:
        run = predictor.run
        self.model: torch.nn.Module = predictor.model
        self.body = list(predictor.model.parameters())
        self.head: list[torch.nn.Parameter] = []
        self.half_range = run.settings.precision == "float16"
        self._predictor, self._run, self._data = predictor, run, data
        self.windows = windows_of(data.train, run.settings.window_frames, run.settings.hop_frames)
        self.clip_of = np.array([window.clip for window in self.windows])
        self.targets = targets_of(run, data.train)[torch.from_numpy(self.clip_of)]
        self.objective = objective_of(run, data.train, predictor.device)
        self.batches_an_epoch = math.ceil(len(self.windows) / run.settings.batch_size)

    def state(self) -> dict[str, Tensor]:
        return self.model.state_dict()

    def batches(self, epoch: int) -> list[np.ndarray]:
        settings = self._run.settings
        return shuffled_batches(self.windows, settings.batch_size, settings.seed * 1000 + epoch)

    def backward(self, batch: np.ndarray, scale: Callable[[Tensor], Tensor]) -> float:
        device = self._predictor.device
        windows = [self.windows[place] for place in batch]
        streams, there = collate(self._data.train, windows, self._predictor.scaler, device)
        with _autocast(device, self._run.settings.precision):
            logits = self.model(streams, there)
        loss = self.objective.loss(logits, self.targets[torch.from_numpy(batch)].to(device), there)
        scale(loss).backward()
        return float(loss.detach())

    def measure(self) -> tuple[Mapping[str, float], dict[str, Any]]:
        return measured(self._run, self._predictor.predict(self._data.dev), self._data)

    def keep(self) -> None:
        save_tensors(self.model.state_dict(), self._run.folder / MODEL)


def measured(
    run: FusionRun, scored: Sequence[ClipScores], data: LabelledFeatures
) -> tuple[Mapping[str, float], dict[str, Any]]:
    """Measures of dev, and the thresholds of label sets that are tuned to it."""
    thresholds = {}
    if run.task == "label-sets":
        targets = [clip.target for clip in data.dev if isinstance(clip.target, frozenset)]
        thresholds = tuned_thresholds(scored, targets)
        scored = with_thresholds(scored, thresholds)
    return data.metrics(scored), {"thresholds": thresholds}


def check_data(run: FusionRun, data: LabelledFeatures) -> None:
    """Raises:
    SettingsError: no clips or too few labels, or a feature or target that is not the run's.
    """
    if not data.train or not data.dev:
        raise SettingsError("training needs clips, and others to measure on; one of the two is empty")
    if run.task != "number" and len(run.labels) < 2 - (run.task == "label-sets"):
        raise SettingsError(f"{run.task} of {len(run.labels)} labels leave nothing to learn; give more labels")
    for clips in (data.train, data.dev):
        check_streams(clips, run.streams)
        targets_of(run, clips)


def _autocast(device: str, precision: str) -> torch.autocast:
    """Half precision where it was asked for, or bfloat16 where a GPU multiplies it."""
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported(False) else "float32"
    half = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(device, half, enabled=precision != "float32")
