"""How loud the sound is over time, for whoever draws it."""

from __future__ import annotations

import numpy as np

from ..core.context import Store
from ..core.timeline import SoundPeaks
from .media import SAMPLE_RATE, Sound
from .sources import FileSource
from .store import kept

# More than a screen is wide, also zoomed in; of two hours still five a second.
MOST_PEAKS = 40_000
# Syllables are told apart.
PEAKS_PER_S = 50
# So many peaks are made of what is read at once.
_AT_ONCE = 4096


def peaks_of(source: FileSource, store: Store | None = None) -> SoundPeaks:
    """The peaks of a file's sound; from the store, if it has them, without decoding it.

    Raises:
        MediaError: the sound cannot be read.
    """
    about = {"most": MOST_PEAKS, "per_s": PEAKS_PER_S} | source.read_as("audio")
    return kept(store, source.media.sha256, "peaks", about, lambda: measured(source.sound()), source.interval)


def measured(sound: Sound) -> SoundPeaks:
    """The peaks of a sound that is all there."""
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
