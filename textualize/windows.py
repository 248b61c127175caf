"""How time is cut into moments: by what is said, or by the clock."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.timeline import Cues, FaceTrack, Utterance, Word, timed_words
from .settings import WindowSettings

# What is left at the end is no window of its own if it is shorter, or than half of those before: a
# voice is not measured below that, and a single frame is no evidence.
SHORTEST_S = 0.5


@dataclass(frozen=True)
class Window:
    """One stretch of time, who speaks in it, and the words that fall into it."""

    start_s: float
    end_s: float
    speaker: str | None = None
    words: tuple[Word, ...] = ()


def cut(cues: Cues, settings: WindowSettings) -> list[Window]:
    """The windows of a clip, in order of time; at least one.

    Without `window_s`, one for each utterance and for each gap in speech in
    which a face is seen.  With it, windows of that length by the clock.
    """
    utterances = cues.transcript.utterances if cues.transcript else ()
    begin_s, until_s = cues.media.start_s, cues.media.until_s
    if settings.window_s is not None:
        bounds = clock_bounds(settings.window_s, settings.hop_s or settings.window_s, begin_s, until_s)
        windows = [window_at(utterances, *each) for each in bounds]
    else:
        windows = [part for u in utterances for part in _by_pauses(u, settings.max_utterance_s)]
        if cues.face is not None:
            windows += _gaps(windows, cues.face, begin_s, until_s, settings)
    windows.sort(key=lambda window: (window.start_s, window.end_s))
    return windows or [Window(begin_s, until_s)]


def clock_bounds(window_s: float, hop_s: float, begin_s: float, until_s: float) -> Iterator[tuple[float, float]]:
    """Where windows of a stretch begin and end; at least one, the last cut off where the stretch ends.

    Less than `SHORTEST_S` at the end belongs to the window before it.
    """
    if until_s == math.inf:
        for index in itertools.count():
            yield begin_s + index * hop_s, begin_s + index * hop_s + window_s
    last = max(0, math.floor((until_s - begin_s - shortest_s(hop_s)) / hop_s + 1e-9))
    for index in range(last + 1):
        start_s = begin_s + index * hop_s
        end_s = min(start_s + window_s, until_s)
        yield start_s, until_s if index == last and until_s - end_s < shortest_s(hop_s) else end_s


def shortest_s(hop_s: float) -> float:
    """The shortest that the last of windows by the clock can be."""
    return min(SHORTEST_S, hop_s / 2)


def window_at(utterances: Sequence[Utterance], start_s: float, end_s: float) -> Window:
    """A stretch of time with what is said in it; a word belongs where its middle lies, so that none is cut in two."""
    spoken = [(utterance, word) for utterance in utterances for word in timed_words(utterance)]
    inside = [(u, word) for u, word in spoken if start_s <= (word.start_s + word.end_s) / 2 < end_s]
    speakers = [utterance.speaker for utterance, _ in inside]
    speaker = max(speakers, key=speakers.count) if speakers else None
    return Window(start_s, end_s, speaker, tuple(word for _, word in inside))


def _by_pauses(utterance: Utterance, max_s: float) -> list[Window]:
    """The utterance, halved at its longest inner pause while it is too long."""
    words = timed_words(utterance)

    def halve(start_s: float, end_s: float, words: tuple[Word, ...]) -> list[Window]:
        if end_s - start_s <= max_s or len(words) < 2:
            return [Window(start_s, end_s, utterance.speaker, words)]
        # Of equal pauses (subtitles have none at all) the one nearest the middle.
        middle_s = (start_s + end_s) / 2

        def badness(i: int) -> tuple[float, float]:
            return (-round(words[i].start_s - words[i - 1].end_s, 2), abs(words[i].start_s - middle_s))

        at = min(range(1, len(words)), key=badness)
        first, second = words[:at], words[at:]
        return halve(start_s, first[-1].end_s, first) + halve(second[0].start_s, end_s, second)

    return halve(utterance.start_s, utterance.end_s, words)


def _gaps(
    spoken: Sequence[Window], face: FaceTrack, begin_s: float, until_s: float, settings: WindowSettings
) -> list[Window]:
    """Silences in which a face is seen, in pieces of at most `max_gap_s`."""
    gaps, free_from_s = [], begin_s
    for window in sorted(spoken, key=lambda w: w.start_s):
        gaps.append((free_from_s, window.start_s))
        free_from_s = max(free_from_s, window.end_s)
    gaps.append((free_from_s, until_s))

    windows = []
    for start_s, end_s in gaps:
        if end_s - start_s < settings.min_gap_s:
            continue
        bounds = np.linspace(start_s, end_s, math.ceil((end_s - start_s) / settings.max_gap_s) + 1)
        for left_s, right_s in itertools.pairwise(bounds):
            if np.any((face.times_s >= left_s) & (face.times_s < right_s)):
                windows.append(Window(float(left_s), float(right_s)))
    return windows
