"""What a file is, in a record."""

from __future__ import annotations

from pathlib import Path

from ...core.errors import MediaError
from ...core.limits import check_duration
from ...core.timeline import Media
from .files import sha256_of
from .frames import display_of
from .recording import Recording, recorded
from .tracks import described

# FFmpeg decodes no larger picture: `av_image_check_size` in libavutil/imgutils.c.
_MAX_DECODED = 2**28


def probe(
    path: str | Path, sha256: str | None = None, *, video_track: int | None = None, audio_track: int | None = None
) -> Media:
    """What the file is; of its pictures only the first is decoded.

    The duration is that of the packets that are there, so a cut-off file is
    as long as what is left of it.

    Args:
        sha256: of its content, where that is known.
        video_track, audio_track: which of its tracks are meant, if not those that a player would choose.

    Raises:
        MediaError: missing, empty, not a media file, or without any picture
            or sound that can be decoded.
        SettingsError: no such track.
    """
    path = Path(path)
    with recorded(path, video_track, audio_track) as recording:
        size = _shown_size(recording)
        if size is None and recording.audio is None:
            if _is_too_large(recording):
                raise MediaError(f"{path} shows more pixels than can be decoded ({_MAX_DECODED:,}); scale it down")
            raise MediaError(f"{path} holds no picture that can be decoded: it is damaged or cut off")
        # Of a track, nothing can be asked once its file is closed.
        video_track = recording.video.index if recording.video is not None else None
        audio_track = recording.audio.index if recording.audio is not None else None
        tracks, still = described(recording.container.streams), recording.still
        fps = recording.fps if size is not None and not still else None
    end_s = 0.0
    if not still:
        with recorded(path, video_track, audio_track) as recording:
            end_s = _end_s(recording)
        if end_s <= 0.0:
            raise MediaError(f"{path} holds no decodable data: it is empty or cut off")
        check_duration(path, end_s)
    return Media(
        path=str(path),
        duration_s=end_s,
        sha256=sha256 or sha256_of(path),
        fps=fps,
        width=size and size[0],
        height=size and size[1],
        has_audio=audio_track is not None,
        video_track=video_track if size is not None else None,
        audio_track=audio_track,
        tracks=tracks,
    )


def _shown_size(recording: Recording) -> tuple[int, int] | None:
    """Width and height at which the pictures are shown; `None` where none can be decoded."""
    display = display_of(recording)
    if display is None:
        return None
    picture = next((picture for _, picture in recording.pictures()), None)
    return display.size_of(picture) if picture is not None else None


def _is_too_large(recording: Recording) -> bool:
    """Whether what cannot be decoded is a picture of too many pixels."""
    from PIL import Image, UnidentifiedImageError

    if recording.video is not None and not recording.still:
        return recording.video.codec_context.width * recording.video.codec_context.height > _MAX_DECODED
    try:
        with Image.open(recording.path) as image:
            return image.width * image.height > _MAX_DECODED
    except Image.DecompressionBombError:
        return True
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return False


def _end_s(recording: Recording) -> float:
    """Where the last of the packets ends; pictures without times follow each other at the rate of the track."""
    end_s, untimed = 0.0, 0
    for packet, ends_s in recording.packets():
        if ends_s is not None:
            end_s = max(end_s, ends_s)
        elif packet.size and recording.video is not None and packet.stream.index == recording.video.index:
            untimed += 1
    return max(end_s, untimed / recording.fps) if untimed else end_s
