"""Grading: where a value lies among those it is compared with.

Five levels.  Cut by tenths, at the 10, 25, 75 and 90 % quantiles as
SpeechCueLLM does (Wu et al., arXiv 2407.21315), half of what anybody does is
“medium”; cut by eighths, a quarter is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..core.errors import SettingsError
from ..core.measures import VOICE, check_declared
from ..core.text import reason_of, shortened

LEVELS = ("very low", "low", "medium", "high", "very high")
MEDIUM = LEVELS.index("medium")

# One bound a quantile, ascending.
Cuts = tuple[float, float, float, float]

Grades = Literal["tenths", "eighths"]
QUANTILES: Mapping[Grades, Cuts] = {
    "tenths": (0.10, 0.25, 0.75, 0.90),
    "eighths": (0.125, 0.375, 0.625, 0.875),
}


def cuts_of(values: np.ndarray, grades: Grades) -> Cuts:
    """The bounds between the levels of values (N,), all finite."""
    low, below, above, high = np.quantile(values, QUANTILES[grades])
    return float(low), float(below), float(above), float(high)


def grade(value: float, cuts: Cuts) -> int:
    """The index into `LEVELS`; a value on a bound is on the medium side of it."""
    very_low, low, high, very_high = cuts
    if value < low:
        return 0 if value < very_low else 1
    if value > high:
        return 4 if value > very_high else 3
    return MEDIUM


@dataclass(frozen=True)
class PopulationNorms:
    """What is usual for voices, by register: bounds by measure.

    Attributes:
        split_hz: a speaker whose median pitch lies above it has a high voice.
        low, high: bounds for low and for high voices.
    """

    split_hz: float
    low: Mapping[str, Cuts]
    high: Mapping[str, Cuts]

    def for_voice(self, pitch_hz: float) -> Mapping[str, Cuts]:
        """The bounds for a speaker; one of unknown pitch (NaN) counts as low."""
        return self.high if pitch_hz > self.split_hz else self.low


NORMS_VERSION = 1

# No measure is as large, nor as NaN.
_MOST = 1e30


def population_norms(data: Any, grades: Grades, origin: str = "norms") -> PopulationNorms:
    """Norms from their JSON form, with the bounds between these grades.

        {"version": 1, "quantiles": [0.1, 0.25, 0.75, 0.9], "register_split_hz": 200.0,
         "registers": {"low": {measure: [q10, q25, q75, q90], …}, "high": {…}},
         "sources": {measure: where its bounds come from, …}}

    It may have more quantiles than the grades are cut at.

    Raises:
        SettingsError: it has another form, lacks a quantile, or has bounds of what is no measure; the message says
            where.
    """
    if not isinstance(data, Mapping) or data.get("version") != NORMS_VERSION:
        raise SettingsError(f"{origin}: voice norms must be a mapping with version {NORMS_VERSION}")
    quantiles, needed = data.get("quantiles"), list(QUANTILES[grades])
    if not isinstance(quantiles, list) or [at for at in quantiles if at in needed] != needed:
        raise SettingsError(
            f"{origin}: quantiles must be {needed} among others, in order, to grade by {grades}, "
            f"got {shortened(quantiles)}; python recipes/voice_norms.py makes norms that have them"
        )
    split_hz = data.get("register_split_hz")
    if not isinstance(split_hz, int | float) or not 0 < split_hz < _MOST:
        raise SettingsError(f"{origin}: register_split_hz must be a positive number, got {shortened(split_hz)}")
    registers = data.get("registers")
    if (
        not isinstance(registers, Mapping)
        or set(registers) != {"low", "high"}
        or not all(isinstance(bounds, Mapping) for bounds in registers.values())
    ):
        raise SettingsError(f"{origin}: registers must hold bounds by measure under low and high")
    for bounds in registers.values():
        check_declared(bounds, VOICE, origin)
    low, high = (
        {
            measure: _cuts(bounds, quantiles, grades, f"{origin}: {register} register, {measure}")
            for measure, bounds in registers[register].items()
        }
        for register in ("low", "high")
    )
    return PopulationNorms(float(split_hz), low, high)


def read_norms(path: str | Path, grades: Grades) -> PopulationNorms:
    """The norms in a JSON file, with the bounds between these grades.

    Raises:
        SettingsError: no such file, not JSON, or not such norms.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the voice norms {path}: {reason_of(error)}") from None
    except (ValueError, RecursionError):
        raise SettingsError(f"{path} is not JSON; voice norms are kept as JSON") from None
    return population_norms(data, grades, str(path))


def _cuts(values: Any, quantiles: list[float], grades: Grades, origin: str) -> Cuts:
    if (
        not isinstance(values, list)
        or not all(isinstance(v, int | float) and abs(v) < _MOST for v in values)
        or len(values) != len(quantiles)
        or sorted(values) != values
    ):
        raise SettingsError(f"{origin}: expected {len(quantiles)} ascending numbers, got {shortened(values)}")
    first, second, third, fourth = (float(values[quantiles.index(at)]) for at in QUANTILES[grades])
    return first, second, third, fourth
