"""Who is who from frame to frame.

A face is the one that was there a moment ago when it lies where that one was
heading, and looks like it.  The look decides where places do not: two people
who change places, and a cut that puts somebody else where the last one was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A face out of sight for longer is a new one: by then the place says nothing.
MEMORY_S = 10.0
# Movement is carried on for this long after a face was last seen.
COASTING_S = 0.6
# Colour histograms (Bhattacharyya coefficient) further apart than this are not
# the same person in the same shot: from sample to sample of one person it is
# above 0.95, between people in different pictures mostly below 0.5.
LEAST_LIKENESS = 0.75
# Centres further apart than this many box widths are not the same face.
FARTHEST_WIDTHS = 1.5
COLOUR_LEVELS = 8


@dataclass(eq=False)
class _Person:
    box: np.ndarray
    velocity: np.ndarray
    seen_s: float
    look: np.ndarray


class Identities:
    """Gives each face of each frame the number of its person, from 1."""

    def __init__(self) -> None:
        self._persons: dict[int, _Person] = {}

    def assign(self, time_s: float, boxes: Sequence[np.ndarray], looks: Sequence[np.ndarray]) -> list[int]:
        """The person of each face.

        Args:
            boxes: (4,) pixels each.
            looks: of the same faces, from `look`.
        """
        affinity = np.array(
            [
                [_affinity(person, time_s, box, look) for person in self._persons.values()]
                for box, look in zip(boxes, looks, strict=True)
            ]
        ).reshape(len(boxes), len(self._persons))
        numbers = list(self._persons)
        assigned: dict[int, int] = {}
        # The surest pair first; each face and each person once.
        for flat in np.argsort(-affinity, axis=None, kind="stable"):
            face, at = divmod(int(flat), len(numbers))
            if affinity[face, at] > 0 and face not in assigned and numbers[at] not in assigned.values():
                assigned[face] = numbers[at]
        return [self._update(assigned.get(i), time_s, boxes[i], looks[i]) for i in range(len(boxes))]

    def _update(self, number: int | None, time_s: float, box: np.ndarray, look: np.ndarray) -> int:
        if number is None:
            number = len(self._persons) + 1
            self._persons[number] = _Person(box, np.zeros(4), time_s, look)
            return number
        person = self._persons[number]
        elapsed_s = time_s - person.seen_s
        moving = 0.0 < elapsed_s <= COASTING_S
        person.velocity = (box - person.box) / elapsed_s if moving else np.zeros(4)
        # A slow average, so that one frame with a hand in it does not count.
        person.look = 0.8 * person.look + 0.2 * look
        person.box, person.seen_s = box, time_s
        return number


def look(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(512,) square root of the colour histogram of head and shoulders."""
    height, width = image.shape[:2]
    size = box[2:] - box[:2]
    low = np.clip(box[:2] - 0.3 * size, 0, (width - 1, height - 1)).astype(int)
    high = np.clip(box[2:] + 0.5 * size, low + 1, (width, height)).astype(int)
    # Some 32 pixels a side are plenty for a histogram.
    step = np.maximum((high - low) // 32, 1)
    region = image[low[1] : high[1] : step[1], low[0] : high[0] : step[0]].reshape(-1, 3)
    bins = (region.astype(int) * COLOUR_LEVELS // 256) @ (COLOUR_LEVELS**2, COLOUR_LEVELS, 1)
    counts = np.bincount(bins, minlength=COLOUR_LEVELS**3)
    return np.sqrt(counts / counts.sum())


def _expected(person: _Person, time_s: float) -> np.ndarray:
    return person.box + person.velocity * min(time_s - person.seen_s, COASTING_S)


def _affinity(person: _Person, time_s: float, box: np.ndarray, look: np.ndarray) -> float:
    """How well a face continues a person: above 0 where it may be the same."""
    if time_s - person.seen_s > MEMORY_S:
        return 0.0
    likeness = float(look @ person.look)
    place = _expected(person, time_s)
    size, place_size = box[2:] - box[:2], np.maximum(place[2:] - place[:2], 1.0)
    apart = np.linalg.norm((box[:2] + box[2:] - place[:2] - place[2:]) / 2) / max(*size, *place_size)
    nearness = 1.0 - apart / FARTHEST_WIDTHS
    if likeness < LEAST_LIKENESS or nearness <= 0:
        return 0.0
    return nearness * likeness**2
