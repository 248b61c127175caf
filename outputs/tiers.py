"""A transcript as tiers: what was said, the words, the emotion, the face and the voice, of each speaker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import get_args

from ..core.text import one_line
from ..core.tiers import Kind, tier_name
from ..core.timeline import LabelledTranscript, Segment, Utterance

# Words of recognisers overlap by as much, a frame of theirs; what overlaps more is said at the same time.
_TOUCHING_MS = 20


@dataclass(frozen=True)
class Layer:
    """Annotations that do not overlap, as programs that show tiers demand.

    Attributes:
        annotations: start and end in milliseconds, and a text that is not empty, in order of time.
    """

    name: str
    kind: Kind
    speaker: str | None
    annotations: list[tuple[int, int, str]] = field(default_factory=list)


def layers_of(transcript: LabelledTranscript) -> list[Layer]:
    """The tiers of each speaker in the order in which they speak; at least one, for emotions.

    What lies over another annotation of its tier, as windows do that overlap,
    goes to a second one.  A moment without evidence has no emotion.
    """
    found: dict[tuple[str | None, Kind], list[Layer]] = {}
    for segment in transcript.segments:
        _layers(found, _name(segment.moment.speaker), "emotion")
    for kind, speaker, start_s, end_s, text in sorted(_annotations(transcript), key=lambda each: each[2:4]):
        if shown := one_line(text):
            _put(_layers(found, speaker, kind), round(start_s * 1000), round(end_s * 1000), shown)
    if not found:
        _layers(found, None, "emotion")
    speakers = list(dict.fromkeys(speaker for speaker, _ in found))
    ordered = sorted(found, key=lambda key: (speakers.index(key[0]), get_args(Kind).index(key[1])))
    return [layer for key in ordered for layer in found[key]]


def label_of(segment: Segment) -> str:
    """What a moment is judged to be, with `|` between several labels; nothing without evidence."""
    if not segment.judged:
        return ""
    return f"{segment.rating:.2f}" if segment.rating is not None else "|".join(map(one_line, segment.shown))


def utterances_of(transcript: LabelledTranscript) -> tuple[Utterance, ...]:
    """What was said: as it was heard, or, of results that do not keep that, moment by moment."""
    if transcript.transcript is not None:
        return transcript.transcript.utterances
    moments = (segment.moment for segment in transcript.segments)
    return tuple(Utterance(each.start_s, each.end_s, each.text, each.speaker) for each in moments if each.text)


def _annotations(transcript: LabelledTranscript) -> Iterator[tuple[Kind, str | None, float, float, str]]:
    for said in utterances_of(transcript):
        yield "transcript", _name(said.speaker), said.start_s, said.end_s, said.text
        for word in said.words:
            yield "words", _name(said.speaker), word.start_s, word.end_s, word.text
    for segment in transcript.segments:
        moment = segment.moment
        texts: Iterable[tuple[Kind, str | None]] = (
            ("emotion", label_of(segment)),
            ("face", moment.face),
            ("voice", moment.voice),
        )
        for kind, text in texts:
            yield kind, _name(moment.speaker), moment.start_s, moment.end_s, text or ""


def _name(speaker: str | None) -> str | None:
    return one_line(speaker or "") or None


def _layers(found: dict[tuple[str | None, Kind], list[Layer]], speaker: str | None, kind: Kind) -> list[Layer]:
    return found.setdefault((speaker, kind), [Layer(tier_name(kind, speaker), kind, speaker)])


def _put(layers: list[Layer], start_ms: int, end_ms: int, text: str) -> None:
    """Into the first layer that is free; it lasts at least a millisecond, a still picture's too."""
    for layer in layers:
        free_ms = layer.annotations[-1][1] if layer.annotations else 0
        if start_ms >= free_ms - _TOUCHING_MS:
            break
    else:
        first, free_ms = layers[0], 0
        layer = Layer(tier_name(first.kind, first.speaker, len(layers) + 1), first.kind, first.speaker)
        layers.append(layer)
    start_ms = max(start_ms, free_ms)
    layer.annotations.append((start_ms, max(end_ms, start_ms + 1), text))
