"""Which of the frames that are shown are looked at."""

from __future__ import annotations

import numpy as np


class SamplingGrid:
    """Of frames that come in order of time, the first one shown in each interval between ticks.

    On the grid of ticks, so that sampling does not drift.
    """

    def __init__(self, sampling_fps: float | None) -> None:
        self._fps = sampling_fps
        self._next_s = -np.inf

    def takes(self, time_s: float) -> bool:
        """Whether the frame shown then is looked at."""
        if self._fps is None:
            return True
        if time_s < self._next_s:
            return False
        self._next_s = (np.floor(time_s * self._fps + 1e-6) + 1) / self._fps - 1e-6
        return True
