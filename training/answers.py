"""From the logits of a model to what it answers, whichever family it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..core.errors import EmoscribeError
from ..core.labels import THRESHOLD
from .run import Run


def scores_of(run: Run, logits: np.ndarray) -> np.ndarray:
    """What logits (…, L) say, in the same shape.

    `labels`: probabilities that sum to 1.  `label-sets`: a probability each,
    since each label is a question of its own.  `number`: ratings on the run's
    scale, of which logits −1 and 1 are the ends; they may lie beyond.

    Raises:
        EmoscribeError: they are no numbers, as of weights that are damaged.
    """
    if not np.isfinite(logits).all():
        raise EmoscribeError(
            f"run {run.name} gives scores that are no numbers: its weights are damaged, or too large; "
            "train it anew, or choose another --run"
        )
    if run.task == "number":
        middle, half = unit_of(run.range)
        return middle + half * logits
    if run.task == "label-sets":
        return (1 + np.tanh(logits / 2)) / 2
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def unit_of(bounds: tuple[float, float] | None) -> tuple[float, float]:
    """The middle of a scale and half its length: what ratings are learnt in, so that every scale is learnt alike."""
    return (0.0, 1.0) if bounds is None else ((bounds[0] + bounds[1]) / 2, (bounds[1] - bounds[0]) / 2)


def tuned_thresholds(scores: Sequence[Mapping[str, float]], targets: Sequence[frozenset[str]]) -> dict[str, float]:
    """By label, the threshold that is best for its F1; `THRESHOLD` for a label that no clip has.

    It is halfway between two scores.  Measured on the clips it was tuned on,
    F1 is better than it will be on others.

    Args:
        scores: of each clip, by label; targets: the labels that it has.
    """
    return {
        label: _best_threshold(
            np.array([each[label] for each in scores]), np.array([label in target for target in targets])
        )
        for label in scores[0]
    }


def _best_threshold(scores: np.ndarray, has: np.ndarray) -> float:
    """Of scores (N,), for whether (N,) the label is there."""
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    if not has.any() or not descending[0]:
        return THRESHOLD
    # F1 of answering yes to the 1, 2, … N highest scores; those of one score go together.
    f1 = 2 * np.cumsum(has[order]) / (np.arange(1, len(scores) + 1) + has.sum())
    below = np.append(descending[1:], 0.0)
    best = int(np.where(descending > below, f1, -1.0).argmax())
    return float((descending[best] + below[best]) / 2)
