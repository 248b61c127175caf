"""Subtitles of SubStation Alpha (.ssa, .ass): what is said in their events.

They are read by the format's own rules: the library for them is quadratic in
the tags of a line, in time and in memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...core.errors import MediaError
from ...core.text import shortened
from ...core.timeline import Utterance
from .text_files import lines_of, name_of, plain_lines, up_to_last

# `0:00:01.50`; hundredths may be missing, and what somebody has shifted may begin before the recording does.
_TIME = re.compile(r"(-?)(\d{1,4}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?")
_TAGS = re.compile(r"\{[^}]*\}")
# Whether what follows is drawn: `\p1` begins that, `\p0` ends it.
_DRAWN = re.compile(r"\\p(\d)")

# Layer or marked, start, end, style, name, three margins, effect, text.
_FIELDS = 10


def read_substation(path: Path, text: str) -> tuple[list[Utterance], None]:
    """The utterances in the file as they stand there.

    Raises:
        MediaError: it has no events, or one whose times are none.
    """
    found, events = [], 0
    for number, line in enumerate(lines_of(text), start=1):
        kind, colon, rest = line.lstrip().partition(":")
        if not colon or kind not in ("Dialogue", "Comment"):
            continue
        events += 1
        fields = rest.split(",", _FIELDS - 1)
        if kind == "Dialogue" and len(fields) == _FIELDS:
            found += _utterance(f"{path}, line {number}", fields)
    if not events:
        raise MediaError(f"{path} holds no subtitles: no line begins with Dialogue:")
    return found, None


def _utterance(where: str, fields: list[str]) -> Iterator[Utterance]:
    start_s, end_s = (_seconds(where, field) for field in fields[1:3])
    head, tail = up_to_last("}", fields[-1].rstrip())
    drawn = any(int(digits[-1]) for tags in _TAGS.findall(head) if (digits := _DRAWN.findall(tags)))
    if not drawn and end_s >= 0:
        shown = (_TAGS.sub("", head) + tail).replace(r"\h", " ").replace(r"\n", "\n").replace(r"\N", "\n")
        # What ends before it begins is for the caller to refuse.
        yield Utterance(max(start_s, 0.0), end_s, plain_lines(shown), name_of(fields[4]))


def _seconds(where: str, text: str) -> float:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise MediaError(f"{where}: {shortened(text.strip())} is not a time as in 0:00:01.50")
    sign, hours, minutes, seconds, fraction = found.groups()
    time_s = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")
    return -time_s if sign else time_s
