"""What a face does besides its expression: blinks, a look aside, movements of the head.

Measured from the track of a person over a stretch of time; `None` is “not
measured”.  How each was checked, and what was left out: docs/extractors.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..core.timeline import FaceTrack

# A blink lasts 0.1 to 0.4 s (Schiffman, Sensation and Perception, 2001): looked at half as often, one in five is
# missed.  What is called 25 frames a second may have one less in two seconds.
_BLINK_LOOKS_PER_S = 25.0
_JUST_BELOW = 0.98
# By how much the unit of closed eyes rises and falls again within so long, and where it is when they are open.
_CLOSED = "AU43"
_BLINK_RISE, _OPEN, _AROUND_S = 0.3, 0.5, 0.4

# In fewer looks nothing moves.
_LEAST_LOOKS = 3

# Of 869 stills a tenth look aside as far.
_ASIDE = 0.6
_MOVING_DEGREES = 15.0
_NINE_TENTHS = (5.0, 95.0)
# At rest people blink 17 times a minute, in conversation 26 (Bentivoglio et al., Movement Disorders 12, 1997).
_OFTEN_PER_MINUTE, _OFTEN = 40.0, 3

BLINKS_OFTEN, LOOKS_ASIDE = "blinks often", "looks aside"
HEAD_TURNING, HEAD_UP_AND_DOWN = "head turning", "head moving up and down"
BEHAVIOUR_WORDS = (BLINKS_OFTEN, LOOKS_ASIDE, HEAD_TURNING, HEAD_UP_AND_DOWN)


@dataclass(frozen=True)
class Blinks:
    """When somebody blinked, and for how long the face was seen."""

    times_s: tuple[float, ...]
    seen_s: float

    @property
    def per_minute(self) -> float:
        return 60.0 * len(self.times_s) / self.seen_s if self.seen_s > 0 else math.nan


@dataclass(frozen=True)
class HeadMovement:
    """Between which angles the head was nine tenths of the time, in degrees from one to the other."""

    pitch_deg: float
    yaw_deg: float


def blinks(track: FaceTrack, person: int, start_s: float = -math.inf, end_s: float = math.inf) -> Blinks | None:
    """Short closings of eyes that are open before and after.

    `None` where the track was looked at less than 25 times a second, or does not tell closed eyes.
    """
    if _CLOSED not in track.names or _looks_per_s(track) < _JUST_BELOW * _BLINK_LOOKS_PER_S:
        return None
    rows = (track.person == person) & np.isfinite(track.action_units[:, track.names.index(_CLOSED)])
    times_s, closed = track.times_s[rows], track.action_units[rows, track.names.index(_CLOSED)]
    step_s = 1.0 / _looks_per_s(track)
    # A blink at the edge of the stretch is seen by what is around it.
    found = [time_s for part in _unbroken(times_s, step_s) for time_s in _closings(times_s[part], closed[part], step_s)]
    inside = (times_s >= start_s) & (times_s < end_s)
    return Blinks(tuple(t for t in found if start_s <= t < end_s), step_s * int(inside.sum()))


def gaze_aside(track: FaceTrack, person: int, start_s: float = -math.inf, end_s: float = math.inf) -> float | None:
    """How far the eyes are turned in the head, in −1–1, to the viewer's right positive; the median.

    Up and down is not told: lowered eyes and closing ones look alike.
    """
    rows = _rows(track, person, start_s, end_s)
    if track.blendshapes is None or not rows.any():
        return None
    towards_right, towards_left = (
        sum(track.blendshapes[rows, track.blendshape_names.index(name)] for name in names)
        for names in (("eyeLookOutLeft", "eyeLookInRight"), ("eyeLookInLeft", "eyeLookOutRight"))
    )
    aside = (towards_right - towards_left) / 2
    return float(np.nanmedian(aside)) if np.isfinite(aside).any() else None


def head_movement(
    track: FaceTrack, person: int, start_s: float = -math.inf, end_s: float = math.inf
) -> HeadMovement | None:
    """How far the head went up and down and from side to side."""
    rows = _rows(track, person, start_s, end_s)
    if track.pose is None or np.isfinite(track.pose[rows]).all(axis=1).sum() < _LEAST_LOOKS:
        return None
    low, high = np.nanpercentile(track.pose[rows], _NINE_TENTHS, axis=0)
    pitch_deg, yaw_deg, _ = high - low
    return HeadMovement(float(pitch_deg), float(yaw_deg))


def behaviour_words(track: FaceTrack, person: int, start_s: float, end_s: float) -> list[str]:
    """What of it is out of the ordinary, in words."""
    seen = blinks(track, person, start_s, end_s)
    aside = gaze_aside(track, person, start_s, end_s)
    moved = head_movement(track, person, start_s, end_s)
    said = {
        BLINKS_OFTEN: seen is not None and len(seen.times_s) >= _OFTEN and seen.per_minute >= _OFTEN_PER_MINUTE,
        LOOKS_ASIDE: aside is not None and abs(aside) >= _ASIDE,
        HEAD_TURNING: moved is not None and moved.yaw_deg >= _MOVING_DEGREES,
        HEAD_UP_AND_DOWN: moved is not None and moved.pitch_deg >= _MOVING_DEGREES,
    }
    return [words for words, so in said.items() if so]


def _rows(track: FaceTrack, person: int, start_s: float, end_s: float) -> np.ndarray:
    return (track.person == person) & (track.times_s >= start_s) & (track.times_s < end_s)


def _looks_per_s(track: FaceTrack) -> float:
    """The mean rate; of a single look, or none, 0."""
    looks_s = track.frame_times_s
    return (len(looks_s) - 1) / float(looks_s[-1] - looks_s[0]) if len(looks_s) > 1 else 0.0


def _unbroken(times_s: np.ndarray, step_s: float) -> list[np.ndarray]:
    """Indices of rows, split where the face was out of sight."""
    return np.split(np.arange(len(times_s)), np.flatnonzero(np.diff(times_s) > 2.5 * step_s) + 1)


def _closings(times_s: np.ndarray, closed: np.ndarray, step_s: float) -> list[float]:
    """When the eyes were closed most, of each time that they were open shortly before and shortly after."""
    around = round(_AROUND_S / step_s)
    openest = sliding_window_view(np.pad(closed, around, constant_values=np.inf), around).min(axis=1)
    before, after = openest[: len(closed)], openest[around + 1 :]
    least_open = np.maximum(before, after)
    rows = np.flatnonzero((closed - least_open >= _BLINK_RISE) & (least_open <= _OPEN))
    each = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(rows) else []
    return [float(times_s[part[np.argmax(closed[part])]]) for part in each]
