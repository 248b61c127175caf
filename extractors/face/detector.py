"""Where the faces are: BlazeFace (Bazarevsky et al., 2019; arXiv 1907.05047), decoded.

A cell of a grid over the picture gives a score, a box and six points of a face.
Neighbouring cells see the same face; what they say of it is averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .crop import Crop
from .litert import Network

# A network's grids: cells from side to side, and how many guesses a cell makes.
FULL_RANGE = ((48, 1),)
SHORT_RANGE = ((16, 2), (8, 6))

LEAST_SCORE = 0.5
# Intersection over union from which on two guesses are of one face.
SAME_FACE_OVERLAP = 0.5
# The box ends at the eyebrows and the chin; the mesh wants all of the head.
CROP_SCALE = 1.5

_LEFT_EYE, _RIGHT_EYE = 0, 1


@dataclass(frozen=True, eq=False)
class Detections:
    """K faces, the surest first.

    Attributes:
        scores: (K,) in 0–1.
        boxes: (K, 4) pixels: left, top, right, bottom.
        points: (K, 6, 2) pixels: left and right eye in the picture, tip of
            the nose, mouth, left and right ear.
    """

    scores: np.ndarray
    boxes: np.ndarray
    points: np.ndarray

    def crop(self, index: int) -> Crop:
        """What the mesh looks at of one of them: half as large again, eyes level."""
        box, (x, y) = self.boxes[index], self.points[index, _RIGHT_EYE] - self.points[index, _LEFT_EYE]
        return Crop((box[:2] + box[2:]) / 2, CROP_SCALE * (box[2:] - box[:2]), float(np.arctan2(y, x)))


class Detector:
    """A BlazeFace network.  Each picture is looked at by itself."""

    def __init__(self, network: Network, grids: Sequence[tuple[int, int]]) -> None:
        self._network = network
        self._side_px = network.shape[1]
        self._cells = np.concatenate([np.repeat(_centres(cells), guesses, axis=0) for cells, guesses in grids])

    def detect(self, image: np.ndarray, margin: float = 0.0) -> Detections:
        """The faces in (H, W, 3) uint8 RGB.

        Args:
            margin: black on each side, in sides of the picture: a face that fills it is found then.
        """
        height, width = image.shape[:2]
        whole = Crop(np.array([width, height]) / 2, np.full(2, (1.0 + 2.0 * margin) * max(width, height)))
        square = whole.cut(image, self._side_px, zero_border=True)
        shapes, logits = self._network(square[None].astype(np.float32) / 127.5 - 1.0)
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits.reshape(-1), -80.0, 80.0)))
        sure = scores >= LEAST_SCORE
        # Centre and size of the box, then the points, in pixels of the square; places are relative to the cell.
        guesses = shapes.reshape(len(scores), -1, 2)[sure].astype(float) / self._side_px
        centres, sizes, points = guesses[:, 0] + self._cells[sure], guesses[:, 1], guesses[:, 2:]
        corners = np.stack([centres - sizes / 2, centres + sizes / 2], axis=1)
        scores, faces = merged(scores[sure], np.concatenate([corners, points + self._cells[sure][:, None]], axis=1))
        placed = whole.to_picture(faces)
        return Detections(scores, placed[:, :2].reshape(-1, 4), placed[:, 2:])


def merged(scores: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Guesses of one face as one: their mean, weighted by score.

    Args:
        scores: (K,) in 0–1.
        faces: (K, 8, 2): top left and bottom right of the box, then the points.

    Returns:
        of each face the score of the surest guess, (J,), and its mean, (J, 8, 2); the surest first.
    """
    left = np.argsort(-scores, kind="stable")
    found: list[tuple[float, np.ndarray]] = []
    while len(left):
        best = faces[left[0], :2].reshape(4)
        same = np.array([overlap(best, faces[index, :2].reshape(4)) > SAME_FACE_OVERLAP for index in left])
        same[0] = True
        found.append((float(scores[left[0]]), np.average(faces[left[same]], axis=0, weights=scores[left[same]])))
        left = left[~same]
    return np.array([score for score, _ in found]), np.array([face for _, face in found]).reshape(-1, *faces.shape[1:])


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes, in 0–1."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.clip(sides, 0.0, None)))
    return shared / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared, 1e-9)


def _centres(cells: int) -> np.ndarray:
    """(cells², 2) middles of the cells of a grid, row by row, in 0–1."""
    middles = (np.arange(cells) + 0.5) / cells
    y, x = np.meshgrid(middles, middles, indexing="ij")
    return np.stack([x, y], axis=-1).reshape(-1, 2)
