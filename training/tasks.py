"""What a model is asked for: its targets, and how far its logits are from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, l1_loss

from ..core.errors import SettingsError
from ..core.timeline import Target
from .answers import unit_of
from .run import Run, Task

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

    def to(self, device: str | torch.device) -> Objective:
        return self if self.weights is None else Objective(self.task, self.weights.to(device))

    def each(self, logits: Tensor, targets: Tensor, soft: Tensor | None = None) -> Tensor:
        """(N,) losses of logits (N, L).

        Args:
            targets: as of `targets_of`.
            soft: (N, L), how likely each label is to be, where that is not all or nothing; of `labels` alone.
        """
        logits = logits.float()
        if self.task == "number":
            return l1_loss(logits, targets, reduction="none").mean(dim=1)
        if self.task == "label-sets":
            return binary_cross_entropy_with_logits(logits, targets, reduction="none", pos_weight=self.weights).mean(
                dim=1
            )
        losses = cross_entropy(logits, targets if soft is None else soft, reduction="none")
        # Not cross_entropy's own weighting, which would even out the weights within each batch.
        return losses if self.weights is None else losses * self.weights[targets]


def objective_for(run: Run, targets: Tensor, class_weights: str) -> Objective:
    """The loss of the run's task, with the weights that the settings ask for; of numbers there are none.

    Args:
        targets: of all that is learnt from, as of `targets_of`.
        class_weights: `none`, `sqrt` or `balanced`.
    """
    power = _POWERS[class_weights]
    if run.task == "number" or not power:
        return Objective(run.task)
    if run.task == "label-sets":
        there = targets.sum(dim=0).clamp(min=1)
        return Objective(run.task, ((len(targets) - there).clamp(min=1) / there).pow(power))
    counts = torch.bincount(targets, minlength=len(run.labels)).clamp(min=1)
    weights = counts.float().pow(-power)
    # One on average over the clips, so that learning rates keep their meaning.
    return Objective(run.task, weights / weights[targets].mean())


def targets_of(run: Run, targets: Sequence[Target]) -> Tensor:
    """(N,) indices of labels, (N, L) float32 with 1 for a label that is there, or (N, 1) float32 numbers.

    Numbers are such that the ends of the run's scale are −1 and 1; see `answers.scores_of`.
    """
    if run.task == "labels":
        places = {label: place for place, label in enumerate(run.labels)}
        return torch.tensor([places[target] for target in targets])  # pyright: ignore[reportArgumentType]
    if run.task == "number":
        middle, half = unit_of(run.range)
        return torch.from_numpy(((np.array(targets, dtype=float) - middle) / half).astype(np.float32)[:, None])
    there = [[label in target for label in run.labels] for target in targets]  # pyright: ignore[reportOperatorIssue]
    return torch.tensor(there, dtype=torch.float32)


def check_target(run: Run, target: object, whose: str) -> None:
    """Raises:
    SettingsError: it is none of this task and these labels.
    """
    if _fits(run, target):
        return
    expected = {"labels": "a label", "label-sets": "a set of labels", "number": "a number"}[run.task]
    known = f" of {', '.join(run.labels)}" if run.labels else ""
    raise SettingsError(f"{whose} has the target {_said(target)}, the run learns {expected}{known}")


def _fits(run: Run, target: object) -> bool:
    if run.task == "labels":
        return target in run.labels
    if run.task == "label-sets":
        return isinstance(target, frozenset) and target <= set(run.labels)
    return isinstance(target, (int, float)) and bool(np.isfinite(target))


def _said(target: object) -> str:
    return "{" + ", ".join(sorted(map(str, target))) + "}" if isinstance(target, frozenset) else repr(target)
