"""Subtitles: what is read of each moment, and what is said in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from ..core.text import one_line
from ..core.timeline import LabelledTranscript, Segment
from .lines import reading


def srt(transcript: LabelledTranscript, folder: Path) -> str:
    """SubRip.  It has no way to escape: what players would take for markup
    (`<i>`, `{\\an8}`) is written with look-alikes that they leave alone."""
    look_alike = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})
    cues = (
        f"{number}\n{_stamp(start_ms, ',')} --> {_stamp(end_ms, ',')}\n{words.translate(look_alike)}\n\n"
        for number, (start_ms, end_ms, words) in enumerate(cues_of(transcript.segments), 1)
    )
    return "".join(cues)


def vtt(transcript: LabelledTranscript, folder: Path) -> str:
    """WebVTT, with the three escapes that its cue text asks for."""
    escapes = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    cues = (
        f"{_stamp(start_ms, '.')} --> {_stamp(end_ms, '.')}\n{words.translate(escapes)}\n\n"
        for start_ms, end_ms, words in cues_of(transcript.segments)
    )
    return "WEBVTT\n\n" + "".join(cues)


def cues_of(segments: Sequence[Segment]) -> list[tuple[int, int, str]]:
    """Start and end in milliseconds, and the words, of each subtitle.

    A cue has to last: a still picture's gets the shortest time there is.
    """
    cues = []
    for segment in segments:
        moment = segment.moment
        start_ms = round(moment.start_s * 1000)
        said = one_line(moment.text or "")
        if said and moment.speaker:
            said = f"{one_line(moment.speaker)}: {said}"
        words = f"[{one_line(reading(segment))}] {said}".rstrip()
        cues.append((start_ms, max(round(moment.end_s * 1000), start_ms + 1), words))
    return cues


def one_at_a_time(cues: Iterable[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """The subtitles without overlaps: what is shown at one time stands on lines of one."""
    waiting = deque(sorted(cues, key=lambda cue: cue[:2]))
    bounds = sorted({bound for start_ms, end_ms, _ in waiting for bound in (start_ms, end_ms)})
    shown: list[tuple[int, int, str]] = []
    for start_ms, end_ms in pairwise(bounds):
        while waiting and waiting[0][0] <= start_ms:
            shown.append(waiting.popleft())
        shown = [cue for cue in shown if cue[1] > start_ms]
        if shown:
            yield start_ms, end_ms, "\n".join(words for _, _, words in shown)


def _stamp(time_ms: int, point: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{milliseconds:03d}"
