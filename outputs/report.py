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
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..core.files import plain
from ..core.text import bare_value, ends, one_line
from ..core.timeline import LabelledTranscript, Media
from .packing import packed
from .paths import path_from
from .tracks import blink_rates, name_of, people_in

_PAGE = Path(__file__).parent / "page"

# Bytes of a page.  Mail and chat take such a file without asking, and it
# opens at once; tracks are thinned until it fits.
PAGE_BYTES = 295_000


def report_page(transcript: LabelledTranscript, folder: str | Path) -> str:
    """The report as HTML.

    Args:
        folder: where the page will lie; the video is linked from there.
    """
    from jinja2 import Environment, FileSystemLoader

    style, script = _style(), _script()
    template = Environment(
        loader=FileSystemLoader(_PAGE), autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=bare_value
    ).get_template("report.html")
    media = transcript.media
    name = one_line(Path(media.path).name)
    values = {
        "name": name,
        "facts": _facts(transcript),
        "perceived": _perceived(transcript.provenance),
        "provenance": [
            (part, list(flat(value))) for part, value in {"file": _file(media), **transcript.provenance}.items()
        ],
        "style": style,
        "script": script,
        "style_hash": _hash(style),
        "script_hash": _hash(script),
    }
    sources = list(dict.fromkeys(_sources(media, Path(folder))))
    player = {"player": {"kind": _player(media), "sources": sources, "name": name}}
    bare = len(template.render(values, data="").encode("utf-8", "backslashreplace"))
    return template.render(values, data=packed(transcript, player, PAGE_BYTES - bare))


# ── script and style ─────────────────────────────────────────────────────────


@cache
def _script() -> str:
    """The page's modules as one: with all names in one scope, imports fall away."""
    text = "".join(_source(name) for name in _in_order("start.js"))
    return _terse(re.sub(r"^export ", "", re.sub(r"^import .*\n", "", text, flags=re.M), flags=re.M))


def _in_order(name: str, before: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A module after all that it imports from, each once."""
    order = before
    for other in re.findall(r'^import .* from "\./(.+)";$', _source(name), flags=re.M):
        if other not in order:
            order = _in_order(other, order)
    return (*order, name)


@cache
def _style() -> str:
    return _terse(_source("report.css"))


def _source(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _terse(text: str) -> str:
    """Without what only whoever writes it reads: comments on lines of their own, indentation, empty lines."""
    text = re.sub(r"^\s*/\*.*?\*/[ \t]*$", "", text, flags=re.M | re.S)
    text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
    return re.sub(r"^\s+", "", text, flags=re.M)


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
    if people := people_in(transcript):
        names = {each["person"]: name_of(each) for each in people}
        rates = blink_rates(transcript.tracks or {})
        facts += [f"{one_line(names[person])} blinks {rate:.0f} times a minute" for person, rate in rates.items()]
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
    """A value as JSON has it, so that a kept result shows what a fresh one does; in words where there is none."""
    value = plain(value)
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
