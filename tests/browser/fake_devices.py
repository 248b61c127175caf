"""A camera and a microphone for Chromium, that play a recording."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av


def chromium_arguments(video: Path, folder: Path, seconds: float) -> list[str]:
    """What Chromium is started with, so that camera and microphone play a video's beginning, and nobody is asked."""
    pictures, sound = write_fake_camera(video, folder, seconds)
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={pictures}",
        f"--use-file-for-fake-audio-capture={sound}%noloop",
    ]


def write_fake_camera(video: Path, folder: Path, seconds: float) -> tuple[Path, Path]:
    """A video as the two files that Chromium's fake camera and microphone play: JPEGs in a row, and sound."""
    pictures, sound = folder / "camera.mjpeg", folder / "microphone.wav"
    with av.open(str(video)) as source, av.open(str(pictures), "w", format="mjpeg") as drawn:
        stream = drawn.add_stream("mjpeg", rate=15)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuvj420p"
        stream.options = {"qscale": "4"}
        count = 0
        for frame in source.decode(video=0):
            if frame.time >= seconds:
                break
            if frame.time >= count / 15:
                shown = frame.reformat(640, 360, "yuvj420p")
                shown.pts, shown.time_base = count, Fraction(1, 15)
                drawn.mux(stream.encode(shown))
                count += 1
        drawn.mux(stream.encode(None))
    with av.open(str(video)) as source, av.open(str(sound), "w", format="wav") as heard:
        stream = heard.add_stream("pcm_s16le", rate=48_000, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 48_000)
        for frame in source.decode(audio=0):
            if frame.time >= seconds:
                break
            for piece in resampler.resample(frame):
                heard.mux(stream.encode(piece))
    return pictures, sound
