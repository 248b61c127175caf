"""What logits are best divided by, so that a score means what it says (Guo et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.timeline import Scored


def fitted_temperature(labels: Sequence[str], scored: Sequence[Scored]) -> float:
    """The temperature of least negative log-likelihood, to 1 %.

    Args:
        labels: the true one of each.
        scored: probabilities at temperature 1.
    """
    names = list(scored[0].scores)
    logits = np.log(np.maximum([list(each.scores.values()) for each in scored], 1e-12))
    true = np.array([names.index(label) for label in labels])

    def negative_log_likelihood(temperature: float) -> float:
        scaled = logits / temperature
        log_sums = np.log(np.exp(scaled - scaled.max(1, keepdims=True)).sum(1)) + scaled.max(1)
        return float((log_sums - scaled[np.arange(len(true)), true]).mean())

    return float(min(np.geomspace(0.25, 8.0, 350), key=negative_log_likelihood))
