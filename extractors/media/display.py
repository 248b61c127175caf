"""What a player shows of a decoded picture: upright, not mirrored, not stretched, in the tones of a usual screen."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

# More is seen by nobody and costs gigabytes: 8K, and what libraries index by 15 bits.
MAX_SIDE = 8192
MAX_PIXELS = 2**25

# Pixels wider or taller than this are a mistake of the file.
_ODDEST_PIXEL = 8

# ITU-T H.273: the transfer functions of HDR.
_PQ, _HLG = 16, 18
_BT2020, _UNSPECIFIED = 9, 2
# And those of a usual screen.
_BT709, _SRGB = 1, 13

# A picture whose shape differs by less is scaled to fit, another one has black beside it.
_SAME_SHAPE = 0.02


@dataclass(frozen=True)
class Orientation:
    """How a picture that lies is shown: rows and columns exchanged first, then mirrored."""

    transposed: bool = False
    left_right: bool = False
    top_bottom: bool = False

    def applied(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3), or (W, H, 3) where transposed."""
        if self.transposed:
            image = image.transpose(1, 0, 2)
        image = image[:, ::-1] if self.left_right else image
        return image[::-1] if self.top_bottom else image


# Of EXIF's tag 0x0112, CIPA DC-008-2023, section 4.6.5.1; what is not in it is upright.
_EXIF_ORIENTATION = 0x0112
_EXIF = {
    2: Orientation(left_right=True),
    3: Orientation(left_right=True, top_bottom=True),
    4: Orientation(top_bottom=True),
    5: Orientation(transposed=True),
    6: Orientation(transposed=True, left_right=True),
    7: Orientation(transposed=True, left_right=True, top_bottom=True),
    8: Orientation(transposed=True, top_bottom=True),
}


class Display:
    """Makes of the pictures of one track what a player shows, all of one size.

    A recording of a call changes its size as the line allows: the picture is
    scaled to the size of the first one, as a player scales it to the window.

    Args:
        stream: the track.
        path: the file, where it is a still picture, which has its orientation in EXIF.
        size: width and height to show; those of the first picture by default.
    """

    def __init__(self, stream: Any, path: Path | None = None, size: tuple[int, int] | None = None) -> None:
        from av.video.reformatter import VideoReformatter

        self._exif = exif_orientation(path) if path is not None else None
        self._aspect = _pixel_aspect(stream)
        self._size = size
        self._reformatter = VideoReformatter()

    def size_of(self, picture: Any) -> tuple[int, int]:
        """Width and height at which a picture by itself is shown."""
        width, height = float(picture.width), float(picture.height)
        # As players do, the side that is too short grows.
        if self._aspect > 1:
            width *= self._aspect
        else:
            height /= self._aspect
        if self._orientation(picture).transposed:
            width, height = height, width
        scale = min(1.0, MAX_SIDE / max(width, height), (MAX_PIXELS / (width * height)) ** 0.5)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def is_plain(self, picture: Any) -> bool:
        """Whether the picture is shown as it was decoded."""
        as_it_is = self.size_of(picture) == (picture.width, picture.height) == (self._size or self.size_of(picture))
        return as_it_is and self._orientation(picture) == Orientation() and picture.color_trc not in (_PQ, _HLG)

    def shown(self, picture: Any) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        if self._size is None:
            self._size = self.size_of(picture)
        width, height = self._size
        own_width, own_height = self.size_of(picture)
        fit = min(width / own_width, height / own_height)
        if max(width / own_width, height / own_height) <= fit * (1 + _SAME_SHAPE):
            return self._drawn(picture, width, height)
        image = self._drawn(picture, max(1, round(own_width * fit)), max(1, round(own_height * fit)))
        canvas = np.zeros((height, width, 3), np.uint8)
        top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
        canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
        return canvas

    def _drawn(self, picture: Any, width: int, height: int) -> np.ndarray:
        """(height, width, 3) uint8 RGB."""
        from av.video.reformatter import ColorPrimaries, ColorTrc, Interpolation

        orientation = self._orientation(picture)
        if orientation.transposed:
            width, height = height, width
        tone = {}
        if picture.color_trc in (_PQ, _HLG):
            # FFmpeg's own conversion: white of 203 cd/m² (ITU-R BT.2408) becomes a usual screen's.
            if picture.color_primaries == _UNSPECIFIED:
                picture.color_primaries = _BT2020
            tone = {"dst_color_trc": ColorTrc(_SRGB), "dst_color_primaries": ColorPrimaries(_BT709)}
        shrinks = width * 2 < picture.width or height * 2 < picture.height
        rgb = self._reformatter.reformat(
            picture,
            width,
            height,
            "rgb24",
            interpolation=Interpolation.AREA if shrinks else Interpolation.BILINEAR,
            **tone,
        )
        return np.ascontiguousarray(orientation.applied(rgb.to_ndarray()))

    def _orientation(self, picture: Any) -> Orientation:
        return self._exif if self._exif is not None else matrix_orientation(picture)


def matrix_orientation(picture: Any) -> Orientation:
    """What the display matrix of a picture says, to the nearest quarter turn."""
    from av.sidedata.sidedata import SideDataContainer

    try:
        # Its own `side_data` would be kept by the picture and keep the picture, until somebody looks for circles.
        matrix: Any = SideDataContainer(picture).get("DISPLAYMATRIX")  # pyright: ignore[reportCallIssue]
    except ValueError:  # beside others that PyAV does not know
        quarters = round((picture.rotation or 0) / 90) % 4
        return (Orientation(), _EXIF[8], _EXIF[3], _EXIF[6])[quarters]
    if matrix is None:
        return Orientation()
    # (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d = np.frombuffer(bytes(matrix), "<i4")[:5].tolist()
    if abs(b) > abs(a):
        return Orientation(transposed=True, left_right=c < 0, top_bottom=b < 0)
    return Orientation(left_right=a < 0, top_bottom=d < 0)


def exif_orientation(path: Path) -> Orientation | None:
    """What the EXIF data of a picture say; `None` where there are none."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            number = image.getexif().get(_EXIF_ORIENTATION)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return _EXIF.get(number, Orientation()) if number is not None else None


def _pixel_aspect(stream: Any) -> Fraction | float:
    """Width of a pixel over its height."""
    aspect = stream.sample_aspect_ratio
    if not aspect or not 1 / _ODDEST_PIXEL <= aspect <= _ODDEST_PIXEL:
        return 1.0
    return aspect
