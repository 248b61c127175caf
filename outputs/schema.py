"""A labelled transcript from the JSON object that it becomes; `transcript.schema.json` says what is in it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..core.errors import MediaError
from ..core.files import read_json
from ..core.labels import CUSTOM, LABEL_SETS
from ..core.limits import LONGEST_S
from ..core.text import shortened
from ..core.timeline import JSON_VERSION, LabelledTranscript, Media, Moment, Segment, Transcript, Utterance, Word
from ..textualize.face import SOMEBODYS
from .shape import wrong_in

# Of a segment's object, what is not the moment's.
_ANSWER = ("label", "labels", "rating", "scores", "corrected")


def from_json(value: Mapping[str, Any]) -> LabelledTranscript:
    """The transcript that became the object; see `LabelledTranscript.to_dict`.

    The object does not say whether the file has sound, nor what the label set
    is called: sound is taken to be there, and a set that is not one of ours is
    `custom`.

    Raises:
        KeyError, TypeError, ValueError: the object has another form.
    """
    if value.get("version", JSON_VERSION) != JSON_VERSION:
        raise ValueError(f"its version is {shortened(value['version'])}, this emoscribe reads version {JSON_VERSION}")
    labels, scale = tuple(value["labels"]), value.get("range")
    _check(value)
    named = next((known.name for known in LABEL_SETS.values() if known.labels == labels), CUSTOM)
    return LabelledTranscript(
        media=Media(**value["media"], has_audio=True),
        label_set=named if scale is None else "",
        labels=labels,
        segments=tuple(_segment(segment, labels) for segment in value["segments"]),
        provenance=value["provenance"],
        tracks=value.get("tracks"),
        thresholds=value.get("thresholds", {}),
        range=None if scale is None else (scale[0], scale[1]),
        transcript=_transcript(value["transcript"]) if "transcript" in value else None,
    )


def _check(value: Mapping[str, Any]) -> None:
    """Whether it has the form that the schema tells of, and makes sense beyond that.

    Raises:
        ValueError: where it does not.
    """
    if (wrong := wrong_in({"version": JSON_VERSION, **value}, schema())) is not None:
        raise ValueError(wrong)
    path, scale, labels = value["media"]["path"], value.get("range"), value["labels"]
    if not _can_be_a_path(path):
        raise ValueError(f"media.path: no file is called {shortened(path)}")
    if scale is not None and not scale[0] < scale[1]:
        raise ValueError(f"range goes from {scale[0]} to {scale[1]}")
    said = value["transcript"]["utterances"] if "transcript" in value else []
    for what, found in (("segments", value["segments"]), ("transcript.utterances", said)):
        for index, each in enumerate(found):
            if not each["start_s"] <= each["end_s"] <= LONGEST_S:
                raise ValueError(f"{what}[{index}] lasts from {each['start_s']} to {each['end_s']} s")
    for index, segment in enumerate(value["segments"]):
        if ("rating" in segment) != (scale is not None) or set(segment["scores"]) != set(labels):
            raise ValueError(f"segments[{index}] is read as something else than the labels, or the range, there are")
    _check_faces((value.get("tracks") or {}).get("faces"))


def _can_be_a_path(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _check_faces(faces: Mapping[str, Any] | None) -> None:
    """Raises:
    ValueError: rows and columns of what is drawn of faces do not fit each other.
    """
    if faces is None:
        return
    if None in (*faces.get("looked_s", ()), *faces.get("grades", ())):
        raise ValueError("tracks.faces.looked_s and grades must hold numbers")
    for index, person in enumerate(faces["people"]):
        if None in person["times_s"]:
            raise ValueError(f"tracks.faces.people[{index}].times_s must hold numbers")
        count, widths = len(person["times_s"]), {"action_units": len(faces["units"])}
        if "emotions" in faces:
            widths["emotions"] = len(faces["emotions"])
        for name in ("boxes", "action_units", "pose", "emotions", "valence", "arousal"):
            rows = person.get(name)
            if rows is not None and len(rows) != count:
                raise ValueError(f"tracks.faces.people[{index}].{name} has {len(rows)} rows for {count} times")
            if name in widths and any(len(row) != widths[name] for row in rows or ()):
                raise ValueError(f"tracks.faces.people[{index}].{name} must have {widths[name]} columns")


@cache
def schema() -> Mapping[str, Any]:
    """What `transcript.schema.json` says."""
    return json.loads(Path(__file__).with_name("transcript.schema.json").read_text(encoding="utf-8"))


def load_result(path: str | Path) -> LabelledTranscript:
    """A labelled transcript from a JSON file, to be written in other forms.

    Raises:
        MediaError: the file cannot be read, or holds something else.
    """
    value = read_json(path)
    try:
        return from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MediaError(f"{path} is not a labelled transcript in JSON ({type(error).__name__}: {error})") from None


def _segment(value: Mapping[str, Any], labels: Sequence[str]) -> Segment:
    moment = {name: item for name, item in value.items() if name not in _ANSWER}
    # Browsers keep numbered keys in the order of their numbers: the most prominent face is the one that is told of.
    told = (moment["face"] or "").removeprefix(SOMEBODYS)
    faces = sorted(moment["faces"].items(), key=lambda each: each[1] != told)
    moment["faces"] = {int(person): words for person, words in faces}
    given = tuple(value["labels"]) if "labels" in value else None
    corrected = value.get("corrected", False)
    chosen = value["label"] if corrected and given is None and "rating" not in value else None
    for label in given or (() if chosen is None else (chosen,)):
        if label not in labels:
            raise ValueError(f"{label!r} is none of the labels, {', '.join(labels)}")
    return Segment(Moment(**moment), value["scores"], given, value.get("rating"), corrected, chosen)


def _transcript(value: Mapping[str, Any]) -> Transcript:
    utterances = (
        Utterance(**{**utterance, "words": tuple(Word(**word) for word in utterance["words"])})
        for utterance in value["utterances"]
    )
    return Transcript(tuple(utterances), value["language"], value["source"])
