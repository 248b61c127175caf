"""The report: one page of HTML that needs nothing but itself.

Style, script and data are in the page; only the video, which may be large,
stays a file beside it.  A content security policy forbids everything else,
network included.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..core.files import plain
from ..core.text import ends, one_line
from ..core.timeline import LabelledTranscript, Media
from .paths import path_from
from .tracks import blink_rates, thin

_PAGE = Path(__file__).parent / "page"

# Each module after those it imports from.
_MODULES = ("dom", "palette", "clock", "chart", "emotions", "faces", "moments", "report", "unpack", "start")

# Bytes of a page.  Mail and chat take such a file without asking, and it
# opens at once; tracks are thinned until it fits.
PAGE_BYTES = 295_000
# Less than this is not worth drawing; words are packed tighter first.
_TRACK_BYTES = 40_000

_EVIDENCE = ("none", "weak", "enough")


def report_page(transcript: LabelledTranscript, folder: str | Path) -> str:
    """The report as HTML.

    Args:
        folder: where the page will lie; the video is linked from there.
    """
    from jinja2 import Environment, FileSystemLoader

    style, script = (_PAGE / "report.css").read_text(encoding="utf-8"), _script()
    template = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html")
    media = transcript.media
    values = {
        "name": one_line(Path(media.path).name),
        "facts": _facts(transcript),
        "perceived": _perceived(transcript.provenance),
        "player": _player(media),
        "sources": list(dict.fromkeys(_sources(media, Path(folder)))),
        "ratio": f"{media.width} / {media.height}" if media.has_video else None,
        "kind": "rating" if transcript.range is not None else "labels" if transcript.thresholds else "label",
        "range": transcript.range,
        "has_time": media.duration_s > 0 and bool(transcript.segments),
        "faces": bool(_people(transcript)),
        "provenance": [
            (part, list(flat(value))) for part, value in {"file": _file(media), **transcript.provenance}.items()
        ],
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
    }
    bare = len(template.render(values, data="").encode("utf-8", "backslashreplace"))
    return template.render(values, data=_data(transcript, PAGE_BYTES - bare))


# ── what the page holds ──────────────────────────────────────────────────────


def _data(transcript: LabelledTranscript, room: int) -> str:
    """The transcript, packed into `room` bytes where that can be done."""
    packed = ""
    for split in (False, True):
        packed = _script_safe(_pack(transcript, split))
        left = room - len(packed.encode("utf-8", "backslashreplace"))
        if left >= _TRACK_BYTES:
            break
    people = _people(transcript)
    if not people or transcript.tracks is None:
        return packed
    rows = sum(len(person["times_s"]) for person in people)
    tracks = ""
    while rows:
        tracks = _script_safe(thin(transcript.tracks, rows))
        if len(tracks) <= left - 20:
            return f'{packed[:-1]},"tracks":{tracks}}}'
        rows = rows // 2 if rows > 1 else 0
    return packed


def _pack(transcript: LabelledTranscript, split: bool) -> dict[str, Any]:
    """Rows for `unpack.js`.

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
            round(segment["start_s"], 2),
            round(segment["end_s"], 2),
            row(segment["speaker"]),
            segment["text"],
            row(segment["face"]),
            row(segment["voice"]),
            [[int(person), row(seen)] for person, seen in segment["faces"].items()],
            _EVIDENCE.index(segment["evidence"]),
            *_answer(segment, transcript.labels),
        ]
        for segment in whole["segments"]
    ]
    media = {name: whole["media"][name] for name in ("duration_s", "width", "height")}
    scale = {"range": whole["range"]} if "range" in whole else {}
    return {"media": media, "labels": whole["labels"], **scale, "words": words, "segments": segments}


def _answer(segment: Mapping[str, Any], labels: Sequence[str]) -> list[Any]:
    """Whether a person gave it; and a rating alone, or the label, the scores, and of any number those given."""
    by_person = int(segment.get("corrected", False))
    if "rating" in segment:
        return [by_person, round(segment["rating"], 3)]
    given = [[labels.index(label) for label in segment["labels"]]] if "labels" in segment else []
    thousandths = [round(1000 * score) for score in segment["scores"].values()]
    return [by_person, labels.index(segment["label"]), thousandths, *given]


def _script_safe(value: Any) -> str:
    """JSON in which nothing can end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _script() -> str:
    """The page's modules as one: with all names in one scope, imports fall away."""
    text = "\n".join((_PAGE / f"{name}.js").read_text(encoding="utf-8") for name in _MODULES)
    return re.sub(r"^export ", "", re.sub(r"^import .*\n", "", text, flags=re.M), flags=re.M)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# ── what stands above and below the drawings ─────────────────────────────────


def _facts(transcript: LabelledTranscript) -> str:
    media, count = transcript.media, len(transcript.segments)
    facts = [_length(media.duration_s)] if media.duration_s else ["a still picture"]
    if media.has_video:
        facts.append(f"{media.width} × {media.height} pixels")
        if media.fps and media.duration_s:
            facts.append(f"{media.fps:.4g} frames a second")
    else:
        facts.append("sound only")
    facts.append(f"{count:,} moment" + "s" * (count != 1))
    if _people(transcript):
        rates = blink_rates(transcript.tracks or {})
        facts += [f"person {person} blinks {rate:.0f} times a minute" for person, rate in rates.items()]
    if transcript.range is not None:
        facts.append(f"rated from {ends(transcript.range)}")
    else:
        several = ", any number a moment" if transcript.thresholds else ""
        facts.append(f"{len(transcript.labels)} labels{several} ({transcript.label_set})")
    return " · ".join(facts)


def _length(duration_s: float) -> str:
    if duration_s < 60:
        return f"{duration_s:.1f} s"
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} h " if hours else "") + f"{minutes} min {seconds} s"


def _perceived(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What did the perceiving and the reading, part by part, in a word or two."""
    told = []
    for part, value in provenance.items():
        if isinstance(value, Mapping):
            value = next((value[key] for key in ("engine", "source", "run", "missing") if value.get(key)), None)
            if isinstance(value, str):
                told.append((part, one_line(value)))
    return told


def _file(media: Media) -> dict[str, str]:
    return {"name": one_line(Path(media.path).name), "sha256": media.sha256}


def _player(media: Media) -> str:
    if not media.has_video:
        return "audio"
    return "video" if media.duration_s else "img"


def _sources(media: Media, folder: Path) -> Iterator[str]:
    """Where the page looks for the file: where it was, and next to itself."""
    path = Path(media.path).resolve()
    from_here = path_from(folder, path)
    yield quote(from_here, errors="surrogateescape") if from_here is not None else path.as_uri()
    yield quote(path.name, errors="surrogateescape")


def _people(transcript: LabelledTranscript) -> list[dict[str, Any]]:
    return ((transcript.tracks or {}).get("faces") or {}).get("people") or []


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Settings and the like as lines: dotted name, value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        yield name, ", ".join(map(_said, value)) or "none"
    else:
        yield name, _said(value)


def _said(value: Any) -> str:
    """A value as it reads in JSON, so that a kept result shows what a fresh one does."""
    return "none" if value is None else str(plain(value))
