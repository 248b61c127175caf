"""Text in pictures, in whatever fonts are at hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .palette import WHITE, Colour

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

# How much of the picture shines through behind letters.
_SHADE = 0.35


@lru_cache(maxsize=32)
def lettered(text: str, size: int, width: int, colour: Colour = WHITE) -> np.ndarray:
    """(H, W, 4) uint8 RGBA: the text on a shade, in lines of at most `width` pixels.

    A character that no font at hand has is a box, as elsewhere.
    """
    from PIL import Image, ImageDraw

    margin = max(size // 4, 1)
    lines = list(_wrapped(text, size, max(width - 2 * margin, size)))
    lengths = [sum(font.getlength(run) for font, run in _runs(line, size)) for line in lines]
    height = round(1.3 * size)
    shape = (min(width, round(max(lengths)) + 2 * margin), height * len(lines) + 2 * margin)
    image = Image.new("RGBA", shape, (0, 0, 0, round(255 * (1 - _SHADE))))
    draw = ImageDraw.Draw(image)
    for row, (line, length) in enumerate(zip(lines, lengths, strict=True)):
        at = max(float(margin), (shape[0] - length) / 2)
        for font, run in _runs(line, size):
            draw.text((at, margin + height * row + size), run, (*colour, 255), font, anchor="ls")
            at += font.getlength(run)
    return np.asarray(image)


def _wrapped(text: str, size: int, width: int) -> Iterator[str]:
    """Lines that fit; broken at spaces, and within what is longer than a line, as scripts without spaces are."""
    for paragraph in text.split("\n"):
        line = ""
        for word in _pieces(paragraph, size, width):
            if line and _length(f"{line}{word}".rstrip(), size) > width:
                yield line.rstrip()
                line = ""
            line += word
        yield line.rstrip()


def _pieces(paragraph: str, size: int, width: int) -> Iterator[str]:
    """Words with the space behind them; in single characters where they are too long."""
    for word in paragraph.split(" "):
        if _length(word, size) <= width:
            yield f"{word} "
        else:
            yield from word
            yield " "


def _length(text: str, size: int) -> float:
    return sum(font.getlength(run) for font, run in _runs(text, size))


# ── fonts ────────────────────────────────────────────────────────────────────


def _runs(text: str, size: int) -> Iterator[tuple[FreeTypeFont, str]]:
    """Parts of the text by the font that has their characters."""
    for path, run in groupby(text, _font_of):
        yield _font(path, size), "".join(run)


@cache
def _font(path: Path, size: int) -> FreeTypeFont:
    from PIL import ImageFont

    return ImageFont.truetype(path, size)


@cache
def _font_of(character: str) -> Path:
    """The first font that has it; the first of all where none does."""
    return next((path for path in _fonts() if ord(character) in _characters(path)), _fonts()[0])


@cache
def _fonts() -> tuple[Path, ...]:
    """DejaVu Sans, which matplotlib brings, then those of the system."""
    from matplotlib import font_manager, get_data_path

    return (
        Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf",
        *map(Path, sorted(font_manager.findSystemFonts())),
    )


@cache
def _characters(path: Path) -> frozenset[int]:
    """The code points that a font has; none of one that cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(path)).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
