"""What runs of either kind answer to the clips of a split."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..baseline.run import FusionRun
from ..core.context import Context
from ..core.prompt import Scored
from ..evaluation.label_sets import label_sets_of
from ..evaluation.over_time import FrameScores
from ..evaluation.predictions import predictions_of
from ..evaluation.ratings import numbers_of
from ..llm.run import TextRun
from ..training.run import Run
from .from_features import ready_for_features
from .from_words import ready_for_words
from .reading import EvaluationData, ReadyRun
from .request import learnt_range

# By kind of run: loads it, and perceives the clips with these modalities.
_READY: Mapping[str, Callable[[Any, str, EvaluationData, Context], ReadyRun]] = {
    TextRun.kind: ready_for_words,
    FusionRun.kind: ready_for_features,
}


@dataclass(frozen=True, eq=False)
class RunPredictions:
    """What one run answered.

    Attributes:
        predictions: one a set of modalities and way to decide.
        frames: scores over time, by reading; empty where nothing was read so.
        cost: `{"parameters", "bytes", "seconds_a_clip"}`, of what comes after perceiving.
        failed: by clip id, why its file could not be perceived.
    """

    predictions: Sequence[Any]
    frames: Mapping[str, Sequence[FrameScores]]
    cost: Mapping[str, float]
    failed: Mapping[str, str]


def predict(name: str, run: Run, sets: Sequence[str], data: EvaluationData, context: Context) -> RunPredictions:
    """What a run answers with each set of modalities.

    Args:
        name: what the run is called among those compared.

    Raises:
        EmoscribeError: the run cannot be loaded, or an extractor.
    """
    ready = _READY[run.kind](run, "".join(sets), data, context)
    began, predictions, frames = time.perf_counter(), [], {}
    for letters in sets:
        reading = ready.read(letters)
        for decision, answers in reading.answers.items():
            several = {
                "modalities": letters if len(sets) > 1 else None,
                "decision": decision if len(reading.answers) > 1 else None,
            }
            predictions.append(_predictions(name, run, answers, data, several))
        if reading.frames is not None:
            frames[predictions[-1].reading] = reading.frames
    seconds = (time.perf_counter() - began) / len(sets) / max(1, len(data.clips))
    return RunPredictions(predictions, frames, {**ready.sizes, "seconds_a_clip": seconds}, ready.failed)


def _predictions(
    name: str,
    run: Run,
    answers: Mapping[str, Mapping[str, float] | float],
    data: EvaluationData,
    several: Mapping[str, Any],
) -> Any:
    if (scale := data.corpus.range) is not None:
        numbers = {
            id: _on_scale(answer, learnt_range(run), scale)
            for id, answer in answers.items()
            if isinstance(answer, float)
        }
        return numbers_of(name, scale, data.clips, numbers, **several)
    assert data.labels is not None
    scored = [Scored(id, answer) for id, answer in answers.items() if isinstance(answer, Mapping)]
    if data.task == "label-sets":
        return label_sets_of(name, data.labels.labels, data.clips, scored, run.thresholds, **several)
    return predictions_of(name, data.labels.labels, data.clips, scored, **several)


def _on_scale(rating: float, learnt: tuple[float, float] | None, asked: tuple[float, float]) -> float:
    """A rating on the corpus's scale, in proportion to the one that was learnt."""
    if learnt is None or learnt == asked:
        return rating
    return asked[0] + (rating - learnt[0]) / (learnt[1] - learnt[0]) * (asked[1] - asked[0])
