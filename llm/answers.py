"""From the logits of a language model to what it answers, whatever computed them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.labels import given
from ..core.prompt import Prompt, Scored
from ..training.answers import scores_of
from .run import TextRun


def answers_of(run: TextRun, prompts: Sequence[Prompt], logits: np.ndarray) -> list[Scored]:
    """What a run answers to N prompts, from logits (N, L) before they are divided by its temperatures.

    Raises:
        EmoscribeError: they are no numbers.
    """
    temperatures = [run.temperatures.get(prompt.signals, run.temperature) for prompt in prompts]
    rows = scores_of(run, logits / np.array(temperatures)[:, None]).tolist()
    return [_scored(run, prompt.id, row) for prompt, row in zip(prompts, rows, strict=True)]


def _scored(run: TextRun, id: str, row: Sequence[float]) -> Scored:
    if run.task == "number":
        return Scored(id, {}, rating=row[0])
    scores = dict(zip(run.labels, row, strict=True))
    several = given(scores, run.thresholds) if run.task == "label-sets" else None
    return Scored(id, scores, several)
