"""The faces of a picture as meshes: found in the whole of it, then looked at enlarged."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .crop import Crop
from .detector import Detections, Detector, overlap
from .landmarks import Landmarker, Mesh

# Two meshes that share more than this are of the same face: a crop may hold a
# neighbour, and the mesh may have taken to that one.
_SAME_FACE_OVERLAP = 0.4
# A face is where one was a moment ago if they share more than this.
_EXPECTED_OVERLAP = 0.2
# In sides of the picture; of the stills in which no face is found without one, it shows more than half.
_MARGIN = 0.25
# Below this many pixels from side to side there is no face to be read.
_SMALLEST_CROP_PX = 16


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
            crops = _crops(detector.detect(image, margin), expected)
            found: list[Mesh] = []
            # Some crops hold no face, or another's: then the next are tried.
            while len(found) < max_faces and (batch := list(itertools.islice(crops, max_faces - len(found)))):
                for mesh in self.landmarker.meshes(image, batch, zero_border=margin > 0):
                    if mesh and all(overlap(mesh.box, other.box) < _SAME_FACE_OVERLAP for other in found):
                        found.append(mesh)
            if found:
                return found
        return []


def _crops(detections: Detections, expected: np.ndarray | None) -> Iterator[Crop]:
    """What to look at, the most prominent first."""
    boxes = detections.boxes
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    known = np.zeros(len(boxes), dtype=bool)
    if expected is not None:
        known = np.array([any(overlap(box, place) > _EXPECTED_OVERLAP for place in expected) for box in boxes], bool)
    for index in np.lexsort((-area, ~known)):
        crop = detections.crop(int(index))
        if min(crop.size) >= _SMALLEST_CROP_PX:
            yield crop
