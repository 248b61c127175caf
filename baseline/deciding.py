"""From logits of frames to what is said of a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.labels import given
from ..core.timeline import Target
from ..evaluation.deciding import DECISIONS, check_decision
from ..training.answers import scores_of
from .run import FusionRun


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
    answer: Target


def decided(run: FusionRun, id: str, logits: np.ndarray, decision: str) -> ClipScores:
    """What is said of a clip.

    Args:
        logits: (T, L) of its frames.  Numbers are averaged, whatever the decision.

    Raises:
        SettingsError: no such decision.
    """
    check_decision(decision)
    frames = scores_of(run, logits)
    if run.task == "number":
        numbers = frames[:, 0]
        return ClipScores(id, numbers, float(numbers.mean()), float(numbers.mean()))
    decide = DECISIONS[decision]
    if run.task == "labels":
        scores = dict(zip(run.labels, decide(frames).tolist(), strict=True))
        return ClipScores(id, frames, scores, max(scores, key=scores.__getitem__))
    # Each label is a question of its own, with two answers.
    scores = dict(zip(run.labels, decide(np.stack([1 - frames, frames], axis=-1))[:, 1].tolist(), strict=True))
    return ClipScores(id, frames, scores, frozenset(given(scores, run.thresholds)))


def with_thresholds(scored: Sequence[ClipScores], thresholds: Mapping[str, float]) -> list[ClipScores]:
    """Scores of label sets, answered anew."""
    return [
        ClipScores(each.id, each.frames, each.scores, frozenset(given(each.scores, thresholds)))
        for each in scored
        if isinstance(each.scores, Mapping)
    ]
