"""Faces in words: what each person's face did over a stretch of time.

FACS names with a plain word where the name says little to a reader, graded
"slight", plain, "strong"; the most telling first.  A face that was seen and
did nothing, a stretch without a face, and one that nobody looked at are three
different things and read differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from ..core.timeline import Evidence, FaceTrack
from .behaviour import BEHAVIOUR_WORDS, behaviour_words
from .settings import WordingSettings

AT_REST = "neutral face"
NO_FACE = "no face seen"
NOT_LOOKED = "not looked at"
# Before the words for a face of which it is not known that it is the speaker's.
SOMEBODYS = "face of somebody: "

# What is said of a face at most: more words dilute what matters.
MOST_WORDS = 5

_GRADE_WORDS = ("slight ", "", "strong ")

# Units in words, the most telling first (by what each adds to telling six
# expressions apart on labelled stills).
UNIT_WORDS: Mapping[str, str] = {
    "AU12": "lip corner puller (smile)",
    "AU04": "brow lowerer (frown)",
    "AU26": "jaw drop",
    "AU05": "upper lid raiser (wide eyes)",
    "AU43": "eyes lowered",
    "AU15": "lip corner depressor",
    "AU09": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU01": "inner brow raiser",
    "AU02": "outer brow raiser",
    "AU06": "cheek raiser",
    "teeth": "teeth showing",
    "AU25": "lips part",
    "AU07": "lid tightener",
    "AU14": "dimpler",
    "AU17": "chin raiser",
    "AU20": "lip stretcher",
    "AU23": "lip tightener",
    "AU24": "lip pressor",
    "AU28": "lip suck",
    "uneven": "uneven face",
}

# A mouth that stays shut is worth saying, where the value 0 means so: it sets
# a set face apart from a slack one.
_SHUT_WORDS: Mapping[str, str] = {"AU25": "lips closed", "AU26": "jaw closed"}

# Speaking and blinking move these: over a moment they count as shown when they
# last, not when they flash by.
_SUSTAINED = frozenset(
    {"AU06", "AU10", "AU12", "AU15", "AU17", "AU20", "AU23", "AU24", "AU25", "AU26", "AU43", "teeth"}
)
_SUSTAINED_PERCENTILE = 60.0

# What a face looks like, in words.  Of what an extractor rates, the likeliest
# is said, with doubt below the first of these probabilities, and the next
# likeliest above the second (chosen on labelled stills, by folds of people).
EMOTION_WORDS: Mapping[str, str] = {
    "neutral": "neutral",
    "joy": "happy",
    "surprise": "surprised",
    "fear": "afraid",
    "sadness": "sad",
    "disgust": "disgusted",
    "anger": "angry",
    "contempt": "contemptuous",
}
_SURE, _POSSIBLE = 0.5, 0.2
_LOOKS, _MAY_LOOK, _PERHAPS = "looks ", "may look ", "perhaps "
_UNPLEASANT = ("sadness", "fear", "anger", "disgust")

# Five equal parts of −1–1.
_RATING_LEVELS = (-0.6, -0.2, 0.2, 0.6)
_VALENCE_WORDS = ("very unpleasant", "unpleasant", "neither pleasant nor unpleasant", "pleasant", "very pleasant")
_AROUSAL_WORDS = ("very calm", "calm", "moderately aroused", "aroused", "very aroused")
# What is rated of most faces most of the time.
_RATED_AT_REST = frozenset({_LOOKS + "neutral", _VALENCE_WORDS[2], *_AROUSAL_WORDS[:3]})

_TURNED_DEGREES = 15.0
_DOWN_DEGREES = -12.0
_TILTED_DEGREES = 12.0
_POSE_WORDS = ("head turned", "head down", "head tilted")

# Faces narrower than this many pixels (some 40 between the eyes) are too
# coarse for what is slight: there a slight unit is as often noise.
_COARSE_WIDTH_PX = 90.0

# Somebody seen in a smaller share of the frames is passing through, or not a face.
_LEAST_PRESENCE = 0.15

# A moment shorter than the sampling interval is described by the frame
# nearest to it, if that is not further away than this.
_NEAREST_S = 1.0


@dataclass(frozen=True)
class SeenFaces:
    """What faces did over a stretch of time.

    Attributes:
        text: the words for one of them, or why there is none.
        faces: words for every person, the most prominent first.
    """

    text: str
    faces: Mapping[int, str]


class FacesInTime:
    """A track, to be looked at stretch by stretch: a day of it has millions of rows."""

    def __init__(self, track: FaceTrack) -> None:
        self._track = track
        self._in_order = bool((np.diff(track.times_s) >= 0).all() and (np.diff(track.frame_times_s) >= 0).all())

    def around(self, start_s: float, end_s: float) -> FaceTrack:
        """The rows that say something of that stretch; all, where they are not in order of time."""
        track = self._track
        if not self._in_order:
            return track
        bounds = (start_s - _NEAREST_S - 1e-6, end_s + _NEAREST_S + 1e-6)
        rows, frames = (slice(*np.searchsorted(times_s, bounds)) for times_s in (track.times_s, track.frame_times_s))
        columns = {each.name: getattr(track, each.name) for each in fields(track) if each.name != "frame_times_s"}
        found = {name: column[rows] for name, column in columns.items() if isinstance(column, np.ndarray)}
        return replace(track, **found, frame_times_s=track.frame_times_s[frames])


def seen_in(track: FaceTrack, start_s: float, end_s: float, settings: WordingSettings) -> SeenFaces:
    """The faces from `start_s` to `end_s`, told by the most prominent one's."""
    faces = face_words(track, start_s, end_s, settings)
    return SeenFaces(next(iter(faces.values()), absence(track, start_s, end_s)), faces)


def of_speaker(seen: SeenFaces, speaker: str, speakers_of_faces: Mapping[int, str]) -> SeenFaces:
    """The same, told by the speaker's face; another's is not theirs, and the words say so.

    Args:
        speakers_of_faces: by person, the speaker whose face it is, where that is known.
    """
    if not seen.faces:
        return seen
    own = (words for person, words in seen.faces.items() if speakers_of_faces.get(person) == speaker)
    return replace(seen, text=next(own, SOMEBODYS + seen.text))


def face_words(
    track: FaceTrack, start_s: float, end_s: float, settings: WordingSettings | None = None
) -> dict[int, str]:
    """What each face did from `start_s` to `end_s`, the most prominent first.

    Prominent is who is seen large and for long.  Empty where no face was
    seen; `absence` says why.
    """
    settings = settings or WordingSettings()
    seen, looked = _rows(track, start_s, end_s)
    prominence = {}
    for person in np.unique(track.person[seen]):
        boxes = track.boxes[seen & (track.person == person)]
        presence = len(boxes) / max(int(looked.sum()), 1)
        area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).mean()
        prominence[int(person)] = (area * presence, presence)
    ordered = sorted(prominence, key=lambda p: -prominence[p][0])
    there = [p for rank, p in enumerate(ordered) if rank == 0 or prominence[p][1] >= _LEAST_PRESENCE]
    words = {person: _words(track, seen & (track.person == person), settings) for person in there}
    if not settings.behaviour:
        return words
    return {person: ", ".join([words[person], *behaviour_words(track, person, start_s, end_s)]) for person in there}


def absence(track: FaceTrack | None, start_s: float, end_s: float) -> str:
    """`NO_FACE` where frames were looked at in vain, else `NOT_LOOKED`."""
    if track is None:
        return NOT_LOOKED
    _, looked = _rows(track, start_s, end_s)
    return NO_FACE if looked.any() else NOT_LOOKED


def face_evidence(words: str | None) -> Evidence:
    """How much a face's words say: a face at rest, or somebody else's, is a weak cue, none is none."""
    if words is None or words in (NO_FACE, NOT_LOOKED):
        return "none"
    if words.startswith(SOMEBODYS):
        return "weak"
    weak = (AT_REST, _GRADE_WORDS[0], _MAY_LOOK, _PERHAPS, *_SHUT_WORDS.values(), *_POSE_WORDS, *BEHAVIOUR_WORDS)
    said = [phrase for phrase in words.split(", ") if phrase not in _RATED_AT_REST]
    return "weak" if all(phrase.startswith(weak) for phrase in said) else "enough"


def _rows(track: FaceTrack, start_s: float, end_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Masks over the track's rows and over the frames looked at, of that stretch."""
    looked = (track.frame_times_s >= start_s) & (track.frame_times_s < end_s)
    if not looked.any() and len(track.frame_times_s):
        away_s = np.maximum(start_s - track.frame_times_s, track.frame_times_s - end_s)
        nearest = int(np.argmin(away_s))
        looked[nearest] = away_s[nearest] <= _NEAREST_S
    return np.isin(track.times_s, track.frame_times_s[looked]), looked


def _words(track: FaceTrack, rows: np.ndarray, settings: WordingSettings) -> str:
    width_px = float(np.median(track.boxes[rows, 2] - track.boxes[rows, 0]))
    least = 2 if width_px < _COARSE_WIDTH_PX else 1
    values = {
        unit: _pooled(track.action_units[rows, column], unit, settings) for column, unit in enumerate(track.names)
    }
    grades = {unit: int(np.searchsorted(track.scale.grades, value, side="right")) for unit, value in values.items()}
    spoken = [unit for unit in UNIT_WORDS if grades.get(unit, 0) >= least and unit not in track.scale.unspoken]
    # Stable: within a grade the most telling stay in front.
    spoken = sorted(spoken, key=lambda unit: -grades[unit])[:MOST_WORDS]
    phrases = [_GRADE_WORDS[grades[unit] - 1] + UNIT_WORDS[unit] for unit in spoken]
    emotions = _emotions(track, rows)
    if "AU12" in spoken and _is_grimace(grades, emotions):
        phrases[spoken.index("AU12")] = phrases[spoken.index("AU12")].replace("smile", "grimace")
    phrases = phrases or [AT_REST]
    phrases += _shut_words(track, rows, settings)
    phrases += looks(emotions) + _affect_words(track, rows)
    return ", ".join([*phrases, *_pose_words(track, rows)])


def looks(emotions: Mapping[str, float]) -> list[str]:
    """What a face looks like, and what it might look like as well, of probabilities that are the extractor's own."""
    first, second = (*sorted(emotions, key=lambda emotion: -emotions[emotion]), "", "")[:2]
    if not first:
        return []
    words = [(_LOOKS if emotions[first] >= _SURE else _MAY_LOOK) + EMOTION_WORDS[first]]
    return words + ([_PERHAPS + EMOTION_WORDS[second]] if emotions.get(second, 0.0) >= _POSSIBLE else [])


def _is_grimace(grades: Mapping[str, int], emotions: Mapping[str, float]) -> bool:
    """Pulled lip corners in a face that looks unpleasant rather than happy.

    Who cries pulls them as who laughs does.  Of the labelled stills of the
    calibration where this holds, 11 % show joy; of the others with pulled lip
    corners, 83 %.  Of a face whose looks nobody rated, a frown tells, or a
    hint of one with closed lips: 26 % and 63 %.
    """
    if emotions:
        return max(emotions.get(emotion, 0.0) for emotion in _UNPLEASANT) > emotions.get("joy", 0.0)
    frown = grades.get("AU04", 0)
    return frown >= 2 or (frown == 1 and grades.get("AU25", 0) == 0)


def _pooled(values: np.ndarray, unit: str, settings: WordingSettings) -> float:
    """A unit's values over the stretch as one."""
    if settings.face_pooling == "max":
        return float(np.nanmax(values))
    percentile = settings.face_pooling
    if unit in _SUSTAINED:
        percentile = min(percentile, _SUSTAINED_PERCENTILE)
    return float(np.nanpercentile(values, percentile))


def _shut_words(track: FaceTrack, rows: np.ndarray, settings: WordingSettings) -> list[str]:
    """A mouth is shut when it is so nearly all the time."""
    if "AU25" not in track.names or not track.scale.shut_is_read:
        return []
    percentile = 100.0 if settings.face_pooling == "max" else settings.face_pooling
    words = []
    for unit, word in _SHUT_WORDS.items():
        if np.nanpercentile(track.action_units[rows, track.names.index(unit)], percentile) > 0.0:
            # The jaw of parted lips is not shut, whatever a smile does to its measures.
            break
        words.append(word)
    return words


def _emotions(track: FaceTrack, rows: np.ndarray) -> dict[str, float]:
    """The mean probability of each emotion that the extractor can be trusted on; empty where none was rated."""
    if track.emotions is None:
        return {}
    rated = track.emotions[rows]
    rated = rated[np.isfinite(rated).all(axis=1)]
    means = rated.mean(axis=0).tolist() if len(rated) else []
    return {
        name: mean for name, mean in zip(track.emotion_names, means, strict=False) if name not in track.scale.unspoken
    }


def _affect_words(track: FaceTrack, rows: np.ndarray) -> list[str]:
    """Valence and arousal, of an extractor that rates them."""
    words = []
    for rating, levels in ((track.valence, _VALENCE_WORDS), (track.arousal, _AROUSAL_WORDS)):
        if rating is not None and np.isfinite(rating[rows]).any():
            words.append(levels[int(np.searchsorted(_RATING_LEVELS, np.nanmean(rating[rows]), side="right"))])
    return words


def _pose_words(track: FaceTrack, rows: np.ndarray) -> list[str]:
    if track.pose is None or not np.isfinite(track.pose[rows]).any():
        return []
    pitch, yaw, roll = np.nanmedian(track.pose[rows], axis=0)
    held = (abs(yaw) > _TURNED_DEGREES, pitch < _DOWN_DEGREES, abs(roll) > _TILTED_DEGREES)
    return [word for word, so in zip(_POSE_WORDS, held, strict=True) if so]
