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
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..core.errors import MediaError
from ..core.timeline import Media
from .sampling import SamplingGrid

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


def probe(path: str | Path, sha256: str | None = None) -> Media:
    """What the file is; of its pictures only the first is decoded.

    The duration is that of the packets that are there, so a cut-off file is
    as long as what is left of it.

    Args:
        sha256: of its content, where that is known.

    Raises:
        MediaError: missing, empty, not a media file, or without any picture
            or sound that can be decoded.
    """
    path = Path(path)
    with _open(path) as container:
        video, audio = _video_stream(container), _audio_stream(container)
        if video is None and audio is None:
            raise MediaError(f"{path} holds neither picture nor sound that can be decoded")
        width = height = fps = None
        end_s = 0.0
        still = video is not None and _is_still(container)
        if not still:
            end_s = _end_s(container, [s for s in (video, audio) if s is not None], _origin_s(container))
            if end_s <= 0.0:
                raise MediaError(f"{path} holds no decodable data: it is empty or cut off")
        if video is not None:
            if not still:
                container.seek(0)
            width, height = _upright_size(container, video)
            fps = None if still or not video.average_rate else float(video.average_rate)
    return Media(
        path=str(path),
        duration_s=end_s,
        sha256=sha256 or sha256_of(path),
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


def frames(
    path: str | Path, sampling_fps: float | None = None, start_s: float = 0.0, end_s: float = np.inf
) -> Iterator[Frame]:
    """The frames of a video, with the times at which they are shown.

    Args:
        sampling_fps: at most so many frames a second; `None` for all.
        start_s, end_s: only those shown from the one and before the other.

    Yields nothing for a file without a picture.

    Raises:
        MediaError: as for `probe`.
    """
    grid = SamplingGrid(sampling_fps)
    with _open(Path(path)) as container:
        stream = _video_stream(container)
        if stream is None:
            return
        stream.thread_type = "AUTO"
        origin = _origin_s(container)
        still = _is_still(container)
        rate = float(stream.average_rate or 25)
        if start_s > 0 and not still:
            # To the key frame before it.
            container.seek(round((origin + start_s) * 1e6))
        for index, picture in enumerate(decoded(container, stream)):
            time_s = 0.0 if still else (index / rate if picture.time is None else picture.time - origin)
            if time_s >= end_s:
                return
            if time_s < start_s or not grid.takes(time_s):
                continue
            yield Frame(max(time_s, 0.0), _upright(picture))
            if still:
                return


class Sound:
    """The sound of a file: mono, 16 kHz, on disk, read by the stretch.

    Safe to read from several threads.

    Attributes:
        start_s: where it begins, which is later than 0 for a stretch of a file.
        growing: whether more of it is to come.
    """

    growing = False

    def __init__(self, spool: BinaryIO, samples: int, start_s: float = 0.0) -> None:
        self._spool = spool
        self._lock = threading.Lock()
        self._samples = samples
        self.start_s = start_s

    @property
    def duration_s(self) -> float:
        return self._samples / SAMPLE_RATE

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s

    def read(self, start_s: float, end_s: float) -> np.ndarray:
        """Samples from `start_s` to `end_s`: (N,) float32 in −1–1.

        What lies outside the sound is left out, not padded.
        """
        first, last = span(start_s - self.start_s, end_s - self.start_s, self._samples)
        with self._lock:
            self._spool.seek(first * BYTES_PER_SAMPLE)
            raw = self._spool.read((last - first) * BYTES_PER_SAMPLE)
        return np.frombuffer(raw, dtype="<i2").astype(np.float32) / 32768.0

    def blocks(self, block_s: float) -> Iterator[tuple[float, np.ndarray]]:
        """The whole sound in turn: (start in seconds, samples (N,) float32)."""
        step = max(1, round(block_s * SAMPLE_RATE))
        for first in range(0, self._samples, step):
            start_s = self.start_s + first / SAMPLE_RATE
            yield start_s, self.read(start_s, start_s + step / SAMPLE_RATE)

    def close(self) -> None:
        self._spool.close()


def span(start_s: float, end_s: float, samples: int) -> tuple[int, int]:
    """The first and the one after the last of so many samples that lie between two times."""
    first = min(max(round(start_s * SAMPLE_RATE), 0), samples)
    return first, min(max(round(end_s * SAMPLE_RATE), first), samples)


@contextmanager
def sound(path: str | Path) -> Iterator[Sound]:
    """The sound of a file, as `decode_sound` gives it, until the block ends."""
    with closing(decode_sound(path)) as decoded_sound:
        yield decoded_sound


def decode_sound(path: str | Path, start_s: float = 0.0, end_s: float = np.inf) -> Sound:
    """The sound of a file or of a stretch of it, decoded once; of length 0 where there is none.

    Samples lie where their timestamps put them: a late start and gaps are
    silence, so that times agree with those of the frames.  Decoded as 16-bit
    integers because resampling to floats clips stereo differently from what
    speech recognisers were trained on.

    Raises:
        MediaError: as for `probe`.
    """
    spool: Any = tempfile.TemporaryFile(prefix="emoscribe-")  # noqa: SIM115 - the sound closes it
    try:
        with _open(Path(path)) as container:
            samples = _spool_audio(container, spool, end_s)
    except BaseException:
        spool.close()
        raise
    whole = Sound(spool, samples)
    if start_s <= 0.0:
        return whole
    with closing(whole):
        return _part_of(whole, start_s)


def _part_of(whole: Sound, start_s: float) -> Sound:
    """What comes after the start of a stretch, by itself."""
    spool: Any = tempfile.TemporaryFile(prefix="emoscribe-")  # noqa: SIM115 - the sound closes it
    samples = 0
    for at_s in np.arange(start_s, whole.end_s, 60.0):
        piece = whole.read(at_s, min(at_s + 60.0, whole.end_s))
        spool.write((piece * 32768.0).astype("<i2").tobytes())
        samples += len(piece)
    return Sound(spool, samples, start_s)


def _spool_audio(container: InputContainer, spool: Any, end_s: float) -> int:
    """Write the audio stream up to `end_s` to `spool`; the number of samples written."""
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
        if start_s >= end_s:
            break
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
    return span(0.0, end_s, written)[1] if np.isfinite(end_s) else written


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


def _upright_size(container: InputContainer, stream: Any) -> tuple[int | None, int | None]:
    picture = next(decoded(container, stream), None)
    if picture is None:
        return None, None
    turned = round((picture.rotation or 0) / 90) % 2
    return (picture.height, picture.width) if turned else (picture.width, picture.height)


def _upright(picture: Any) -> np.ndarray:
    """(H, W, 3) uint8 RGB, the camera's rotation undone."""
    image = picture.to_ndarray(format="rgb24")
    quarter_turns = round((picture.rotation or 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image
