"""What a face does in 478 points and 52 blendshapes: the networks of MediaPipe's FaceLandmarker.

Grishchenko et al. (2020; arXiv 2006.10962) for the mesh, Grishchenko et al.
(2023; arXiv 2309.05782) for what it is read as.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .crop import Crop
from .litert import Network

# Of the network's own certainty that there is a face.
LEAST_PRESENCE = 0.5

# The network gives 52 coefficients, in the order of their names.  The
# first is no movement; cheekPuff, cheekSquint and noseSneer never leave zero.
_UNTOLD = (0, 6, 7, 8, 50, 51)

# The points that the blendshapes are read from (the model card of Blendshape
# V2): brows, lids, irises, lips, nose bridge, jaw.
# fmt: off
_READ_FROM = [
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80,
    81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153,
    154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251,
    263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318,
    321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386,
    387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
]
# fmt: on


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


class Landmarker:
    """The mesh of a face in a crop, and the blendshapes of a mesh."""

    def __init__(self, mesh: Network, blendshapes: Network) -> None:
        self._mesh, self._blendshapes = mesh, blendshapes
        self._side_px = mesh.shape[1]

    def meshes(self, image: np.ndarray, crops: Sequence[Crop], *, zero_border: bool = False) -> list[Mesh | None]:
        """The mesh in each crop of (H, W, 3) uint8 RGB; `None` where no face is.

        Args:
            zero_border: whether all is black beyond the picture; see `Crop.cut`.
        """
        if not crops:
            return []
        faces = np.stack([crop.cut(image, self._side_px, zero_border=zero_border) for crop in crops])
        points, presence, _ = self._mesh(faces.astype(np.float32) / 255.0)
        places = points.reshape(len(crops), -1, 3).astype(float) / self._side_px
        # The logit is that much at the least presence.
        there = presence.reshape(-1) >= np.log(LEAST_PRESENCE / (1.0 - LEAST_PRESENCE))
        return [_placed(*each) if so else None for each, so in zip(zip(places, crops, strict=True), there, strict=True)]

    def blendshapes(self, mesh: Mesh) -> np.ndarray:
        """(B,) in 0–1, in the order of `measures.BLENDSHAPES`."""
        (values,) = self._blendshapes(mesh.points[None, _READ_FROM, :2] * (1.0, -1.0))
        return np.delete(values.astype(float), _UNTOLD)


def _placed(places: np.ndarray, crop: Crop) -> Mesh:
    """The mesh in the picture of places in the crop; depths are in widths of it."""
    flat = crop.to_picture(places[:, :2])
    points = np.concatenate([flat * (1.0, -1.0), -places[:, 2:] * crop.size[0]], axis=1)
    return Mesh(points, np.concatenate([flat.min(axis=0), flat.max(axis=0)]))
