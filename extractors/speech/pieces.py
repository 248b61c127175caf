"""What Whisper listens to at once: a stretch of speech and its sound, with a little around it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..media import SAMPLE_RATE, Sound
from .vad import Stretch

# Whisper has learnt to listen for half a minute.  It hears as well in less, in
# a time that grows faster than the length (8 s take a seventh of what 30 do),
# if silence follows what is said.  With too little of it, it says that again;
# of what goes on the end is not told, and half of it is enough.
SILENCE_S, LONGEST_S = 2, 30
# Heard on either side of a stretch.
AROUND_S = 0.2


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch and its sound: (N,) samples, from `start_s` on."""

    stretch: Stretch
    start_s: float
    samples: np.ndarray

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def window_s(self) -> int:
        """How long it is listened to: whole seconds, so that there are others to be decoded with."""
        silence_s = SILENCE_S // 2 if self.stretch.goes_on else SILENCE_S
        return min(math.ceil(self.duration_s) + silence_s, LONGEST_S)


def piece_of(sound: Sound, stretch: Stretch) -> Piece:
    """The stretch with a little around it."""
    start_s = max(stretch.start_s - AROUND_S, sound.start_s)
    return Piece(stretch, start_s, sound.read(start_s, stretch.end_s + AROUND_S))


def enough_of(pieces: Iterator[Piece], duration_s: float) -> Iterator[Piece]:
    """As many of the pieces as last that long."""
    while duration_s > 0 and (piece := next(pieces, None)) is not None:
        yield piece
        duration_s -= piece.duration_s


def joined(pieces: Sequence[Piece]) -> Piece:
    """The pieces as one, without the pauses between them; the piece itself where there is but one."""
    if len(pieces) == 1:
        return pieces[0]
    stretch = Stretch(pieces[0].stretch.start_s, pieces[-1].stretch.end_s)
    samples = np.concatenate([piece.samples for piece in pieces])
    return Piece(stretch, pieces[0].start_s, samples[: (LONGEST_S - SILENCE_S) * SAMPLE_RATE])
