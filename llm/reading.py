"""Moments to prompts, and prompts to what they are read as."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol, TypeAlias

from ..core.derived import from_basic
from ..core.errors import SettingsError
from ..core.labels import LabelSet
from ..core.prompt import Prompt, Scored
from ..core.timeline import LabelledTranscript, Moment, Segment
from ..prompts.render import render
from ..textualize.moments import with_signals
from .plan import Plan, check_taught

# Prompts that are remembered: those of two hours, read with each signal and with all.
_MOST_READ = 20_000

# Told how much is done, in 0–1.
Progress: TypeAlias = Callable[[float], None]


def _unwatched(done: float) -> None:
    """A `Progress` that nobody watches."""


def prompts_from(moments: Sequence[Moment], plan: Plan) -> list[Prompt]:
    """The exact text the model reads, one prompt a moment."""
    return [prompt_of(moments, index, plan) for index in range(len(moments))]


def prompt_of(moments: Sequence[Moment], index: int, plan: Plan) -> Prompt:
    """The exact text the model reads of one of the moments."""
    moment = moments[index]
    name = f"{moment.start_s:.2f}-{moment.end_s:.2f}"
    return render(moments, index, plan.prompt, id=name, labels=plan.run.labels)


def segments_from(
    moments: Sequence[Moment],
    prompts: Sequence[Prompt],
    plan: Plan,
    predictor: Reader,
    progress: Progress = _unwatched,
) -> list[Segment]:
    """What the model makes of moments, in the labels that were asked for."""
    scored = predictor.predict(prompts, plan.settings.model.batch_tokens, progress)
    read = zip(moments, scored, strict=True)
    if labels := made_of_basic(plan):
        blends = plan.settings.blends
        return [Segment(moment, from_basic(each.scores, labels, blends)) for moment, each in read]
    return [Segment(moment, each.scores, each.given, each.rating) for moment, each in read]


def made_of_basic(plan: Plan) -> LabelSet | None:
    """The labels asked for, where they are others than the basic ones that the run gives."""
    return plan.labels if plan.labels is not None and plan.labels.name != plan.run.label_set else None


class Reader(Protocol):
    """Of a `TextPredictor`, what reads."""

    def predict(
        self, prompts: Sequence[Prompt], batch_tokens: int | None = None, progress: Progress = ...
    ) -> list[Scored]: ...


class Remembering:
    """A reader that reads no prompt twice: from one correction to the next nearly all are the same.

    Args:
        load: gives the model, once there is something to read.
    """

    def __init__(self, load: Callable[[], Reader]) -> None:
        self._load, self._lock = load, threading.Lock()
        self._read: dict[Hashable, Scored] = {}

    def predict(
        self, prompts: Sequence[Prompt], batch_tokens: int | None = None, progress: Progress = _unwatched
    ) -> list[Scored]:
        """See `TextPredictor.predict`."""
        keys = [_key(prompt) for prompt in prompts]
        with self._lock:
            new = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in self._read}
            scored = self._load().predict(list(new.values()), batch_tokens, progress) if new else []
            known = self._read | dict(zip(new, scored, strict=True))
            self._read = dict(islice(known.items(), max(0, len(known) - _MOST_READ), None))
        return [replace(known[key], id=prompt.id) for key, prompt in zip(keys, prompts, strict=True)]


def _key(prompt: Prompt) -> Hashable:
    """All that an answer depends on."""
    turns = tuple((_key(turn.prompt), turn.same_speaker) for turn in prompt.history)
    return prompt.text, prompt.signals, tuple(prompt.spans.items()), turns


def read_again(
    result: LabelledTranscript, signals: Sequence[str], plan: Plan, predictor: Reader
) -> dict[str, list[Segment]]:
    """See `Session.read_again`."""
    check_taught(plan.run, "".join(signals))
    answers = plan.labels.labels if plan.labels is not None else ()
    if (result.labels, result.range) != (answers, plan.run.range):
        raise SettingsError(
            f"the result was read as {_answers(result.labels)}, and run {plan.run.name} gives {_answers(answers)}; "
            "read it again with the run and the labels that it is from"
        )
    said = [segment.moment for segment in result.segments]
    shown = {letters: [with_signals(moment, letters) for moment in said] for letters in dict.fromkeys(signals)}
    moments = [moment for each in shown.values() for moment in each]
    prompts = [prompt for each in shown.values() for prompt in prompts_from(each, plan)]
    segments = iter(segments_from(moments, prompts, plan, predictor))
    return {letters: [next(segments) for _ in said] for letters in shown}


def _answers(labels: Sequence[str]) -> str:
    return ", ".join(labels) or "ratings"
