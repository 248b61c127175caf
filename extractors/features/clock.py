"""A clock that all features share, and how measurements are laid on it.

What was measured has times of its own: a row every 10 ms, one a window, one a
sampled picture, one a word.  A frame of the clock for which there is none is
NaN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# Durations of containers are right to about a microsecond.
_JITTER_S = 1e-6


@dataclass(frozen=True)
class Clock:
    """T frames at a fixed rate, from `start_s` of a file on; each lasts until the next."""

    start_s: float
    frames: int
    rate_hz: float

    @property
    def times_s(self) -> np.ndarray:
        """(T,) seconds from `start_s`."""
        return np.arange(self.frames) / self.rate_hz

    @property
    def end_s(self) -> float:
        return self.start_s + self.frames / self.rate_hz


def clock_of(start_s: float, end_s: float, rate_hz: float) -> Clock:
    """The clock of a stretch of a file; at least one frame, which a still picture has."""
    return Clock(start_s, max(1, math.ceil((end_s - start_s - _JITTER_S) * rate_hz)), rate_hz)


def nearest(times_s: np.ndarray, clock: Clock, reach_s: float) -> np.ndarray:
    """(T,) int: of each frame the row (N,) that is nearest in time, −1 where none is within reach.

    Args:
        times_s: (N,) in order, from the start of the file.
    """
    if not len(times_s):
        return np.full(clock.frames, -1)
    asked_s = clock.start_s + clock.times_s
    after = np.clip(np.searchsorted(times_s, asked_s), 1, max(len(times_s) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times_s) - 1)
    rows = np.where(asked_s - times_s[before] <= times_s[after] - asked_s + _JITTER_S, before, after)
    return np.where(np.abs(times_s[rows] - asked_s) <= reach_s + _JITTER_S, rows, -1)


def taken(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(T, D) float32: the given rows of values (N, D), NaN where the row is −1."""
    laid = np.full((len(rows), values.shape[1]), np.nan, dtype=np.float32)
    laid[rows >= 0] = values[rows[rows >= 0]]
    return laid


def averaged(times_s: np.ndarray, values: np.ndarray, clock: Clock, reach_s: float) -> np.ndarray:
    """(T, D) float32: the mean of the rows that lie in each frame, or else the nearest row within reach.

    Args:
        times_s: (N,) in order, from the start of the file.
        values: (N, D); what is NaN does not count.
    """
    laid = taken(values, nearest(times_s, clock, reach_s))
    frame_of = np.floor((times_s - clock.start_s + _JITTER_S) * clock.rate_hz).astype(int)
    inside = (frame_of >= 0) & (frame_of < clock.frames)
    if not inside.any():
        return laid
    rows = values[inside]
    measured = np.isfinite(rows)
    frames, firsts = np.unique(frame_of[inside], return_index=True)
    sums = np.add.reduceat(np.where(measured, rows, 0.0).astype(np.float64), firsts, axis=0)
    counts = np.add.reduceat(measured.astype(np.int64), firsts, axis=0)
    laid[frames] = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return laid


def held(start_s: np.ndarray, end_s: np.ndarray, values: np.ndarray, clock: Clock) -> np.ndarray:
    """(T, D) float32: each row over its own time; where several lie in a frame, their mean by how long each does.

    Args:
        start_s, end_s: (N,) from the start of the file; a row of no length
            counts as an instant in its frame.
        values: (N, D); what is NaN does not count.
    """
    sums = np.zeros((clock.frames, values.shape[1]))
    weights = np.zeros_like(sums)
    begins = (start_s - clock.start_s) * clock.rate_hz
    ends = np.maximum((end_s - clock.start_s) * clock.rate_hz, begins + _JITTER_S)
    for begin, end, row in zip(begins, ends, values, strict=True):
        if end <= 0 or begin >= clock.frames:
            continue
        first, last = max(int(begin), 0), min(math.ceil(end), clock.frames)
        frames = np.arange(first, last)
        shares = np.minimum(frames + 1, end) - np.maximum(frames, begin)
        weight = shares[:, None] * np.isfinite(row)
        sums[first:last] += weight * np.nan_to_num(row)
        weights[first:last] += weight
    return np.divide(sums, weights, out=np.full(sums.shape, np.nan), where=weights > 0).astype(np.float32)
