"""A labelled transcript from the JSON object that it becomes; `transcript.schema.json` says what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import MediaError
from ..core.files import read_json
from ..core.labels import CUSTOM, LABEL_SETS
from ..core.timeline import JSON_VERSION, LabelledTranscript, Media, Moment, Segment, Transcript, Utterance, Word
from ..textualize.face import SOMEBODYS

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
        raise ValueError(f"its version is {value['version']}, this emoscribe reads version {JSON_VERSION}")
    labels, scale = tuple(value["labels"]), value.get("range")
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
