"""How runs answer the clips of a split: in words, or from features."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..baseline.run import FusionRun
from ..core.context import Context
from ..core.labels import LabelSet, compound_from_basic
from ..core.timeline import Clip, Cues, Moment, Prompt, Scored
from ..core.weights import find_base
from ..corpora.corpus import Corpus
from ..corpora.registry import reader
from ..evaluation.deciding import DECISIONS
from ..evaluation.label_sets import label_sets_of
from ..evaluation.over_time import Frames, decided
from ..evaluation.predictions import predictions_of
from ..evaluation.ratings import numbers_of
from ..extractors.features.settings import FEATURES
from ..llm.run import ADAPTER, HEAD, TextRun
from ..textualize.clips import moments_of_clips
from ..training import processes
from ..training.run import Task
from .clips import norms_of, perceived, prompts_of
from .over_time import Windows, read_over_time

if TYPE_CHECKING:
    from ..baseline.deciding import ClipScores
    from ..llm.predictor import Reader


@dataclass(frozen=True, eq=False)
class Asked:
    """What all runs are asked.

    Attributes:
        labels: the answers there are; `None` where the task is a number.
        windows: how clips are read over time, if they are.
        times_s: by clip id, the seconds at which frames of its file are shown.
    """

    corpus: Corpus
    clips: Sequence[Clip]
    labels: LabelSet | None
    task: Task
    windows: Windows | None
    times_s: Mapping[str, np.ndarray]
    context: Context


@dataclass(frozen=True, eq=False)
class Answers:
    """What one run answered.

    Attributes:
        predictions: one a set of modalities and way to decide.
        frames: scores over time, by reading; empty where nothing was read so.
        cost: `{"parameters", "bytes", "seconds_a_clip"}`, of what comes after perceiving.
    """

    predictions: Sequence[Any]
    frames: Mapping[str, list[Frames]]
    cost: Mapping[str, float]


# ── in words ─────────────────────────────────────────────────────────────────


def answers_of_run(name: str, run: TextRun, sets: Sequence[str], asked: Asked, failed: dict[str, str]) -> Answers:
    """What a language model answers, with each set of modalities.

    Args:
        failed: told which files cannot be perceived, and why.

    Raises:
        EmoscribeError: the run cannot be loaded, or an extractor.
    """
    from ..llm.predictor import load_predictor

    assert asked.labels is not None
    labels, windows = asked.labels, asked.windows
    seen = perceived(
        asked.corpus,
        asked.clips,
        run,
        "".join(sets),
        asked.context,
        failed,
        timed=windows is not None,
    )
    language_model = load_predictor(run, asked.context)
    began, predictions, frames = time.perf_counter(), [], {}
    for letters in sets:
        read = partial(_read, run, language_model, labels, letters, asked.context)
        several = letters if len(sets) > 1 else None
        if windows is None:
            scored = read(asked.corpus, asked.clips, seen)
            predictions.append(predictions_of(name, labels.labels, asked.clips, scored, several))
            continue
        over_time = read_over_time(asked.corpus, asked.clips, seen, windows, read, labels, asked.times_s)
        for decision in windows.decisions:
            scored = decided(over_time, labels.labels, decision)
            how = decision if len(windows.decisions) > 1 else None
            predictions.append(predictions_of(name, labels.labels, asked.clips, scored, several, how))
        frames[predictions[-1].reading] = over_time
    seconds = (time.perf_counter() - began) / len(sets)
    return Answers(predictions, frames, _cost(run, language_model, seconds / max(1, len(asked.clips)), asked.context))


def prompts_for(
    run: TextRun, corpus: Corpus, clips: Sequence[Clip], cues: Mapping[str, Cues], modalities: str
) -> list[Prompt]:
    """The prompt of each clip, in the run's own wording."""
    moments: list[Moment] = moments_of_clips(clips, cues, corpus.voice, run.wording, norms_of(run), modalities)
    return prompts_of(run, clips, moments)


def _read(
    run: TextRun,
    language_model: Reader,
    labels: LabelSet,
    modalities: str,
    context: Context,
    corpus: Corpus,
    clips: Sequence[Clip],
    cues: Mapping[str, Cues],
) -> list[Scored]:
    """The scores of each clip."""
    from ..llm.score import score

    prompts = prompts_for(run, corpus, clips, cues, modalities)
    scored: list[Scored] = processes.mapped(
        lambda share: score(language_model, share, progress=context.stage("reading")), prompts
    )
    return _as_asked(scored, run.labels, labels)


def _as_asked(scored: Sequence[Scored], given: tuple[str, ...], labels: LabelSet) -> list[Scored]:
    """Scores of compound labels by the rule, where the run gives basic ones."""
    if given == labels.labels:
        return list(scored)
    return [Scored(one.id, compound_from_basic(one.scores)) for one in scored]


def _cost(run: TextRun, language_model: Reader, seconds_a_clip: float, context: Context) -> dict[str, float]:
    base = find_base(run.base.id, context=context)
    files = [*base.glob("*.safetensors"), *(run.folder / name for name in (ADAPTER, HEAD))]
    return {
        "parameters": sum(each.numel() for each in language_model.model.parameters()),
        "bytes": sum(path.stat().st_size for path in files if path.is_file()),
        "seconds_a_clip": seconds_a_clip,
    }


# ── from features ────────────────────────────────────────────────────────────


def answers_of_baseline(
    name: str, run: FusionRun, sets: Sequence[str], asked: Asked, failed: dict[str, str]
) -> Answers:
    """What a fusion model answers, with each set of modalities; what is left out it takes as not measured.

    Args:
        failed: told which files cannot be read, and why.

    Raises:
        EmoscribeError: the run cannot be loaded, or a feature's weights are not here.
    """
    from ..baseline.predictor import load, predict
    from .featuring import frames_of

    model = load(run, asked.context.device)
    unread: dict[str, str] = {}
    clips = frames_of(asked.corpus, asked.clips, run.settings, tuple(run.streams), asked.context, unread, run.streams)
    failed |= unread
    # Thresholds of sets were tuned for the run's own decision, and numbers know the mean alone.
    over_time = asked.windows if asked.task == "labels" else None
    decisions = over_time.decisions if over_time is not None else (run.settings.decide,)
    began, predictions, frames = time.perf_counter(), [], {}
    for letters in sets:
        heard = [_with_only(letters, each) for each in clips]
        several = letters if len(sets) > 1 else None
        for decision in decisions:
            scored = _as_asked_of_frames(predict(model, heard, decision), run.labels, asked.labels, decision)
            how = decision if len(decisions) > 1 else None
            predictions.append(_predictions(name, run, asked, scored, several, how))
            if over_time is not None:
                frames[predictions[-1].reading] = [
                    _over_time(clip, each, scores, asked, clip.id in unread)
                    for clip, each, scores in zip(asked.clips, heard, scored, strict=True)
                ]
    seconds = (time.perf_counter() - began) / len(sets) / len(decisions)
    return Answers(predictions, frames, {**run.sizes, "seconds_a_clip": seconds / max(1, len(clips))})


def _with_only(letters: str, clip: Features) -> Features:
    silent = {
        name: np.full_like(values, np.nan)
        for name, values in clip.streams.items()
        if FEATURES[name].letter not in letters
    }
    return replace(clip, streams={**clip.streams, **silent})


def _predictions(
    name: str,
    run: FusionRun,
    asked: Asked,
    scored: Sequence[ClipScores],
    modalities: str | None,
    decision: str | None,
) -> Any:
    if asked.task == "number":
        bounds = reader(asked.corpus.name).range
        learnt = reader(run.training.get("corpus", asked.corpus.name)).range
        values = {each.id: _rescaled(each.answer, learnt, bounds) for each in scored if isinstance(each.answer, float)}
        return numbers_of(name, bounds, asked.clips, values, modalities, decision)
    assert asked.labels is not None
    scores = [Scored(each.id, each.scores) for each in scored if isinstance(each.scores, Mapping)]
    if asked.task == "label-sets":
        return label_sets_of(name, asked.labels.labels, asked.clips, scores, run.thresholds, modalities, decision)
    return predictions_of(name, asked.labels.labels, asked.clips, scores, modalities, decision)


def _as_asked_of_frames(
    scored: Sequence[ClipScores], given: tuple[str, ...], labels: LabelSet | None, decision: str
) -> list[ClipScores]:
    """Scores of compound labels by the rule, frame by frame, where the run gives basic ones; they decide anew."""
    if labels is None or given == labels.labels:
        return list(scored)
    asked = []
    for one in scored:
        rows = [compound_from_basic(dict(zip(given, row, strict=True))) for row in one.frames.tolist()]
        frames = np.array([[row[label] for label in labels.labels] for row in rows])
        scores = dict(zip(labels.labels, DECISIONS[decision](frames).tolist(), strict=True))
        asked.append(replace(one, frames=frames, scores=scores, answer=max(scores, key=scores.__getitem__)))
    return asked


def _rescaled(rating: float, learnt: tuple[float, float], asked: tuple[float, float]) -> float:
    """A rating on the scale that is asked for, in proportion to the one that was learnt."""
    if learnt == asked:
        return rating
    return asked[0] + (rating - learnt[0]) / (learnt[1] - learnt[0]) * (asked[1] - asked[0])


def _over_time(clip: Clip, features: Features, scored: ClipScores, asked: Asked, unread: bool) -> Frames:
    """Scores at the frames that a clip's file shows, or without a picture at those of the clock."""
    scores = scored.frames
    start_s, end_s = clip.start_s or 0.0, np.inf if clip.end_s is None else clip.end_s
    shown_s = asked.times_s.get(clip.id)
    shown_s = shown_s[(shown_s >= start_s) & (shown_s < end_s)] if shown_s is not None else None
    if shown_s is None or not len(shown_s):
        return Frames(clip.id, None if unread else start_s + features.times_s, scores)
    rows_at = np.clip(np.searchsorted(features.times_s, shown_s - start_s, side="right") - 1, 0, None)
    return Frames(clip.id, shown_s, scores[rows_at])
