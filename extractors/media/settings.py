"""What of a file is read."""

from __future__ import annotations

from pydantic import Field

from ...core.settings import Settings


class MediaSettings(Settings):
    """Which of a file's tracks are seen and heard."""

    video_track: int | None = Field(default=None, ge=0)
    """Number of the picture track among the file's tracks, from 0; null for what a player shows."""
    audio_track: int | None = Field(default=None, ge=0)
    """Number of the sound track among the file's tracks, from 0; null for what a player plays, or else what sounds."""
