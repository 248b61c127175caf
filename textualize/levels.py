"""Grading: where a value lies among those it is compared with.

Five levels cut at the 10, 25, 75 and 90 % quantiles, as SpeechCueLLM does
(Wu et al., arXiv 2407.21315): half of what anybody does is “medium”.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import SettingsError
from ..core.measures import VOICE, check_declared

LEVELS = ("very low", "low", "medium", "high", "very high")
MEDIUM = LEVELS.index("medium")
QUANTILES = (0.10, 0.25, 0.75, 0.90)

# One bound a quantile, ascending.
Cuts = tuple[float, float, float, float]


def cuts_of(values: np.ndarray) -> Cuts:
    """The bounds between the levels of values (N,), all finite."""
    low, below, above, high = np.quantile(values, QUANTILES)
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


def population_norms(data: Any, origin: str = "norms") -> PopulationNorms:
    """Norms from their JSON form.

        {"version": 1, "quantiles": [0.1, 0.25, 0.75, 0.9], "register_split_hz": 200.0,
         "registers": {"low": {measure: [q10, q25, q75, q90], …}, "high": {…}},
         "sources": {measure: where its bounds come from, …}}

    Raises:
        SettingsError: it has another form, or bounds of what is no measure; the message says where.
    """
    if not isinstance(data, Mapping) or data.get("version") != NORMS_VERSION:
        raise SettingsError(f"{origin}: voice norms must be a mapping with version {NORMS_VERSION}")
    if data.get("quantiles") != list(QUANTILES):
        raise SettingsError(f"{origin}: quantiles must be {list(QUANTILES)}, got {data.get('quantiles')!r}")
    split_hz = data.get("register_split_hz")
    if not isinstance(split_hz, int | float) or not split_hz > 0:
        raise SettingsError(f"{origin}: register_split_hz must be a positive number, got {split_hz!r}")
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
            measure: _cuts(cuts, f"{origin}: {register} register, {measure}")
            for measure, cuts in registers[register].items()
        }
        for register in ("low", "high")
    )
    return PopulationNorms(float(split_hz), low, high)


def read_norms(path: str | Path) -> PopulationNorms:
    """The norms in a JSON file.

    Raises:
        SettingsError: no such file, not JSON, or not norms.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the voice norms {path}: {error.strerror}") from None
    except ValueError:
        raise SettingsError(f"{path} is not JSON; voice norms are kept as JSON") from None
    return population_norms(data, str(path))


def _cuts(values: Any, origin: str) -> Cuts:
    numbers = isinstance(values, list) and all(isinstance(v, int | float) and np.isfinite(v) for v in values)
    if not numbers or len(values) != len(QUANTILES) or sorted(values) != values:
        raise SettingsError(f"{origin}: expected {len(QUANTILES)} ascending numbers, got {values!r}")
    first, second, third, fourth = map(float, values)
    return first, second, third, fourth
