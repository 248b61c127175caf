"""The sound of a file: decoded once, mixed to one channel, on disk."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...core.files import writing_temporary
from .downmix import Downmix
from .recording import Recording, recorded

# What speech recognition and voice measures expect; mono.
SAMPLE_RATE = 16_000
BYTES_PER_SAMPLE = 2

# A jump in audio timestamps below this is jitter of the container, not a gap.
AUDIO_GAP_S = 0.05


class Sound:
    """The sound of a file: mono, 16 kHz, on disk, read by the stretch.

    Safe to read from several threads.

    Attributes:
        start_s: where it begins, which is later than 0 for a stretch of a file.
        growing: whether more of it is to come.
    """

    growing = False

    def __init__(self, spool: BinaryIO | _Spool, samples: int, start_s: float = 0.0) -> None:
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


def decode_sound(path: str | Path, start_s: float = 0.0, end_s: float = np.inf, *, track: int | None = None) -> Sound:
    """The sound of a file or of a stretch of it, decoded once; of length 0 where there is none.

    Samples lie where their timestamps put them: a late start and gaps are
    silence, so that times agree with those of the frames.  Decoded as 16-bit
    integers, as what speech recognisers were trained on.

    Args:
        track: which, if not that which a player would play.

    Raises:
        MediaError: as for `probe`.
        SettingsError: no such track.
    """
    spool = _Spool()
    try:
        with recorded(path, audio_track=track) as recording:
            samples = _spooled(recording, spool, end_s)
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
    spool = _Spool()
    samples = 0
    for at_s in np.arange(start_s, whole.end_s, 60.0):
        piece = whole.read(at_s, min(at_s + 60.0, whole.end_s))
        spool.write((piece * 32768.0).astype("<i2").tobytes())
        samples += len(piece)
    return Sound(spool, samples, start_s)


def _spooled(recording: Recording, spool: Any, end_s: float) -> int:
    """Write the sound up to `end_s` to `spool`; the number of samples written."""
    if recording.audio is None:
        return 0
    recording.audio.thread_type = "AUTO"
    writer = _Writer(spool)
    for block in recording.decoded(recording.audio):
        start_s = writer.expected_s if block.time is None else block.time
        if start_s >= end_s:
            break
        writer.put(block, start_s)
    writer.flush()
    # Silence at the end is a hole in the file until its length is set.
    spool.truncate(writer.samples * BYTES_PER_SAMPLE)
    return span(0.0, end_s, writer.samples)[1] if np.isfinite(end_s) else writer.samples


class _Spool:
    """A file for what passes; that there is no room for it is told as that."""

    def __init__(self) -> None:
        with writing_temporary():
            self._file = tempfile.TemporaryFile(prefix="emoscribe-")  # noqa: SIM115 - the sound closes it

    def write(self, data: bytes) -> None:
        with writing_temporary():
            self._file.write(data)

    def seek(self, at: int, whence: int = 0) -> None:
        with writing_temporary():  # what was not yet written is
            self._file.seek(at, whence)

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def truncate(self, size: int) -> None:
        with writing_temporary():
            self._file.truncate(size)
            self._file.flush()

    def close(self) -> None:
        with suppress(OSError):  # what cannot be written any more is not wanted any more
            self._file.close()


class _Writer:
    """Writes blocks of whatever form where their times put them.

    Attributes:
        samples: so many are written.
        expected_s: where the next block is, unless it says otherwise.
    """

    def __init__(self, spool: Any) -> None:
        self._spool = spool
        self.samples, self.expected_s = 0, 0.0
        self._form: tuple[Any, ...] | None = None
        self._downmix: Downmix | None = None
        self._resampler: Any = None

    def put(self, block: Any, start_s: float) -> None:
        length_s = block.samples / block.sample_rate
        if start_s + length_s <= 0:
            return  # the encoder's run-in, before the video starts
        if start_s + length_s <= self.expected_s - AUDIO_GAP_S:
            return  # told before: where clocks are joined, what lies there twice is heard once
        form = (block.format.name, block.layout.name, block.sample_rate)
        if start_s - self.expected_s > AUDIO_GAP_S:
            self.flush()
            silence = max(round(start_s * SAMPLE_RATE) - self.samples, 0)
            self._spool.seek(silence * BYTES_PER_SAMPLE, 1)  # takes no room on disk: it can be an hour
            self.samples += silence
            self.expected_s = start_s
        elif form != self._form:
            self.flush()
        self._form = form
        self._mix(block)
        self.expected_s += length_s

    def _mix(self, block: Any) -> None:
        if block.layout.nb_channels > 1:
            if self._downmix is None:
                names = [channel.name for channel in block.layout.channels]
                self._downmix = Downmix(names, block.layout.nb_channels, block.sample_rate)
            self._resample_mono(self._downmix.mixed(_channels_of(block)), block.sample_rate)
        else:
            block.pts = None  # placed by us; the resampler would fill gaps its own way
            self._resample(block, block.sample_rate)

    def _resample_mono(self, samples: np.ndarray, rate: int) -> None:
        import av

        if len(samples):
            block = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            block.sample_rate = rate
            self._resample(block, rate)

    def _resample(self, block: Any, rate: int) -> None:
        from av import AudioResampler

        if self._resampler is None:
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        for piece in self._resampler.resample(block):
            samples = piece.to_ndarray().reshape(-1)
            self._spool.write(samples.astype("<i2").tobytes())
            self.samples += len(samples)

    def flush(self) -> None:
        """Write what is still on its way; the next block may have another form."""
        if self._form is None:
            return
        if self._downmix is not None:
            self._resample_mono(self._downmix.rest(), self._form[2])
            self._downmix = None
        if self._resampler is not None:
            self._resample(None, self._form[2])
            self._resampler = None


# Of FFmpeg's sample formats, what is added to a sample and by what it is divided to lie in −1–1.
_SCALES = {"u8": (-128.0, 128.0), "s16": (0.0, 2.0**15), "s32": (0.0, 2.0**31), "s64": (0.0, 2.0**63)}


def _channels_of(block: Any) -> np.ndarray:
    """(channels, N) float32 in −1–1."""
    samples = block.to_ndarray()
    if not block.format.is_planar:
        samples = samples.reshape(-1, block.layout.nb_channels).T
    if (form := block.format.name.removesuffix("p")) in _SCALES:
        shift, scale = _SCALES[form]
        samples = (samples + np.float32(shift)) / np.float32(scale)
    return samples.astype(np.float32, copy=False)
