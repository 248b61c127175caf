"""A labelled transcript as a page holds it: rows instead of objects, what comes again and again only once.

`page/unpack.js` is the other half.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..core.timeline import LabelledTranscript
from .tracks import thin

# Less than this is not worth drawing; words are packed tighter first.
_TRACK_BYTES = 40_000

_EVIDENCE = ("none", "weak", "enough")

# A number is a letter, or two where one would be too coarse: none that JSON or HTML would write as several.
_LETTERS = "".join(chr(code) for code in range(35, 127) if chr(code) not in "&<>\\")
_NOTHING = " "
# What is drawn of a row, in one letter: its lowest and highest number.
_SCALES: Mapping[str, tuple[float, float]] = {
    "action_units": (0, 1),
    "emotions": (0, 1),
    "pose": (-90, 90),
    "valence": (-1, 1),
    "arousal": (-1, 1),
}


def packed(transcript: LabelledTranscript, about: Mapping[str, Any], room: int) -> str:
    """The transcript in JSON that can stand in a page, in `room` bytes where that can be done.

    Args:
        about: what else the page has to know, by name.
    """
    kept = ""
    left = 0
    for split in (False, True):
        kept = script_safe({**_pack(transcript, split), **about})
        left = room - len(kept.encode("utf-8", "backslashreplace"))
        if left >= _TRACK_BYTES:
            break
    if left <= 0:
        # Words alone are more than there is room for, and a page without pictures would be no smaller.
        left = _TRACK_BYTES
    rows = _rows(transcript.tracks)
    while transcript.tracks and rows:
        tracks = script_safe(_pack_tracks(thin(transcript.tracks, rows)))
        if len(tracks) <= left - 20:
            return f'{kept[:-1]},"tracks":{tracks}}}'
        rows = rows // 2
    return kept


def script_safe(value: Any) -> str:
    """JSON in which nothing can end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# ── words and answers ────────────────────────────────────────────────────────


def _pack(transcript: LabelledTranscript, split: bool) -> dict[str, Any]:
    """Moments as rows, their times in hundredths of seconds: how long after the one before, and how long it lasts.

    What is said of faces and voices comes again and again: it is kept in one
    table and referred to by row.  `split` goes further and keeps the phrases
    between commas, for long transcripts.
    """
    words: list[str | list[int]] = []
    rows: dict[str, int] = {}

    def row(text: str | None) -> int:
        if text is None:
            return -1
        if text not in rows:
            phrases = text.split(", ")
            entry = [row(phrase) for phrase in phrases] if split and len(phrases) > 1 else text
            rows[text] = len(words)
            words.append(entry)
        return rows[text]

    whole = transcript.to_dict()
    segments = [
        [
            start,
            round(100 * (segment["end_s"] - segment["start_s"])),
            row(segment["speaker"]),
            segment["text"],
            row(segment["face"]),
            row(segment["voice"]),
            [[int(person), row(seen)] for person, seen in segment["faces"].items()],
            _EVIDENCE.index(segment["evidence"]),
            *_answer(segment, transcript.labels),
        ]
        for start, segment in zip(
            _steps([each["start_s"] for each in whole["segments"]]), whole["segments"], strict=True
        )
    ]
    media = {name: whole["media"][name] for name in ("duration_s", "fps", "width", "height")}
    scale = {"range": whole["range"]} if "range" in whole else {}
    return {"media": media, "labels": whole["labels"], **scale, "words": words, "segments": segments}


def _answer(segment: Mapping[str, Any], labels: Sequence[str]) -> list[Any]:
    """Whether a person gave it; and a rating alone, or the label, the scores, and of any number those given."""
    by_person = int(segment.get("corrected", False))
    if "rating" in segment:
        return [by_person, round(segment["rating"], 3)]
    given = [[labels.index(label) for label in segment["labels"]]] if "labels" in segment else []
    thousandths = "".join(_pair(_thousandth(score)) for score in segment["scores"].values())
    return [by_person, labels.index(segment["label"]), thousandths, *given]


def _thousandth(score: float) -> int:
    """The thousandth that a score lies in.

    The page takes its middle, which is rounded to the hundredth that the other
    files have; of a score on the edge between two, the one for which that is so.
    """
    inside = min(int(1000 * score), 999)
    return inside if f"{score:.2f}" == f"{(inside + 0.5) / 1000:.2f}" else max(inside - 1, 0)


# ── tracks ───────────────────────────────────────────────────────────────────


def _rows(tracks: Mapping[str, Any] | None) -> int:
    """As many rows as there are, of whatever there is most."""
    faces = (tracks or {}).get("faces") or {"people": []}
    sound = (tracks or {}).get("sound") or {"peaks": []}
    return max(sum(len(person["times_s"]) for person in faces["people"]), len(sound["peaks"]))


def _pack_tracks(tracks: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if "sound" in tracks:
        kept["sound"] = tracks["sound"] | {"peaks": _lettered(tracks["sound"]["peaks"], 0, 100)}
    if "faces" in tracks:
        kept["faces"] = tracks["faces"] | {"people": [_pack_person(person) for person in tracks["faces"]["people"]]}
    return kept


def _pack_person(person: Mapping[str, Any]) -> dict[str, Any]:
    series = {
        name: _lettered(_flat(person[name]), *scale) for name, scale in _SCALES.items() if person.get(name) is not None
    }
    blinks = {"blinks_s": _steps(person["blinks_s"])} if person.get("blinks_s") is not None else {}
    return {
        **{name: person[name] for name in ("person", "speaker") if name in person},
        "times_s": _steps(person["times_s"]),
        "boxes": "".join(_pair(side) for box in person["boxes"] for side in box),
        **series,
        **blinks,
    }


def _flat(rows: Iterable[Any]) -> Iterable[float | None]:
    for row in rows:
        yield from row if isinstance(row, list) else [row]


def _lettered(values: Iterable[float | None], low: float, high: float) -> str:
    def letter(value: float | None) -> str:
        if value is None:
            return _NOTHING
        return _LETTERS[round((min(max(value, low), high) - low) / (high - low) * (len(_LETTERS) - 1))]

    return "".join(map(letter, values))


def _pair(number: float) -> str:
    """A whole number in two letters, as of the sides of boxes; those outside of the picture are at its edge."""
    high, low = divmod(min(max(round(number), 0), len(_LETTERS) ** 2 - 1), len(_LETTERS))
    return _LETTERS[high] + _LETTERS[low]


def _steps(times_s: Sequence[float]) -> list[int]:
    """Hundredths of seconds, each from the one before."""
    hundredths = [round(100 * time_s) for time_s in times_s]
    return [after - before for before, after in pairwise([0, *hundredths])]
