"""How loud a sound is over time, for whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .sound import SAMPLE_RATE, Sound

# More than a screen is wide, also zoomed in; of two hours still five a second.
MOST_PEAKS = 40_000
# Syllables are told apart.
PEAKS_PER_S = 50
# So many peaks are made of what is read at once.
_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class SoundPeaks:
    """How loud a sound is over time.

    Attributes:
        per_s: so many peaks a second.
        start_s: where the first begins.
        peaks: (P,) uint8, the greatest amplitude in each stretch, in hundredths of the loudest.
    """

    per_s: float
    start_s: float
    peaks: np.ndarray


def peaks_of(sound: Sound) -> SoundPeaks:
    """The peaks of a sound that is all there: `PEAKS_PER_S`, of a long one fewer."""
    samples = round(sound.duration_s * SAMPLE_RATE)
    each = max(SAMPLE_RATE // PEAKS_PER_S, -(-samples // MOST_PEAKS))
    blocks = [_greatest(block, each) for _, block in sound.blocks(each * _AT_ONCE / SAMPLE_RATE)]
    peaks = np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)
    loudest = float(peaks.max(initial=0.0))
    shares = peaks / loudest if loudest > 0 else peaks
    return SoundPeaks(SAMPLE_RATE / each, sound.start_s, np.round(100 * shares).astype(np.uint8))


def _greatest(samples: np.ndarray, each: int) -> np.ndarray:
    padded = np.pad(np.abs(samples), (0, -len(samples) % each))
    return padded.reshape(-1, each).max(axis=1)
