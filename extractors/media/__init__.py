"""Decoding: what a file holds, what it shows, what it sounds like.

PyAV brings its own FFmpeg, so no system binary is needed.  Frames stream and
sound is spooled to disk: memory does not grow with the length of the video.
A sound file or a still picture is a video that lacks a stream or has a single
frame; damaged stretches are skipped.

`recording` opens a file, `tracks` chooses what of it is read, `clock` says
when, `display` makes of a picture what a player shows, and `downmix` makes of
several channels one in which everybody is heard.
"""

from __future__ import annotations

from .files import sha256_of
from .frames import Frame, frames, frames_of
from .probing import probe
from .sound import SAMPLE_RATE, Sound, decode_sound, sound, span

__all__ = [
    "SAMPLE_RATE",
    "Frame",
    "Sound",
    "decode_sound",
    "frames",
    "frames_of",
    "probe",
    "sha256_of",
    "sound",
    "span",
]
