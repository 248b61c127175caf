"""Is one run better than another on the same clips, or does chance explain it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .metrics import RESAMPLES, interval, metrics_for
from .predictions import Predictions


@dataclass(frozen=True)
class Difference:
    """How much higher `b` is than `a`: paired bootstrap over clips.

    `low` and `high` bound the 95 % percentile interval.  `p` is two-sided:
    twice the smaller share of samples on one side of zero.
    """

    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class McNemar:
    """Of the clips that only one of the two answered rightly, is the split fair?

    `p` is the exact two-sided binomial probability at every count; `p_holm`
    is corrected for the number of pairs tested (Holm, 1979).
    """

    only_a: int
    only_b: int
    p: float
    p_holm: float


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same `n` labelled clips; `differences` by metric."""

    a: str
    b: str
    n: int
    differences: Mapping[str, Difference]
    mcnemar: McNemar


def compare(predictions: Sequence[Predictions], *, resamples: int = RESAMPLES, seed: int = 0) -> tuple[Comparison, ...]:
    """Every pair of runs, in the order given.

    Raises:
        EmoscribeError: runs that differ in their label sets or clips, or no
            labelled clip.
    """
    if len(predictions) < 2:
        return ()
    runs = [one.labelled().in_order_of(predictions[0].labelled()) for one in predictions]
    pairs = list(combinations(runs, 2))
    alone = [_right_alone(a, b) for a, b in pairs]
    probabilities = [mcnemar_p(only_a, only_b) for only_a, only_b in alone]
    tests = [
        McNemar(only_a, only_b, p, p_holm)
        for (only_a, only_b), p, p_holm in zip(alone, probabilities, holm(probabilities), strict=True)
    ]
    return tuple(
        Comparison(a.key, b.key, len(a.truth), paired_bootstrap(a, b, resamples, seed), test)
        for (a, b), test in zip(pairs, tests, strict=True)
    )


def paired_bootstrap(
    a: Predictions, b: Predictions, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, Difference]:
    """Each metric's difference `b` − `a`, drawing the same clips for both.

    Clips of the same truth and the same two answers are alike to every
    metric, so a sample is drawn from a multinomial over those kinds.

    Args:
        a, b: the same labelled clips in the same order, the same labels.
    """
    size = len(a.labels)
    kinds, counts = np.unique(np.stack([a.truth_index, a.answers, b.answers]), axis=1, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), size=resamples)
    # Floats, since numpy multiplies matrices of integers without BLAS.
    drawn = np.vstack([counts, drawn]).astype(float)
    cells = np.eye(size * size)
    of_a, of_b = ((drawn @ cells[kinds[0] * size + kinds[row]]).reshape(-1, size, size) for row in (1, 2))
    found = {}
    for name, metric in metrics_for(a.labels).items():
        observed, samples = np.split(metric(of_b) - metric(of_a), [1])
        low, high = interval(samples)
        found[name] = Difference(observed.item(), low, high, two_sided(samples))
    return found


def mcnemar_p(only_a: int, only_b: int) -> float:
    """Two-sided exact McNemar test: 2·P(X ≤ min), X binomial with n = `only_a` + `only_b`, p = ½; at most 1."""
    n = only_a + only_b
    log_factorial = np.r_[0.0, np.cumsum(np.log(np.arange(1, n + 1)))]
    fewer = np.arange(min(only_a, only_b) + 1)
    terms = log_factorial[n] - log_factorial[fewer] - log_factorial[n - fewer] - n * np.log(2)
    return min(1.0, 2 * float(np.exp(terms).sum()))


def holm(probabilities: Sequence[float]) -> list[float]:
    """p-values corrected for their number: sorted, ×m, ×(m−1), …, never falling, at most 1."""
    adjusted = [0.0] * len(probabilities)
    highest = 0.0
    for rank, index in enumerate(np.argsort(probabilities, kind="stable")):
        highest = max(highest, min(1.0, (len(probabilities) - rank) * probabilities[index]))
        adjusted[index] = highest
    return adjusted


def in_words(comparison: Comparison, metric: str = "weighted_f1", metric_name: str = "weighted F1") -> str:
    """What a comparison found, as a person would say it."""
    found, test = comparison.differences[metric], comparison.mcnemar
    a, b = comparison.a, comparison.b
    points = f"{abs(found.difference) * 100:.1f} points"
    interval_in_words = f"{signed_points(found.low)} to {signed_points(found.high)}"
    bounds = f"{b} − {a}: 95 % interval {interval_in_words}, {p_in_words(found.p)}"
    if found.low <= 0 <= found.high:
        verdict = f"By {metric_name}, {a} and {b} cannot be told apart: {points} between them ({bounds})."
    else:
        better, worse = (b, a) if found.difference > 0 else (a, b)
        verdict = f"By {metric_name}, {better} is better than {worse}: {points} ahead ({bounds})."
    return (
        f"{verdict} Of {comparison.n:,} clips, {test.only_a:,} were answered rightly by {a} alone "
        f"and {test.only_b:,} by {b} alone (McNemar: {p_in_words(test.p_holm)})."
    )


def signed_points(difference: float) -> str:
    """As in “+1.2” or “−0.4”, in points; what rounds to nothing has no sign."""
    points = f"{100 * difference:+.1f}"
    return "0.0" if points in ("+0.0", "-0.0") else points.replace("-", "−")


def p_in_words(p: float) -> str:
    """As in “p = .031”; what lies below a thousandth is not told apart."""
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("= 0.", "= .")


def _right_alone(a: Predictions, b: Predictions) -> tuple[int, int]:
    """Clips that only `a`, and only `b`, answered rightly."""
    a_right, b_right = (one.answers == one.truth_index for one in (a, b))
    return int((a_right & ~b_right).sum()), int((b_right & ~a_right).sum())


def two_sided(samples: np.ndarray) -> float:
    # The observed sample counts as one of its own, so p is never 0.
    fewer = min((samples <= 0).sum(), (samples >= 0).sum())
    return float(min(1.0, 2 * (fewer + 1) / (len(samples) + 1)))
