"""Face tracks, cut down to what a page draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.files import plain
from ..core.timeline import FaceTrack

# People after the eight seen longest are passers-by.
_MOST_PEOPLE = 8


def face_tracks(face: FaceTrack, unit_names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What goes into `LabelledTranscript.tracks`, as plain lists.

        {"faces": {"source", "units": [codes], "names": {code: words},
                   "people": [{"person", "times_s": [N], "boxes": [N][4] pixels,
                               "action_units": [N][A] in 0–1}]}}

    Args:
        unit_names: words for the codes, where there are any (`AU26` jaw drop).
    """
    persons, counts = np.unique(face.person, return_counts=True)
    kept = sorted(persons[np.argsort(-counts, kind="stable")][:_MOST_PEOPLE].tolist())
    names = {code: words for code, words in (unit_names or {}).items() if code in face.names}
    return {
        "faces": {
            "source": face.source,
            "units": list(face.names),
            "names": names,
            "people": [_person(face, person) for person in kept],
        }
    }


def thin(tracks: Mapping[str, Any], most_rows: int) -> dict[str, Any]:
    """The same tracks with at most about `most_rows` rows in all.

    Rows that fall together become one: its units are their greatest, so that
    a brief expression is still seen, its box that of the middle row.
    """
    faces = tracks["faces"]
    rows = sum(len(person["times_s"]) for person in faces["people"])
    step = -(-rows // max(most_rows, 1))
    if step <= 1:
        return dict(tracks)
    return {**tracks, "faces": {**faces, "people": [_thin_person(person, step) for person in faces["people"]]}}


def _person(face: FaceTrack, person: int) -> dict[str, Any]:
    mine = face.person == person
    units = np.round(face.action_units[mine].astype(float), 2)
    return {
        "person": int(person),
        "times_s": np.round(face.times_s[mine].astype(float), 2).tolist(),
        "boxes": np.round(face.boxes[mine]).astype(int).tolist(),
        "action_units": plain(units),
    }


def _thin_person(person: Mapping[str, Any], step: int) -> dict[str, Any]:
    firsts = range(0, len(person["times_s"]), step)

    def greatest(rows: list[list[float | None]]) -> list[float | None]:
        columns = ([value for value in column if value is not None] for column in zip(*rows, strict=True))
        return [max(values, default=None) for values in columns]

    def middle(values: list[Any], first: int) -> Any:
        return values[(first + min(first + step, len(values)) - 1) // 2]

    return {
        "person": person["person"],
        "times_s": [middle(person["times_s"], first) for first in firsts],
        "boxes": [middle(person["boxes"], first) for first in firsts],
        "action_units": [greatest(person["action_units"][first : first + step]) for first in firsts],
    }
