"""A labelled transcript as one JSON object, and back.

`transcript.schema.json` says what is in it.  Times are rounded to the millisecond; scores are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import MediaError
from ..core.files import plain, read_json
from ..core.labels import CUSTOM, LABEL_SETS
from ..core.timeline import LabelledTranscript, Media, Moment, Segment, Transcript, Utterance, Word

# Of the JSON object; one that says none is from before there were versions, and has the first one's form.
VERSION = 1


def to_json(transcript: LabelledTranscript) -> dict[str, Any]:
    """The transcript as a JSON object that `transcript.schema.json` describes."""
    media = transcript.media
    tracks = {} if transcript.tracks is None else {"tracks": transcript.tracks}
    thresholds = {"thresholds": transcript.thresholds} if transcript.thresholds else {}
    scale = {} if transcript.range is None else {"range": transcript.range}
    heard = {} if transcript.transcript is None else {"transcript": _transcript_json(transcript.transcript)}
    return plain(
        {
            "version": VERSION,
            "media": {
                "path": media.path,
                "duration_s": round(media.duration_s, 3),
                "fps": media.fps and round(media.fps, 3),
                "width": media.width,
                "height": media.height,
                "sha256": media.sha256,
            },
            "labels": transcript.labels,
            **thresholds,
            **scale,
            "segments": [_segment_json(segment, transcript.labels) for segment in transcript.segments],
            **heard,
            **tracks,
            "provenance": transcript.provenance,
        }
    )


def from_json(value: Mapping[str, Any]) -> LabelledTranscript:
    """The transcript that `to_json` made the object from.

    The object does not say whether the file has sound, nor what the label set
    is called: sound is taken to be there, and a set that is not one of ours is
    `custom`.

    Raises:
        KeyError, TypeError, ValueError: the object has another form.
    """
    if value.get("version", VERSION) != VERSION:
        raise ValueError(f"its version is {value['version']}, this emoscribe reads version {VERSION}")
    labels, scale = tuple(value["labels"]), value.get("range")
    named = next((known.name for known in LABEL_SETS.values() if known.labels == labels), CUSTOM)
    return LabelledTranscript(
        media=Media(**value["media"], has_audio=True),
        label_set=named if scale is None else "",
        labels=labels,
        segments=tuple(_segment(segment) for segment in value["segments"]),
        provenance=value["provenance"],
        tracks=value.get("tracks"),
        thresholds=value.get("thresholds", {}),
        range=None if scale is None else (scale[0], scale[1]),
        transcript=_transcript(value["transcript"]) if "transcript" in value else None,
    )


def read_result(path: str | Path) -> LabelledTranscript:
    """A labelled transcript from a JSON file, to be written in other forms.

    Raises:
        MediaError: the file cannot be read, or holds something else.
    """
    value = read_json(path)
    try:
        return from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MediaError(f"{path} is not a labelled transcript in JSON ({type(error).__name__}: {error})") from None


def _segment_json(segment: Segment, labels: tuple[str, ...]) -> dict[str, Any]:
    moment = segment.moment
    answer: dict[str, Any] = {"label": segment.label}
    if segment.rating is not None:
        answer = {"rating": segment.rating}
    elif segment.given is not None:
        answer["labels"] = segment.given
    return {
        **_times(moment),
        "speaker": moment.speaker,
        "text": moment.text,
        "face": moment.face,
        "voice": moment.voice,
        "faces": moment.faces,
        "evidence": moment.evidence,
        **answer,
        "scores": {label: segment.scores[label] for label in labels},
    }


def _segment(value: Mapping[str, Any]) -> Segment:
    moment = {name: item for name, item in value.items() if name not in ("label", "labels", "rating", "scores")}
    moment["faces"] = {int(person): words for person, words in moment["faces"].items()}
    given = tuple(value["labels"]) if "labels" in value else None
    return Segment(Moment(**moment), value["scores"], given, value.get("rating"))


def _transcript_json(transcript: Transcript) -> dict[str, Any]:
    return {
        "language": transcript.language,
        "source": transcript.source,
        "utterances": [
            {
                **_times(utterance),
                "speaker": utterance.speaker,
                "text": utterance.text,
                "words": [
                    {**_times(word), "text": word.text, "probability": _rounded(word.probability)}
                    for word in utterance.words
                ],
            }
            for utterance in transcript.utterances
        ],
    }


def _transcript(value: Mapping[str, Any]) -> Transcript:
    utterances = (
        Utterance(**{**utterance, "words": tuple(Word(**word) for word in utterance["words"])})
        for utterance in value["utterances"]
    )
    return Transcript(tuple(utterances), value["language"], value["source"])


def _times(said: Moment | Utterance | Word) -> dict[str, float]:
    return {"start_s": round(float(said.start_s), 3), "end_s": round(float(said.end_s), 3)}


def _rounded(probability: float | None) -> float | None:
    return None if probability is None else round(float(probability), 4)
