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
from ..core.tensors import save_tensors
from ..core.timeline import Target
from ..training.answers import tuned_thresholds
from ..training.progress import Metrics
from ..training.tasks import Objective, check_target, objective_for, targets_of
from .batches import check_streams, collate, shuffled_batches
from .deciding import ClipScores, with_thresholds
from .frames import FeatureFrames
from .predictor import FusionPredictor
from .run import MODEL, FusionRun
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
        targets = targets_of(run, [_target(clip) for clip in data.train])
        self.targets = targets[torch.from_numpy(self.clip_of)]
        self.objective = objective_for(run, targets, run.settings.class_weights).to(predictor.device)
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
        loss = mean_loss(self.objective, logits, self.targets[torch.from_numpy(batch)].to(device), there)
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
        scores = [each.scores for each in scored if isinstance(each.scores, Mapping)]
        thresholds = tuned_thresholds(scores, targets)
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
        for clip in clips:
            check_target(run, clip.target, f"clip {clip.id}")


def mean_loss(objective: Objective, logits: Tensor, targets: Tensor, there: Tensor) -> Tensor:
    """The mean loss of B windows, a scalar.

    A window counts as much as any other however long it is, since clips are
    judged, not seconds.

    Args:
        logits: (B, T, L), where every frame that is there has its window's
            target, or (B, L).
        targets: of the windows; see `targets_of`.
        there: (B, T) bool.
    """
    if logits.dim() == 2:
        return objective.each(logits, targets).mean()
    window = there.nonzero()[:, 0]
    # Padding is left out before the loss: none of its gradients is anybody's business.
    losses = objective.each(logits[there], targets[window])
    return (losses / there.sum(dim=1)[window]).sum() / len(logits)


def _target(clip: FeatureFrames) -> Target:
    """What it was checked to have."""
    assert clip.target is not None
    return clip.target


def _autocast(device: str, precision: str) -> torch.autocast:
    """Half precision where it was asked for, or bfloat16 where a GPU multiplies it."""
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported(False) else "float32"
    half = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(device, half, enabled=precision != "float32")
