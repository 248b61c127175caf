"""From scores of windows to scores of frames, and from those to one decision a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..core.errors import SettingsError
from .calibration import SMALLEST


def frame_scores(times_s: np.ndarray, start_s: np.ndarray, end_s: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(F, L) scores of each frame: the mean over the windows it lies in.

    A frame in no window takes the scores of the nearest one, since a
    prediction is wanted for every frame.

    Args:
        times_s: (F,) seconds.
        start_s, end_s: (W,) seconds, W ≥ 1; a window holds its start and not
            its end.
        scores: (W, L) probabilities.
    """
    distance_s = np.maximum(np.maximum(start_s - times_s[:, None], times_s[:, None] - end_s), 0)
    inside = (start_s <= times_s[:, None]) & (times_s[:, None] < end_s)
    alone = ~inside.any(axis=1)
    inside[alone, distance_s[alone].argmin(axis=1)] = True
    return inside @ scores / inside.sum(axis=1, keepdims=True)


def vote(scores: np.ndarray) -> np.ndarray:
    """(L,) share of the frames that each label is the answer of; the first label wins a tie."""
    return np.bincount(scores.argmax(axis=1), minlength=scores.shape[1]) / len(scores)


def mean_probability(scores: np.ndarray) -> np.ndarray:
    """(L,) mean of the frames' probabilities."""
    return scores.mean(axis=0)


def mean_logit(scores: np.ndarray) -> np.ndarray:
    """(L,) softmax of the frames' mean logits: the normalised geometric mean.

    One frame that is sure a label is absent weighs more than in
    `mean_probability`.
    """
    mean = np.log(np.maximum(scores, SMALLEST)).mean(axis=0)
    raised = np.exp(mean - mean.max())
    return raised / raised.sum()


# How a clip is decided from its frames: (F, L) to (L,).
DECISIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "vote": vote,
    "mean-probability": mean_probability,
    "mean-logit": mean_logit,
}


def clip_scores(clip_ids: Sequence[str], scores: np.ndarray, decision: str) -> tuple[tuple[str, ...], np.ndarray]:
    """One row of scores a clip, from those of its frames or windows.

    Args:
        clip_ids: the clip of each of the F rows.
        scores: (F, L) probabilities.
        decision: a name in `DECISIONS`.

    Returns:
        the C clips in order of first appearance, and their (C, L) scores.

    Raises:
        SettingsError: no such decision.
    """
    if decision not in DECISIONS:
        raise SettingsError(f"unknown clip decision {decision!r}; there are: {', '.join(DECISIONS)}")
    rows: dict[str, list[int]] = {}
    for row, clip in enumerate(clip_ids):
        rows.setdefault(clip, []).append(row)
    return tuple(rows), np.array([DECISIONS[decision](scores[of_clip]) for of_clip in rows.values()])
