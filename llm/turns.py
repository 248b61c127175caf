"""Prompts and the turns that they remember: what has to be read, each once, and what each prompt follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.prompt import Prompt

# Who spoke a turn, compared with the moment to be judged.
ITSELF, SAME, OTHER, UNKNOWN = range(4)
_WHO = {True: SAME, False: OTHER, None: UNKNOWN}


@dataclass(frozen=True, eq=False)
class Turns:
    """What each of N prompts remembers, of U that are read.

    Attributes:
        places: (N, K) int64, of its turns among the U, in order of time; its
            own is the last, and what is left of a row counts for nothing.
        who: (N, K) int64, who spoke them.
        lengths: (N,) int64, turns of each, itself included: 1 to K.
    """

    places: np.ndarray
    who: np.ndarray
    lengths: np.ndarray

    @property
    def own(self) -> np.ndarray:
        """(N,) the place of each prompt itself."""
        return np.take_along_axis(self.places, self.lengths[:, None] - 1, axis=1)[:, 0]

    def some(self, which: Sequence[int]) -> tuple[np.ndarray, Turns]:
        """Of some prompts alone: the places that they need, and what each remembers of those."""
        rows, lengths = list(which), self.lengths[list(which)]
        longest = lengths.max()
        there = np.arange(longest) < lengths[:, None]
        places = np.where(there, self.places[rows, :longest], self.own[rows][:, None])
        needed, moved = np.unique(places, return_inverse=True)
        return needed, Turns(moved.reshape(places.shape), self.who[rows, :longest], lengths)

    def follows_the_one_before(self) -> np.ndarray:
        """(N,) bool, whether a prompt's last turn is the prompt that stands before it."""
        last = np.take_along_axis(self.places, np.maximum(self.lengths - 2, 0)[:, None], axis=1)[:, 0]
        return (self.lengths > 1) & (last == np.roll(self.own, 1)) & (np.arange(len(last)) > 0)


def read_once(prompts: Sequence[Prompt]) -> tuple[list[Prompt], Turns]:
    """The prompts and the turns of their histories, those that read alike once, and which of them each remembers.

    Raises:
        ValueError: there are no prompts.
    """
    distinct: dict[tuple[str, tuple[int, int]], int] = {}
    read: list[Prompt] = []

    def place(prompt: Prompt) -> int:
        found = distinct.setdefault((prompt.text, prompt.spans["target"]), len(read))
        if found == len(read):
            read.append(prompt)
        return found

    lengths = np.array([len(prompt.history) + 1 for prompt in prompts])
    places, who = np.zeros((2, len(prompts), lengths.max()), dtype=np.int64)
    for row, prompt in enumerate(prompts):
        turns = [(place(turn.prompt), _WHO[turn.same_speaker]) for turn in prompt.history]
        turns.append((place(prompt), ITSELF))
        places[row, : len(turns)], who[row, : len(turns)] = zip(*turns, strict=True)
    return read, Turns(places, who, lengths)
