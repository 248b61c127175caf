"""Metrics of answers that are numbers: errors, correlations, and classes cut from the scale.

Each takes sums over clips, with any number of axes in front: the same formula
serves one run and the thousands of samples of a bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..core.timeline import Clip
from . import metrics as classification
from .comparison import Paired
from .metrics import RESAMPLES
from .ratings import NumberPredictions
from .references import Reference
from .resampling import compare_sums, defined_interval, sampled_sums

# Numbers that spread by less than this share of the scale are all the same.
CONSTANT = 1e-6


# ── the scales of corpora, and the classes that papers cut them into ─────────


@dataclass(frozen=True)
class Cut:
    """Ratings as classes.

    Attributes:
        names: of the K classes, from the lowest to the highest.
        classes: the class of each number, in 0 … K − 1.
        zeros: whether clips that are rated 0 are counted.
        has_f1: whether papers report its F1.
    """

    names: tuple[str, ...]
    classes: Callable[[np.ndarray], np.ndarray]
    zeros: bool = True
    has_f1: bool = False


@dataclass(frozen=True)
class Scale:
    """How a corpus's ratings are read.

    Attributes:
        cuts: by what stands behind `accuracy_` in the names of metrics.
        clipped: whether answers are clipped to the range before anything is
            measured, and not for the classes alone.
    """

    cuts: Mapping[str, Cut]
    clipped: bool = False


def _rounded(values: np.ndarray, most: int) -> np.ndarray:
    # Halves go to the even number, as NumPy rounds and papers do.
    return np.round(np.clip(values, -most, most)).astype(int) + most


def _between(values: np.ndarray, bounds: tuple[float, ...]) -> np.ndarray:
    """The class of each number, which includes its upper bound."""
    return np.searchsorted(bounds, values, side="left")


def _whole_numbers(most: int) -> Cut:
    names = tuple(f"{number:+d}".replace("-", "−") if number else "0" for number in range(-most, most + 1))
    return Cut(names, partial(_rounded, most=most))


# CMU-MOSI and CMU-MOSEI: classes of two as in Zadeh et al. (ACL 2018) and in
# Tsai et al. (ACL 2019), of three to seven by clipping and rounding.
MOSEI = Scale(
    {
        "2_non_negative": Cut(("negative", "not negative"), lambda values: (values >= 0).astype(int), has_f1=True),
        "2_nonzero": Cut(("negative", "positive"), lambda values: (values > 0).astype(int), zeros=False, has_f1=True),
        "3": _whole_numbers(1),
        "5": _whole_numbers(2),
        "7": _whole_numbers(3),
    }
)
# CH-SIMS (Yu et al., ACL 2020), at the bounds of MMSA's `eval_sims_regression`.
CH_SIMS = Scale(
    {
        "2": Cut(("not positive", "positive"), partial(_between, bounds=(0.0,)), has_f1=True),
        "3": Cut(("negative", "neutral", "positive"), partial(_between, bounds=(-0.1, 0.1))),
        "5": Cut(
            ("negative", "weakly negative", "neutral", "weakly positive", "positive"),
            partial(_between, bounds=(-0.7, -0.1, 0.1, 0.7)),
        ),
    },
    clipped=True,
)


def scale_of(bounds: tuple[float, float]) -> Scale:
    """−3 … 3 is read as CMU-MOSEI, −1 … 1 as CH-SIMS; on any other scale no classes are published."""
    return {(-3.0, 3.0): MOSEI, (-1.0, 1.0): CH_SIMS}.get((float(bounds[0]), float(bounds[1])), Scale({}))


# ── sums over clips ──────────────────────────────────────────────────────────

# Clips, Σx, Σy, Σx², Σy², Σxy and Σ|y − x| for truth x and answer y, both
# counted from the middle of the scale: no digits are lost in squares.
_MOMENTS = 7


def rows(truth: np.ndarray, values: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """(N, 7 + ΣK²) what each clip adds: moments, then for each cut the cell of its confusion matrix.

    Args:
        truth, values: (N,).
    """
    scale, middle = scale_of(bounds), sum(bounds) / 2
    if scale.clipped:
        values = np.clip(values, *bounds)
    x, y = truth - middle, values - middle
    columns = [np.ones(len(x)), x, y, x * x, y * y, x * y, np.abs(y - x)]
    for cut in scale.cuts.values():
        size = len(cut.names)
        cells = np.eye(size * size)[cut.classes(truth) * size + cut.classes(values)]
        columns.append(cells if cut.zeros else cells * (truth != 0)[:, None])
    return np.column_stack(columns)


def confusions(sums: np.ndarray, scale: Scale) -> dict[str, np.ndarray]:
    """(…, K, K) for each cut: clips by true class (row) and answered class."""
    found, start = {}, _MOMENTS
    for name, cut in scale.cuts.items():
        size = len(cut.names)
        found[name] = sums[..., start : start + size * size].reshape(*sums.shape[:-1], size, size)
        start += size * size
    return found


# ── metrics: from sums (…, D) to (…) ─────────────────────────────────────────


def mae(sums: np.ndarray) -> np.ndarray:
    """Mean absolute error, on the scale of the ratings; 0 is best."""
    return sums[..., 6] / sums[..., 0]


def pearson(sums: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Pearson's r, in −1 … 1; NaN where all ratings, or all answers, are the same."""
    _, of_truth, of_values, covariance = _spread(sums)
    least = (CONSTANT * (bounds[1] - bounds[0])) ** 2
    defined = (of_truth > least) & (of_values > least)
    together = np.sqrt(np.where(defined, of_truth * of_values, 1.0))
    return np.where(defined, np.clip(covariance / together, -1, 1), np.nan)


def concordance(sums: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Lin's concordance (CCC): 2·cov / (var + var + (mean − mean)²), in −1 … 1 (Lin, 1989).

    Variances are over n.  0 where only the ratings, or only the answers, are
    all the same; NaN where all of both are the same number.
    """
    apart, of_truth, of_values, covariance = _spread(sums)
    whole = of_truth + of_values + apart**2
    defined = whole > (CONSTANT * (bounds[1] - bounds[0])) ** 2
    return np.where(defined, 2 * covariance / np.where(defined, whole, 1.0), np.nan)


def _spread(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean answer − mean rating, variance of ratings, of answers, and covariance."""
    means = sums[..., 1:6] / sums[..., :1]
    x, y, xx, yy, xy = np.moveaxis(means, -1, 0)
    return y - x, xx - x * x, yy - y * y, xy - x * y


def _of_cut(sums: np.ndarray, scale: Scale, name: str, metric: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    matrix = confusions(sums, scale)[name]
    return np.where(matrix.sum(axis=(-2, -1)) > 0, metric(matrix), np.nan)


def metrics_for(bounds: tuple[float, float]) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """By name, in the order in which they are reported.

    For each cut the accuracy, and where papers report it F1: the mean of its
    classes' F1, weighted by how many clips truly are of each.  NaN where no
    clip is counted.
    """
    scale = scale_of(bounds)
    found = {"mae": mae, "pearson": partial(pearson, bounds=bounds), "ccc": partial(concordance, bounds=bounds)}
    for name, cut in scale.cuts.items():
        found[f"accuracy_{name}"] = partial(_of_cut, scale=scale, name=name, metric=classification.accuracy)
        if cut.has_f1:
            found[f"f1_{name}"] = partial(_of_cut, scale=scale, name=name, metric=classification.weighted_f1)
    return found


# ── all of it ────────────────────────────────────────────────────────────────


def measure(predictions: NumberPredictions, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """One entry of `metrics.json`: accuracies and F1 in 0–1, `mae` on the scale of `range`.

    `pearson` and `ccc` are `None` where they are not defined.  `classes`
    holds for each cut of the scale its `names`, the clips that count and
    their `confusion` (rows true); `intervals` a [low, high] a metric, 95 %
    percentile bootstrap over clips.

    Raises:
        EmoscribeError: no clip is rated.
    """
    predictions = predictions.labelled()
    bounds = predictions.range
    of_clips = _rows_of(predictions)
    whole, samples = of_clips.sum(axis=0), sampled_sums(of_clips, resamples, seed)
    metrics = metrics_for(bounds)
    scale = scale_of(bounds)
    return {
        "n": len(predictions.truth),
        "range": list(bounds),
        **{name: _defined(metric(whole)) for name, metric in metrics.items()},
        "classes": {
            name: {
                "names": list(scale.cuts[name].names),
                "n": int(matrix.sum()),
                "confusion": matrix.astype(int).tolist(),
            }
            for name, matrix in confusions(whole, scale).items()
        },
        "intervals": {name: defined_interval(metric(samples)) for name, metric in metrics.items()},
    }


def compare(
    predictions: Sequence[NumberPredictions], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Paired, ...]:
    """Every pair of runs, in the order given: paired bootstrap over clips.

    Raises:
        EmoscribeError: runs that differ in their scale or clips, or no rated
            clip.
    """
    first = predictions[0].labelled()
    runs = [one.labelled().in_order_of(first) for one in predictions]
    return compare_sums(
        [(one.key, _rows_of(one)) for one in runs], metrics_for(first.range), resamples=resamples, seed=seed
    )


def references(
    scored: NumberPredictions, train_clips: Sequence[Clip], *, resamples: int, seed: int
) -> tuple[Reference]:
    """The mean rating, always, on the clips that `scored` was measured on.

    Args:
        train_clips: what it is the mean of; may be empty.
    """
    scored = scored.labelled()
    train = [clip.target for clip in train_clips if isinstance(clip.target, (float, int))]
    ratings = np.array(train or [rating for rating in scored.truth if rating is not None])
    where = f"{len(train):,} training clips" if train else "the scored split itself, there being no training split"
    mean = float(ratings.mean())
    answers = NumberPredictions("mean", scored.clip_ids, scored.truth, np.full(len(scored.truth), mean), scored.range)
    how = f"always answers {in_words(mean)}, the mean rating of {where}"
    return (Reference("mean", how, measured=measure(answers, resamples=resamples, seed=seed)),)


def in_words(value: float) -> str:
    """As in “1.25” or “−0.40”; what rounds to nothing has no sign."""
    number = f"{value:.2f}"
    return "0.00" if number == "-0.00" else number.replace("-", "−")


def _rows_of(predictions: NumberPredictions) -> np.ndarray:
    return rows(np.array(predictions.truth, dtype=float), predictions.values, predictions.range)


def _defined(value: np.ndarray) -> float | None:
    return None if np.isnan(value) else float(value)
