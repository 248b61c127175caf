"""Faces and sound over time as plain lists: what is kept of them with a result, and what of that a page draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.files import plain
from ..core.timeline import Cues, FaceTrack, LabelledTranscript
from ..extractors.media.peaks import SoundPeaks
from ..textualize.behaviour import blinks

# People after the eight seen longest are passers-by.
_MOST_PEOPLE = 8
# More than this are finer than a screen is wide.
_MOST_DRAWN_PEAKS = 2000
# In less time a rate of blinks is chance: at 20 a minute, three.
_LEAST_SEEN_S = 10.0


def tracks_of(
    cues: Cues, peaks: SoundPeaks | None = None, unit_names: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """What goes into `LabelledTranscript.tracks`; `transcript.schema.json` says what is in it.

    Args:
        peaks: of the sound, where it was listened to.
        unit_names: see `face_tracks`.
    """
    heard = sound_track(peaks) if peaks is not None else {}
    seen = face_tracks(cues.face, unit_names, cues.speakers_of_faces) if cues.face is not None else {}
    return heard | seen or None


def sound_track(sound: SoundPeaks) -> dict[str, Any]:
    """The sound as `tracks` have it."""
    return {"sound": {"per_s": sound.per_s, "start_s": round(sound.start_s, 3), "peaks": sound.peaks.tolist()}}


def face_tracks(
    face: FaceTrack, unit_names: Mapping[str, str] | None = None, speakers: Mapping[int, str] | None = None
) -> dict[str, Any]:
    """Faces as `tracks` have them; what the extractor does not tell has no key.

    Args:
        unit_names: words for the codes, where there are any (`AU26` jaw drop).
        speakers: by person, the speaker whose face it is, where that is known.
    """
    named = {person: {"speaker": speaker} for person, speaker in (speakers or {}).items()}
    persons, counts = np.unique(face.person, return_counts=True)
    kept = sorted(persons[np.argsort(-counts, kind="stable")][:_MOST_PEOPLE].tolist())
    names = {code: words for code, words in (unit_names or {}).items() if code in face.names}
    rated = {"emotions": list(face.emotion_names)} if face.emotions is not None else {}
    return {
        "faces": {
            "source": face.source,
            "units": list(face.names),
            "names": names,
            "grades": list(face.scale.grades),
            **rated,
            "looked_s": _rounded(face.frame_times_s, 3),
            "people": [{**_person(face, person), **named.get(person, {})} for person in kept],
        }
    }


def people_in(transcript: LabelledTranscript) -> list[Mapping[str, Any]]:
    """Those whose faces were followed, as `tracks` have them."""
    return ((transcript.tracks or {}).get("faces") or {}).get("people") or []


def name_of(followed: Mapping[str, Any]) -> str:
    """What somebody whose face was followed is called: as a speaker, where it is known who they are."""
    return followed.get("speaker") or f"person {followed['person']}"


def blink_rates(tracks: Mapping[str, Any]) -> dict[int, float]:
    """Blinks a minute, by person, of those whose face was seen for long enough to tell."""
    looked_s = tracks["faces"].get("looked_s") or []
    if len(looked_s) < 2:
        return {}
    step_s = (looked_s[-1] - looked_s[0]) / (len(looked_s) - 1)
    told = (each for each in tracks["faces"]["people"] if each.get("blinks_s") is not None)
    seen_s = {each["person"]: (len(each["blinks_s"]), step_s * len(each["times_s"])) for each in told}
    return {person: 60 * count / s for person, (count, s) in seen_s.items() if s >= _LEAST_SEEN_S}


def thin(tracks: Mapping[str, Any], most_rows: int) -> dict[str, Any]:
    """What a page draws of the tracks, with at most about `most_rows` rows of faces in all, and as many peaks of sound.

    Rows that fall together become one: units, and what a face looks like, are
    their greatest, so that a brief expression is still seen; the rest is that
    of the middle row.
    """
    kept: dict[str, Any] = {}
    if sound := tracks.get("sound"):
        kept["sound"] = _thin_sound(sound, min(most_rows, _MOST_DRAWN_PEAKS))
    if faces := tracks.get("faces"):
        rows = sum(len(person["times_s"]) for person in faces["people"])
        step = -(-rows // max(most_rows, 1)) or 1
        drawn = {name: faces[name] for name in ("source", "units", "names", "grades", "emotions") if name in faces}
        kept["faces"] = {**drawn, "people": [_thin_person(person, step) for person in faces["people"]]}
    return kept


def _thin_sound(sound: Mapping[str, Any], most: int) -> dict[str, Any]:
    step = -(-len(sound["peaks"]) // max(most, 1)) or 1
    peaks = [max(sound["peaks"][first : first + step]) for first in range(0, len(sound["peaks"]), step)]
    return {**sound, "per_s": sound["per_s"] / step, "peaks": peaks}


def _person(face: FaceTrack, person: int) -> dict[str, Any]:
    mine = face.person == person
    blinked = blinks(face, person)
    told = {
        "pose": (face.pose, 1),
        "emotions": (face.emotions, 3),
        "valence": (face.valence, 2),
        "arousal": (face.arousal, 2),
    }
    return {
        "person": int(person),
        "times_s": _rounded(face.times_s[mine], 3),
        "boxes": np.round(face.boxes[mine]).astype(int).tolist(),
        "action_units": _rounded(face.action_units[mine], 2),
        "blinks_s": None if blinked is None else _rounded(np.array(blinked.times_s), 2),
        **{name: _rounded(rows[mine], digits) for name, (rows, digits) in told.items() if rows is not None},
    }


def _rounded(values: np.ndarray, digits: int) -> Any:
    """Nested lists; null where it was not measured."""
    return plain(np.round(values.astype(float), digits))


def _thin_person(person: Mapping[str, Any], step: int) -> dict[str, Any]:
    firsts = range(0, len(person["times_s"]), step)

    def greatest(rows: list[list[float | None]]) -> list[float | None]:
        columns = ([value for value in column if value is not None] for column in zip(*rows, strict=True))
        return [max(values, default=None) for values in columns]

    def middle(values: list[Any], first: int) -> Any:
        return values[(first + min(first + step, len(values)) - 1) // 2]

    def whole(name: str) -> dict[str, list[Any]]:
        rows = person.get(name)
        return {} if rows is None else {name: [middle(rows, first) for first in firsts]}

    def most(name: str) -> dict[str, list[Any]]:
        rows = person.get(name)
        return {} if rows is None else {name: [greatest(rows[first : first + step]) for first in firsts]}

    return {
        **{name: person[name] for name in ("person", "speaker", "blinks_s") if name in person},
        "times_s": [round(middle(person["times_s"], first), 2) for first in firsts],
        **whole("boxes"),
        **most("action_units"),
        **most("emotions"),
        **whole("pose"),
        **whole("valence"),
        **whole("arousal"),
    }
