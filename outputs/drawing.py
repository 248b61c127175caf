"""What is drawn into the pictures of a video: a frame around each face, and a caption of what was read and said."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..core.timeline import LabelledTranscript
from .lettering import lettered
from .palette import Colour, colours_of
from .subtitles import one_at_a_time
from .tracks import name_of

# A face that is not seen for longer than so many looks is gone.
_LOOKS_MISSED = 1.5

# Of the height of the picture: letters, and lines around faces; in pixels at least.
_LETTERS, _LEAST_LETTERS = 1 / 20, 12
_LINE, _LEAST_LINE = 1 / 240, 2


class Drawing:
    """Draws into one picture after another what belongs to its time."""

    def __init__(self, transcript: LabelledTranscript) -> None:
        faces = (transcript.tracks or {}).get("faces") or {}
        people = faces.get("people") or []
        colours = colours_of(transcript)
        self._faces = [_Path(person, colours[name_of(person)]) for person in people]
        self._captions = list(one_at_a_time(transcript.segments))
        self._starts_s = [start_ms / 1000 for start_ms, _, _ in self._captions]

    def draw(self, image: np.ndarray, time_s: float) -> None:
        """Change a picture (H, W, 3) uint8 RGB, as a player shows it at that time."""
        height, width = image.shape[:2]
        size = max(round(_LETTERS * height), _LEAST_LETTERS)
        for face in self._faces:
            box = face.at(time_s)
            if box is not None:
                _frame(image, box, max(round(_LINE * height), _LEAST_LINE), face.colour)
                tag = lettered(face.name, size * 3 // 4, width, face.colour)
                _lay(image, tag, round(box[0]), round(box[1]) - tag.shape[0])
        at = bisect_right(self._starts_s, time_s) - 1
        if at >= 0 and time_s < self._captions[at][1] / 1000:
            caption = lettered(self._captions[at][2], size, width - size)
            _lay(image, caption, (width - caption.shape[1]) // 2, height - caption.shape[0] - size // 2)


class _Path:
    """Where one person's face is over time."""

    def __init__(self, person: Mapping[str, Any], colour: Colour) -> None:
        self.name, self.colour = name_of(person), colour
        self._times_s = np.array(person["times_s"], dtype=float)
        self._boxes = np.array(person["boxes"], dtype=float)
        steps_s = np.diff(self._times_s)
        self._missed_s = _LOOKS_MISSED * float(np.median(steps_s)) if len(steps_s) else 0.1

    def at(self, time_s: float) -> np.ndarray | None:
        """(4,) left, top, right, bottom: between two looks on the way from one to the other."""
        following = int(np.searchsorted(self._times_s, time_s))
        near = [row for row in (following - 1, following) if 0 <= row < len(self._times_s)]
        near = [row for row in near if abs(self._times_s[row] - time_s) <= self._missed_s]
        if not near:
            return None
        first, last = near[0], near[-1]
        span_s = self._times_s[last] - self._times_s[first]
        share = (time_s - self._times_s[first]) / span_s if span_s > 0 else 0.0
        return (1 - share) * self._boxes[first] + share * self._boxes[last]


def _frame(image: np.ndarray, box: np.ndarray, line: int, colour: Colour) -> None:
    height, width = image.shape[:2]
    left, top, right, bottom = (round(value) for value in np.clip(box, 0, (width, height, width, height)))
    inner = image[top + line : max(bottom - line, top + line), left + line : max(right - line, left + line)].copy()
    image[top:bottom, left:right] = colour
    image[top + line : top + line + inner.shape[0], left + line : left + line + inner.shape[1]] = inner


def _lay(image: np.ndarray, patch: np.ndarray, left: int, top: int) -> None:
    """Lay a patch (h, w, 4) RGBA over the picture, as near to that place as it fits."""
    patch = patch[: image.shape[0], : image.shape[1]]
    height, width = patch.shape[:2]
    top = min(max(top, 0), image.shape[0] - height)
    left = min(max(left, 0), image.shape[1] - width)
    below = image[top : top + height, left : left + width]
    opacity = patch[..., 3:] / 255
    below[...] = np.round(opacity * patch[..., :3] + (1 - opacity) * below)
