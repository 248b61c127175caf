"""The records that travel between the stages.

Times are seconds from the start of the video.  A signal that was not looked
for is `None`; one that was looked for and not found is an empty record.  The
two are worded differently all the way to the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np

from . import measures
from .files import plain
from .measures import UnitScale

if TYPE_CHECKING:
    from pandas import DataFrame

# Of the JSON object that a labelled transcript becomes; one that says none is from before there were versions, and has
# the first one's form.
JSON_VERSION = 1

Evidence = Literal["none", "weak", "enough"]

# What a corpus says of a clip, and a model answers with: a label, a set of labels, or a number.
Target: TypeAlias = str | frozenset[str] | float


# ── what was perceived ───────────────────────────────────────────────────────


@dataclass(frozen=True)
class Media:
    """A file as decoded.

    A sound file has no `width`; a still picture has `duration_s` 0.
    `width` and `height` are in pixels after rotation; `fps` is the mean rate.
    Of what is live, `sha256` is `None`, and `duration_s` too until it has ended.

    Attributes:
        start_s, end_s: the stretch of it that is meant; all of it, unless said.
        video_track, audio_track: which of the file's tracks is seen and which is heard, by number.
        tracks: the pictures and sounds that the file holds, a line each.
    """

    path: str
    duration_s: float
    sha256: str
    fps: float | None = None
    width: int | None = None
    height: int | None = None
    has_audio: bool = False
    start_s: float = 0.0
    end_s: float | None = None
    video_track: int | None = None
    audio_track: int | None = None
    tracks: tuple[str, ...] = ()

    @property
    def until_s(self) -> float:
        """Where the stretch that is meant ends."""
        return self.duration_s if self.end_s is None else self.end_s

    @property
    def has_video(self) -> bool:
        return self.width is not None


@dataclass(frozen=True)
class Word:
    """One recognised word; `probability` in 0–1, `None` where none was given."""

    start_s: float
    end_s: float
    text: str
    probability: float | None = None


@dataclass(frozen=True)
class Utterance:
    """An uninterrupted stretch of speech by one speaker.

    `words` may be empty (subtitles have no word times).
    """

    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    words: tuple[Word, ...] = ()


def timed_words(utterance: Utterance) -> tuple[Word, ...]:
    """The utterance's words with times.

    Subtitles have none: their words are then spread over the utterance by
    their length, which is right to about a word.
    """
    if utterance.words:
        return utterance.words
    tokens = utterance.text.split()
    ends = np.cumsum([len(token) + 1 for token in tokens], dtype=float)
    span_s = utterance.end_s - utterance.start_s
    bounds = utterance.start_s + span_s * np.concatenate([[0.0], ends / ends[-1]]) if tokens else []
    return tuple(Word(float(bounds[i]), float(bounds[i + 1]), token) for i, token in enumerate(tokens))


@dataclass(frozen=True)
class Transcript:
    """What was said, in order of time.  `source` names what heard it."""

    utterances: tuple[Utterance, ...]
    language: str | None
    source: str

    def to_dict(self) -> dict[str, Any]:
        """The utterances with their words, in JSON's types; times are rounded to the millisecond."""
        said = [_timed(each) | {"words": [_timed(word) for word in each.words]} for each in self.utterances]
        return {"language": self.language, "source": self.source, "utterances": said}


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """What faces did: one row a detected face a sampled frame, N rows.

    Attributes:
        source: the extractor that saw them.
        names: the A action units, FACS codes such as `AU12`; keys of `measures.FACE`.
        times_s: (N,) seconds.
        person: (N,) int, identity within the video, 1 for the first seen.
        boxes: (N, 4) pixels: left, top, right, bottom.
        action_units: (N, A) in 0–1.
        frame_times_s: (F,) seconds of every frame looked at, with or without
            a face.
        geometry_names, geometry: the G measures the units were computed from,
            (N, G), in inter-ocular distances unless the name says otherwise.
        pose: (N, 3) degrees: pitch (up positive), yaw (to the viewer's right
            positive), roll; NaN where unknown.
        blendshape_names, blendshapes: (N, B) in 0–1, of extractors that tell; keys of `measures.BLENDSHAPES`.
        emotion_names, emotions: (N, E) in 0–1, of extractors that classify.
        valence, arousal: (N,) in −1–1, of extractors that rate.
        scale: what the values of its units mean.
    """

    source: str
    names: tuple[str, ...]
    times_s: np.ndarray
    person: np.ndarray
    boxes: np.ndarray
    action_units: np.ndarray
    frame_times_s: np.ndarray
    geometry_names: tuple[str, ...] = ()
    geometry: np.ndarray | None = None
    pose: np.ndarray | None = None
    emotion_names: tuple[str, ...] = ()
    emotions: np.ndarray | None = None
    valence: np.ndarray | None = None
    arousal: np.ndarray | None = None
    scale: UnitScale = field(default_factory=UnitScale)
    blendshape_names: tuple[str, ...] = ()
    blendshapes: np.ndarray | None = None

    def __post_init__(self) -> None:
        measures.check_declared(self.names, measures.FACE, "face track")
        measures.check_declared(self.blendshape_names, measures.BLENDSHAPES, "face track")


@dataclass(frozen=True, eq=False)
class VoiceTrack:
    """How the voice sounded: one row a spoken window, W rows.

    Attributes:
        names: the K measures, unit in the name (`pitch_hz`, `hnr_db`, …); keys of `measures.VOICE`.
        start_s, end_s: (W,) seconds.
        speaker: a name a row, `None` where unknown.
        values: (W, K) float; NaN where the window is too short or unvoiced.
    """

    names: tuple[str, ...]
    start_s: np.ndarray
    end_s: np.ndarray
    speaker: tuple[str | None, ...]
    values: np.ndarray

    def __post_init__(self) -> None:
        measures.check_declared(self.names, measures.VOICE, "voice track")


@dataclass(frozen=True, eq=False)
class Sequence:
    """Features over time for the feature-based models: values (T, D)."""

    names: tuple[str, ...]
    times_s: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class Cues:
    """All that was perceived of one clip; `None` is “not looked for”.

    Attributes:
        speakers_of_faces: by person, the speaker whose face it is, where that is known.
        provenance: for each part which extractor, version, weights and settings produced it.
    """

    media: Media
    transcript: Transcript | None = None
    face: FaceTrack | None = None
    voice: VoiceTrack | None = None
    sequences: Mapping[str, Sequence] = field(default_factory=dict)
    speakers_of_faces: Mapping[int, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


# ── what was put into words ──────────────────────────────────────────────────


# The field of a moment that holds the words about a signal, by its letter.
FIELD_OF: Mapping[str, str] = {"T": "text", "V": "face", "A": "voice"}


@dataclass(frozen=True)
class Moment:
    """One stretch of time, in words.

    `text`, `face` and `voice` are `None` where that signal was not looked
    for.  `text` is empty where nothing was said; `face` and `voice` always
    hold words otherwise, also for nothing (“no face seen”).

    Attributes:
        face: the words for the speaker's, or else the most prominent, face.
        faces: words for every person seen, by person.
        evidence: how much there is to judge by: `none` where nothing was
            heard or seen, `weak` for a single weak cue, otherwise `enough`.
    """

    start_s: float
    end_s: float
    speaker: str | None = None
    text: str | None = None
    face: str | None = None
    voice: str | None = None
    faces: Mapping[int, str] = field(default_factory=dict)
    evidence: Evidence = "enough"

    @property
    def signals(self) -> str:
        """The letters of those that were looked for, in the order of TVA."""
        return "".join(letter for letter, words in FIELD_OF.items() if getattr(self, words) is not None)


# ── what comes out ───────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Segment:
    """A moment and what it is read as: by the model, or by a person who corrected that.

    Attributes:
        scores, given, rating: as in `Scored`; of what is corrected, only the scores are the model's.
        corrected: whether a person set or confirmed what the moment is read as.
        chosen: the label that the person set, where a moment has one label.
    """

    moment: Moment
    scores: Mapping[str, float]
    given: tuple[str, ...] | None = None
    rating: float | None = None
    corrected: bool = False
    chosen: str | None = None

    @property
    def label(self) -> str:
        """What a person set, or else the likeliest label, of those given if there are any; empty of a rating."""
        if self.chosen is not None:
            return self.chosen
        return self.given[0] if self.given else max(self.scores, key=self.scores.__getitem__, default="")

    @property
    def judged(self) -> bool:
        """Whether it is read as anything: there was something to judge by, or a person did."""
        return self.corrected or self.moment.evidence != "none"

    @property
    def shown(self) -> tuple[str, ...]:
        """The labels that people read: all that are given, or else the likeliest."""
        return self.given or ((self.label,) if self.scores else ())

    def to_dict(self) -> dict[str, Any]:
        """The moment, what it is read as (`label` and perhaps `labels`, or `rating`) and its scores, in JSON's types.

        Times are rounded to the millisecond; scores are left as they are.
        """
        if self.rating is not None:
            answer = {"rating": self.rating}
        else:
            answer = {"label": self.label} | ({"labels": self.given} if self.given is not None else {})
        by_person = {"corrected": True} if self.corrected else {}
        return plain(_timed(self.moment) | answer | {"scores": self.scores} | by_person)


@dataclass(frozen=True, eq=False)
class LabelledTranscript:
    """A video's moments in order of time, each with its scores.

    Attributes:
        label_set, labels: the answers there are; empty where moments are rated.
        tracks: what pages draw: face boxes and action units over time, as plain lists.
        thresholds: by label, from which score on it is given, where a moment may have any number of them.
        range: the lowest and the highest rating, where moments are rated.
        transcript: what was heard, word by word, where somebody listened.
        saver: what `save` asks; set by `outputs`, since a record does not know its formats.
    """

    saver: ClassVar[Callable[[LabelledTranscript, str | Path], Path]]

    media: Media
    label_set: str
    labels: tuple[str, ...]
    segments: tuple[Segment, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    tracks: Mapping[str, Any] | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    range: tuple[float, float] | None = None
    transcript: Transcript | None = None

    def save(self, path: str | Path) -> Path:
        """Write it to a file, in the format that its ending says; see `outputs.save`."""
        return type(self).saver(self, path)

    def to_dict(self) -> dict[str, Any]:
        """All of it as the JSON object that `outputs/transcript.schema.json` describes."""
        about = {name: getattr(self.media, name) for name in ("path", "duration_s", "fps", "width", "height", "sha256")}
        return plain(
            {
                "version": JSON_VERSION,
                "media": {name: round(item, 3) if isinstance(item, float) else item for name, item in about.items()},
                "labels": self.labels,
                **({"thresholds": self.thresholds} if self.thresholds else {}),
                **({"range": self.range} if self.range is not None else {}),
                "segments": [segment.to_dict() for segment in self.segments],
                **({"transcript": self.transcript.to_dict()} if self.transcript is not None else {}),
                **({"tracks": self.tracks} if self.tracks is not None else {}),
                "provenance": self.provenance,
            }
        )

    def to_dataframe(self) -> DataFrame:
        """A row a segment: time, words, evidence, what it is read as where there is any, and a column a label."""
        import pandas

        about = ["start_s", "end_s", "speaker", "text", "face", "voice", "evidence"]
        answers = ["rating"] if self.range is not None else ["label", *(["labels"] if self.thresholds else [])]
        rows = [
            [
                *(values[name] for name in about),
                *(values[name] if segment.judged else None for name in answers),
                segment.corrected,
                *(values["scores"][label] for label in self.labels),
            ]
            for segment, values in ((segment, segment.to_dict()) for segment in self.segments)
        ]
        return pandas.DataFrame(rows, columns=[*about, *answers, "corrected", *self.labels])


def _timed(record: Word | Utterance | Moment) -> dict[str, Any]:
    """A record in JSON's types, its times rounded."""
    values = plain(record)
    return values | {name: round(values[name], 3) for name in ("start_s", "end_s")}


# ── what a corpus gives ──────────────────────────────────────────────────────


@dataclass(frozen=True)
class Clip:
    """One labelled stretch of a corpus.

    Attributes:
        source: what must not be shared between splits: source video, actor.
        target: a label, a set of labels, a number, or nothing.
    """

    id: str
    media: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    text: str | None = None
    speaker: str | None = None
    dialogue: str | None = None
    source: str | None = None
    split: str | None = None
    target: Target | None = None
