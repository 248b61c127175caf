"""What a fusion model is asked for: its targets, and how far it is from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss

from ..core.errors import SettingsError
from ..training.run import Task
from .frames import FeatureFrames
from .run import FusionRun

# The power of the inverse frequency that labels are weighted by.
_POWERS = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of a task.

    `labels`: cross-entropy.  `label-sets`: binary cross-entropy, the mean over
    the labels.  `number`: the absolute error, which is what such corpora are
    judged by (MAE), and which a few extreme ratings do not sway.

    Attributes:
        weights: (L,) of the labels; for label sets, of a label that is given
            against one that is not.
    """

    task: Task
    weights: Tensor | None = None

    def each(self, logits: Tensor, targets: Tensor) -> Tensor:
        """(N,) losses of logits (N, L)."""
        logits = logits.float()
        if self.task == "number":
            return l1_loss(logits, targets, reduction="none").mean(dim=1)
        if self.task == "label-sets":
            return binary_cross_entropy_with_logits(logits, targets, reduction="none", pos_weight=self.weights).mean(
                dim=1
            )
        losses = cross_entropy(logits, targets, reduction="none")
        # Not cross_entropy's own weighting, which would even out the weights within each batch.
        return losses if self.weights is None else losses * self.weights[targets]

    def loss(self, logits: Tensor, targets: Tensor, there: Tensor) -> Tensor:
        """The mean loss of B windows, a scalar.

        A window counts as much as any other however long it is, since clips
        are judged, not seconds.

        Args:
            logits: (B, T, L), where every frame that is there has its
                window's target, or (B, L).
            targets: of the windows; see `targets_of`.
            there: (B, T) bool.
        """
        if logits.dim() == 2:
            return self.each(logits, targets).mean()
        window = there.nonzero()[:, 0]
        # Padding is left out before the loss: none of its gradients is anybody's business.
        losses = self.each(logits[there], targets[window])
        return (losses / there.sum(dim=1)[window]).sum() / len(logits)


def objective_of(run: FusionRun, train: Sequence[FeatureFrames], device: str) -> Objective:
    """The task's loss, with the weights that the settings ask for."""
    power = _POWERS[run.settings.class_weights]
    if run.task == "number" or not power:
        return Objective(run.task)
    targets = targets_of(run, train)
    if run.task == "label-sets":
        given = targets.sum(dim=0).clamp(min=1)
        return Objective(run.task, ((len(train) - given).clamp(min=1) / given).pow(power).to(device))
    counts = torch.bincount(targets, minlength=len(run.labels)).clamp(min=1)
    weights = counts.float().pow(-power)
    # One on average over the clips, so that learning rates keep their meaning.
    return Objective(run.task, (weights / weights[targets].mean()).to(device))


def targets_of(run: FusionRun, clips: Sequence[FeatureFrames]) -> Tensor:
    """(N,) indices of labels, (N, L) float32 with 1 for a label that is given, or (N, 1) float32 numbers.

    Raises:
        SettingsError: a clip has no target, or not one of this task and these labels.
    """
    expected = {"labels": "a label", "label-sets": "a set of labels", "number": "a number"}[run.task]
    for clip in clips:
        if not _fits(run, clip.target):
            known = f" of {', '.join(run.labels)}" if run.labels else ""
            raise SettingsError(f"clip {clip.id} has the target {_said(clip.target)}, the run learns {expected}{known}")
    targets = [clip.target for clip in clips]
    if run.task == "labels":
        places = {label: place for place, label in enumerate(run.labels)}
        return torch.tensor([places[target] for target in targets])  # pyright: ignore[reportArgumentType]
    if run.task == "number":
        return torch.from_numpy(np.array(targets, dtype=np.float32)[:, None])
    given = [[label in target for label in run.labels] for target in targets]  # pyright: ignore[reportOperatorIssue]
    return torch.tensor(given, dtype=torch.float32)


def _fits(run: FusionRun, target: object) -> bool:
    if run.task == "labels":
        return target in run.labels
    if run.task == "label-sets":
        return isinstance(target, frozenset) and target <= set(run.labels)
    return isinstance(target, (int, float)) and bool(np.isfinite(target))


def _said(target: object) -> str:
    return "{" + ", ".join(sorted(map(str, target))) + "}" if isinstance(target, frozenset) else repr(target)
