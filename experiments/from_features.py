"""A fusion model before the clips of a split: their features over time, scored frame by frame."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..baseline.run import FusionRun
from ..core.context import Context
from ..core.derived import rows_from_basic
from ..core.labels import LabelSet
from ..core.timeline import Clip
from ..evaluation.deciding import DECISIONS
from ..evaluation.over_time import FrameScores
from ..extractors.features.settings import FEATURES
from .featuring import frames_of
from .reading import EvaluationData, Reading, ReadyRun

if TYPE_CHECKING:
    from ..baseline.deciding import ClipScores
    from ..baseline.frames import FeatureFrames


def ready_for_features(run: FusionRun, letters: str, data: EvaluationData, context: Context) -> ReadyRun:
    """All its features are read, whatever the letters; a signal that is left out later is taken as not measured.

    Raises:
        EmoscribeError: the run cannot be loaded, or a feature's weights are not here.
    """
    from ..baseline.predictor import load_predictor

    predictor = load_predictor(run, context)
    found = frames_of(data.corpus, data.clips, run.settings, tuple(run.streams), context, run.streams)

    def read(letters: str) -> Reading:
        heard = [_with_only(letters, each) for each in found.frames]
        scored = predictor.predict(heard)
        if data.task != "labels":
            # Thresholds of sets were tuned for the run's own decision, and numbers know the mean alone.
            return Reading({"": {one.id: one.scores for one in scored}})
        assert data.labels is not None
        labels = data.labels
        rows = [_as_asked(one, run.labels, labels) for one in scored]
        decisions = data.windows.decisions if data.windows is not None else (run.settings.decide,)
        answers = {
            decision: {
                one.id: dict(zip(labels.labels, DECISIONS[decision](each).tolist(), strict=True))
                for one, each in zip(scored, rows, strict=True)
            }
            for decision in decisions
        }
        if data.windows is None:
            return Reading(answers)
        shown = [
            _over_time(clip, each, scores, data.times_s.get(clip.id), unread=clip.id in found.failed)
            for clip, each, scores in zip(data.clips, heard, rows, strict=True)
        ]
        return Reading(answers, shown)

    return ReadyRun(read, predictor.sizes, found.failed)


def _with_only(letters: str, clip: FeatureFrames) -> FeatureFrames:
    silent = {
        name: np.full_like(values, np.nan)
        for name, values in clip.streams.items()
        if FEATURES[name].letter not in letters
    }
    return replace(clip, streams={**clip.streams, **silent})


def _as_asked(scored: ClipScores, given: tuple[str, ...], labels: LabelSet) -> np.ndarray:
    """(T, L) probabilities of the frames; by the rule, where the run gives basic labels and others are asked for."""
    return scored.frames if given == labels.labels else rows_from_basic(scored.frames, given, labels)


def _over_time(
    clip: Clip, features: FeatureFrames, scores: np.ndarray, shown_s: np.ndarray | None, *, unread: bool
) -> FrameScores:
    """Scores at the frames that a clip's file shows, or without a picture at those of the clock."""
    start_s, end_s = clip.start_s or 0.0, np.inf if clip.end_s is None else clip.end_s
    shown_s = shown_s[(shown_s >= start_s) & (shown_s < end_s)] if shown_s is not None else None
    if shown_s is None or not len(shown_s):
        return FrameScores(clip.id, None if unread else start_s + features.times_s, scores)
    rows_at = np.clip(np.searchsorted(features.times_s, shown_s - start_s, side="right") - 1, 0, None)
    return FrameScores(clip.id, shown_s, scores[rows_at])
