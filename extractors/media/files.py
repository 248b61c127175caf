"""A path as a file: never a protocol, a pattern or a pipe."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...core import digests
from ...core.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer

# Text that FFmpeg would play: terminal art, and playlists that make it open
# other files and addresses.
_NOT_MEDIA = ("tty", "hls", "concat", "dash", "sdp")

# `part:one.mp4` is no protocol and `100%d.jpg` no series of pictures; nothing else is opened.
_OPTIONS = {"protocol_whitelist": "file", "pattern_type": "none"}


def sha256_of(path: str | Path) -> str:
    """The file's identity, whatever its name: the SHA-256 of its content.

    Raises:
        MediaError: missing, empty or unreadable.
    """
    check_readable(Path(path))
    return digests.sha256_of(path)


def check_readable(path: Path) -> None:
    """Raises:
    MediaError: missing, empty, unreadable, or something that has no end.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise MediaError(f"{path} is a folder; give the video files in it")
        if not stat.S_ISREG(mode):
            raise MediaError(f"{path} is a pipe or a device, which may never end; save what it gives to a file first")
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError(f"{path} is empty (0 bytes)")
    except FileNotFoundError:
        raise MediaError(f"no file {path}") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def url_of(path: str | Path) -> str:
    """The path as FFmpeg takes it, whatever is in it."""
    return f"file:{path}"


@contextmanager
def container_of(path: str | Path) -> Iterator[InputContainer]:
    """The file, open.

    Raises:
        MediaError: missing, empty, or not a media file.
    """
    import av
    from av.error import FFmpegError

    path = Path(path)
    check_readable(path)
    try:
        container = av.open(url_of(path), metadata_errors="replace", options=dict(_OPTIONS))
    except (FFmpegError, OSError):
        raise MediaError(
            f"{path} cannot be decoded: it is damaged, cut off, or not a video, sound or picture file"
        ) from None
    with container:
        if container.format.name.startswith(_NOT_MEDIA):
            raise MediaError(f"{path} is not a video, sound or picture file but text ({container.format.name})")
        yield container
