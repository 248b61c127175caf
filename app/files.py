"""The work that needs no models and is not to be done where a damaged file could end the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.context import StageProgress
from ..core.errors import MediaError
from ..core.files import write_json
from .process import Hand

# Address space of the process: decoding, drawing and encoding the largest pictures takes a quarter of it.
_MOST_BYTES = 8 * 2**30


def files(tell: StageProgress) -> Mapping[str, Callable[[Hand], Any]]:
    """See `process.Work`."""
    _bound_memory()
    return {"inspect": inspect, "convert": convert, "check": check, "document": document}


def _bound_memory() -> None:
    """A file that unfolds to more than there is room for ends its own piece of work."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))


def inspect(hand: Hand) -> None:
    """Whether a file is media, and within the limits; only its first picture is decoded.

    Its payload: `media`, `name`, `start_s`, `end_s`, `length_s`, `pixels`.

    Raises:
        MediaError: it is not.
    """
    from ..extractors.media import probe

    asked = hand.payload
    path, name, most_s = Path(asked["media"]), asked["name"], asked["length_s"]
    _check_pixels(path, name, asked["pixels"])
    try:
        media = probe(path, sha256="unknown")
    except MediaError as error:
        raise MediaError(str(error).replace(str(path), name)) from None
    end_s = media.duration_s if asked["end_s"] is None else min(asked["end_s"], media.duration_s)
    if end_s - asked["start_s"] > most_s:
        raise MediaError(
            f"{name} lasts {media.duration_s:,.0f} s, the most that is analysed here is {most_s:,.0f} s; "
            "choose a stretch of it, or start the service with a higher --set serve.length_s"
        )


def _check_pixels(path: Path, name: str, most: int) -> None:
    """By what the file says of its pictures, before any is decoded."""
    from PIL import Image, UnidentifiedImageError

    from ..extractors.media.recording import recorded

    Image.MAX_IMAGE_PIXELS = None  # it is looked at here, and nothing is decoded
    try:
        with Image.open(path) as image:
            size = image.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        try:
            with recorded(path) as recording:
                video = recording.video
                size = (video.codec_context.width, video.codec_context.height) if video is not None else (0, 0)
        except MediaError as error:
            raise MediaError(str(error).replace(str(path), name)) from None
    width, height = size
    if width * height > most:
        raise MediaError(
            f"{name} shows {width} × {height} pixels, the most that is analysed here is {most:,}; scale it down"
        )


def convert(hand: Hand) -> None:
    """A kept result to a file of another format.

    Its payload: `result`, `format`, `out`; `media`, the file itself, or `None`.

    Raises:
        MediaError: the format needs the file, and it is not here.
        SettingsError: the format cannot hold this result.
    """
    from ..core.files import write_bytes, write_text
    from ..outputs import FORMATS, load_result

    asked, out = hand.payload, Path(hand.payload["out"])
    result = load_result(asked["result"])
    if asked["format"].startswith("video"):
        if asked["media"] is None:
            raise MediaError(f"{result.media.path} itself is not here, which {asked['format']} is made of")
        result = replace(result, media=replace(result.media, path=asked["media"]))
    # Whoever takes the file away has the media beside it, under its own name.
    content = FORMATS[asked["format"]].write(result, Path.cwd())
    if isinstance(content, bytes):
        write_bytes(out, content)
    elif isinstance(content, str):
        write_text(out, content)
    else:
        from ..core.files import atomic_path

        with atomic_path(out) as partial:
            content(partial)


def check(hand: Hand) -> str:
    """A labelled transcript in JSON that somebody sent, written anew; the name of its media.

    Its payload: `sent`, `out`.

    Raises:
        MediaError: it is none.
    """
    from ..outputs import load_result

    sent = hand.payload["sent"]
    try:
        result = load_result(sent)
    except MediaError as error:
        raise MediaError(str(error).replace(sent, "what was sent")) from None
    write_json(Path(hand.payload["out"]), result.to_dict())
    return result.media.path


def document(hand: Hand) -> list[str]:
    """The paragraphs of a document.

    Its payload: `path`, `name`.

    Raises:
        MediaError: it is none, or holds no text.
    """
    from .documents import paragraphs_of

    return paragraphs_of(Path(hand.payload["path"]), hand.payload["name"])
