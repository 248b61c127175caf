"""Faces by MediaPipe's mesh, whose measures become action units here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np

from ...core.context import Context
from ...core.errors import UnavailableError
from ...core.timeline import UnitScale
from ..media import Frame
from ..registry import EngineSpec, Need
from ..settings import FaceSettings
from .geometry import MEASURES, measure, to_front
from .identity import COASTING_S, look
from .mesh import Mesh, check_available, mesher
from .texture import look_closely
from .track import Face, Seen, Vocabulary
from .units import CALIBRATION, action_units, shipped_calibration

SOURCE = "mediapipe-mesh"

# What it can afford on two cores, in frames a second: it does 80.
SAMPLING_FPS = 5.0

# 30, 12 and 3 % of neutral faces lie above these (the knots in `units.json`).
SCALE = UnitScale(grades=(0.25, 0.5, 0.75), shut_is_read=True)


class MeshEngine:
    """MediaPipe's face detector and face mesh, until closed.  Each frame is looked at by itself."""

    def __init__(self, settings: FaceSettings) -> None:
        self._max_faces = settings.max_faces
        self._stack = ExitStack()
        self._mesher = self._stack.enter_context(mesher())
        self.vocabulary = Vocabulary(SOURCE, shipped_calibration().units, SCALE, geometry_names())

    def close(self) -> None:
        self._stack.close()

    def see(self, frames: Iterable[Frame]) -> Iterator[Seen]:
        """The faces of each frame; of more than `max_faces`, those that were there a moment ago stay."""
        before = Seen(-np.inf, ())
        for frame in frames:
            recent = frame.time_s - before.time_s <= COASTING_S
            expected = np.array([face.box for face in before.faces if recent], dtype=float).reshape(-1, 4)
            meshes = self._mesher.meshes(frame.image, self._max_faces, expected)
            before = Seen(frame.time_s, [_face(frame.image, mesh) for mesh in meshes])
            yield before


def read_mesh(image: np.ndarray, mesh: Mesh) -> tuple[dict[str, float], np.ndarray]:
    """All measures of one face by name, and its pose (3,) in degrees."""
    front, pose = to_front(mesh.points)
    return measure(front) | look_closely(image, mesh.points[:, :2] * (1.0, -1.0)), pose


@cache
def geometry_names() -> tuple[str, ...]:
    """The measures of `read_mesh`, in order."""
    return (*MEASURES, *look_closely(np.zeros((8, 8, 3), dtype=np.uint8), np.zeros((478, 2))))


def _face(image: np.ndarray, mesh: Mesh) -> Face:
    measures, pose = read_mesh(image, mesh)
    values = np.array(list(measures.values()), dtype=np.float32).astype(float)
    units = action_units(values[None], tuple(measures), pose[None], shipped_calibration())[0]
    return Face(mesh.box, units, pose, look(image, mesh.box), geometry=values)


# ── in the table ─────────────────────────────────────────────────────────────


def _needs(settings: FaceSettings) -> list[Need]:
    try:
        check_available()
    except UnavailableError as error:
        return [Need("MediaPipe", str(error), "pip install 'emoscribe[offline]'")]
    return [Need("MediaPipe")]


def _complete(settings: FaceSettings, context: Context) -> FaceSettings:
    check_available()
    fps = SAMPLING_FPS if settings.sampling_fps == "auto" else settings.sampling_fps
    return settings.model_copy(update={"device": "cpu", "sampling_fps": fps})


def _describe(settings: FaceSettings) -> dict[str, Any]:
    return {
        "version": version("mediapipe"),
        "sampling_fps": settings.sampling_fps,
        "max_faces": settings.max_faces,
        "units": shipped_calibration().source,
        "units_sha256": sha256(CALIBRATION.read_bytes()).hexdigest(),
        "scale": list(SCALE.grades),
    }


SPEC = EngineSpec(
    kind="face",
    name="mediapipe",
    about="MediaPipe Face Mesh, action units from its geometry",
    needs=_needs,
    describe=_describe,
    load=lambda settings, context: MeshEngine(settings),
    complete=_complete,
    in_words=lambda settings: f"mediapipe on cpu, {settings.sampling_fps:g} frames a second",
)
