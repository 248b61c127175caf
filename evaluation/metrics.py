"""Metrics of classification, each a pure function with its denominator.

Most take a confusion matrix, rows true and columns answered, and any number
of axes in front of it: the same formula serves one matrix and the thousands
of a bootstrap.

A label of the run that the data lack stays a possible answer: answering it is
an error.  Averages over labels are over those that the data have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..core.blends import are_blends, shares_in
from .calibration import expected_calibration_error, reliability
from .predictions import Predictions

LEVEL = 0.95
RESAMPLES = 2000


# ── from a confusion matrix (…, L, L) ────────────────────────────────────────


def confusion(truth: np.ndarray, answers: np.ndarray, labels: int) -> np.ndarray:
    """(L, L) counts of clips: row the true label, column the answer.

    Args:
        truth, answers: (N,) indices in 0 … `labels` − 1.
    """
    return np.bincount(truth * labels + answers, minlength=labels**2).reshape(labels, labels)


def support(matrix: np.ndarray) -> np.ndarray:
    """(…, L) clips that truly have each label."""
    return matrix.sum(axis=-1)


def accuracy(matrix: np.ndarray) -> np.ndarray:
    """Clips answered rightly / all clips.  (…), in 0–1."""
    return share(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def precision(matrix: np.ndarray) -> np.ndarray:
    """Rightly answered as a label / all answered as it; 0 where never answered.  (…, L), in 0–1."""
    return share(_right(matrix), matrix.sum(axis=-2))


def recall(matrix: np.ndarray) -> np.ndarray:
    """Rightly answered as a label / all that truly have it; 0 where none has.  (…, L), in 0–1."""
    return share(_right(matrix), support(matrix))


def f1(matrix: np.ndarray) -> np.ndarray:
    """Harmonic mean of precision and recall: 2·right / (answered + true).  (…, L), in 0–1.

    0 where a label is neither true nor answered anywhere.
    """
    return share(2 * _right(matrix), matrix.sum(axis=-2) + support(matrix))


def balanced_accuracy(matrix: np.ndarray) -> np.ndarray:
    """Mean recall over the labels that the data have.  (…), in 0–1; chance is 1 / their number."""
    return _mean_over_present(recall(matrix), matrix)


def macro_f1(matrix: np.ndarray) -> np.ndarray:
    """Mean F1 over the labels that the data have.  (…), in 0–1."""
    return _mean_over_present(f1(matrix), matrix)


def weighted_f1(matrix: np.ndarray) -> np.ndarray:
    """Mean F1 weighted by support: Σ support·F1 / all clips.  (…), in 0–1."""
    return share((support(matrix) * f1(matrix)).sum(axis=-1), matrix.sum(axis=(-2, -1)))


# In the order in which they are reported.
METRICS = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "weighted_f1": weighted_f1,
    "macro_f1": macro_f1,
}


def presence_accuracy(matrix: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Clips answered with exactly the emotions that are there, whatever their shares / all clips.  (…), in 0–1.

    An emotion too many is as wrong as one too few.  BLEMORE's ACC_presence
    (Lachmann et al., FG 2026).

    Args:
        labels: of the rows and columns, as `core.blends` writes shares.
    """
    there = [set(shares_in(label)) for label in labels]
    return _share_of(matrix, np.array([[true == given for given in there] for true in there]))


def salience_accuracy(matrix: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Blends answered with their two emotions in their shares / all that truly are blends.  (…), in 0–1.

    A blend answered with one emotion is wrong; clips of one emotion do not
    count.  0 where there are no blends.  BLEMORE's ACC_salience.
    """
    blends = np.array([len(shares_in(label)) > 1 for label in labels])
    return _share_of(matrix[..., blends, :], np.eye(len(labels), dtype=bool)[blends])


Metric = Callable[[np.ndarray], np.ndarray]


def metrics_for(labels: Sequence[str]) -> Mapping[str, Metric]:
    """`METRICS`, and where labels say how much of two emotions there is, those of blends."""
    if not are_blends(labels):
        return METRICS
    presence, salience = (partial(metric, labels=labels) for metric in (presence_accuracy, salience_accuracy))
    return {"presence_accuracy": presence, "salience_accuracy": salience, **METRICS}


def _share_of(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    return share((matrix * right).sum(axis=(-2, -1)), matrix.sum(axis=(-2, -1)))


def _right(matrix: np.ndarray) -> np.ndarray:
    return np.diagonal(matrix, axis1=-2, axis2=-1)


def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) > 0)


def _mean_over_present(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    present = support(matrix) > 0
    return share((values * present).sum(axis=-1), present.sum(axis=-1))


# ── from scores ──────────────────────────────────────────────────────────────


def auc(positive: np.ndarray, score: np.ndarray) -> float | None:
    """Area under the ROC curve: how often a positive outranks a negative.

    Pairs ranked rightly / all pairs of a positive and a negative, ties
    counting half (the Mann–Whitney statistic).  In 0–1, 0.5 is chance;
    `None` where one side is empty.

    Args:
        positive: (N,) bool.
        score: (N,) higher for positives.
    """
    positives = int(positive.sum())
    pairs = positives * (len(positive) - positives)
    if not pairs:
        return None
    _, which, counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[which]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / pairs)


def roc(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ROC curve: (false-positive rate, true-positive rate), from (0, 0) to (1, 1).

    One point a distinct score, the highest first.  Needs a positive and a
    negative.
    """
    values, which = np.unique(-score, return_inverse=True)
    hits = np.cumsum(np.bincount(which, weights=positive, minlength=len(values)))
    alarms = np.cumsum(np.bincount(which, weights=~positive, minlength=len(values)))
    return np.r_[0.0, alarms / alarms[-1]], np.r_[0.0, hits / hits[-1]]


def one_vs_rest_auc(truth: np.ndarray, scores: np.ndarray) -> list[float | None]:
    """AUC of each label's score against all other labels; `None` for a label that no clip, or every clip, has."""
    return [auc(truth == label, scores[:, label]) for label in range(scores.shape[1])]


# ── how sure the numbers are ─────────────────────────────────────────────────


def resampled(matrix: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """(R, L, L) confusion matrices of bootstrap samples of the clips.

    Drawing N clips with replacement draws their cells of the matrix from a
    multinomial, so nothing needs to be drawn clip by clip.
    """
    cells = matrix.ravel()
    drawn = np.random.default_rng(seed).multinomial(cells.sum(), cells / cells.sum(), size=resamples)
    return drawn.reshape(resamples, *matrix.shape)


def interval(samples: np.ndarray, level: float = LEVEL) -> list:
    """The percentile interval of bootstrap samples along the first axis: [low, high]."""
    return np.quantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0).tolist()


# ── all of it ────────────────────────────────────────────────────────────────


def measure(predictions: Predictions, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """One entry of `metrics.json`; everything in 0–1.

    `auc` holds `macro`, the mean over the labels that have one, and
    `per_class`; `intervals` a [low, high] a metric, 95 % percentile bootstrap
    over clips.

    Raises:
        EmoscribeError: no clip has a label.
    """
    predictions = predictions.labelled()
    truth, labels = predictions.truth_index, predictions.labels
    matrix = confusion(truth, predictions.answers, len(labels))
    samples, metrics = resampled(matrix, resamples, seed), metrics_for(labels)
    columns = {"precision": precision(matrix), "recall": recall(matrix), "f1": f1(matrix)}
    areas = one_vs_rest_auc(truth, predictions.scores)
    defined = [area for area in areas if area is not None]
    curve = reliability(predictions.scores.max(axis=1), predictions.answers == truth)
    return {
        "n": len(truth),
        "labels": list(labels),
        **{name: float(metric(matrix)) for name, metric in metrics.items()},
        "per_class": {
            label: {
                **{name: float(column[row]) for name, column in columns.items()},
                "support": int(support(matrix)[row]),
            }
            for row, label in enumerate(labels)
        },
        "confusion": matrix.tolist(),
        "ece": expected_calibration_error(curve),
        "auc": {
            "macro": sum(defined) / len(defined) if defined else None,
            "per_class": dict(zip(labels, areas, strict=True)),
        },
        "intervals": {name: interval(metric(samples)) for name, metric in metrics.items()},
    }
