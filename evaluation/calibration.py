"""Whether a score of 0.7 is right seven times in ten."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True, eq=False)
class Reliability:
    """Confidence against accuracy, in B bins of equal width over 0–1.

    A bin holds the confidences above its lower edge, up to its upper one.

    Attributes:
        count: (B,) clips in each bin.
        confidence, accuracy: (B,) means over them; NaN where there are none.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Reliability:
    """The reliability curve (Guo et al., ICML 2017).

    Args:
        confidence: (N,) the highest score of each clip, in 0–1.
        right: (N,) bool, whether the answer was right.
    """
    which = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    count = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            count,
            np.bincount(which, weights=confidence, minlength=bins) / count,
            np.bincount(which, weights=right, minlength=bins) / count,
        )


def expected_calibration_error(curve: Reliability) -> float:
    """ECE: Σ over bins of (clips in it / all clips) · |accuracy − confidence|.  In 0–1, 0 is best."""
    gap = np.abs(np.nan_to_num(curve.accuracy - curve.confidence))
    return float((curve.count * gap).sum() / curve.count.sum())
