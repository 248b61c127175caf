"""Metrics of answers that are sets of labels, each with its denominator.

They take `Tallies`, with any number of axes in front: the same formula serves
one run and the thousands of samples of a bootstrap.

A clip may have none of the labels.  Answering it with none is right: it
counts as an exact match, with a Jaccard index and an F1 of 1.  Averages over
labels are over those that the data have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.timeline import Clip
from .comparison import Paired
from .label_sets import LabelSetPredictions
from .metrics import RESAMPLES, auc, interval, share
from .references import Reference
from .resampling import compare_sums, defined_interval, sampled_sums


@dataclass(frozen=True, eq=False)
class Tallies:
    """Sums over clips.

    Attributes:
        clips: (…, 1) how many.
        hits, alarms, misses: (…, L) clips where a label is given and true,
            given and not true, true and not given.
        jaccard, f1, exact: (…) sums of the clips' Jaccard indices, F1, and
            of 1 where a whole set is right.
    """

    clips: np.ndarray
    hits: np.ndarray
    alarms: np.ndarray
    misses: np.ndarray
    jaccard: np.ndarray
    f1: np.ndarray
    exact: np.ndarray

    @property
    def positives(self) -> np.ndarray:
        """(…, L) clips that truly have each label."""
        return self.hits + self.misses

    @property
    def negatives(self) -> np.ndarray:
        """(…, L) clips that truly lack each label."""
        return self.clips - self.positives

    @property
    def rejections(self) -> np.ndarray:
        """(…, L) clips that lack a label and are not given it."""
        return self.negatives - self.alarms


def rows(truth: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """(N, 3L + 4) what each clip adds to the tallies.

    Args:
        truth, answers: (N, L) bool.
    """
    hits, alarms, misses = truth & answers, ~truth & answers, truth & ~answers
    common, wrong = hits.sum(axis=1), (alarms | misses).sum(axis=1)
    empty = common + wrong == 0
    jaccard = np.where(empty, 1.0, share(common, common + wrong))
    f1 = np.where(empty, 1.0, share(2 * common, 2 * common + wrong))
    return np.column_stack([np.ones(len(truth)), jaccard, f1, wrong == 0, hits, alarms, misses]).astype(float)


def tallies(sums: np.ndarray) -> Tallies:
    """Sums of `rows`, (…, 3L + 4), by name."""
    hits, alarms, misses = np.split(sums[..., 4:], 3, axis=-1)
    return Tallies(sums[..., :1], hits, alarms, misses, sums[..., 1], sums[..., 2], sums[..., 3])


# ── label by label: (…, L), in 0–1 ───────────────────────────────────────────


def accuracy(of: Tallies) -> np.ndarray:
    """Clips where the label is rightly given or rightly not / all clips.  High without skill for rare labels."""
    return (of.hits + of.rejections) / of.clips


def weighted_accuracy(of: Tallies) -> np.ndarray:
    """(TP · N/P + TN) / 2N: the mean of the shares of positives and of negatives that are right.

    As for CMU-MOSEI (Zadeh et al., ACL 2018; after Tong et al., ACL 2017).
    Where there are no positives, or no negatives, the share of the others.
    """
    sides = (of.positives > 0).astype(int) + (of.negatives > 0)
    return (share(of.hits, of.positives) + share(of.rejections, of.negatives)) / sides


def precision(of: Tallies) -> np.ndarray:
    """Rightly given / all given; 0 where never given."""
    return share(of.hits, of.hits + of.alarms)


def recall(of: Tallies) -> np.ndarray:
    """Rightly given / all that truly have the label; 0 where none has."""
    return share(of.hits, of.positives)


def f1(of: Tallies) -> np.ndarray:
    """Of having the label: 2·TP / (2·TP + FP + FN); 0 where it is neither true nor given anywhere."""
    return share(2 * of.hits, 2 * of.hits + of.alarms + of.misses)


def weighted_f1(of: Tallies) -> np.ndarray:
    """F1 of having the label and F1 of lacking it, weighted by how many clips do.

    What papers on CMU-MOSEI call F1.  High without skill for rare labels.
    """
    lacking = share(2 * of.rejections, 2 * of.rejections + of.alarms + of.misses)
    return (of.positives * f1(of) + of.negatives * lacking) / of.clips


# ── of all labels: (…), in 0–1 ───────────────────────────────────────────────


def mean_weighted_accuracy(of: Tallies) -> np.ndarray:
    """Mean weighted accuracy over the labels that the data have; chance is ½."""
    return _mean_over_present(weighted_accuracy(of), of)


def mean_weighted_f1(of: Tallies) -> np.ndarray:
    """Mean two-class weighted F1 over the labels that the data have."""
    return _mean_over_present(weighted_f1(of), of)


def macro_f1(of: Tallies) -> np.ndarray:
    """Mean F1 over the labels that the data have."""
    return _mean_over_present(f1(of), of)


def micro_f1(of: Tallies) -> np.ndarray:
    """F1 of all decisions of all labels together: frequent labels weigh most."""
    hits = of.hits.sum(axis=-1)
    return share(2 * hits, 2 * hits + (of.alarms + of.misses).sum(axis=-1))


def samples_f1(of: Tallies) -> np.ndarray:
    """Mean over clips of 2·|given ∩ true| / (|given| + |true|); 1 for a clip where both are empty."""
    return of.f1 / of.clips[..., 0]


def jaccard(of: Tallies) -> np.ndarray:
    """Mean over clips of |given ∩ true| / |given ∪ true|; 1 for a clip where both are empty."""
    return of.jaccard / of.clips[..., 0]


def exact_match(of: Tallies) -> np.ndarray:
    """Clips whose whole set is right / all clips."""
    return of.exact / of.clips[..., 0]


def hamming_loss(of: Tallies) -> np.ndarray:
    """Wrong decisions / (clips · labels); 0 is best."""
    return (of.alarms + of.misses).sum(axis=-1) / (of.clips[..., 0] * of.hits.shape[-1])


Metric = Callable[[Tallies], np.ndarray]
# In the order in which they are reported.
METRICS: dict[str, Metric] = {
    "macro_f1": macro_f1,
    "micro_f1": micro_f1,
    "samples_f1": samples_f1,
    "weighted_accuracy": mean_weighted_accuracy,
    "weighted_f1": mean_weighted_f1,
    "jaccard": jaccard,
    "exact_match": exact_match,
    "hamming_loss": hamming_loss,
}
PER_LABEL: dict[str, Metric] = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "accuracy": accuracy,
    "weighted_accuracy": weighted_accuracy,
    "weighted_f1": weighted_f1,
}


def _mean_over_present(values: np.ndarray, of: Tallies) -> np.ndarray:
    present = of.positives > 0
    return share((values * present).sum(axis=-1), present.sum(axis=-1))


# ── all of it ────────────────────────────────────────────────────────────────


def measure(predictions: LabelSetPredictions, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """One entry of `metrics.json`; everything in 0–1 but the counts.

    `per_class` holds each label's metrics, `support` and `answered` (clips
    that have, that are given it), its `threshold` and `f1_interval`; `none`
    the clips without any label: truly, as answered, and both; `auc` and
    `intervals` are as for single labels.

    Raises:
        EmoscribeError: no clip is annotated.
    """
    predictions = predictions.labelled()
    truth, answers, labels = predictions.truth_matrix, predictions.answers, predictions.labels
    of_clips = rows(truth, answers)
    whole, samples = tallies(of_clips.sum(axis=0)), tallies(sampled_sums(of_clips, resamples, seed))
    columns = {name: metric(whole) for name, metric in PER_LABEL.items()}
    low, high = interval(f1(samples))
    areas = [auc(truth[:, row], predictions.scores[:, row]) for row in range(len(labels))]
    defined = [area for area in areas if area is not None]
    without = ~truth.any(axis=1), ~answers.any(axis=1)
    return {
        "n": len(truth),
        "labels": list(labels),
        **{name: float(metric(whole)) for name, metric in METRICS.items()},
        "per_class": {
            label: {
                **{name: float(column[row]) for name, column in columns.items()},
                "f1_interval": [low[row], high[row]],
                "support": int(truth[:, row].sum()),
                "answered": int(answers[:, row].sum()),
                "threshold": float(predictions.thresholds[row]),
            }
            for row, label in enumerate(labels)
        },
        "none": {
            "true": int(without[0].sum()),
            "answered": int(without[1].sum()),
            "both": int((without[0] & without[1]).sum()),
        },
        "auc": {
            "macro": sum(defined) / len(defined) if defined else None,
            "per_class": dict(zip(labels, areas, strict=True)),
        },
        "intervals": {name: defined_interval(metric(samples)) for name, metric in METRICS.items()},
    }


def compare(
    predictions: Sequence[LabelSetPredictions], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[Paired, ...]:
    """Every pair of runs, in the order given: paired bootstrap over clips.

    Raises:
        EmoscribeError: runs that differ in their labels or clips, or no
            annotated clip.
    """
    first = predictions[0].labelled()
    runs = [one.labelled().in_order_of(first) for one in predictions]
    return compare_sums(
        [(one.key, rows(one.truth_matrix, one.answers)) for one in runs],
        {name: _of_sums(metric) for name, metric in METRICS.items()},
        resamples=resamples,
        seed=seed,
    )


def _of_sums(metric: Metric) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sums: metric(tallies(sums))


def references(
    scored: LabelSetPredictions, train_clips: Sequence[Clip], *, resamples: int, seed: int
) -> tuple[Reference]:
    """The most frequent set of labels, always, on the clips that `scored` was measured on.

    Args:
        train_clips: where it is counted; may be empty.
    """
    scored = scored.labelled()
    train = [clip.target for clip in train_clips if isinstance(clip.target, frozenset)]
    sets = train or [labels for labels in scored.truth if labels is not None]
    # Of equally frequent sets the first in the order of labels, whatever order the clips are in.
    counts = Counter(tuple(label in labels for label in scored.labels) for labels in sets)
    given = max(counts, key=lambda held: (counts[held], held))
    most = ", ".join(label for label, held in zip(scored.labels, given, strict=True) if held) or "none of the labels"
    where = f"{len(train):,} training clips" if train else "the scored split itself, there being no training split"
    answers = LabelSetPredictions(
        "majority_set",
        scored.labels,
        scored.clip_ids,
        scored.truth,
        np.tile(np.array(given, dtype=float), (len(scored.truth), 1)),
        np.full(len(scored.labels), 0.5),
    )
    how = f"always answers “{most}”, the most frequent set of {where}"
    return (Reference("majority_set", how, measured=measure(answers, resamples=resamples, seed=seed)),)
