"""The pictures of a file over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.timeline import Media
from ..sampling import SamplingGrid
from .display import Display
from .recording import Recording, recorded


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture as it is shown: `image` is (H, W, 3) uint8 RGB, upright."""

    time_s: float
    image: np.ndarray


def frames(
    path: str | Path,
    sampling_fps: float | None = None,
    start_s: float = 0.0,
    end_s: float = np.inf,
    *,
    track: int | None = None,
    size: tuple[int, int] | None = None,
) -> Iterator[Frame]:
    """The frames of a video, with the times at which they are shown, all of one size.

    Args:
        sampling_fps: at most so many frames a second; `None` for all.
        start_s, end_s: only those shown from the one and before the other.
        track: whose, if not that which a player would show.
        size: width and height; those of the first picture by default.

    Yields nothing for a file without a picture.

    Raises:
        MediaError: as for `probe`.
        SettingsError: no such track.
    """
    grid = SamplingGrid(sampling_fps)
    with recorded(path, video_track=track) as recording:
        display = display_of(recording, size)
        if display is None:
            return
        recording.seek(start_s)
        for time_s, picture in recording.pictures():
            if time_s >= end_s:
                return
            if time_s >= start_s and grid.takes(time_s):
                yield Frame(max(time_s, 0.0), display.shown(picture))


def frames_of(media: Media, sampling_fps: float | None = None) -> Iterator[Frame]:
    """The frames of a file, or of the stretch of it that is meant, as it was identified; see `frames`."""
    size = (media.width, media.height) if media.width is not None and media.height is not None else None
    end_s = np.inf if media.end_s is None else media.end_s
    return frames(media.path, sampling_fps, media.start_s, end_s, track=media.video_track, size=size)


def display_of(recording: Recording, size: tuple[int, int] | None = None) -> Display | None:
    """What makes of the pictures of a recording what a player shows; `None` where there are none."""
    if recording.video is None:
        return None
    return Display(recording.video, recording.path if recording.still else None, size)
