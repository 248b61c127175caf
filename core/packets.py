"""Frames out of packets: the step that reading and cutting videos share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer


def decoded(container: InputContainer, *streams: Any) -> Iterator[Any]:
    """The frames of some streams of an open file, as they come; packets that cannot be decoded are passed over.

    A file that is cut off ends where it is cut off.
    """
    from av.error import FFmpegError

    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        try:
            yield from packet.decode()
        except FFmpegError:
            continue
