"""Subtitles: what is read of each moment, and what is said in it."""

from __future__ import annotations

from collections.abc import Sequence
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
        for number, (start_ms, end_ms, words) in enumerate(_cues(transcript.segments), 1)
    )
    return "".join(cues)


def vtt(transcript: LabelledTranscript, folder: Path) -> str:
    """WebVTT, with the three escapes that its cue text asks for."""
    escapes = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    cues = (
        f"{_stamp(start_ms, '.')} --> {_stamp(end_ms, '.')}\n{words.translate(escapes)}\n\n"
        for start_ms, end_ms, words in _cues(transcript.segments)
    )
    return "WEBVTT\n\n" + "".join(cues)


def _cues(segments: Sequence[Segment]) -> list[tuple[int, int, str]]:
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


def _stamp(time_ms: int, point: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{milliseconds:03d}"
