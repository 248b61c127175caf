"""Whose face counts, and what was measured of it."""

from __future__ import annotations

from functools import cache

import numpy as np

from ...core.measures import BLENDSHAPES
from ...core.timeline import FaceTrack
from ..face.landmarker import SOURCE as LANDMARKER
from ..face.landmarker import geometry_names
from ..face.units import shipped_calibration
from .clock import Clock, nearest, taken

POSE = ("pitch", "yaw", "roll")

# The action units of py-feat's multitask network, whose import takes seconds.
PYFEAT_UNITS = (
    *("AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU11", "AU12"),
    *("AU14", "AU15", "AU17", "AU20", "AU23", "AU24", "AU25", "AU26", "AU28", "AU43"),
)

# Times of a track's rows are those of the frames, but for rounding.
SAME_FRAME_S = 1e-3


# ── whose face ───────────────────────────────────────────────────────────────


def on_clock(track: FaceTrack, values: np.ndarray, clock: Clock) -> np.ndarray:
    """(T, D) float32: of the most prominent person, the row in the nearest sampled frame.

    NaN where that frame does not show them, or is further away than from one
    sampled frame to the next.

    Args:
        values: (N, D), a row for each of the track's.
    """
    looked_s = track.frame_times_s
    reach_s = float(np.median(np.diff(looked_s))) if len(looked_s) > 1 else np.inf
    sampled = nearest(looked_s, clock, reach_s)
    mine = np.flatnonzero(track.person == most_prominent(track, clock.start_s - reach_s, clock.end_s + reach_s))
    of_frame = np.full(len(looked_s) + 1, -1)  # the last, for what has no sampled frame
    of_frame[np.searchsorted(looked_s, track.times_s[mine] - SAME_FRAME_S)] = mine
    return taken(values, of_frame[sampled])


def most_prominent(track: FaceTrack, start_s: float, end_s: float) -> int:
    """The person who is seen large and for long in a stretch; −1 where nobody is."""
    inside = (track.times_s >= start_s) & (track.times_s < end_s)
    areas = np.prod(track.boxes[:, 2:] - track.boxes[:, :2], axis=1)
    persons = np.unique(track.person[inside])
    # Mean area times share of the frames: a sum, but for what all have in common.
    prominence = [areas[inside & (track.person == person)].sum() for person in persons]
    return int(persons[int(np.argmax(prominence))]) if len(persons) else -1


# ── what was measured ────────────────────────────────────────────────────────


def measures(track: FaceTrack) -> np.ndarray:
    """(N, D): all that was measured of each row of a track, as `measure_names`; NaN where that was not."""
    count = len(track.times_s)
    pose = track.pose if track.pose is not None else np.full((count, len(POSE)), np.nan)
    parts = {track.names: track.action_units, POSE: pose}
    parts |= {track.geometry_names: track.geometry, track.blendshape_names: track.blendshapes}
    values = {
        name: column
        for names, part in parts.items()
        if part is not None
        for name, column in zip(names, part.T, strict=True)
    }
    nothing = np.full(count, np.nan)
    return np.stack([values.get(name, nothing) for name in measure_names(track.source)], axis=1)


@cache
def measure_names(source: str) -> tuple[str, ...]:
    """What an engine measures of a face, whether or not it sees one."""
    if source == LANDMARKER:
        return (*shipped_calibration().units, *POSE, *geometry_names(), *BLENDSHAPES)
    return (*PYFEAT_UNITS, *POSE)
