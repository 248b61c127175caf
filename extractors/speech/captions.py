"""What captions repeat for the eye: lines that roll up, and layers that lie over each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from ...core.timeline import Utterance

# A cue follows the one before where no more lies between them.
_FOLLOWS_S = 0.1
# Captions roll where so many of the cues begin with what the one before ended with, and go on.
_ROLLING_SHARE = 0.25
# No screen shows more lines.
_MOST_LINES = 16


def unrolled(cues: Sequence[tuple[float, float, Sequence[str]]]) -> list[int]:
    """Of each cue (start, end, lines), how many of its first lines stood in the one before and are only shown on.

    YouTube's automatic captions repeat each line when the next one is said,
    with a cue of 10 ms between; those of television roll up three lines.
    Somebody who says a thing twice is no such thing: most of the captions
    must do it, with new lines below.
    """
    repeated = [0] * len(cues)
    for number, ((_, until_s, before), (from_s, _, lines)) in enumerate(itertools.pairwise(cues), start=1):
        if abs(from_s - until_s) <= _FOLLOWS_S:
            most = min(len(before), len(lines), _MOST_LINES)
            repeated[number] = next((n for n in range(most, 0, -1) if list(before[-n:]) == list(lines[:n])), 0)
    rolling = sum(0 < n < len(lines) for n, (_, _, lines) in zip(repeated, cues, strict=True))
    return repeated if rolling and rolling >= _ROLLING_SHARE * (len(cues) - 1) else [0] * len(cues)


def layered(utterances: Sequence[Utterance]) -> list[Utterance]:
    """The utterances, those that say the same at the same time as one: outlines and shadows are layers of their own."""
    found: list[Utterance] = []
    # The last of a text is the only one that can still be there.
    last: dict[tuple[str, str | None], int] = {}
    for utterance in sorted(utterances, key=lambda each: (each.start_s, each.end_s)):
        said = (utterance.text, utterance.speaker)
        number = last.get(said)
        if number is not None and found[number].start_s <= utterance.start_s < found[number].end_s:
            found[number] = replace(found[number], end_s=max(found[number].end_s, utterance.end_s))
        else:
            last[said] = len(found)
            found.append(utterance)
    return found
