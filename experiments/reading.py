"""What is read of a split, and what a run makes of it, whichever kind of run it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.labels import LabelSet
from ..core.timeline import Clip
from ..corpora.corpus import Corpus
from ..evaluation.over_time import FrameScores
from ..llm.by_vllm import Vllm
from ..training.run import Task


@dataclass(frozen=True)
class Windows:
    """How clips are cut, and how their frames decide."""

    window_s: float
    hop_s: float
    decisions: tuple[str, ...]

    @property
    def in_words(self) -> str:
        """For the report."""
        return (
            f"Clips were read in windows of {self.window_s:g} s every {self.hop_s:g} s; a frame's scores are the mean "
            f"over the windows it lies in, and frames decide a clip by {', '.join(self.decisions)}"
        )


@dataclass(frozen=True, eq=False)
class EvaluationData:
    """What all runs answer.

    Attributes:
        labels: the answers there are; `None` where the task is a number.
        windows: how clips are read over time, if they are.
        times_s: by clip id, the seconds at which frames of its file are shown.
        vllm: that labels' words are scored by vLLM, if they are.
    """

    corpus: Corpus
    clips: Sequence[Clip]
    labels: LabelSet | None
    task: Task
    windows: Windows | None
    times_s: Mapping[str, np.ndarray]
    vllm: Vllm | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What a run makes of the clips with one set of modalities.

    Attributes:
        answers: by the way to decide (of one way the name says nothing) and
            clip id, a probability a label, or a number on the run's own scale.
        frames: scores over time; `None` where nothing was read so.
    """

    answers: Mapping[str, Mapping[str, Mapping[str, float] | float]]
    frames: Sequence[FrameScores] | None = None


@dataclass(frozen=True, eq=False)
class ReadyRun:
    """A run that is loaded, before clips that are perceived.

    Attributes:
        read: what it makes of them with some of the modalities.
        sizes: as in `Predictor.sizes`.
        failed: by clip id, why its file could not be perceived.
    """

    read: Callable[[str], Reading]
    sizes: Mapping[str, float]
    failed: Mapping[str, str]
