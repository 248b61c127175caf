"""Pauses in speech, from the times of its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..core.timeline import Word

# Shorter ones belong to fluent speech, and to how exactly a recogniser knows where words end.
SHORTEST_PAUSE_S = 0.7
_LONG_S = 2 * SHORTEST_PAUSE_S
_MUCH = 1 / 3


@dataclass(frozen=True)
class Pauses:
    """Silences between words in a stretch of time.

    Attributes:
        lengths_s: of each of at least `SHORTEST_PAUSE_S`.
        share: of the stretch that they take, in 0–1.
    """

    lengths_s: tuple[float, ...]
    share: float


def pauses(words: Sequence[Word], start_s: float, end_s: float) -> Pauses | None:
    """Between the first and the last of the words; `None` where there are not two.

    What is silent before the first word and after the last is not a pause in
    speech.  Words whose times were spread over a subtitle have none.
    """
    if len(words) < 2 or end_s <= start_s:
        return None
    between_s = [later.start_s - earlier.end_s for earlier, later in pairwise(words)]
    # A hundredth for times that were rounded.
    lengths_s = tuple(length_s for length_s in between_s if length_s >= SHORTEST_PAUSE_S - 0.005)
    return Pauses(lengths_s, sum(lengths_s) / (end_s - start_s))


def pause_words(words: Sequence[Word], start_s: float, end_s: float) -> list[str]:
    """The pauses in words; none of speech that flows."""
    found = pauses(words, start_s, end_s)
    if found is None or not found.lengths_s:
        return []
    long = "long " if max(found.lengths_s) >= _LONG_S else ""
    said = [f"a {long}pause" if len(found.lengths_s) == 1 else f"{long}pauses"]
    return said + (["silent a third of the time or more"] if found.share >= _MUCH else [])
