"""How a clip is decided from its frames, whoever scored them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..core.errors import SettingsError

# Smaller probabilities are taken as this one where their logarithm is.
_SMALLEST = 1e-12


def vote(frames: np.ndarray) -> np.ndarray:
    """Share of the frames that each answer is the likeliest of; the first one wins a tie."""
    return (frames.argmax(axis=-1)[..., None] == np.arange(frames.shape[-1])).mean(axis=0)


def mean_probability(frames: np.ndarray) -> np.ndarray:
    """Mean of the frames' probabilities."""
    return frames.mean(axis=0)


def mean_logit(frames: np.ndarray) -> np.ndarray:
    """Softmax of the frames' mean logits: the normalised geometric mean.

    One frame that is sure an answer is wrong weighs more than in `mean_probability`.
    """
    mean = np.log(np.maximum(frames, _SMALLEST)).mean(axis=0)
    raised = np.exp(mean - mean.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


# (F, …, K) probabilities that sum to 1 over the K answers, to (…, K).
DECISIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "vote": vote,
    "mean-probability": mean_probability,
    "mean-logit": mean_logit,
}


def check_decision(decision: str) -> None:
    """Raises:
    SettingsError: it is none of `DECISIONS`.
    """
    if decision not in DECISIONS:
        raise SettingsError(f"unknown clip decision {decision!r}; there are: {', '.join(DECISIONS)}")
