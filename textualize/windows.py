"""How time is cut into moments: by what is said, or by the clock."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.timeline import Cues, FaceTrack, Utterance, Word
from .settings import WindowSettings


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
    duration_s = cues.media.duration_s
    if settings.window_s is not None:
        windows = _by_clock(utterances, duration_s, settings.window_s, settings.hop_s or settings.window_s)
    else:
        windows = [part for u in utterances for part in _by_pauses(u, settings.max_utterance_s)]
        if cues.face is not None:
            windows += _gaps(windows, cues.face, duration_s, settings)
    windows.sort(key=lambda window: (window.start_s, window.end_s))
    return windows or [Window(0.0, duration_s)]


def timed_words(utterance: Utterance) -> tuple[Word, ...]:
    """The utterance's words with times.

    Subtitles have none: their words are then spread over the utterance by
    their length, which is right to about a word.
    """
    if utterance.words:
        return utterance.words
    tokens = utterance.text.split()
    ends = np.cumsum([len(token) + 1 for token in tokens], dtype=float)
    span_s = utterance.end_s - utterance.start_s
    bounds = utterance.start_s + span_s * np.concatenate([[0.0], ends / ends[-1]]) if tokens else []
    return tuple(Word(float(bounds[i]), float(bounds[i + 1]), token) for i, token in enumerate(tokens))


def _by_clock(utterances: Sequence[Utterance], duration_s: float, window_s: float, hop_s: float) -> list[Window]:
    spoken = [(u, word) for u in utterances for word in timed_words(u)]
    windows = []
    for index in range(max(1, math.ceil(duration_s / hop_s - 1e-9))):
        start_s = index * hop_s
        end_s = min(start_s + window_s, duration_s)
        # A word belongs where its middle lies, so that none is cut in two.
        inside = [(u, w) for u, w in spoken if start_s <= (w.start_s + w.end_s) / 2 < end_s]
        speakers = [u.speaker for u, _ in inside]
        speaker = max(speakers, key=speakers.count) if speakers else None
        windows.append(Window(start_s, end_s, speaker, tuple(w for _, w in inside)))
    return windows


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


def _gaps(spoken: Sequence[Window], face: FaceTrack, duration_s: float, settings: WindowSettings) -> list[Window]:
    """Silences in which a face is seen, in pieces of at most `max_gap_s`."""
    gaps, free_from_s = [], 0.0
    for window in sorted(spoken, key=lambda w: w.start_s):
        gaps.append((free_from_s, window.start_s))
        free_from_s = max(free_from_s, window.end_s)
    gaps.append((free_from_s, duration_s))

    windows = []
    for start_s, end_s in gaps:
        if end_s - start_s < settings.min_gap_s:
            continue
        bounds = np.linspace(start_s, end_s, math.ceil((end_s - start_s) / settings.max_gap_s) + 1)
        for left_s, right_s in itertools.pairwise(bounds):
            if np.any((face.times_s >= left_s) & (face.times_s < right_s)):
                windows.append(Window(float(left_s), float(right_s)))
    return windows
