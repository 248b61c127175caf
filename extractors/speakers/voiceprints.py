"""How somebody sounds, along all speech: the record that voices are told apart by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# A vector says little of less than a second, and more than two of them are seldom one person's.
WINDOW_S = 1.5
HOP_S = 0.25


@dataclass(frozen=True, eq=False)
class Voiceprints:
    """How somebody sounds, along all speech: W windows.

    Attributes:
        start_s, end_s: (W,) seconds, in order of time.
        stretch: (W,) int, which stretch of speech without the shortest pause a window lies in.
        above_noise_db: (W,) how loud it is, above what is heard where the sound is quietest.
        vectors: (W, D) of length 1: the smaller their angle, the more alike.
    """

    start_s: np.ndarray
    end_s: np.ndarray
    stretch: np.ndarray
    above_noise_db: np.ndarray
    vectors: np.ndarray


def windows_of(begin_s: float, until_s: float) -> list[tuple[float, float]]:
    """Windows along a stretch, the first at its start and the last at its end; one where it is shorter than that."""
    free_s = until_s - begin_s - WINDOW_S
    if free_s <= 0:
        return [(begin_s, until_s)]
    starts = begin_s + np.linspace(0.0, free_s, 1 + max(1, round(free_s / HOP_S)))
    return [(float(start_s), float(start_s) + WINDOW_S) for start_s in starts]
