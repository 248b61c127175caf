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
            repeated[number] = next(
                (n for n in range(min(len(before), len(lines)), 0, -1) if list(before[-n:]) == list(lines[:n])), 0
            )
    rolling = sum(0 < n < len(lines) for n, (_, _, lines) in zip(repeated, cues, strict=True))
    return repeated if rolling and rolling >= _ROLLING_SHARE * (len(cues) - 1) else [0] * len(cues)


def layered(utterances: Sequence[Utterance]) -> list[Utterance]:
    """The utterances, those that say the same at the same time as one: outlines and shadows are layers of their own."""
    found: list[Utterance] = []
    for utterance in sorted(utterances, key=lambda each: (each.start_s, each.end_s)):
        for number, before in enumerate(found):
            same = (before.text, before.speaker) == (utterance.text, utterance.speaker)
            if same and before.start_s <= utterance.start_s < before.end_s:
                found[number] = replace(before, end_s=max(before.end_s, utterance.end_s))
                break
        else:
            found.append(utterance)
    return found
