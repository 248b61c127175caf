"""The faces of a picture as meshes: found in the whole of it, then looked at enlarged."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .detector import Detections, Detector, overlap
from .landmarks import Landmarker, Mesh

# Two meshes that share more than this are of the same face: a crop may hold a
# neighbour, and the mesh may have taken to that one.
_SAME_FACE_OVERLAP = 0.4
# A face is where one was a moment ago if they share more than this.
_EXPECTED_OVERLAP = 0.2
# In sides of the picture; of the stills in which no face is found without one, it shows more than half.
_MARGIN = 0.25
# A detected box of fewer pixels from side to side holds no face to be read.
_SMALLEST_PX = 12

# Letters and clouds may pass for a face with both networks, but not for the
# same one.  Mean distance of these points, as the two place them, in widths of
# the box: up to 0.14 on labelled stills, 0.22 on a letter.
_EYES_NOSE_MOUTH = ([33, 133], [362, 263], [4], [13, 14])
_FARTHEST = 0.18


@dataclass(frozen=True, eq=False)
class Finder:
    """Finds meshes.  Each picture is looked at by itself.

    The full-range detector finds faces of a few dozen pixels and misses
    those that are close or half covered; the short-range one finds these.

    Attributes:
        detectors: each is asked where those before it see nobody, the last
            one once more with a black margin: a face may fill the picture.
    """

    detectors: Sequence[Detector]
    landmarker: Landmarker

    def meshes(self, image: np.ndarray, max_faces: int, expected: np.ndarray | None = None) -> list[Mesh]:
        """Meshes of the largest faces, those at an expected place first.

        Args:
            image: (H, W, 3) uint8 RGB.
            max_faces: at most so many.
            expected: (K, 4) boxes where faces were a moment ago; among more
                than `max_faces`, these stay rather than be swapped for others.
        """
        for detector, margin in (*((each, 0.0) for each in self.detectors), (self.detectors[-1], _MARGIN)):
            seen = detector.detect(image, margin)
            candidates = iter(_by_prominence(seen, expected))
            found: list[Mesh] = []
            # Some hold no face, or another's: then the next are tried.
            while len(found) < max_faces and (batch := list(itertools.islice(candidates, max_faces - len(found)))):
                crops = [seen.crop(index) for index in batch]
                meshes = self.landmarker.meshes(image, crops, zero_border=margin > 0)
                for index, mesh in zip(batch, meshes, strict=True):
                    if mesh and _agree(mesh, seen, index) and not any(_same_face(mesh, other) for other in found):
                        found.append(mesh)
            if found:
                return found
        return []


def _by_prominence(seen: Detections, expected: np.ndarray | None) -> list[int]:
    """Which detections to look at, the most prominent first."""
    sizes = seen.boxes[:, 2:] - seen.boxes[:, :2]
    known = np.zeros(len(sizes), dtype=bool)
    if expected is not None:
        known = np.array([any(overlap(box, at) > _EXPECTED_OVERLAP for at in expected) for box in seen.boxes], bool)
    order = np.lexsort((-np.prod(sizes, axis=1), ~known))
    return [int(index) for index in order if sizes[index].min() >= _SMALLEST_PX]


def _agree(mesh: Mesh, seen: Detections, index: int) -> bool:
    """Whether the mesh has eyes, nose and mouth where the detector saw them."""
    points = np.array([mesh.points[at, :2].mean(axis=0) for at in _EYES_NOSE_MOUTH]) * (1.0, -1.0)
    away = np.linalg.norm(points - seen.points[index, : len(points)], axis=1).mean()
    return bool(away <= _FARTHEST * (seen.boxes[index, 2] - seen.boxes[index, 0]))


def _same_face(mesh: Mesh, other: Mesh) -> bool:
    return overlap(mesh.box, other.box) >= _SAME_FACE_OVERLAP
