"""The video itself with what was made of it: as subtitles that can be switched off, or drawn into the picture.

    packets of the picture ─┐
    packets of the sound   ─┼─ in order of time ─▶ MP4
    subtitles              ─┘

Picture and sound are copied as they are where MP4 can hold them, and encoded
anew where it cannot.  Each is read from the file by itself, a packet at a
time: but for the index of the file, memory does not grow with the video.
"""

from __future__ import annotations

import heapq
import math
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import partial
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import EmoscribeError, SettingsError
from ..core.timeline import LabelledTranscript
from ..extractors.media.frames import display_of
from ..extractors.media.recording import Recording, recorded
from .drawing import Drawing
from .subtitles import one_at_a_time

if TYPE_CHECKING:
    from av.container import OutputContainer

# Where a packet belongs, in seconds, and the packet.
_Timed = Iterator[tuple[float, Any]]

# x264: at 20 hardly a difference is seen; `fast` takes half as long again, for a file of the same size.
_ENCODER = {"crf": "20", "preset": "veryfast"}
_TICK = Fraction(1, 90_000)
# Packets that are closer could fall together in the ticks of an MP4 track.
_LEAST_STEP_S = Fraction(1, 2000)
# H.264 and H.265 hold no more pictures back.
_MOST_REORDERED = 16
_SOUND_RATE, _SOUND_BITS_PER_S = 48_000, 160_000

_SUBTITLE_TICK = Fraction(1, 1000)


def subtitled(transcript: LabelledTranscript, folder: Path) -> Callable[[Path], None]:
    """The video, or the sound, with a track of subtitles.

    Raises:
        SettingsError: it is a still picture.
    """
    _check_moves(transcript)
    return partial(_write, transcript, None)


def burnt(transcript: LabelledTranscript, folder: Path) -> Callable[[Path], None]:
    """The video with faces framed and captions drawn into the picture.

    Raises:
        SettingsError: it is a still picture, or has none.
    """
    _check_moves(transcript)
    if not transcript.media.has_video:
        raise SettingsError(f"{transcript.media.path} has no picture to draw into; leave the format video-burnt out")
    return partial(_write, transcript, Drawing(transcript))


def _check_moves(transcript: LabelledTranscript) -> None:
    if transcript.media.duration_s <= 0:
        raise SettingsError(
            f"{transcript.media.path} is a still picture, which makes no video; leave the formats of videos out"
        )


def _write(transcript: LabelledTranscript, drawing: Drawing | None, path: Path) -> None:
    """Write the MP4 file.

    Raises:
        MediaError: the video cannot be read.
        EmoscribeError: it cannot be written.
    """
    from av.error import FFmpegError, InvalidDataError

    video_track, audio_track = _tracks_of(transcript)
    source = transcript.media.path
    try:
        with (
            recorded(source, video_track, audio_track) as seen,
            recorded(source, video_track, audio_track) as heard,
            _mp4(path) as mp4,
        ):
            tracks = [_picture(seen, mp4, drawing)] if seen.video is not None else []
            tracks += [_sound(heard, mp4)] if heard.audio is not None else []
            tracks += [_subtitles(transcript, mp4)] if drawing is None else []
            for _, packet in heapq.merge(*tracks, key=itemgetter(0)):
                # What is damaged is left out, as players do.
                with suppress(InvalidDataError):
                    mp4.mux_one(packet)
    except FFmpegError as error:
        raise EmoscribeError(f"cannot write {source} anew as MP4: {(error.strerror or str(error)).lower()}") from error


def _tracks_of(transcript: LabelledTranscript) -> tuple[int | None, int | None]:
    """Numbers of picture and sound, where they are not those that a player would choose.

    A kept result tells those that were asked for, in its settings.
    """
    asked = (transcript.provenance.get("settings") or {}).get("media") or {}
    known = (transcript.media.video_track, transcript.media.audio_track)
    named = (asked.get("video_track"), asked.get("audio_track"))
    video, audio = (name if number is None else number for number, name in zip(known, named, strict=True))
    return video, audio


def _mp4(path: Path) -> OutputContainer:
    import av

    # The index in front, so that players and pages start before all is there.
    return av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})


# ── the tracks ───────────────────────────────────────────────────────────────


def _picture(recording: Recording, mp4: OutputContainer, drawing: Drawing | None) -> _Timed:
    if drawing is None and _is_copied(recording, recording.video, mp4):
        return _copied(recording, recording.video, mp4)
    return _drawn(recording, mp4, drawing)


def _sound(recording: Recording, mp4: OutputContainer) -> _Timed:
    if _is_copied(recording, recording.audio, mp4):
        return _copied(recording, recording.audio, mp4)
    return _encoded(recording, mp4)


def _is_copied(recording: Recording, track: Any, mp4: OutputContainer) -> bool:
    """Whether MP4 can hold a track as it is; of what has no times of its own it cannot."""
    from av.format import Flags

    timed = not recording.container.format.flags & Flags.no_timestamps.value
    return timed and track.codec_context.name in mp4.supported_codecs


def _copied(recording: Recording, track: Any, mp4: OutputContainer) -> _Timed:
    copy = mp4.add_stream_from_template(track, opaque=True)

    def packets() -> _Timed:
        mine = (packet for packet, _ in recording.packets() if packet.stream.index == track.index)
        earliest = None
        for packet in _decoded_when(mine):
            # Where files were joined, or are damaged, they overlap; MP4 wants them one after the other.
            packet.dts = packet.dts if earliest is None else max(packet.dts, earliest)
            packet.pts = max(packet.pts, packet.dts) if packet.pts is not None else packet.dts
            earliest = packet.dts + math.ceil(_LEAST_STEP_S / packet.time_base)
            time_s = float(packet.dts * packet.time_base)
            packet.stream = copy
            yield time_s, packet

    return packets()


def _decoded_when(packets: Iterable[Any]) -> Iterator[Any]:
    """Packets with the time at which they are decoded, which Matroska does not tell of the first: counted back."""
    waiting: list[Any] = []
    for packet in packets:
        if packet.pts is None and packet.dts is None:
            continue  # no picture of its own
        waiting.append(packet)
        if packet.dts is None and len(waiting) > _MOST_REORDERED:
            packet.dts = packet.pts
        if packet.dts is not None:
            for following, early in pairwise(reversed(waiting)):
                early.dts = following.dts - max(early.duration or 0, 1)
            yield from waiting
            waiting.clear()
    for packet in waiting:
        packet.dts = packet.pts
        yield packet


def _drawn(recording: Recording, mp4: OutputContainer, drawing: Drawing | None) -> _Timed:
    """The pictures as a player shows them, encoded as H.264 at their own times."""
    from av import VideoFrame

    display = display_of(recording)
    assert display is not None
    stream: Any = mp4.add_stream("libx264", rate=Fraction(recording.fps).limit_denominator(1001), options=_ENCODER)
    stream.pix_fmt, stream.codec_context.time_base = "yuv420p", _TICK

    def packets() -> _Timed:
        for time_s, picture in recording.pictures():
            image = display.shown(picture)
            if drawing is not None:
                drawing.draw(image, time_s)
            frame = VideoFrame.from_ndarray(_even(image), format="rgb24")
            if not stream.codec_context.is_open:
                stream.width, stream.height = frame.width, frame.height
            frame.pts, frame.time_base = round(time_s / _TICK), _TICK
            yield from _timed(stream.encode(frame))
        yield from _timed(stream.encode())

    return packets()


def _encoded(recording: Recording, mp4: OutputContainer) -> _Timed:
    """The sound as AAC, in one channel or two."""
    from av import AudioResampler

    track: Any = recording.audio
    layout = "mono" if track.codec_context.channels == 1 else "stereo"
    stream: Any = mp4.add_stream("aac", rate=_SOUND_RATE, layout=layout)
    stream.bit_rate = _SOUND_BITS_PER_S
    to_fit = AudioResampler(stream.format, stream.layout, stream.rate)

    def packets() -> _Timed:
        for block in recording.decoded(track):
            for piece in to_fit.resample(block):
                yield from _timed(stream.encode(piece))
        yield from _timed(stream.encode())

    return packets()


def _subtitles(transcript: LabelledTranscript, mp4: OutputContainer) -> _Timed:
    from av import Packet

    stream: Any = mp4.add_stream("mov_text")
    # Of an empty one FFmpeg makes white letters at the bottom; without any it refuses.
    stream.codec_context.subtitle_header = b""
    stream.time_base = _SUBTITLE_TICK

    def packets() -> _Timed:
        for start_ms, end_ms, words in one_at_a_time(transcript.segments):
            text = words.encode("utf-8", "replace")[: 2**16 - 1]
            # 3GPP TS 26.245, section 5.17: the length, and the text.
            packet = Packet(struct.pack(">H", len(text)) + text)
            packet.stream, packet.time_base = stream, _SUBTITLE_TICK
            packet.pts = packet.dts = start_ms
            packet.duration = end_ms - start_ms
            yield start_ms / 1000, packet

    return packets()


def _timed(packets: list[Any]) -> _Timed:
    for packet in packets:
        yield float(packet.dts * packet.time_base), packet


def _even(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) with even sides, as H.264 asks for: of an odd one the last row or column stands twice."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
