"""From measures of a face to FACS action units.

A measure says little by itself: brows lie high on one face and low on
another, and everything shifts as the head turns.  So each is compared with
neutral faces in the same pose, and a unit is a weighted sum of such
deviations, all of them in the direction in which that unit moves the face.
`recipes/calibrate_face_units.py` made the numbers in `units.json` and
says how well they do.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CALIBRATION = Path(__file__).with_name("units.json")

# A unit's value at the knots of its score: 0 is where the lowest 30 % of
# neutral faces lie, 0.25, 0.5 and 0.75 are what 30, 12 and 3 % of them exceed,
# 1 is a full expression.
KNOT_VALUES = (0.0, 0.25, 0.5, 0.75, 1.0)

# A measure that went wrong must not decide a unit alone.
LARGEST_DEVIATION = 6.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """What neutral faces look like, and what units are made of.

    Attributes:
        source: data behind the numbers.
        neutral: measure to the coefficients of its mean on neutral faces over
            `pose_terms`, and the spread there.
        weights: unit to measure to weight.
        knots: unit to the scores at `KNOT_VALUES`.
    """

    source: str
    neutral: Mapping[str, tuple[tuple[float, ...], float]]
    weights: Mapping[str, Mapping[str, float]]
    knots: Mapping[str, tuple[float, ...]]

    @property
    def units(self) -> tuple[str, ...]:
        """FACS codes, and `teeth` (teeth show) and `uneven` (two sides differ)."""
        return tuple(self.weights)

    @functools.cached_property
    def means(self) -> np.ndarray:
        """(M, 4) coefficients, a row a measure of `neutral`."""
        return np.array([mean for mean, _ in self.neutral.values()])

    @functools.cached_property
    def spreads(self) -> np.ndarray:
        """(M,)."""
        return np.array([spread for _, spread in self.neutral.values()])

    @functools.cached_property
    def weighing(self) -> np.ndarray:
        """(A, M) weights, a row a unit."""
        return np.array([[of_unit.get(name, 0.0) for name in self.neutral] for of_unit in self.weights.values()])


@functools.cache
def shipped_calibration() -> Calibration:
    """The calibration in the package."""
    values = json.loads(CALIBRATION.read_text(encoding="utf-8"))
    return Calibration(
        source=values["source"],
        neutral={name: (tuple(mean), spread) for name, (mean, spread) in values["neutral"].items()},
        weights=values["weights"],
        knots={unit: tuple(knots) for unit, knots in values["knots"].items()},
    )


def pose_terms(pose: np.ndarray) -> np.ndarray:
    """(N, 4) regressors for a pose (N, 3) in degrees: 1, pitch, pitch², yaw²."""
    pitch, yaw = pose[:, 0] / 10.0, pose[:, 1] / 10.0
    return np.stack([np.ones_like(pitch), pitch, pitch**2, yaw**2], axis=1)


def action_units(
    measures: np.ndarray, names: tuple[str, ...], pose: np.ndarray, calibration: Calibration
) -> np.ndarray:
    """Units in 0–1, (N, A) in the order of `calibration.units`.

    Args:
        measures: (N, G) as named by `names`.
        pose: (N, 3) degrees.
    """
    there = measures[:, [names.index(name) for name in calibration.neutral]]
    deviations = (there - pose_terms(pose) @ calibration.means.T) / calibration.spreads
    scores = np.clip(deviations, -LARGEST_DEVIATION, LARGEST_DEVIATION) @ calibration.weighing.T
    knots = [calibration.knots[unit] for unit in calibration.units]
    units = [np.interp(scores[:, at], each, KNOT_VALUES) for at, each in enumerate(knots)]
    return np.stack(units, axis=1) if units else np.zeros((len(measures), 0))
