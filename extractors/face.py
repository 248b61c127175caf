"""Faces in a video: who is seen when, and what the face does.

Two engines give the same record: MediaPipe's face mesh, whose measures become
action units here, and py-feat, whose networks rate them.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ..core.context import Context, gpu_is_here, resolve_device
from ..core.errors import UnavailableError
from ..core.timeline import FaceTrack
from . import face_mesh, face_pyfeat, face_pyfeat_weights
from .face_geometry import measure, to_front
from .face_identity import Identities, look
from .face_texture import look_closely
from .face_units import CALIBRATION, action_units, shipped_calibration
from .media import frames, probe
from .settings import FaceSettings

# What an engine can afford, in frames a second: MediaPipe does 80 on two
# cores, py-feat needs about a second a face on a CPU.
_SAMPLING_FPS = {("mediapipe", "cpu"): 5.0, ("py-feat", "cuda"): 10.0, ("py-feat", "cpu"): 1.0}

# What a track of ours says it is from.
SOURCE = "mediapipe-mesh"


def resolve(settings: FaceSettings, context: Context) -> tuple[FaceSettings, str]:
    """The settings with every `auto` decided, and why, in a few words.

    `auto` is py-feat where there are a GPU and its weights, else MediaPipe
    where it is installed, else py-feat at a low rate.

    Raises:
        UnavailableError: the engine asked for by name is not here, or none is.
    """
    if settings.engine == "none":
        return settings, "none (switched off)"
    engine, device, why = _choose(settings, context)
    fps = _SAMPLING_FPS[engine, device] if settings.sampling_fps == "auto" else settings.sampling_fps
    decided = settings.model_copy(update={"engine": engine, "device": device, "sampling_fps": fps})
    return decided, f"{engine} on {device}, {fps:g} frames a second ({why})"


def describe(settings: FaceSettings) -> dict[str, Any]:
    """What produces a track with these (resolved) settings, for provenance.

    Whatever changes the track is in here; nothing else is.
    """
    from importlib.metadata import version

    source: dict[str, Any] = {
        "engine": settings.engine,
        "version": version(settings.engine),
        "sampling_fps": settings.sampling_fps,
        "max_faces": settings.max_faces,
    }
    if settings.engine == "mediapipe":
        return source | {
            "units": shipped_calibration().source,
            "units_sha256": sha256(CALIBRATION.read_bytes()).hexdigest(),
        }
    # On a GPU py-feat's rater computes in bfloat16.
    precision = "bfloat16" if settings.device == "cuda" else "float32"
    return source | {"precision": precision, "weights_sha256": face_pyfeat_weights.find_weights().sha256()}


def track_faces(
    path: str | Path,
    settings: FaceSettings,
    progress: Callable[[float], None] = lambda done: None,
) -> FaceTrack:
    """Follow the faces of a video; of a still picture, those in it.

    Frames stream: what grows with the video is a row of some hundred numbers
    a face.

    Args:
        progress: told how much is done, in 0–1.

    Raises:
        MediaError: the file cannot be read.
        UnavailableError: the engine is not here.
    """
    if "auto" in (settings.engine, settings.sampling_fps):
        settings, _ = resolve(settings, Context())
    if settings.engine == "py-feat":
        return face_pyfeat.track_faces(path, settings, progress)
    media = probe(path)
    rows = _Rows()
    people = Identities()
    fps = None if settings.sampling_fps == "auto" else settings.sampling_fps
    with face_mesh.mesher() as mesher:
        for frame in frames(path, fps):
            rows.frame_times_s.append(frame.time_s)
            meshes = mesher.meshes(frame.image, settings.max_faces, people.places(frame.time_s))
            looks = [look(frame.image, mesh.box) for mesh in meshes]
            persons = people.assign(frame.time_s, [mesh.box for mesh in meshes], looks)
            for mesh, person in zip(meshes, persons, strict=True):
                rows.add(frame.time_s, person, mesh.box, *read_mesh(frame.image, mesh))
            progress(min(frame.time_s / media.duration_s, 1.0) if media.duration_s else 1.0)
    return rows.track()


def read_mesh(image: np.ndarray, mesh: face_mesh.Mesh) -> tuple[dict[str, float], np.ndarray]:
    """All measures of one face by name, and its pose (3,) in degrees."""
    front, pose = to_front(mesh.points)
    return measure(front) | look_closely(image, mesh.points[:, :2] * (1.0, -1.0)), pose


class _Rows:
    """Rows of a track while it is being made."""

    def __init__(self) -> None:
        self.frame_times_s: list[float] = []
        self._times_s: list[float] = []
        self._person: list[int] = []
        self._boxes: list[np.ndarray] = []
        self._names: tuple[str, ...] = ()
        self._measures: list[np.ndarray] = []
        self._pose: list[np.ndarray] = []

    def add(self, time_s: float, person: int, box: np.ndarray, measures: dict[str, float], pose: np.ndarray) -> None:
        self._times_s.append(time_s)
        self._person.append(person)
        self._boxes.append(box)
        self._names = tuple(measures)
        self._measures.append(np.array(list(measures.values()), dtype=np.float32))
        self._pose.append(pose)

    def track(self) -> FaceTrack:
        calibration = shipped_calibration()
        count = len(self._times_s)
        measures = np.array(self._measures, dtype=float).reshape(count, len(self._names))
        pose = np.array(self._pose, dtype=float).reshape(count, 3)
        units = (
            action_units(measures, self._names, pose, calibration) if count else np.zeros((0, len(calibration.units)))
        )
        return FaceTrack(
            source=SOURCE,
            names=calibration.units,
            times_s=np.array(self._times_s, dtype=float),
            person=np.array(self._person, dtype=int),
            boxes=np.array(self._boxes, dtype=float).reshape(count, 4),
            action_units=units,
            frame_times_s=np.array(self.frame_times_s, dtype=float),
            geometry_names=self._names,
            geometry=measures,
            pose=pose,
        )


def _choose(settings: FaceSettings, context: Context) -> tuple[str, str, str]:
    """Engine, device and why."""
    if settings.engine == "mediapipe":
        face_mesh.check_available()
        return "mediapipe", "cpu", "as asked"
    if settings.engine == "py-feat":
        face_pyfeat_weights.check_available(context.offline)
        return "py-feat", resolve_device(settings.device, "face.device"), "as asked"
    refusals = []
    if settings.device == "cuda":
        resolve_device("cuda", "face.device")  # asked for by name: say so if there is none
    if settings.device != "cpu" and gpu_is_here():
        try:
            face_pyfeat_weights.check_available(context.offline)
            return "py-feat", "cuda", "auto: a GPU is here"
        except UnavailableError as error:
            refusals.append(str(error))
    try:
        face_mesh.check_available()
        return "mediapipe", "cpu", "auto: " + ("py-feat's weights are not here" if refusals else "no GPU is used")
    except UnavailableError as error:
        refusals.append(str(error))
    try:
        face_pyfeat_weights.check_available(context.offline)
        return "py-feat", resolve_device(settings.device, "face.device"), "auto: mediapipe is not here"
    except UnavailableError as error:
        refusals.append(str(error))
    raise UnavailableError(f"no engine to look at faces with: {'; '.join(dict.fromkeys(refusals))}")
