"""From faces in single frames to who did what when: the record that all face engines end in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.measures import UnitScale
from ...core.timeline import FaceTrack
from ..media import Frame
from .identity import Identities
from .recogniser import FaceRecogniser


@dataclass(frozen=True)
class Vocabulary:
    """What a face engine says of a face.

    Attributes:
        source: what the engine is called in a track.
        units: A action units, keys of `core.measures.FACE`.
        scale: what their values mean.
        geometry: G measures that the units are computed from, if it tells.
        blendshapes: B movements that it tells apart, keys of `core.measures.BLENDSHAPES`.
        emotions: E emotions that it rates, if it does.
        rates_affect: whether it rates valence and arousal.
    """

    source: str
    units: tuple[str, ...]
    scale: UnitScale
    geometry: tuple[str, ...] = ()
    blendshapes: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    rates_affect: bool = False


@dataclass(frozen=True, eq=False)
class Face:
    """One face in one frame.

    Attributes:
        box: (4,) pixels: left, top, right, bottom.
        units: (A,) in 0–1.
        pose: (3,) degrees, see `FaceTrack.pose`.
        look: (512,) what tells people apart, see `identity.look`.
        geometry, blendshapes: (G,) and (B,), if the engine tells.
        emotions, valence, arousal: (E,) in 0–1 and in −1–1, if it rates them.
    """

    box: np.ndarray
    units: np.ndarray
    pose: np.ndarray
    look: np.ndarray
    geometry: np.ndarray | None = None
    blendshapes: np.ndarray | None = None
    emotions: np.ndarray | None = None
    valence: float | None = None
    arousal: float | None = None


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame that was looked at, and the faces in it."""

    time_s: float
    faces: Sequence[Face]


class FaceTracker:
    """Tells people apart from frame to frame, and keeps what was seen of them.

    A row of some hundred numbers a face is what grows with the video.

    Args:
        recogniser: who knows people again by their faces, where one is given.
    """

    def __init__(self, vocabulary: Vocabulary, recogniser: FaceRecogniser | None = None) -> None:
        self._vocabulary, self._recogniser = vocabulary, recogniser
        self._people = Identities()
        self._looked_s: list[float] = []
        self._rows: list[tuple[float, int, Face]] = []

    def add(self, seen: Seen, image: np.ndarray) -> None:
        """The next frame, and its picture (H, W, 3) RGB."""
        self._looked_s.append(seen.time_s)
        boxes, looks = [face.box for face in seen.faces], [face.look for face in seen.faces]
        known = self._recogniser
        vectors = [known.vector(image, box) for box in boxes] if known is not None else None
        for person, face in zip(self._people.assign(seen.time_s, boxes, looks, vectors), seen.faces, strict=True):
            self._rows.append((seen.time_s, person, face))

    def forget(self, before_s: float) -> None:
        """Let go of what was seen earlier; people stay known."""
        self._looked_s = [time_s for time_s in self._looked_s if time_s >= before_s]
        self._rows = [row for row in self._rows if row[0] >= before_s]

    def track(self) -> FaceTrack:
        """All that was seen and is not forgotten."""
        faces, vocabulary = [face for _, _, face in self._rows], self._vocabulary
        rated = vocabulary.rates_affect
        return FaceTrack(
            source=vocabulary.source,
            names=vocabulary.units,
            times_s=np.array([time_s for time_s, _, _ in self._rows], dtype=float),
            person=np.array([person for _, person, _ in self._rows], dtype=int),
            boxes=_stacked([face.box for face in faces], 4),
            action_units=_stacked([face.units for face in faces], len(vocabulary.units)),
            frame_times_s=np.array(self._looked_s, dtype=float),
            geometry_names=vocabulary.geometry,
            geometry=_told([face.geometry for face in faces], vocabulary.geometry),
            pose=_stacked([face.pose for face in faces], 3),
            blendshape_names=vocabulary.blendshapes,
            blendshapes=_told([face.blendshapes for face in faces], vocabulary.blendshapes),
            emotion_names=vocabulary.emotions,
            emotions=_told([face.emotions for face in faces], vocabulary.emotions),
            valence=np.array([face.valence for face in faces], dtype=float) if rated else None,
            arousal=np.array([face.arousal for face in faces], dtype=float) if rated else None,
            scale=vocabulary.scale,
        )


def with_pictures(
    see: Callable[[Iterable[Frame]], Iterator[Seen]], frames: Iterable[Frame]
) -> Iterator[tuple[Seen, np.ndarray]]:
    """What is seen in each frame, and the frame's picture: engines may look at several frames together."""
    waiting: dict[float, np.ndarray] = {}

    def remembered() -> Iterator[Frame]:
        for frame in frames:
            waiting[frame.time_s] = frame.image
            yield frame

    for seen in see(remembered()):
        yield seen, waiting.pop(seen.time_s)


def _told(rows: Sequence[np.ndarray | None], names: tuple[str, ...]) -> np.ndarray | None:
    """(N, K) of N rows of K values, where the engine tells any."""
    return _stacked(rows, len(names)) if names else None


def _stacked(rows: Sequence[np.ndarray | None], width: int) -> np.ndarray:
    """(N, width) of N rows, also of none."""
    return np.array(rows, dtype=float).reshape(len(rows), width)
