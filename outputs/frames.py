"""Faces over time as tables, in the columns of py-feat and in those of OpenFace.

Both from the tracks that are kept with a result, so that a kept result has
them too.  What was not measured is an empty cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.timeline import LabelledTranscript, Media
from .tables import Cell, Sheet, as_csv

# py-feat 2: `Detectorv2`'s units, and what it calls our emotions.
_PYFEAT_UNITS = tuple(
    f"AU{number:02d}" for number in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
)
_PYFEAT_EMOTIONS: Mapping[str, str] = {
    "Neutral": "neutral",
    "Happy": "joy",
    "Sad": "sadness",
    "Surprise": "surprise",
    "Fear": "fear",
    "Disgust": "disgust",
    "Anger": "anger",
}

# OpenFace 2.2: by its code, ours.  A blink (AU45) is a short closing of the eyes.
_OPENFACE_UNITS: Mapping[str, str] = {
    **{f"AU{n:02d}": f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26)},
    "AU45": "AU43",
}
_OPENFACE_PRESENT = dict(sorted({**_OPENFACE_UNITS, "AU28": "AU28"}.items()))
# FACS grades intensities from A to E, which OpenFace counts from 1 to 5.
_OPENFACE_MOST = 5.0


def pyfeat_csv(transcript: LabelledTranscript, folder: Path) -> str:
    """A row a face in a frame that was looked at, in the columns of py-feat 2.

    Angles are radians, frames count from 0; a frame without a face has a row
    without one.
    """
    return _table(lambda row: {"input": transcript.media.path, **_pyfeat(row)}, transcript)


def openface_csv(transcript: LabelledTranscript, folder: Path) -> str:
    """A row a face in a frame that was looked at, in the columns of OpenFace 2.2.

    A unit's value in 0–1 becomes an intensity in 0–5, and it is present from
    the value on from which it is spoken of without “slight”.  Angles are
    radians by OpenFace's axes: down, to the viewer's left and clockwise are
    positive.  Frames count from 1; one without a face has `success` 0.
    """
    grades = _faces(transcript).get("grades")
    return _table(lambda row: _openface(row, grades[1] if grades else None), transcript)


def _pyfeat(row: _Row) -> dict[str, Cell]:
    rectangle = zip(("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"), row.rectangle, strict=True)
    return {
        "frame": (row.frame, 0),
        "approx_time": f"{int(row.time_s) // 60:02d}:{int(row.time_s) % 60:02d}",
        **{side: _cell(pixels, 0) for side, pixels in rectangle},
        "FaceScore": None,
        **{unit: _cell(row.units.get(unit), 2) for unit in _PYFEAT_UNITS},
        "valence": _cell(row.valence, 2),
        "arousal": _cell(row.arousal, 2),
        "gaze_pitch": None,
        "gaze_yaw": None,
        "Pitch": _radians(row.pitch),
        "Roll": _radians(row.roll),
        "Yaw": _radians(row.yaw, -1),
        "X": None,
        "Y": None,
        "Z": None,
        "Identity": _cell(row.person, 0),
        **{name: _cell(row.emotions.get(emotion), 3) for name, emotion in _PYFEAT_EMOTIONS.items()},
    }


def _openface(row: _Row, least: float | None) -> dict[str, Cell]:
    """
    Args:
        least: from which value on a unit is present; `None` where that is not known.
    """
    intensities = {code: row.units.get(unit) for code, unit in _OPENFACE_UNITS.items()}
    present = {code: row.units.get(unit) for code, unit in _OPENFACE_PRESENT.items()}
    return {
        "frame": (row.frame + 1, 0),
        "face_id": _cell(row.person, 0),
        "timestamp": (row.time_s, 3),
        "confidence": None,
        "success": (row.person is not None, 0),
        "pose_Tx": None,
        "pose_Ty": None,
        "pose_Tz": None,
        "pose_Rx": _radians(row.pitch, -1),
        "pose_Ry": _radians(row.yaw, -1),
        "pose_Rz": _radians(row.roll, -1),
        **{f"{code}_r": value if value is None else (_OPENFACE_MOST * value, 2) for code, value in intensities.items()},
        **{
            f"{code}_c": None if value is None or least is None else (value >= least, 0)
            for code, value in present.items()
        },
    }


def _table(cells: Callable[[_Row], dict[str, Cell]], transcript: LabelledTranscript) -> str:
    return as_csv(Sheet(tuple(cells(_Row(0, 0.0))), [cells(row) for row in _rows(transcript)]))


def _cell(value: float | None, places: int) -> Cell:
    return None if value is None else (value, places)


def _radians(degrees: float | None, sign: int = 1) -> Cell:
    return None if degrees is None else (sign * math.radians(degrees), 4)


# ── what there is of a face in a frame ───────────────────────────────────────


@dataclass(frozen=True)
class _Row:
    """One face in one frame, or a frame without any, of which `person` is `None`.

    Attributes:
        frame: from 0, by the mean rate.
        pitch, yaw, roll: degrees, see `FaceTrack.pose`.
    """

    frame: int
    time_s: float
    person: int | None = None
    rectangle: Sequence[float | None] = (None,) * 4
    units: Mapping[str, float | None] = field(default_factory=dict)
    pitch: float | None = None
    yaw: float | None = None
    roll: float | None = None
    emotions: Mapping[str, float | None] = field(default_factory=dict)
    valence: float | None = None
    arousal: float | None = None


def _rows(transcript: LabelledTranscript) -> list[_Row]:
    """In order of time; those of a frame by person."""
    faces = _faces(transcript)
    rows = [row for person in faces.get("people", ()) for row in _of_person(person, faces, transcript.media)]
    seen = {row.time_s for row in rows}
    rows += [_Row(_frame(t, transcript.media), t) for t in faces.get("looked_s", ()) if t not in seen]
    return sorted(rows, key=lambda row: (row.time_s, -1 if row.person is None else row.person))


def _of_person(person: Mapping[str, Any], faces: Mapping[str, Any], media: Media) -> Iterator[_Row]:
    for at, time_s in enumerate(person["times_s"]):
        left, top, right, bottom = person["boxes"][at]
        pitch, yaw, roll = person["pose"][at] if "pose" in person else (None, None, None)
        emotions = person["emotions"][at] if "emotions" in person else ()
        yield _Row(
            frame=_frame(time_s, media),
            time_s=time_s,
            person=person["person"],
            rectangle=(left, top, right - left, bottom - top),
            units=dict(zip(faces["units"], person["action_units"][at], strict=True)),
            pitch=pitch,
            yaw=yaw,
            roll=roll,
            emotions=dict(zip(faces.get("emotions", ()), emotions, strict=False)),
            valence=person["valence"][at] if "valence" in person else None,
            arousal=person["arousal"][at] if "arousal" in person else None,
        )


def _faces(transcript: LabelledTranscript) -> Mapping[str, Any]:
    return (transcript.tracks or {}).get("faces") or {}


def _frame(time_s: float, media: Media) -> int:
    return round(time_s * (media.fps or 0.0))
