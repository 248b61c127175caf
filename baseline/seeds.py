"""What several runs of one recipe reached: mean and spread over their seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev


def over_seeds(measured: Sequence[Mapping[str, float | None]]) -> dict[str, tuple[float, float]]:
    """The mean and the standard deviation of each measure that is defined in all runs; NaN for that of one run alone.

    The deviation is that of a sample, over one less than the runs.
    """
    spread = {}
    for name in measured[0]:
        values = [value for each in measured if (value := each.get(name)) is not None and math.isfinite(value)]
        if len(values) == len(measured):
            spread[name] = fmean(values), stdev(values) if len(values) > 1 else math.nan
    return spread
