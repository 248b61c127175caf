"""What dev is measured by in training, whatever the family of models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..core.timeline import Target
from ..corpora.corpus import Corpus
from ..evaluation import multilabel, regression
from ..evaluation.metrics import confusion, metrics_for
from ..training.progress import Metrics
from ..training.run import Task


class Answered(Protocol):
    """What a model of either family makes of a clip."""

    @property
    def answer(self) -> Target: ...


def task_of(corpus: Corpus) -> Task:
    """What is asked about a clip of a corpus: one label, any number of labels, or a number."""
    if corpus.label_set is None:
        return "number"
    return "label-sets" if any(isinstance(clip.target, frozenset) for clip in corpus.clips) else "labels"


def metrics_of(corpus: Corpus, true: Sequence[object]) -> tuple[Metrics[Answered], str]:
    """How answers are measured beside what is true, and the measure that an epoch is chosen by."""
    if corpus.range is not None:
        return _numbers(true, corpus.range), corpus.metric
    assert corpus.label_set is not None
    labels = corpus.label_set.labels
    if task_of(corpus) == "label-sets":
        return _label_sets(true, labels), corpus.metric
    return lambda scored: label_measures(true, [each.answer for each in scored], labels), corpus.metric


def label_measures(true: Sequence[object], answered: Sequence[object], labels: Sequence[str]) -> dict[str, float]:
    """The metrics of answers that are one of these labels each, beside what is true."""
    places: dict[object, int] = {label: place for place, label in enumerate(labels)}
    indices = [np.array([places[label] for label in each]) for each in (true, answered)]
    matrix = confusion(indices[0], indices[1], len(labels))
    return {name: float(metric(matrix)) for name, metric in metrics_for(labels).items()}


def _label_sets(true: Sequence[object], labels: Sequence[str]) -> Metrics[Answered]:
    def as_rows(sets: Sequence[object]) -> np.ndarray:
        return np.array([[isinstance(each, frozenset) and label in each for label in labels] for each in sets])

    there = as_rows(true)

    def metrics(scored: Sequence[Answered]) -> dict[str, float]:
        of_clips = multilabel.rows(there, as_rows([each.answer for each in scored]))
        sums = multilabel.tallies(of_clips.sum(axis=0))
        return {name: float(metric(sums)) for name, metric in multilabel.METRICS.items()}

    return metrics


def _numbers(true: Sequence[object], bounds: tuple[float, float]) -> Metrics[Answered]:
    ratings = np.array(true, dtype=float)

    def metrics(scored: Sequence[Answered]) -> dict[str, float]:
        sums = regression.rows(ratings, np.array([each.answer for each in scored], dtype=float), bounds).sum(axis=0)
        return {name: float(metric(sums)) for name, metric in regression.metrics_for(bounds).items()}

    return metrics
