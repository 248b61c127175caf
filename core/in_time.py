"""Stretches of time, to be found by when they are: an hour of talk has thousands of turns, and of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from .limits import Timed

T = TypeVar("T", bound=Timed)


class InTime(Generic[T]):
    """Stretches, which may lie over each other, in the order in which they are given back."""

    def __init__(self, stretches: Sequence[T]) -> None:
        starts_s = np.array([each.start_s for each in stretches], dtype=float)
        self._order = np.argsort(starts_s, kind="stable")
        self._starts_s = starts_s[self._order]
        self._ends_s = np.array([each.end_s for each in stretches], dtype=float)[self._order]
        # Of each and those before it, when the last one ends.
        self._latest_s = np.maximum.accumulate(self._ends_s)
        self._stretches = stretches

    def during(self, other: Timed) -> list[T]:
        """Those that last while another does; what has no length lies in what is around it."""
        last = np.searchsorted(self._starts_s, other.end_s)
        first = min(np.searchsorted(self._latest_s, other.start_s, "right"), last)
        there = first + np.flatnonzero(self._ends_s[first:last] > other.start_s)
        return [self._stretches[index] for index in np.sort(self._order[there])]
