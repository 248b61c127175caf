"""How far apart two runs are on the same clips, and how likely chance brings them as far; `verdict` decides by it."""

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
    twice the smaller share of samples on one side of zero, of this pair and
    this metric alone.
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
class Decision:
    """Whether chance explains how far two runs are apart, by the `metric` that decides.

    `p` is of the paired bootstrap, `p_holm` corrected for the number of pairs
    compared; `better` is the key of the better run, `None` where they cannot
    be told apart.
    """

    metric: str
    p: float
    p_holm: float
    better: str | None


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Two runs on the same `n` labelled clips: how much higher `b` is than `a`, by metric.

    A metric that one of the two lacks is left out.  There is no decision
    before all pairs are known.
    """

    a: str
    b: str
    n: int
    differences: Mapping[str, Difference]
    decision: Decision | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison(Paired):
    """Two runs that answer with one label a clip."""

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
        Comparison(a=a.key, b=b.key, n=len(a.truth), differences=paired_bootstrap(a, b, resamples, seed), mcnemar=test)
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
