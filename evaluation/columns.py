"""Metrics as people read them: in tables and in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .comparison import signed_points


@dataclass(frozen=True)
class Column:
    """A metric as it is shown: a share in points of 100, or a number as it is."""

    name: str
    title: str
    is_share: bool = True
    lower_is_better: bool = False

    @property
    def heading(self) -> str:
        return f"{self.title}, %" if self.is_share else self.title

    def show(self, value: float | None) -> str:
        if value is None or self.is_share:
            return points(value)
        return f"{value:.3f}".replace("-", "−")

    def signed(self, difference: float) -> str:
        if self.is_share:
            return signed_points(difference)
        number = f"{difference:+.3f}"
        return "0.000" if number in ("+0.000", "-0.000") else number.replace("-", "−")

    def best(self, values: Sequence[float | None]) -> float | None:
        defined = [value for value in values if value is not None]
        return (min if self.lower_is_better else max)(defined, default=None)


def points(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def dot(column: Column, value: float | None, interval: Sequence[float] | None) -> tuple[float, float, float]:
    """A value and its interval as `figures.Bar` draws them."""
    if value is None or interval is None:
        return (np.nan, np.nan, np.nan)
    scale = 100 if column.is_share else 1
    return scale * value, scale * interval[0], scale * interval[1]
