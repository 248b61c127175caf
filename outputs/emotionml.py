"""EmotionML 1.0 (W3C Recommendation, 22 May 2014)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ..core.text import ends, one_line
from ..core.timeline import LabelledTranscript, Media, Moment, Segment
from .paths import path_from

_NAMESPACE = "http://www.w3.org/2009/10/emotionml"
# Who speaks is none of its words; what is in `info` may be anybody's.
_OURS = "urn:emoscribe:moment"
_RATING = "rating"


def emotionml(transcript: LabelledTranscript, folder: Path) -> str:
    """An `emotion` a moment that is read as something: its labels, the likeliest first, each with its probability as
    confidence; of what a person set, those labels alone, and no confidence.

    A rating is a dimension, which goes from 0 to 1 here.  Labels are declared
    as the document's own vocabulary, since no published one has them all.
    """
    ElementTree.register_namespace("moment", _OURS)
    kind = "category" if transcript.range is None else "dimension"
    names = _tokens(transcript.labels) if transcript.range is None else {_RATING: _RATING}
    root = Element("emotionml", {"xmlns": _NAMESPACE, "version": "1.0", f"{kind}-set": "#answers"})
    vocabulary = SubElement(root, "vocabulary", type=kind, id="answers")
    for label, name in names.items():
        item = SubElement(vocabulary, "item", name=name)
        if transcript.range is not None:
            SubElement(item, "info").text = f"0 to 1 stand for {ends(transcript.range)}"
        elif name != label:
            SubElement(item, "info").text = one_line(label)
    video = _uri(transcript.media, folder)
    for number, segment in enumerate(transcript.segments, 1):
        if segment.judged:
            _emotion(SubElement(root, "emotion", id=f"moment{number}"), segment, names, transcript.range, video)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _emotion(
    emotion: Element,
    segment: Segment,
    names: Mapping[str, str],
    bounds: tuple[float, float] | None,
    video: str,
) -> None:
    moment = segment.moment
    if through := " ".join(_through(moment)):
        emotion.set("expressed-through", through)
    if moment.speaker or moment.text:
        info = SubElement(emotion, "info")
        for name, text in (("speaker", moment.speaker), ("text", moment.text)):
            if text:
                SubElement(info, f"{{{_OURS}}}{name}").text = one_line(text)
    if bounds is not None and segment.rating is not None:
        share = (segment.rating - bounds[0]) / (bounds[1] - bounds[0])
        SubElement(emotion, "dimension", name=_RATING, value=f"{min(max(share, 0.0), 1.0):.4f}")
    if segment.corrected:
        for label in segment.shown:
            SubElement(emotion, "category", name=names[label])
    else:
        for label, score in sorted(segment.scores.items(), key=lambda each: -each[1]):
            SubElement(emotion, "category", name=names[label], confidence=f"{score:.4f}")
    when = f"#t={moment.start_s:.3f},{moment.end_s:.3f}" if moment.end_s > moment.start_s else ""
    SubElement(emotion, "reference", uri=video + when, role="expressedBy")


def _through(moment: Moment) -> Iterator[str]:
    """What there was to judge by."""
    if moment.faces:
        yield "face"
    if moment.voice and (moment.text is None or moment.text):
        yield "voice"
    if moment.text:
        yield "text"


def _tokens(labels: tuple[str, ...]) -> dict[str, str]:
    """By label a name that is one token of XML, `sadly-angry`, and no other label's."""
    names: dict[str, str] = {}
    for label in labels:
        token = re.sub(r"[^\w.:-]+", "-", label).strip("-") or "label"
        alike = sum(other == token or other.startswith(f"{token}.") for other in names.values())
        names[label] = f"{token}.{alike + 1}" if alike else token
    return names


def _uri(media: Media, folder: Path) -> str:
    from_here = path_from(folder, media.path)
    return quote(from_here, errors="surrogateescape") if from_here is not None else Path(media.path).resolve().as_uri()
