"""What is measured of dev after each epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..baseline.deciding import ClipScores
from ..core.timeline import Clip
from ..corpora.corpus import Corpus
from ..corpora.registry import reader
from ..evaluation import multilabel, regression
from ..evaluation.metrics import METRICS, confusion
from ..training.progress import Metrics
from ..training.run import Task

# Of answers that are one label each.
MEASURED = ("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1")


def task_of(corpus: Corpus) -> Task:
    """What is asked about a clip of a corpus: one label, any number of labels, or a number."""
    if corpus.label_set is None:
        return "number"
    return "label-sets" if any(isinstance(clip.target, frozenset) for clip in corpus.clips) else "labels"


def metrics_of(corpus: Corpus, clips: Sequence[Clip]) -> tuple[Metrics[ClipScores], str]:
    """How scores of the clips are measured, and the measure that an epoch is chosen by."""
    task = task_of(corpus)
    if task == "number":
        return _numbers(clips, reader(corpus.name).range), "mae"
    assert corpus.label_set is not None
    if task == "label-sets":
        return _label_sets(clips, corpus.label_set.labels), "macro_f1"
    return _labels(clips, corpus.label_set.labels), corpus.metric


def label_measures(true: Sequence[str], answered: Sequence[str], labels: Sequence[str]) -> dict[str, float]:
    """`MEASURED` of answers, beside what is true."""
    places = {label: place for place, label in enumerate(labels)}
    indices = [np.array([places[label] for label in each]) for each in (true, answered)]
    matrix = confusion(indices[0], indices[1], len(labels))
    return {name: float(METRICS[name](matrix)) for name in MEASURED}


def _labels(clips: Sequence[Clip], labels: Sequence[str]) -> Metrics[ClipScores]:
    true = [str(clip.target) for clip in clips]
    return lambda scored: label_measures(true, [str(each.answer) for each in scored], labels)


def _label_sets(clips: Sequence[Clip], labels: Sequence[str]) -> Metrics[ClipScores]:
    def as_rows(sets: Sequence[object]) -> np.ndarray:
        return np.array([[isinstance(each, frozenset) and label in each for label in labels] for each in sets])

    true = as_rows([clip.target for clip in clips])

    def metrics(scored: Sequence[ClipScores]) -> dict[str, float]:
        of_clips = multilabel.rows(true, as_rows([each.answer for each in scored]))
        sums = multilabel.tallies(of_clips.sum(axis=0))
        return {name: float(metric(sums)) for name, metric in multilabel.METRICS.items()}

    return metrics


def _numbers(clips: Sequence[Clip], bounds: tuple[float, float]) -> Metrics[ClipScores]:
    true = np.array([clip.target for clip in clips], dtype=float)

    def metrics(scored: Sequence[ClipScores]) -> dict[str, float]:
        sums = regression.rows(true, np.array([each.answer for each in scored], dtype=float), bounds).sum(axis=0)
        return {name: float(metric(sums)) for name, metric in regression.metrics_for(bounds).items()}

    return metrics
