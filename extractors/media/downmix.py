"""Several channels in one, in which everybody is still heard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# How loud a loudspeaker's channel is in the one: ITU-R BS.775-4, table 2, as FFmpeg mixes; effects below
# 120 Hz hold no voice.
_WEIGHTS = {"FL": 0.5**0.5, "FR": 0.5**0.5, "FC": 1.0, "LFE": 0.0, "LFE2": 0.0}
_BEHIND = 0.5

# Judged anew after each of these, with a slide from one mixture to the next.
_STRETCH_S = 0.5
_SLIDE_S = 0.01

# Channels that have nothing in common give the sum of their energies, equal ones twice that.  Less
# than this share of it is cancelled: they are each other's opposite.
_CANCELLED = 0.25
# What the loudest channel then gets.  Unequal weights leave something of all there is: of what is
# alike in the channels, of what is opposite, and of what is in one alone.
_LOUDEST = 0.75


class Downmix:
    """Mixes channels stretch by stretch.

    Args:
        names: of the channels, as FFmpeg has them (`FL`, `FC`, …).
        count: how many there are; their names are unknown where this is another number.
        rate: samples a second.
    """

    def __init__(self, names: Sequence[str], count: int, rate: int) -> None:
        self._usual = _usual_weights(names, count)
        self._weights = self._usual
        self._stretch, self._slide = round(_STRETCH_S * rate), max(1, round(_SLIDE_S * rate))
        self._waiting: list[np.ndarray] = []

    def mixed(self, samples: np.ndarray) -> np.ndarray:
        """(N,) float32 in −1–1 of those stretches that are complete.

        Args:
            samples: (channels, M) float32 in −1–1, those that follow.
        """
        self._waiting.append(samples)
        if sum(part.shape[1] for part in self._waiting) < self._stretch:
            return np.zeros(0, np.float32)
        there = np.concatenate(self._waiting, axis=1)
        whole = there.shape[1] // self._stretch * self._stretch
        self._waiting = [there[:, whole:]]
        return self._together(np.split(there[:, :whole], whole // self._stretch, axis=1))

    def rest(self) -> np.ndarray:
        """(N,) what is left at the end."""
        last, self._waiting = [part for part in self._waiting if part.shape[1]], []
        return self._together([np.concatenate(last, axis=1)]) if last else np.zeros(0, np.float32)

    def _together(self, parts: list[np.ndarray]) -> np.ndarray:
        return np.clip(np.concatenate([self._one(part) for part in parts]), -1.0, 1.0)

    def _one(self, part: np.ndarray) -> np.ndarray:
        weights = self._weights_for(part)
        mixed = weights @ part
        if not np.array_equal(weights, self._weights):
            slide = min(self._slide, part.shape[1])
            share = np.linspace(0.0, 1.0, slide, dtype=np.float32)
            mixed[:slide] = share * mixed[:slide] + (1 - share) * (self._weights @ part[:, :slide])
            self._weights = weights
        return mixed

    def _weights_for(self, part: np.ndarray) -> np.ndarray:
        """The usual weights, unless with those the channels cancel each other."""
        energies = self._usual**2 * np.mean(part**2, axis=1)
        if np.mean((self._usual @ part) ** 2) >= _CANCELLED * energies.sum():
            return self._usual
        loudest = int(np.argmax(energies))
        others = np.where(np.arange(len(self._usual)) == loudest, 0.0, self._usual)
        total = self._usual.sum()
        tilted = others / others.sum() * (1 - _LOUDEST) * total
        tilted[loudest] = _LOUDEST * total
        return tilted.astype(np.float32)


def _usual_weights(names: Sequence[str], count: int) -> np.ndarray:
    """(count,) those of loudspeakers sum to 1; of channels that are nobody's place, voices of a table, each is louder.

    There 1/√count is what channels that have nothing in common need to stay as loud together as each was.
    """
    if len(names) == count and all(_is_place(name) for name in names):
        weights = np.array([_WEIGHTS.get(name, _BEHIND) for name in names])
        if weights.sum() > 0:
            return (weights / weights.sum()).astype(np.float32)
    return np.full(count, count**-0.5 if count > 2 else 1 / count, np.float32)


def _is_place(name: str) -> bool:
    """Whether a channel belongs to a loudspeaker."""
    return name in _WEIGHTS or (name.isalnum() and name.isupper() and 2 <= len(name) <= 3)
