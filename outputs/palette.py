"""A colour for each person: the same in videos and in subtitles, and by `page/palette.js` on pages."""

from __future__ import annotations

from ..core.timeline import LabelledTranscript
from .tracks import name_of

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
# Okabe & Ito (2008): told apart by every kind of eye, and readable on dark.
PEOPLE: tuple[Colour, ...] = (
    (240, 228, 66),
    (86, 180, 233),
    (230, 159, 0),
    (0, 158, 115),
    (204, 121, 167),
    (213, 94, 0),
    (0, 114, 178),
    WHITE,
)


def colours_of(transcript: LabelledTranscript) -> dict[str, Colour]:
    """By name, the colours of those who speak, in the order of speaking, and of those who are seen."""
    faces = ((transcript.tracks or {}).get("faces") or {}).get("people") or []
    speakers = (segment.moment.speaker for segment in transcript.segments)
    names = dict.fromkeys([*filter(None, speakers), *map(name_of, faces)])
    return {name: PEOPLE[number % len(PEOPLE)] for number, name in enumerate(names)}
