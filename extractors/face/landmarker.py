"""Faces by the networks of MediaPipe's FaceLandmarker, whose mesh becomes action units here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import numpy as np

from ...core.context import Context
from ...core.errors import UnavailableError
from ...core.measures import BLENDSHAPES, UnitScale
from ..media import Frame
from ..registry import EngineSpec, Need, need_of_model
from ..settings import FaceSettings
from . import litert
from .expression import EMOTIONS
from .geometry import MEASURES, measure, to_front
from .identity import COASTING_S, look
from .landmarker_models import INSTEAD, LANDMARKER, find_models, load_networks, missing, sha256_of_models
from .landmarks import Mesh
from .looks import LOOKS, shipped_looks
from .texture import look_closely
from .track import Face, Seen, Vocabulary
from .units import CALIBRATION, action_units, shipped_calibration

SOURCE = "landmarker"

# What it can afford beside a recogniser, in frames a second: it does 40 on one core.
SAMPLING_FPS = 5.0

# 30, 12 and 3 % of neutral faces lie above these (the knots in `units.json`).
# The stills that show disgust are nearly all of ten film actors, and of those in
# which the classifier sees it, one in twenty shows it.
SCALE = UnitScale(grades=(0.25, 0.5, 0.75), unspoken=("disgust",), shut_is_read=True)


class LandmarkerEngine:
    """Looks at each frame by itself."""

    def __init__(self, settings: FaceSettings) -> None:
        self._max_faces = settings.max_faces
        self._networks = load_networks()
        self.vocabulary = Vocabulary(
            SOURCE,
            shipped_calibration().units,
            SCALE,
            geometry_names(),
            blendshapes=tuple(BLENDSHAPES),
            emotions=EMOTIONS if self._networks.classifier is not None else (),
        )

    def see(self, frames: Iterable[Frame]) -> Iterator[Seen]:
        """The faces of each frame; of more than `max_faces`, those that were there a moment ago stay."""
        before = Seen(-np.inf, ())
        for frame in frames:
            recent = frame.time_s - before.time_s <= COASTING_S
            expected = np.array([face.box for face in before.faces if recent], dtype=float).reshape(-1, 4)
            meshes = self._networks.finder.meshes(frame.image, self._max_faces, expected)
            before = Seen(frame.time_s, [self._face(frame.image, mesh) for mesh in meshes])
            yield before

    def _face(self, image: np.ndarray, mesh: Mesh) -> Face:
        measures, pose = read_mesh(image, mesh)
        values = np.array(list(measures.values()), dtype=np.float32).astype(float)
        blendshapes = self._networks.landmarker.blendshapes(mesh)
        return Face(
            box=mesh.box,
            units=action_units(values[None], tuple(measures), pose[None], shipped_calibration())[0],
            pose=pose,
            look=look(image, mesh.box),
            geometry=values,
            blendshapes=blendshapes,
            emotions=self._emotions(image, mesh, blendshapes),
        )

    def _emotions(self, image: np.ndarray, mesh: Mesh, blendshapes: np.ndarray) -> np.ndarray | None:
        if (classifier := self._networks.classifier) is None:
            return None
        return shipped_looks().rate(classifier.rate(image, mesh.box)[None], blendshapes[None])[0]


def read_mesh(image: np.ndarray, mesh: Mesh) -> tuple[dict[str, float], np.ndarray]:
    """All measures of one face by name, and its pose (3,) in degrees."""
    front, pose = to_front(mesh.points)
    return measure(front) | look_closely(image, mesh.points[:, :2] * (1.0, -1.0)), pose


@cache
def geometry_names() -> tuple[str, ...]:
    """The measures of `read_mesh`, in order."""
    return (*MEASURES, *look_closely(np.zeros((8, 8, 3), dtype=np.uint8), np.zeros((478, 2))))


# ── in the table ─────────────────────────────────────────────────────────────


def _needs(settings: FaceSettings) -> list[Need]:
    try:
        litert.check_available()
        needs = [Need("LiteRT")]
    except UnavailableError as error:
        needs = [Need("LiteRT", str(error), "pip install 'emoscribe[offline]'")]
    dispensable = [(need_of_model(model), instead) for model, instead in INSTEAD.items()]
    needs += [need_of_model(LANDMARKER)]
    return needs + [replace(need, instead=instead) if need.missing else need for need, instead in dispensable]


def _complete(settings: FaceSettings, context: Context) -> FaceSettings:
    find_models(context)
    fps = SAMPLING_FPS if settings.sampling_fps == "auto" else settings.sampling_fps
    return settings.model_copy(update={"device": "cpu", "sampling_fps": fps})


def _describe(settings: FaceSettings) -> dict[str, Any]:
    return {
        "version": version("ai-edge-litert"),
        "models": sha256_of_models(),
        "sampling_fps": settings.sampling_fps,
        "max_faces": settings.max_faces,
        "units": shipped_calibration().source,
        "units_sha256": sha256(CALIBRATION.read_bytes()).hexdigest(),
        "looks_sha256": sha256(LOOKS.read_bytes()).hexdigest(),
        "scale": list(SCALE.grades),
    }


def _in_words(settings: FaceSettings) -> str:
    return "; ".join([f"landmarker on cpu, {settings.sampling_fps:g} frames a second", *missing()])


SPEC = EngineSpec(
    kind="face",
    name="landmarker",
    about="MediaPipe's FaceLandmarker by LiteRT: a mesh, action units from its geometry, what it looks like",
    needs=_needs,
    describe=_describe,
    load=lambda settings, context: LandmarkerEngine(settings),
    complete=_complete,
    in_words=_in_words,
)
