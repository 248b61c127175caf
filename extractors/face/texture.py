"""What the skin and the mouth of a face look like: creases, and teeth.

Geometry alone tells a lowered brow from a low one, or a bared row of teeth
from an open mouth, badly.  FACS coders read creases for that: upright ones
between the brows (AU4), level ones across the bridge of the nose (AU9) and the
forehead (AU1, AU2), folds beside the nose (AU10), at the eyes (AU6) and on the
chin (AU17).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

# Faces are compared at one size, levelled: eyes this far apart, in pixels,
# and half way between them here.
SIZE_PX, OCULAR_PX = 128, 48
_EYES_AT = np.array([64.0, 44.0])

# Region: the mesh points it lies between, for each side of the face, and its
# width and height in pixels of the levelled face.
_REGIONS: Mapping[str, tuple[tuple[tuple[int, ...], ...], int, int]] = {
    "glabella": (((9, 8, 107, 336),), 14, 12),
    "forehead": (((151, 9, 108, 337),), 36, 14),
    "nose_bridge": (((168, 6, 197),), 16, 14),
    "chin": (((199, 200, 18),), 12, 12),
    "nose_fold": (((203, 206, 216), (423, 426, 436)), 12, 12),
    "outer_eye": (((33, 130, 226), (263, 359, 446)), 12, 12),
    "under_eye": (((119, 145), (348, 374)), 12, 12),
    "cheek": (((50, 205), (280, 425)), 12, 12),
}
_INNER_LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
_EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
)
# A mouth of fewer pixels shows nothing.
_LEAST_MOUTH_PX = 8

# Of the face's own brightness (standard deviations from its mean).
_TEETH, _DARK = 0.3, -1.0


def look_closely(image: np.ndarray, points: np.ndarray) -> dict[str, float]:
    """Measures of creases and of the inside of the mouth, by name.

    `…_upright` and `…_level` are log edge strengths of upright and level
    lines, relative to those of the cheeks so that a blurred picture is not a
    smooth face; `…_brightness` is in standard deviations of the face's own;
    `teeth_area` and `dark_area` are in squared inter-ocular distances.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (478, 2) pixels of the picture, y down.
    """
    import cv2

    face, mesh = _levelled(image, points)
    hull = cv2.convexHull(mesh.astype(np.float32)).astype(np.int32)
    skin = face[_inside(hull)]
    face = (face - skin.mean()) / (skin.std() + 5.0) if skin.size else face
    smooth = cv2.GaussianBlur(face, (0, 0), 1.2)
    pictures = {
        "upright": np.abs(cv2.Sobel(smooth, cv2.CV_32F, 1, 0)),
        "level": np.abs(cv2.Sobel(smooth, cv2.CV_32F, 0, 1)),
        "brightness": face,
    }
    measures = {}
    for region, (sides, width, height) in _REGIONS.items():
        boxes = [_box(mesh[list(side)].mean(axis=0), width, height) for side in sides]
        for what, picture in pictures.items():
            means = [cv2.mean(picture[box])[0] for box in boxes]
            if what != "brightness":
                means = [math.log(mean + 0.02) for mean in means]
            measures[f"{region}_{what}"] = sum(means) / len(means)
    cheek = (measures["cheek_upright"] + measures["cheek_level"]) / 2
    for name in measures:
        if not name.startswith("cheek") and not name.endswith("brightness"):
            measures[name] -= cheek
    return measures | _mouth(face, mesh) | {"eye_brightness": _brightness(face, [mesh[list(eye)] for eye in _EYES])}


def _levelled(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The face in grey, (SIZE_PX, SIZE_PX) float32, and its mesh in there."""
    import cv2

    left, right = points[[33, 133]].mean(axis=0), points[[362, 263]].mean(axis=0)
    across, centre = right - left, (left + right) / 2
    distance = max(float(np.hypot(*across)), 1.0)
    height, width = image.shape[:2]
    # What the levelled face can show at most, whichever way the head tilts.
    reach = 1.5 * SIZE_PX / OCULAR_PX * distance / 2 + 2
    low = np.clip(np.floor(centre - reach), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(centre + 1.5 * reach), low + 1, (width, height)).astype(int)
    grey = cv2.cvtColor(np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]]), cv2.COLOR_RGB2GRAY)
    centre, points, scale = centre - low, points - low, OCULAR_PX / distance
    if scale < 1:
        # Averaged, not sampled: creases must not depend on the resolution.
        shrunk = np.maximum(np.round(np.array(grey.shape[::-1]) * scale), 1).astype(int)
        ratio = shrunk / grey.shape[::-1]
        grey = cv2.resize(grey, (int(shrunk[0]), int(shrunk[1])), interpolation=cv2.INTER_AREA)
        centre, points, scale = centre * ratio, points * ratio, 1.0
    angle = np.degrees(np.arctan2(across[1], across[0]))
    turn = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), float(angle), float(scale))
    turn[:, 2] += _EYES_AT - centre
    face = cv2.warpAffine(grey, turn, (SIZE_PX, SIZE_PX), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return face.astype(np.float32), points @ turn[:, :2].T + turn[:, 2]


def _box(centre: np.ndarray, width: int, height: int) -> tuple[slice, slice]:
    """The rows and columns around a place."""
    x, y = np.clip(centre, 0, SIZE_PX - 1).tolist()
    left, right = int(max(x - width / 2, 0)), int(min(x + width / 2, SIZE_PX - 1))
    top, bottom = int(max(y - height / 2, 0)), int(min(y + height / 2, SIZE_PX - 1))
    return slice(top, bottom + 1), slice(left, right + 1)


def _mouth(face: np.ndarray, mesh: np.ndarray) -> dict[str, float]:
    """What shows between the lips; a closed mouth shows nothing."""
    inside = face[_inside(mesh[list(_INNER_LIPS)])]
    if inside.size <= _LEAST_MOUTH_PX:
        inside = np.zeros(1, dtype=np.float32)
    area = float(OCULAR_PX**2)
    shadow, highlight = np.percentile(inside, (10, 90)).tolist()
    return {
        "teeth_area": float((inside > _TEETH).sum()) / area,
        "dark_area": float((inside < _DARK).sum()) / area,
        "mouth_brightness": float(inside.mean()),
        "mouth_highlight": highlight,
        "mouth_shadow": shadow,
    }


def _brightness(face: np.ndarray, outlines: list[np.ndarray]) -> float:
    inside = np.concatenate([face[_inside(outline)] for outline in outlines])
    return float(inside.mean()) if inside.size else 0.0


def _inside(outline: np.ndarray) -> np.ndarray:
    import cv2

    mask = np.zeros((SIZE_PX, SIZE_PX), dtype=np.uint8)
    cv2.fillPoly(mask, [outline.astype(np.int32)], (1,))
    return mask > 0
