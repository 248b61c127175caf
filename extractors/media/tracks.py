"""Which of a file's tracks is seen and which is heard: those that a player would choose, or those asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...core.errors import SettingsError
from .files import container_of

if TYPE_CHECKING:
    from av.container import InputContainer

# Fewer samples a second hold no speech: a telephone has 8,000.
_LEAST_RATE = 2000
# A sample of 16 bits that stays below, −60 dB, is nobody's voice.
_SILENCE = 10 ** (-60 / 20)


def picture_track(container: InputContainer, asked: int | None = None) -> Any | None:
    """The track that is shown, `None` where there is none.

    As players do: the one that is marked as default, else the first; never an
    attached picture (the cover of a song), nor a thumbnail beside a film.

    Args:
        asked: its number among the file's tracks, from 0, if it is to be that one.

    Raises:
        SettingsError: no such track.
    """
    from av.stream import Disposition

    if asked is not None:
        return _asked(container, "video", asked)
    attached = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    found = [s for s in container.streams.video if _decodable(s) and not s.disposition & attached]
    if len(found) > 1:
        film = _with_several_pictures(container.name, [stream.index for stream in found])
        found.sort(key=lambda s: (s.index not in film, not s.disposition & Disposition.default, s.index))
    return found[0] if found else None


def sound_track(container: InputContainer, asked: int | None = None) -> Any | None:
    """The track that is heard, `None` where there is none.

    As players do: the one that is marked as default, else the first that is
    not a description or a comment; but one that is silent throughout leaves
    its place to one that is not.

    Args:
        asked: as for `picture_track`.

    Raises:
        SettingsError: no such track.
    """
    from av.stream import Disposition

    if asked is not None:
        return _asked(container, "audio", asked)
    aside = Disposition.comment | Disposition.visual_impaired | Disposition.hearing_impaired | Disposition.karaoke
    found = [stream for stream in container.streams.audio if _decodable(stream)]
    found.sort(key=lambda s: (not s.disposition & Disposition.default, bool(s.disposition & aside), s.index))
    if len(found) < 2:
        return found[0] if found else None
    return next((stream for stream in found if _sounds(container.name, stream.index)), found[0])


def described(streams: Iterable[Any]) -> tuple[str, ...]:
    """Each track in words, as in `1: audio, aac, stereo, eng, default`."""
    return tuple(f"{stream.index}: {_words(stream)}" for stream in streams if stream.type in ("video", "audio"))


def too_slow(container: InputContainer) -> int | None:
    """The samples a second of a sound that has too few of them to be heard."""
    rates = [stream.codec_context.sample_rate for stream in container.streams.audio if stream.codec_context]
    return next((rate for rate in rates if 0 < rate < _LEAST_RATE), None)


def _asked(container: InputContainer, kind: Literal["video", "audio"], number: int) -> Any:
    found = [stream for stream in container.streams if stream.type == kind]
    for stream in found:
        if stream.index == number and _decodable(stream):
            return stream
    there = "; ".join(described(found)) or f"no {kind} track"
    raise SettingsError(f"media.{kind}_track: {number} is none of {_path(container.name)}, which has {there}")


def _decodable(stream: Any) -> bool:
    context = stream.codec_context
    if context is None:
        return False
    return context.sample_rate >= _LEAST_RATE if stream.type == "audio" else True


def _words(stream: Any) -> str:
    from av.stream import Disposition

    context = stream.codec_context
    parts = [stream.type, context.name if context is not None else "unknown codec"]
    if context is not None:
        parts.append(f"{context.width}×{context.height}" if stream.type == "video" else context.layout.name)
    if (language := stream.metadata.get("language", "und")) != "und":
        parts.append(language)
    if (title := stream.metadata.get("title")) is not None:
        parts.append(repr(title))
    marks = [mark.name for mark in Disposition if mark.name and mark in stream.disposition]
    return ", ".join([*parts, *(mark.replace("_", " ") for mark in marks if mark)])


def _with_several_pictures(name: str, indices: Sequence[int]) -> set[int]:
    """Which of the tracks have more than one picture; read until that is known of all."""
    counts = dict.fromkeys(indices, 0)
    with container_of(_path(name)) as container:
        for packet in packets(container, *(container.streams[index] for index in indices)):
            counts[packet.stream.index] += bool(packet.size)
            if min(counts.values()) > 1:
                break
    return {index for index, count in counts.items() if count > 1}


def _sounds(name: str, index: int) -> bool:
    """Whether anything is heard in a track; decoded up to there."""
    from av import AudioResampler
    from av.error import FFmpegError

    with container_of(_path(name)) as container:
        stream = container.streams[index]
        for packet in packets(container, stream):
            try:
                blocks = packet.decode()
            except FFmpegError:
                continue
            for block in blocks:
                # A resampler for each, since what it is made of may change.
                for piece in AudioResampler(format="flt").resample(block):
                    if np.abs(piece.to_ndarray()).max(initial=0.0) > _SILENCE:
                        return True
    return False


def packets(container: InputContainer, *streams: Any) -> Iterable[Any]:
    """Those of some tracks as they lie in the file, which ends where it is cut off."""
    from av.error import FFmpegError

    demuxed = container.demux(*streams)
    while True:
        try:
            yield next(demuxed)
        except (StopIteration, FFmpegError):
            return


def _path(name: str) -> str:
    return name.removeprefix("file:")
