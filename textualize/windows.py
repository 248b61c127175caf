"""How time is cut into moments: by what is said, or by the clock."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import SettingsError
from ..core.limits import MOST_WINDOWS
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
        check_windows(settings, until_s - begin_s)
        said = _Said(utterances)
        bounds = clock_bounds(settings.window_s, settings.hop_s or settings.window_s, begin_s, until_s)
        # What is said at the very end belongs to what ends there.
        windows = [said.window(*each, whole=each[1] >= until_s) for each in bounds]
    else:
        windows = [part for u in utterances for part in _by_pauses(u, settings.max_utterance_s)]
        if cues.face is not None:
            windows += _gaps(windows, cues.face, begin_s, until_s, settings)
    windows.sort(key=lambda window: (window.start_s, window.end_s))
    return windows or [Window(begin_s, until_s)]


def check_windows(settings: WindowSettings, length_s: float) -> None:
    """Whether a recording, or a stretch of one, has no more windows by the clock than can be read.

    Raises:
        SettingsError: it has more.
    """
    hop_s = settings.hop_s or settings.window_s
    if hop_s is not None and length_s / hop_s > MOST_WINDOWS:
        raise SettingsError(
            f"windows every {hop_s:g} s are {math.ceil(length_s / hop_s):,} in {length_s:,.1f} s, and at most "
            f"{MOST_WINDOWS:,} are read; set windows.hop_s to {length_s / MOST_WINDOWS:.2f} or more, or read a stretch "
            "of the recording alone"
        )


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
    return _Said(utterances).window(start_s, end_s)


class _Said:
    """Words and who says them, to be found by when they are said."""

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        self._spoken = [(utterance.speaker, word) for utterance in utterances for word in timed_words(utterance)]
        middles_s = np.array([(word.start_s + word.end_s) / 2 for _, word in self._spoken], dtype=float)
        self._order = np.argsort(middles_s, kind="stable")
        self._middles_s = middles_s[self._order]

    def window(self, start_s: float, end_s: float, *, whole: bool = False) -> Window:
        """See `window_at`; with its end, where it is the whole of what is left."""
        first = np.searchsorted(self._middles_s, start_s)
        last = np.searchsorted(self._middles_s, end_s, "right" if whole else "left")
        inside = [self._spoken[index] for index in np.sort(self._order[first:last])]
        # Of those who say equally much, who is first.
        ((speaker, _),) = Counter(speaker for speaker, _ in inside).most_common(1) or ((None, 0),)
        return Window(start_s, end_s, speaker, tuple(word for _, word in inside))


def _by_pauses(utterance: Utterance, max_s: float) -> list[Window]:
    """The utterance, halved at its longest inner pause while it is too long."""
    words = timed_words(utterance)
    starts_s = np.array([word.start_s for word in words], dtype=float)
    # Before each word but the first.
    pauses_s = np.array([0.0, *(round(b.start_s - a.end_s, 2) for a, b in itertools.pairwise(words))])
    windows: list[Window] = []
    # Not by recursion: of pauses that grow, one word after another is cut off.
    left = [(utterance.start_s, utterance.end_s, 0, len(words))]
    while left:
        start_s, end_s, first, last = left.pop()
        if end_s - start_s <= max_s or last - first < 2:
            windows.append(Window(start_s, end_s, utterance.speaker, words[first:last]))
            continue
        # Of equal pauses (subtitles have none at all) the one nearest the middle.
        inner_s = pauses_s[first + 1 : last]
        longest = first + 1 + np.flatnonzero(inner_s == inner_s.max())
        at = int(longest[np.abs(starts_s[longest] - (start_s + end_s) / 2).argmin()])
        left += [(words[at].start_s, end_s, at, last), (start_s, words[at - 1].end_s, first, at)]
    return windows


def _gaps(
    spoken: Sequence[Window], face: FaceTrack, begin_s: float, until_s: float, settings: WindowSettings
) -> list[Window]:
    """Silences in which a face is seen, in pieces of at most `max_gap_s`."""
    gaps, free_from_s = [], begin_s
    for window in sorted(spoken, key=lambda w: w.start_s):
        gaps.append((free_from_s, window.start_s))
        free_from_s = max(free_from_s, window.end_s)
    gaps.append((free_from_s, until_s))

    seen_s = np.sort(face.times_s)
    windows: list[Window] = []
    for start_s, end_s in gaps:
        if end_s - start_s < settings.min_gap_s:
            continue
        bounds = np.linspace(start_s, end_s, math.ceil((end_s - start_s) / settings.max_gap_s) + 1)
        seen = np.diff(np.searchsorted(seen_s, bounds))
        windows += [Window(float(bounds[at]), float(bounds[at + 1])) for at in np.flatnonzero(seen)]
    return windows
