"""What a run answered where the target is a number, such as sentiment, beside what the corpus says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..core.errors import EmoscribeError
from ..core.timeline import Clip
from .by_clip import ByClip, csv_text, of_clips


@dataclass(frozen=True, eq=False)
class NumberPredictions(ByClip[float]):
    """One run's numbers for the N clips of a split.

    Attributes:
        run, clip_ids, truth, modalities, decision: as in `ByClip`.
        values: (N,) as answered, on the scale of the truth; may lie outside
            of `range`.
        range: the lowest and the highest rating that there is.

    Raises:
        EmoscribeError: shapes that do not fit, a clip twice, a rating out of
            range, an answer that is no number.
    """

    run: str
    clip_ids: tuple[str, ...]
    truth: tuple[float | None, ...]
    values: np.ndarray
    range: tuple[float, float]
    modalities: str | None = None
    decision: str | None = None
    _answered: ClassVar[str] = "values"

    def __post_init__(self) -> None:
        n = len(self.clip_ids)
        low, high = self.range
        if len(self.truth) != n or self.values.shape != (n,):
            raise EmoscribeError(
                f"{self.key}: {n} clips do not fit {len(self.truth)} targets and values of shape {self.values.shape}"
            )
        self._check_clips()
        if not low < high:
            raise EmoscribeError(f"{self.key}: the range {low:g} … {high:g} must go from a lower to a higher number")
        for clip, rating, value in zip(self.clip_ids, self.truth, self.values, strict=True):
            if rating is not None and not low <= rating <= high:
                raise EmoscribeError(
                    f"clip {clip!r} is rated {rating:g}, outside of the range {low:g} … {high:g} of {self.key}; "
                    "evaluate a run of the corpus's own scale"
                )
            if not np.isfinite(value):
                raise EmoscribeError(f"{self.key}: clip {clip!r} was answered with {value}; answers must be numbers")

    def in_order_of(self, other: NumberPredictions) -> NumberPredictions:
        """The same predictions, with clips in the order of `other`.

        Raises:
            EmoscribeError: the two differ in their range, their clips or what
                is true of them.
        """
        if self.range != other.range:
            raise EmoscribeError(
                f"{other.key} and {self.key} cannot be compared: their scales differ ({other.range[0]:g} … "
                f"{other.range[1]:g} against {self.range[0]:g} … {self.range[1]:g}); evaluate them one by one"
            )
        return self._in_clip_order_of(other)


def numbers_of(
    run: str,
    bounds: tuple[float, float],
    clips: Sequence[Clip],
    values: Mapping[str, float],
    modalities: str | None = None,
    decision: str | None = None,
) -> NumberPredictions:
    """Clips and the number that a model gave each, joined by id.

    Args:
        bounds: the lowest and the highest rating that there is.
        values: by clip.

    Raises:
        EmoscribeError: a clip has no value, or its target is not a number.
    """
    answers = of_clips(run, clips, values, (float, int), "a number a clip")
    return NumberPredictions(
        run=run,
        clip_ids=tuple(clip.id for clip in clips),
        truth=tuple(float(clip.target) if isinstance(clip.target, (float, int)) else None for clip in clips),
        values=np.array(answers, dtype=float),
        range=bounds,
        modalities=modalities,
        decision=decision,
    )


def to_csv(predictions: Sequence[NumberPredictions]) -> str:
    """One line a run and clip: `run,clip,true,predicted`; `true` is empty where the corpus has no rating."""
    return csv_text(
        ("run", "clip", "true", "predicted"),
        (
            (one.key, clip, "" if truth is None else truth, value)
            for one in predictions
            for clip, truth, value in zip(one.clip_ids, one.truth, one.values.tolist(), strict=True)
        ),
    )
