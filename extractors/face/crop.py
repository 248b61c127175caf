"""Turned rectangles of a picture, and the way from them back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Crop:
    """A rectangle of a picture.

    Attributes:
        centre: (2,) pixels.
        size: (2,) width and height in pixels.
        angle: radians by which it is turned, clockwise as seen.
    """

    centre: np.ndarray
    size: np.ndarray
    angle: float = 0.0

    @property
    def axes(self) -> np.ndarray:
        """(2, 2): its own right and down, from side to side, in pixels of the picture."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cos, sin], [-sin, cos]]) * self.size[:, None]

    def cut(self, image: np.ndarray, side_px: int, *, zero_border: bool = False) -> np.ndarray:
        """(side_px, side_px, 3) uint8: what is in it, stretched to a square.

        Sampled between four pixels and not averaged, which is how MediaPipe
        showed its networks pictures when they were trained.

        Args:
            image: (H, W, 3) uint8.
            zero_border: whether all is black beyond the picture, where otherwise its edge goes on.
        """
        import cv2

        to_picture = np.concatenate([self.axes.T / side_px, (self.centre - self.axes.sum(axis=0) / 2)[:, None]], axis=1)
        return cv2.warpAffine(
            image,
            to_picture,
            (side_px, side_px),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT if zero_border else cv2.BORDER_REPLICATE,
        )

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """(…, 2) pixels of the picture, from places in the crop: 0–1 from side to side."""
        return self.centre + (points - 0.5) @ self.axes
