"""How sure a metric is, and whether two runs differ, where the metric is made of sums over clips.

F1 is made of counts, a correlation of sums of squares and products: whatever
a clip adds to such sums stands in its row of a matrix, and a bootstrap sample
of the clips is a sum of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import numpy as np

from .comparison import Difference, Paired, two_sided
from .metrics import LEVEL, interval

# Weights of samples × clips that are in memory at once.
_BLOCK = 2**22

Metrics = Mapping[str, Callable[[np.ndarray], np.ndarray]]


def sampled_sums(of_clips: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(R, D) sums over bootstrap samples of the clips.

    The same seed draws the same clips, whatever the columns are: samples of
    two runs are paired.

    Args:
        of_clips: (N, D) what each clip adds.
    """
    n = len(of_clips)
    rng = np.random.default_rng(seed)
    sums = []
    for start in range(0, resamples, step := max(1, _BLOCK // n)):
        size = min(step, resamples - start)
        drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        sums.append(np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(float) @ of_clips)
    return np.concatenate(sums)


def defined_interval(samples: np.ndarray, level: float = LEVEL) -> list[float] | None:
    """The percentile interval of the (R,) samples that are defined; `None` where none is."""
    defined = samples[~np.isnan(samples)]
    return interval(defined, level) if len(defined) else None


def compare_sums(
    runs: Sequence[tuple[str, np.ndarray]], metrics: Metrics, *, resamples: int, seed: int
) -> tuple[Paired, ...]:
    """Every pair of runs, in the order given: paired bootstrap over clips.

    Args:
        runs: the key of each and its (N, D) rows, of the same clips in the
            same order.
        metrics: from sums (…, D) to values (…).
    """
    if len(runs) < 2:
        return ()
    values = {}
    for key, of_clips in runs:
        sums = np.vstack([of_clips.sum(axis=0), sampled_sums(of_clips, resamples, seed)])
        values[key] = {name: metric(sums) for name, metric in metrics.items()}
    return tuple(
        Paired(
            a=a,
            b=b,
            n=len(of_clips),
            differences={
                name: found for name in metrics if (found := _difference(values[b][name] - values[a][name])) is not None
            },
        )
        for (a, of_clips), (b, _) in combinations(runs, 2)
    )


def _difference(values: np.ndarray) -> Difference | None:
    """Of the observed difference and, after it, those of the samples."""
    observed, samples = values[0], values[1:][~np.isnan(values[1:])]
    if np.isnan(observed) or not len(samples):
        return None
    low, high = interval(samples)
    return Difference(float(observed), low, high, two_sided(samples))
