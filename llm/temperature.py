"""What logits are best divided by, so that a score means what it says (Guo et al., 2017)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ..core.prompt import Scored

# Fewer moments with the same signals tell more of themselves than of others like them.
ENOUGH = 150


def fitted_temperatures(labels: Sequence[str], scored: Sequence[Scored], signals: Sequence[str]) -> dict[str, float]:
    """Temperatures by signals, where they differ and there are enough moments with them; `""` for all moments.

    A model is surer of faces, say, than it is right, and less sure of lines.

    Args:
        labels: the true one of each.
        scored: probabilities at temperature 1.
        signals: which of TVA each has.
    """
    fitted = {"": round(fitted_temperature(labels, scored), 3)}
    counts = Counter(signals)
    for letters, count in sorted(counts.items()):
        if ENOUGH <= count < len(signals):
            these = [i for i, each in enumerate(signals) if each == letters]
            fitted[letters] = round(fitted_temperature([labels[i] for i in these], [scored[i] for i in these]), 3)
    return fitted


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
