"""Clips that last, in windows of equal length, and what the windows said put together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .frames import FeatureFrames


@dataclass(frozen=True)
class Window:
    """FeatureFrames of a clip, from `first` up to and without `end`.

    Attributes:
        clip: its place among the clips.
    """

    clip: int
    first: int
    end: int

    def __len__(self) -> int:
        return self.end - self.first


def windows_of(clips: Sequence[FeatureFrames], frames: int, hop: int) -> list[Window]:
    """The windows of each clip, in order of time.

    A clip that is no longer than a window is one; the last window of a longer
    one ends with it, so that it sees as much context as the others.
    """
    return [
        Window(index, first, min(first + frames, len(clip.times_s)))
        for index, clip in enumerate(clips)
        for first in _starts(len(clip.times_s), frames, hop)
    ]


def stitched(windows: Sequence[Window], logits: Sequence[np.ndarray]) -> np.ndarray:
    """(T, L) logits of a clip's frames: the mean over the windows that a frame lies in.

    Args:
        windows: of one clip, all of them.
        logits: of each, (t, L) for its t frames, or (L,), which then hold for every one.
    """
    total = np.zeros((max(window.end for window in windows), logits[0].shape[-1]))
    counts = np.zeros((len(total), 1))
    for window, each in zip(windows, logits, strict=True):
        total[window.first : window.end] += each
        counts[window.first : window.end] += 1
    return total / counts


def _starts(length: int, frames: int, hop: int) -> list[int]:
    if length <= frames:
        return [0]
    return [*range(0, length - frames, hop), length - frames]
