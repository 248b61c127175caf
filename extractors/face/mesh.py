"""Faces and their meshes in one picture: MediaPipe, at the door.

The detector finds faces in the whole picture, the mesh looks at each one
enlarged.  Both are needed: the mesh alone finds the faces of a portrait but
not those of a group.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import UnavailableError

# A crop of twice the detected box holds the whole head, as the mesh expects.
CROP_SCALE = 2.0
# Two meshes that share more than this are of the same face: a crop may hold a
# neighbour, and the mesh may have taken to that one.
SAME_FACE_OVERLAP = 0.4
# Below this many pixels from side to side there is no face to be read.
SMALLEST_CROP_PX = 16

# Wheels after 0.10.21 come without it.
MODEL = "modules/face_landmark/face_landmark_with_attention.tflite"


@dataclass(frozen=True, eq=False)
class Mesh:
    """The 478 points of one face.

    Attributes:
        points: (478, 3) pixels of the picture: x to the right, y up, z
            towards the viewer.
        box: (4,) pixels: left, top, right, bottom of the mesh.
    """

    points: np.ndarray
    box: np.ndarray


class Mesher:
    """Finds meshes; holds MediaPipe's two models.  Not shared by threads."""

    def __init__(self, detector: Any, landmarker: Any) -> None:
        self._detector = detector
        self._landmarker = landmarker

    def meshes(self, image: np.ndarray, max_faces: int, expected: np.ndarray | None = None) -> list[Mesh]:
        """Meshes of the largest faces, those at an expected place first.

        Args:
            image: (H, W, 3) uint8 RGB.
            max_faces: at most so many.
            expected: (K, 4) boxes where faces were a moment ago; among more
                than `max_faces`, these stay rather than be swapped for others.
        """
        found: list[Mesh] = []
        for crop in _crops(self._detect(image), image.shape, expected):
            mesh = self._mesh(image, crop)
            if mesh is not None and all(overlap(mesh.box, other.box) < SAME_FACE_OVERLAP for other in found):
                found.append(mesh)
            if len(found) == max_faces:
                break
        if not found:
            # A face that fills the picture is too large for the detector.
            height, width = image.shape[:2]
            mesh = self._mesh(image, (0, 0, width, height))
            found = [mesh] if mesh is not None else []
        return found

    def _detect(self, image: np.ndarray) -> np.ndarray:
        """(K, 4) boxes in pixels."""
        height, width = image.shape[:2]
        boxes = []
        for detection in self._detector.process(image).detections or ():
            box = detection.location_data.relative_bounding_box
            boxes.append((box.xmin, box.ymin, box.xmin + box.width, box.ymin + box.height))
        return np.array(boxes, dtype=float).reshape(-1, 4) * (width, height, width, height)

    def _mesh(self, image: np.ndarray, crop: tuple[int, int, int, int]) -> Mesh | None:
        left, top, right, bottom = crop
        width, height = right - left, bottom - top
        if min(width, height) < SMALLEST_CROP_PX:
            return None
        faces = self._landmarker.process(np.ascontiguousarray(image[top:bottom, left:right])).multi_face_landmarks
        if not faces:
            return None
        # The mesh's depth is in units of the picture's width.
        points = np.array([(p.x, p.y, p.z) for p in faces[0].landmark]) * (width, height, width) + (left, top, 0.0)
        low, high = points.min(axis=0), points.max(axis=0)
        box = np.array([low[0], low[1], high[0], high[1]])
        return Mesh(points * (1.0, -1.0, -1.0), box)


@contextmanager
def mesher() -> Iterator[Mesher]:
    """MediaPipe's face detector and face mesh, loaded and closed.

    Raises:
        UnavailableError: MediaPipe, its models or libGL are not here.
    """
    # glog and TensorFlow Lite read these when they are loaded.
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import mediapipe

        solutions: Any = mediapipe.solutions  # type: ignore[attr-defined]
        detector = solutions.face_detection.FaceDetection(model_selection=1, min_detection_confidence=0.5)
        landmarker = solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=0.3
        )
    except (ImportError, AttributeError, FileNotFoundError) as error:
        raise UnavailableError(f"face.engine mediapipe cannot be loaded ({_first_line(error)}); {REMEDY}") from None
    with detector, landmarker:
        yield Mesher(detector, landmarker)


def check_available() -> None:
    """Whether `mesher` will work, in milliseconds: nothing is imported.

    Raises:
        UnavailableError: MediaPipe, its models or libGL are not here.
    """
    spec = importlib.util.find_spec("mediapipe")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None:
        raise UnavailableError(f"face.engine mediapipe is not installed; {REMEDY}")
    if not (folder / MODEL).is_file():
        raise UnavailableError(f"this mediapipe carries no face mesh models; {REMEDY}")
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libGL.so.1")
        except OSError:
            raise UnavailableError(f"face.engine mediapipe cannot be loaded without libGL; {REMEDY}") from None


REMEDY = (
    "it needs the package mediapipe 0.10.21 (pip install 'emoscribe[offline]') and the system library libGL "
    "(on Debian: apt install libgl1)"
)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes, in 0–1."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.clip(sides, 0.0, None)))
    return shared / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared, 1e-9)


def _crops(
    boxes: np.ndarray, shape: tuple[int, ...], expected: np.ndarray | None
) -> Iterator[tuple[int, int, int, int]]:
    """Square crops round the boxes within the picture, the most prominent first."""
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    known = np.zeros(len(boxes), dtype=bool)
    if expected is not None:
        known = np.array([any(overlap(box, place) > 0.2 for place in expected) for box in boxes], dtype=bool)
    for index in np.lexsort((-area, ~known)):
        box = boxes[index]
        centre = (box[:2] + box[2:]) / 2
        half = CROP_SCALE * max(box[2:] - box[:2]) / 2
        low = np.maximum(np.floor(centre - half), 0).astype(int)
        high = np.minimum(np.ceil(centre + half), (shape[1], shape[0])).astype(int)
        yield low[0], low[1], high[0], high[1]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
