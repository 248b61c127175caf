"""What a model reads, and what it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .timeline import Target


@dataclass(frozen=True)
class Prompt:
    """The exact text a model reads.

    `spans` are character ranges of `text`: `target` is the moment to be
    judged, `context`, where there is any, what came before it.  `signals` are
    those of the moment.  `history` are turns before it that are read each by
    itself, in order of time, for models that remember what they have read.
    """

    id: str
    text: str
    spans: Mapping[str, tuple[int, int]]
    signals: str = ""
    history: tuple[PrecedingTurn, ...] = ()


@dataclass(frozen=True)
class PrecedingTurn:
    """A turn before the moment to be judged, as the prompt it had itself.

    `same_speaker` is `None` where either speaker is unknown.
    """

    prompt: Prompt
    same_speaker: bool | None


@dataclass(frozen=True)
class Scored:
    """What a model makes of a prompt.

    Attributes:
        scores: a probability for each label; they sum to 1 where there is one
            label to be found, and are each on its own where there may be any
            number of them.  Empty where a rating is asked for.
        given: of any number of labels, those whose score reaches its
            threshold, the likeliest first; `None` where there is one label.
        rating: the number, where that is asked for.
    """

    id: str
    scores: Mapping[str, float]
    given: tuple[str, ...] | None = None
    rating: float | None = None

    @property
    def label(self) -> str:
        """The likeliest label."""
        return max(self.scores, key=self.scores.__getitem__)

    @property
    def answer(self) -> Target:
        """What is held against a clip's target."""
        if self.rating is not None:
            return self.rating
        return self.label if self.given is None else frozenset(self.given)
