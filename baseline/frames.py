"""What a fusion model reads of a clip: its features on one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core.timeline import Target


@dataclass(frozen=True, eq=False)
class FeatureFrames:
    """A clip's features, frame by frame.

    Attributes:
        times_s: (T,) seconds from the clip's start, T at least 1.
        streams: by feature name (T, D) float32; NaN where nothing was
            measured (no face, no voice), all of it where a clip lacks the signal.
        target: a label, a set of labels, a number, or nothing.
    """

    id: str
    times_s: np.ndarray
    streams: Mapping[str, np.ndarray]
    target: Target | None = None
