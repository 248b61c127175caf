"""A media file, open: the tracks of it that are read, and what they hold in the order in which it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import MediaError
from .clock import Clock, jumps
from .files import container_of
from .tracks import packets, picture_track, sound_track, too_slow

if TYPE_CHECKING:
    from av.container import InputContainer

# Frame rate where nothing tells one: FFmpeg's for raw streams.
_USUAL_FPS = 25.0
# Frames closer than this have no times of their own.
_LEAST_STEP_S = 1e-4
# What marks a JPEG as one picture in several images: a map of its highlights, its other eye.
_MULTI_PICTURE = b"MPF\0"


@dataclass(frozen=True, eq=False)
class Recording:
    """An open file.

    Attributes:
        video, audio: the tracks that are read; `None` where there is none.
        still: it is one picture.
        clock: which all packets go through in the order of the file.
    """

    path: Path
    container: InputContainer
    video: Any | None
    audio: Any | None
    still: bool
    clock: Clock

    @property
    def fps(self) -> float:
        """The mean rate of its pictures, as the container or else the codec tells it."""
        assert self.video is not None
        # A raw stream's container knows nothing, and guesses.
        rate = self.video.codec_context.framerate if jumps(self.container) else None
        return float(rate or self.video.average_rate or self.video.guessed_rate or _USUAL_FPS)

    def seek(self, time_s: float) -> None:
        """To the key frame before, where the file has times that can be sought."""
        if time_s > 0 and not self.still and not jumps(self.container):
            self.container.seek(round(((self.container.start_time or 0) / 1e6 + time_s) * 1e6))

    def packets(self) -> Iterator[tuple[Any, float | None]]:
        """Those of both tracks, with where they end on the clock, on which they are placed."""
        for packet in packets(self.container, *(s for s in (self.video, self.audio) if s is not None)):
            if packet.size:
                yield packet, self.clock.place(packet)
            else:
                yield packet, None

    def decoded(self, *streams: Any) -> Iterator[Any]:
        """The frames of some of the tracks, as they come; packets that cannot be decoded are passed over."""
        from av.error import FFmpegError

        for packet, _ in self.packets():
            if all(packet.stream.index != stream.index for stream in streams):
                continue
            try:
                yield from packet.decode()
            except FFmpegError:
                continue

    def pictures(self) -> Iterator[tuple[float, Any]]:
        """Decoded pictures with the seconds at which they are shown, each later than the one before."""
        if self.video is None:
            return
        self.video.thread_type = "AUTO"
        step_s, last_s = 1 / self.fps, None
        for picture in self.decoded(self.video):
            time_s = 0.0 if self.still or picture.time is None else picture.time
            if last_s is not None and time_s < last_s + _LEAST_STEP_S:
                time_s = last_s + step_s  # no time of its own
            last_s = time_s
            yield time_s, picture
            if self.still:
                return


@contextmanager
def recorded(path: str | Path, video_track: int | None = None, audio_track: int | None = None) -> Iterator[Recording]:
    """The file, open to be read from its start.

    Args:
        video_track, audio_track: numbers among the file's tracks, where a player's choice is not meant.

    Raises:
        MediaError: missing, empty, not a media file, or with nothing that can be decoded.
        SettingsError: no such track.
    """
    path = Path(path)
    with container_of(path) as container:
        format_name = container.format.name
        still = format_name == "image2" or (format_name.endswith("_pipe") and _is_single(path))
        video, audio = picture_track(container, video_track), sound_track(container, audio_track)
        if video is None and audio is None:
            if (rate := too_slow(container)) is not None:
                raise MediaError(f"{path} has {rate} samples of sound a second, too few for a voice: 2,000 at least")
            raise MediaError(f"{path} holds neither picture nor sound that can be decoded")
        yield Recording(path, container, video, audio, still, Clock(container))


def _is_single(path: Path) -> bool:
    """Whether pictures without a container are only one: several are a film, unless the first claims the others."""
    with container_of(path) as container:
        count = 0
        for packet in packets(container):
            count += bool(packet.size)
            if count > 1:
                break
    with path.open("rb") as file:
        return count < 2 or _MULTI_PICTURE in file.read(1 << 16)
