"""From logits of frames to what is said of a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation.deciding import DECISIONS, check_decision
from .run import FusionRun

# From which probability on a label of a set is given, as long as none was tuned.
THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class ClipScores:
    """What a fusion model makes of a clip.

    Attributes:
        frames: (T, L) probabilities, or (T,) numbers.
        scores: of the clip: a probability a label, or a number.  They sum to 1
            over labels of which a clip has one.
        answer: the likeliest label, the labels from their thresholds on, or the number.
    """

    id: str
    frames: np.ndarray
    scores: Mapping[str, float] | float
    answer: str | frozenset[str] | float


def decided(run: FusionRun, id: str, logits: np.ndarray, decision: str) -> ClipScores:
    """What is said of a clip.

    Args:
        logits: (T, L) of its frames.  Numbers are averaged, whatever the decision.

    Raises:
        SettingsError: no such decision.
    """
    check_decision(decision)
    if run.task == "number":
        numbers = logits[:, 0]
        return ClipScores(id, numbers, float(numbers.mean()), float(numbers.mean()))
    decide = DECISIONS[decision]
    if run.task == "labels":
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        frames = raised / raised.sum(axis=1, keepdims=True)
        scores = dict(zip(run.labels, decide(frames).tolist(), strict=True))
        return ClipScores(id, frames, scores, max(scores, key=scores.__getitem__))
    # Each label is a question of its own, with two answers.
    frames = (1 + np.tanh(logits / 2)) / 2
    scores = dict(zip(run.labels, decide(np.stack([1 - frames, frames], axis=-1))[:, 1].tolist(), strict=True))
    return ClipScores(id, frames, scores, _given(scores, run.thresholds))


def with_thresholds(scored: Sequence[ClipScores], thresholds: Mapping[str, float]) -> list[ClipScores]:
    """Scores of label sets, answered anew."""
    return [
        ClipScores(each.id, each.frames, each.scores, _given(each.scores, thresholds))
        for each in scored
        if isinstance(each.scores, Mapping)
    ]


def tuned_thresholds(scored: Sequence[ClipScores], targets: Sequence[frozenset[str]]) -> dict[str, float]:
    """By label, the threshold that is best for its F1; 0.5 for a label that no clip has.

    It is halfway between two scores.  Measured on the clips it was tuned on,
    F1 is better than it will be on others.
    """
    labels = [label for label in scored[0].scores] if isinstance(scored[0].scores, Mapping) else []
    thresholds = {}
    for label in labels:
        scores = np.array([each.scores[label] for each in scored if isinstance(each.scores, Mapping)])
        given = np.array([label in target for target in targets])
        thresholds[label] = _best_threshold(scores, given)
    return thresholds


def _best_threshold(scores: np.ndarray, given: np.ndarray) -> float:
    """Of scores (N,), for whether (N,) the label is given."""
    order = np.argsort(-scores, kind="stable")
    descending = scores[order]
    if not given.any() or not descending[0]:
        return THRESHOLD
    # F1 of answering yes to the 1, 2, … N highest scores; those of one score go together.
    f1 = 2 * np.cumsum(given[order]) / (np.arange(1, len(scores) + 1) + given.sum())
    below = np.append(descending[1:], 0.0)
    best = int(np.where(descending > below, f1, -1.0).argmax())
    return float((descending[best] + below[best]) / 2)


def _given(scores: Mapping[str, float] | float, thresholds: Mapping[str, float]) -> frozenset[str]:
    assert isinstance(scores, Mapping)
    return frozenset(label for label, score in scores.items() if score >= thresholds.get(label, THRESHOLD))
