"""Whether a score of 0.7 is right seven times in ten, and how to make it so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15
# Scores of exactly 0 have no logarithm; nothing finer is told apart.
SMALLEST = 1e-12
# Beyond these a temperature only says that the dev set is always or never
# answered rightly.
TEMPERATURES = (0.05, 20.0)


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


def negative_log_likelihood(scores: np.ndarray, truth: np.ndarray) -> float:
    """Mean −ln of the true label's score, in nats; 0 is best.

    Args:
        scores: (N, L) probabilities.
        truth: (N,) indices.
    """
    return float(-np.log(np.maximum(scores[np.arange(len(truth)), truth], SMALLEST)).mean())


def with_temperature(scores: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(ln scores / T), (N, L): above 1 is less sure, below 1 surer.  Answers do not change."""
    logits = np.log(np.maximum(scores, SMALLEST)) / temperature
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def fit_temperature(scores: np.ndarray, truth: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood, within `TEMPERATURES`.

    The likelihood is concave in 1/T, so the sign of its slope says which half
    to look in: expected logit under the model against the true label's.

    Args:
        scores: (N, L) probabilities on dev, untempered.
        truth: (N,) indices.
    """
    logits = np.log(np.maximum(scores, SMALLEST))
    true_logit = logits[np.arange(len(truth)), truth].mean()
    low, high = np.log(TEMPERATURES)
    # Halving 40 times is exact to 1e-11.
    for _ in range(40):
        middle = (low + high) / 2
        tempered = with_temperature(scores, float(np.exp(middle)))
        too_sure = (tempered * logits).sum(axis=1).mean() > true_logit
        low, high = (middle, high) if too_sure else (low, middle)
    return float(np.exp((low + high) / 2))
