"""Subtitles: what is read of each moment, and what is said in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..core.text import one_line
from ..core.timeline import LabelledTranscript, Segment
from .lines import reading
from .palette import WHITE, Colour, colours_of

# Two of the formats have no way to escape: what players would take for markup (`<i>`, `{\an8}`, `\N`) is written with
# look-alikes that they leave alone.
_SUBRIP = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})
_SUBSTATION = str.maketrans({"{": "(", "}": ")", "\\": "⧵"})
_WEBVTT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def srt(transcript: LabelledTranscript, folder: Path) -> str:
    """SubRip; who speaks stands before what is said."""
    cues = (
        f"{number}\n{_stamp(cue.start_ms, ',')} --> {_stamp(cue.end_ms, ',')}\n{cue.line.translate(_SUBRIP)}\n\n"
        for number, cue in enumerate(_cues(transcript.segments), 1)
    )
    return "".join(cues)


def vtt(transcript: LabelledTranscript, folder: Path) -> str:
    """WebVTT; who speaks is the cue's voice, which players and style sheets know."""
    cues = (
        f"{_stamp(cue.start_ms, '.')} --> {_stamp(cue.end_ms, '.')}\n{_voiced(cue)}\n\n"
        for cue in _cues(transcript.segments)
    )
    return "WEBVTT\n\n" + "".join(cues)


def ass(transcript: LabelledTranscript, folder: Path) -> str:
    """Advanced SubStation Alpha: a style a speaker, in the colour that pages have, and white for nobody at all."""
    from pysubs2 import Color, SSAEvent, SSAFile, SSAStyle

    cues = _cues(transcript.segments)
    subtitles = SSAFile()
    if transcript.media.width:
        # Sizes are in pixels of the picture; else players take one of 384 by 288.
        subtitles.info |= {"PlayResX": str(transcript.media.width), "PlayResY": str(transcript.media.height)}
    size = round((transcript.media.height or 288) / 16)
    colours = {one_line(name): colour for name, colour in colours_of(transcript).items()}
    styles = _styles([cue.speaker for cue in cues if cue.speaker], colours)
    for style, (red, green, blue) in {"Default": WHITE, **dict(styles.values())}.items():
        subtitles.styles[style] = SSAStyle(fontsize=size, primarycolor=Color(red, green, blue))
    for cue in cues:
        style = styles[cue.speaker][0] if cue.speaker else "Default"
        # The format counts hundredths of a second.
        end_ms = max(cue.end_ms, cue.start_ms // 10 * 10 + 10)
        text = f"[{cue.reading}] {cue.said}".rstrip().translate(_SUBSTATION)
        subtitles.append(SSAEvent(cue.start_ms, end_ms, text, style=style, name=_entry(cue.speaker or "")))
    return subtitles.to_string("ass", header_notice="Written by emoscribe")


@dataclass(frozen=True)
class _Cue:
    start_ms: int
    end_ms: int
    reading: str
    said: str
    speaker: str

    @property
    def line(self) -> str:
        said = f"{self.speaker}: {self.said}" if self.said and self.speaker else self.said
        return f"[{self.reading}] {said}".rstrip()


def _cues(segments: Sequence[Segment]) -> list[_Cue]:
    """A cue a moment; it has to last: a still picture's gets the shortest time there is."""
    cues = []
    for segment in segments:
        moment = segment.moment
        start_ms = round(moment.start_s * 1000)
        end_ms = max(round(moment.end_s * 1000), start_ms + 1)
        judged, said, speaker = map(one_line, (reading(segment), moment.text or "", moment.speaker or ""))
        cues.append(_Cue(start_ms, end_ms, judged, said, speaker))
    return cues


def one_at_a_time(segments: Sequence[Segment]) -> Iterator[tuple[int, int, str]]:
    """Start and end in milliseconds, and lines, of subtitles that do not overlap: what is shown at one time is one."""
    waiting = deque(sorted(_cues(segments), key=lambda cue: (cue.start_ms, cue.end_ms)))
    bounds = sorted({bound for cue in waiting for bound in (cue.start_ms, cue.end_ms)})
    shown: list[_Cue] = []
    for start_ms, end_ms in pairwise(bounds):
        while waiting and waiting[0].start_ms <= start_ms:
            shown.append(waiting.popleft())
        shown = [cue for cue in shown if cue.end_ms > start_ms]
        if shown:
            yield start_ms, end_ms, "\n".join(cue.line for cue in shown)


def _voiced(cue: _Cue) -> str:
    voice = f"<v {cue.speaker.translate(_WEBVTT)}>" if cue.speaker else ""
    return voice + f"[{cue.reading}] {cue.said}".rstrip().translate(_WEBVTT)


def _styles(speakers: Sequence[str], colours: Mapping[str, Colour]) -> dict[str, tuple[str, Colour]]:
    """By speaker, a style's name and its colour."""
    styles: dict[str, tuple[str, Colour]] = {}
    for speaker in dict.fromkeys(speakers):
        taken = {"default"} | {name.casefold() for name, _ in styles.values()}
        entry = _entry(speaker) or "speaker"
        name = next(each for each in (entry, *(f"{entry} {n}" for n in range(2, 999))) if each.casefold() not in taken)
        styles[speaker] = name, colours[speaker]
    return styles


def _entry(name: str) -> str:
    """A name that a comma does not end, and that no style is reset by (`*`)."""
    return name.translate(_SUBSTATION).replace(",", "‚").lstrip("*")


def _stamp(time_ms: int, point: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{milliseconds:03d}"
