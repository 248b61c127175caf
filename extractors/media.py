"""Decoding: what a file holds, its frames, its sound.

PyAV brings its own FFmpeg, so no system binary is needed.  Frames stream and
sound is spooled to disk: memory does not grow with the length of the video.
A sound file or a still picture is a video that lacks a stream or has a single
frame; damaged stretches are skipped.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..core.errors import MediaError
from ..core.timeline import Media

if TYPE_CHECKING:
    from av.container import InputContainer

# What speech recognition and voice measures expect; mono.
SAMPLE_RATE = 16_000
BYTES_PER_SAMPLE = 2

# A jump in audio timestamps below this is jitter of the container, not a gap.
AUDIO_GAP_S = 0.05

_STILL_FORMATS = ("_pipe", "image2")

# Text that FFmpeg would play: terminal art, and playlists that make it open
# other files and addresses.
_NOT_MEDIA = ("tty", "hls", "concat", "dash", "sdp")


@dataclass(frozen=True, eq=False)
class Frame:
    """A decoded picture: `image` is (H, W, 3) uint8 RGB, upright."""

    time_s: float
    image: np.ndarray


def probe(path: str | Path) -> Media:
    """What the file is, without decoding it.

    The duration is that of the packets that are there, so a cut-off file is
    as long as what is left of it.

    Raises:
        MediaError: missing, empty, not a media file, or without any picture
            or sound that can be decoded.
    """
    path = Path(path)
    with _open(path) as container:
        video, audio = _video_stream(container), _audio_stream(container)
        if video is None and audio is None:
            raise MediaError(f"{path} holds neither picture nor sound that can be decoded")
        origin = _origin_s(container)
        still = video is not None and _is_still(container)
        end_s = 0.0 if still else _end_s(container, [s for s in (video, audio) if s is not None], origin)
        width = height = fps = None
        if video is not None:
            width, height = _upright_size(path)
            fps = None if still or not video.average_rate else float(video.average_rate)
        if not still and end_s <= 0.0:
            raise MediaError(f"{path} holds no decodable data: it is empty or cut off")
    return Media(
        path=str(path),
        duration_s=end_s,
        sha256=sha256_of(path),
        fps=fps,
        width=width,
        height=height,
        has_audio=audio is not None,
    )


def sha256_of(path: str | Path) -> str:
    """The file's identity, whatever its name: the SHA-256 of its content.

    Raises:
        MediaError: missing, empty or unreadable.
    """
    path = Path(path)
    _check_readable(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frames(path: str | Path, sampling_fps: float | None = None) -> Iterator[Frame]:
    """The frames of a video, with the times at which they are shown.

    Args:
        sampling_fps: at most so many frames a second: the first one shown in
            each interval of that length.  `None` for all.

    Yields nothing for a file without a picture.

    Raises:
        MediaError: as for `probe`.
    """
    with _open(Path(path)) as container:
        stream = _video_stream(container)
        if stream is None:
            return
        stream.thread_type = "AUTO"
        origin = _origin_s(container)
        still = _is_still(container)
        rate = float(stream.average_rate or 25)
        next_s = -np.inf
        for index, picture in enumerate(decoded(container, stream)):
            time_s = 0.0 if still else (index / rate if picture.time is None else picture.time - origin)
            if sampling_fps is not None:
                if time_s < next_s:
                    continue
                # On the grid of ticks, so that sampling does not drift.
                next_s = (np.floor(time_s * sampling_fps + 1e-6) + 1) / sampling_fps - 1e-6
            yield Frame(max(time_s, 0.0), _upright(picture))
            if still:
                return


class Sound:
    """The sound of a file: mono, 16 kHz, on disk, read by the stretch.

    Safe to read from several threads.
    """

    def __init__(self, spool: BinaryIO, samples: int) -> None:
        self._spool = spool
        self._lock = threading.Lock()
        self._samples = samples

    @property
    def duration_s(self) -> float:
        return self._samples / SAMPLE_RATE

    def read(self, start_s: float, end_s: float) -> np.ndarray:
        """Samples from `start_s` to `end_s`: (N,) float32 in −1–1.

        What lies outside the sound is left out, not padded.
        """
        first = min(max(round(start_s * SAMPLE_RATE), 0), self._samples)
        last = min(max(round(end_s * SAMPLE_RATE), first), self._samples)
        with self._lock:
            self._spool.seek(first * BYTES_PER_SAMPLE)
            raw = self._spool.read((last - first) * BYTES_PER_SAMPLE)
        return np.frombuffer(raw, dtype="<i2").astype(np.float32) / 32768.0

    def blocks(self, block_s: float) -> Iterator[tuple[float, np.ndarray]]:
        """The whole sound in turn: (start in seconds, samples (N,) float32)."""
        step = max(1, round(block_s * SAMPLE_RATE))
        for first in range(0, self._samples, step):
            yield first / SAMPLE_RATE, self.read(first / SAMPLE_RATE, (first + step) / SAMPLE_RATE)


@contextmanager
def sound(path: str | Path) -> Iterator[Sound]:
    """The sound of a file, decoded once; of length 0 where there is none.

    Samples lie where their timestamps put them: a late start and gaps are
    silence, so that times agree with those of the frames.  Decoded as 16-bit
    integers because resampling to floats clips stereo differently from what
    speech recognisers were trained on.

    Raises:
        MediaError: as for `probe`.
    """
    with tempfile.TemporaryFile(prefix="emoscribe-") as spool:
        with _open(Path(path)) as container:
            samples = _spool_audio(container, spool)
        yield Sound(spool, samples)  # type: ignore[arg-type]


def _spool_audio(container: InputContainer, spool: Any) -> int:
    """Write the audio stream to `spool`; the number of samples written."""
    from av import AudioResampler

    stream = _audio_stream(container)
    if stream is None:
        return 0
    stream.thread_type = "AUTO"
    origin = _origin_s(container)
    limit_s = (container.duration or 0) / 1e6 + 1.0
    resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    written = 0
    expected_s = 0.0

    def write(resampled: list[Any], skip: int = 0) -> None:
        nonlocal written
        for block in resampled:
            samples = block.to_ndarray().reshape(-1)[skip:]
            spool.write(samples.astype("<i2").tobytes())
            written += len(samples)

    for block in decoded(container, stream):
        start_s = expected_s if block.time is None else block.time - origin
        block_s = block.samples / block.sample_rate
        if start_s + block_s <= 0:
            continue  # the encoder's run-in, before the video starts
        if start_s - expected_s > AUDIO_GAP_S and start_s < limit_s:
            write(resampler.resample(None))
            resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
            silence = round(start_s * SAMPLE_RATE) - written
            while silence > 0:  # in pieces: a late start can be an hour
                piece = min(silence, 60 * SAMPLE_RATE)
                spool.write(bytes(piece * BYTES_PER_SAMPLE))
                written, silence = written + piece, silence - piece
            expected_s = start_s
        block.pts = None  # placed by us; the resampler would fill gaps its own way
        write(resampler.resample(block))
        expected_s += block_s
    write(resampler.resample(None))
    spool.flush()
    return written


# ── PyAV, at the door ────────────────────────────────────────────────────────


def _check_readable(path: Path) -> None:
    if path.is_dir():
        raise MediaError(f"{path} is a folder; give the video files in it")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaError(f"{path} is empty (0 bytes)")
    except FileNotFoundError:
        raise MediaError(f"no file {path}") from None
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}") from None


@contextmanager
def _open(path: Path) -> Iterator[InputContainer]:
    import av
    from av.error import FFmpegError

    _check_readable(path)
    try:
        container = av.open(str(path), metadata_errors="replace", options={"protocol_whitelist": "file"})
    except (FFmpegError, OSError):
        raise MediaError(
            f"{path} cannot be decoded: it is damaged, cut off, or not a video, sound or picture file"
        ) from None
    with container:
        if container.format.name.startswith(_NOT_MEDIA):
            raise MediaError(f"{path} is not a video, sound or picture file but text ({container.format.name})")
        yield container


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


def _video_stream(container: InputContainer) -> Any | None:
    from av.stream import Disposition

    for stream in container.streams.video:
        # The cover of a song is not something that is seen over time.
        cover = bool(stream.disposition & Disposition.attached_pic)
        if stream.codec_context is not None and not cover:
            return stream
    return None


def _audio_stream(container: InputContainer) -> Any | None:
    for stream in container.streams.audio:
        if stream.codec_context is not None and stream.codec_context.sample_rate:
            return stream
    return None


def _is_still(container: InputContainer) -> bool:
    return container.format.name.endswith(_STILL_FORMATS)


def _origin_s(container: InputContainer) -> float:
    return (container.start_time or 0) / 1e6


def _end_s(container: InputContainer, streams: list[Any], origin: float) -> float:
    from av.error import FFmpegError

    end_s = 0.0
    try:
        for packet in container.demux(streams):
            if packet.pts is not None and packet.size and packet.time_base:
                end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base) - origin)
    except FFmpegError:
        pass  # cut off here: what came before counts
    return end_s


def _upright_size(path: Path) -> tuple[int | None, int | None]:
    for frame in frames(path):
        height, width = frame.image.shape[:2]
        return width, height
    return None, None


def _upright(picture: Any) -> np.ndarray:
    """(H, W, 3) uint8 RGB, the camera's rotation undone."""
    image = picture.to_ndarray(format="rgb24")
    quarter_turns = round((picture.rotation or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image
