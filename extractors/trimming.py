"""Cutting a stretch out of a video at exact times, which takes decoding and encoding it anew."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import MediaError
from ..core.files import atomic_path
from .media.display import Display
from .media.files import url_of
from .media.recording import Recording, recorded

# Fine enough for every frame rate, and MPEG's own.
_TICKS_PER_S = 90_000

# Looks like the original: face measurements must not see the encoder.
_QUALITY = {"crf": "16", "preset": "fast"}

# Decoding starts this much earlier: the first packets after a jump decode badly.
_RUN_IN_S = 1.0

# Timestamps of sound are off by less than this from rounding alone.
_JITTER_S = 0.05

# What AAC knows, ISO/IEC 14496-3 table 1.18.
_AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)


def cut(source: Path, start_s: float, end_s: float, target: Path) -> None:
    """Write what `source` shows and sounds from `start_s` up to `end_s` as an MP4.

    A frame belongs to the stretch in which it appears, and keeps its distance
    from the start; a stretch too short for any gets the frame that stands
    during it.  Sound is cut to the sample.  The target appears whole or not
    at all.

    Raises:
        MediaError: the source cannot be decoded, or ends before the stretch.
        EmoscribeError: the target cannot be written.
    """
    import av
    from av.error import FFmpegError

    with recorded(source) as original, atomic_path(target) as partial:
        try:
            with av.open(url_of(partial), "w", format="mp4") as clip:
                written = _write(original, clip, start_s, end_s)
        except FFmpegError as error:  # in writing: reading passes over what is damaged
            raise OSError(error.errno, error.strerror) from None
        if not written:
            raise MediaError(
                f"{source} shows nothing from {start_s:.3f} s to {end_s:.3f} s; is it the annotated video?"
            )


def frame_times_s(video: str | Path) -> np.ndarray:
    """(F,) seconds at which each frame of a video is shown, F as decoded.

    Raises:
        MediaError: it cannot be decoded, or has no picture.
    """
    with recorded(video) as recording:
        if recording.video is None:
            raise MediaError(f"{video} has no picture")
        return np.array([max(time_s, 0.0) for time_s, _ in recording.pictures()])


def _write(original: Recording, clip: Any, start_s: float, end_s: float) -> bool:
    """Whether there was anything to write."""
    import av

    # Both streams have to be there before anything is written.
    picture = _Picture(original, clip, end_s - start_s) if original.video is not None else None
    sound = _Sound(original, clip, end_s - start_s) if original.audio is not None else None
    tracks = [track for track in (picture, sound) if track is not None]
    original.seek(start_s - _RUN_IN_S)
    for frame in original.decoded(*(track.source for track in tracks)):
        track = picture if picture is not None and isinstance(frame, av.VideoFrame) else sound
        if track is not None and frame.time is not None and not track.done:
            track.take(frame, frame.time - start_s)
        if all(track.done for track in tracks):
            break
    return any([track.finish() for track in tracks])


class _Picture:
    """The pictures of a clip as they are shown, at the times they had."""

    def __init__(self, original: Recording, clip: Any, length_s: float) -> None:
        self.source: Any = original.video
        self.source.thread_type = "AUTO"
        with recorded(original.path, self.source.index) as again:
            first = next((picture for _, picture in again.pictures()), None)
            if first is None:
                raise MediaError(f"{original.path} has no picture that can be decoded")
            # Cameras store pictures lying and say so; the clip stores them upright.
            width, height = Display(again.video).size_of(first)
        self._display = Display(self.source, size=(width, height))
        self._track = clip.add_stream("libx264", rate=self.source.average_rate or 25, options=_QUALITY)
        # The colours of H.264 come for two by two pixels.
        self._track.width, self._track.height, self._track.pix_fmt = width // 2 * 2, height // 2 * 2, "yuv420p"
        self._track.time_base = self._track.codec_context.time_base = Fraction(1, _TICKS_PER_S)
        self._clip, self._length_s = clip, length_s
        self._standing: Any = None
        self._written = 0
        self.done = False

    def take(self, frame: Any, time_s: float) -> None:
        """`time_s` counts from the start of the clip."""
        if time_s >= self._length_s:
            self.done = True
        elif time_s < 0:
            self._standing = frame
        else:
            self._put(frame, time_s)

    def finish(self) -> bool:
        """Whether there were any."""
        if not self._written and self._standing is not None and self.done:
            self._put(self._standing, 0.0)
        self._clip.mux(self._track.encode())
        return self._written > 0

    def _put(self, frame: Any, time_s: float) -> None:
        import av

        if not self._display.is_plain(frame):
            frame = av.VideoFrame.from_ndarray(self._display.shown(frame), format="rgb24")
        frame = frame.reformat(width=self._track.width, height=self._track.height, format="yuv420p")
        frame.pts, frame.time_base = round(time_s * _TICKS_PER_S), Fraction(1, _TICKS_PER_S)
        frame.pict_type = 0  # where key frames go is the new encoder's choice
        self._clip.mux(self._track.encode(frame))
        self._written += 1


class _Sound:
    """The sound of a clip, to the sample."""

    def __init__(self, original: Recording, clip: Any, length_s: float) -> None:
        import av

        self.source: Any = original.audio
        self._rate = self.source.rate
        self._layout = "mono" if self.source.channels == 1 else "stereo"
        self._planes = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        self._track = clip.add_stream(
            "aac", rate=self._rate if self._rate in _AAC_RATES else 48_000, layout=self._layout, bit_rate=192_000
        )
        self._clip, self._samples = clip, round(length_s * self._rate)
        self._written = 0
        self.done = False

    def take(self, block: Any, time_s: float) -> None:
        """`time_s` counts from the start of the clip."""
        first = round(time_s * self._rate)
        if first >= self._samples:
            self.done = True
            return
        planes = np.concatenate([part.to_ndarray() for part in self._planes.resample(block)], axis=1)
        if first + planes.shape[1] <= 0:
            return
        gap = first - self._written
        # Where sound starts late or pauses; less than this is rounding.
        if gap > 0 and (not self._written or gap > _JITTER_S * self._rate):
            self._put(np.zeros((len(planes), gap), dtype=np.float32))
        self._put(planes[:, max(0, -first) : max(0, -first) + self._samples - self._written])

    def finish(self) -> bool:
        """Whether there was any."""
        self._clip.mux(self._track.encode())
        return self._written > 0

    def _put(self, planes: np.ndarray) -> None:
        import av

        if planes.shape[1]:
            block = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), format="fltp", layout=self._layout)
            block.sample_rate, block.time_base, block.pts = self._rate, Fraction(1, self._rate), self._written
            self._clip.mux(self._track.encode(block))
            self._written += planes.shape[1]
