"""Which track, which channel, which clock: files of several tracks, odd mixes and clocks that jump."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from emoscribe.core.errors import MediaError, SettingsError
from emoscribe.extractors.media import SAMPLE_RATE, decode_sound, frames, probe
from emoscribe.extractors.media.settings import MediaSettings
from emoscribe.extractors.sources import FileSource

RATE = 48_000


def tone(seconds: float, hz: float = 440.0, rate: int = RATE) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def write(
    path: Path,
    *tracks: int | np.ndarray | str,
    default: tuple[int, ...] = (),
    shift_s: float = 0.0,
    fps: int = 25,
    **how,
) -> Path:
    """A file of tracks: a level of grey for a second of film or for a single picture (as `"200"`), samples for a sound.

    Sounds are (N,) or (channels, N) float.
    """
    with av.open(str(path), "w", **how) as container:
        streams = []
        for number, track in enumerate(tracks):
            if isinstance(track, np.ndarray):
                layout = "mono" if track.ndim == 1 else {2: "stereo", 6: "5.1"}[len(track)]
                stream = container.add_stream("aac" if path.suffix != ".wav" else "pcm_s16le", rate=RATE, layout=layout)
            else:
                stream = container.add_stream("mpeg4", rate=fps)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.disposition = Disposition.default if number in default else Disposition(0)
            streams.append(stream)
        packets = []
        for stream, track in zip(streams, tracks, strict=True):
            for frame in _sounds(track, shift_s) if isinstance(track, np.ndarray) else _pictures(track, fps, shift_s):
                packets += stream.encode(frame)
            packets += stream.encode(None)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def _pictures(track: int | str, fps: int, shift_s: float):
    for number in range(1 if isinstance(track, str) else fps):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), int(track), np.uint8), format="rgb24")
        frame.pts, frame.time_base = number + round(shift_s * fps), Fraction(1, fps)
        yield frame


def _sounds(track: np.ndarray, shift_s: float):
    samples = np.atleast_2d(track)
    for first in range(0, samples.shape[1], 1024):
        layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
        part = np.ascontiguousarray(samples[:, first : first + 1024])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), first + round(shift_s * RATE)
        yield frame


def heard(path: Path, track: int | None = None) -> np.ndarray:
    sound = decode_sound(path, track=track)
    return sound.read(0.0, sound.duration_s)


def loudness(samples: np.ndarray, hz: float) -> float:
    """Amplitude of a tone in the middle of samples at 16 kHz."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    turn = np.exp(-2j * np.pi * hz * np.arange(len(middle)) / SAMPLE_RATE)
    return 2 * abs(np.mean(middle * turn))


# ── which track ──────────────────────────────────────────────────────────────


def grey(path: Path, track: int | None = None) -> list[int]:
    return [round(float(frame.image.mean())) for frame in frames(path, track=track)]


def test_a_thumbnail_before_the_film_is_not_the_film(tmp_path: Path) -> None:
    film = write(tmp_path / "film.mp4", "200", 60, tone(1.0))
    media = probe(film)
    assert (media.video_track, media.audio_track, media.duration_s) == (1, 2, pytest.approx(1.0, abs=0.05))
    assert len(grey(film)) == 25 and np.abs(np.array(grey(film)) - 60).max() < 4
    assert np.abs(np.array(grey(film, track=0)) - 200).max() < 4


def test_the_default_camera_is_seen_and_another_can_be_asked_for(tmp_path: Path) -> None:
    film = write(tmp_path / "film.mkv", 0, 60, default=(1,))
    assert probe(film).video_track == 1 and round(np.mean(grey(film))) in range(56, 64)
    first = write(tmp_path / "first.mkv", 30, 60)
    assert probe(first).video_track == 0
    asked = FileSource(film, tracks=MediaSettings(video_track=0))
    assert asked.media.video_track == 0
    assert max(float(frame.image.mean()) for frame in asked.frames(None)) < 4
    with pytest.raises(SettingsError, match=r"media.video_track: 7 is none of .*film.mkv, which has 0: video, mpeg4"):
        FileSource(film, tracks=MediaSettings(video_track=7))


def test_a_silent_default_leaves_its_place_to_what_is_spoken(tmp_path: Path) -> None:
    """Screen recorders write the microphone that is off first."""
    film = write(tmp_path / "film.mkv", 60, silence(1.0), tone(1.0, 300.0), default=(0, 1))
    assert probe(film).audio_track == 2
    assert loudness(heard(film), 300.0) > 0.3
    assert np.abs(heard(film, track=1)).max() < 1e-3
    both = write(tmp_path / "both.mkv", tone(1.0, 300.0), tone(1.0, 500.0), default=(1,))
    assert probe(both).audio_track == 1
    nothing = write(tmp_path / "nothing.mkv", silence(0.5), silence(0.5), default=(1,))
    assert probe(nothing).audio_track == 1


def test_the_cover_of_a_song_is_not_seen(tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    with av.open(str(song), "w") as container:
        sound = container.add_stream("libmp3lame", rate=RATE, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        (picture,) = _pictures("200", 1, 0.0)
        container.mux(cover.encode(picture.reformat(format="yuvj420p")))
        for block in _sounds(tone(0.5), 0.0):
            container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    media = probe(song)
    assert not media.has_video and media.has_audio and len(media.tracks) == 2


# ── several channels ─────────────────────────────────────────────────────────


def test_channels_that_are_opposite_do_not_cancel(tmp_path: Path) -> None:
    """A microphone with one wire the wrong way round: the mean of the channels is silence."""
    voice = tone(2.0, 300.0)
    film = write(tmp_path / "film.mkv", np.stack([voice, -voice]))
    assert loudness(heard(film), 300.0) > 0.2


def test_nothing_vanishes_beside_what_is_opposite(tmp_path: Path) -> None:
    opposite, alike, alone = tone(2.0, 300.0), 0.3 * tone(2.0, 500.0), 0.3 * tone(2.0, 700.0)
    mixed = heard(write(tmp_path / "film.mkv", np.stack([opposite + alike, alike - opposite + alone])))
    assert loudness(mixed, 300.0) > 0.2
    assert loudness(mixed, 500.0) > 0.1
    assert loudness(mixed, 700.0) > 0.03


def test_one_voice_a_channel_is_kept(tmp_path: Path) -> None:
    mixed = heard(write(tmp_path / "film.mkv", np.stack([tone(2.0, 300.0), tone(2.0, 500.0)])))
    assert loudness(mixed, 300.0) == pytest.approx(0.25, abs=0.02)
    assert loudness(mixed, 500.0) == pytest.approx(0.25, abs=0.02)
    voice = tone(2.0, 300.0)
    alone = heard(write(tmp_path / "alone.mkv", np.stack([0 * voice, voice])))
    assert loudness(alone, 300.0) == pytest.approx(0.25, abs=0.02)


def test_usual_stereo_is_the_mean_as_ffmpeg_has_it(tmp_path: Path) -> None:
    both = np.stack([tone(1.0, 300.0), 0.5 * tone(1.0, 310.0)])
    path = write(tmp_path / "film.wav", both)
    resampler, parts = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE), []
    with av.open(str(path)) as container:
        for block in [*container.decode(audio=0), None]:
            parts += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(block)]
    truth = np.concatenate(parts) / 32768
    assert heard(path) == pytest.approx(truth, abs=1.3e-4)


def test_all_six_channels_of_a_film_but_the_effects_are_heard(tmp_path: Path) -> None:
    voices = np.stack([tone(2.0, 300.0 + 100 * number) for number in range(6)])
    mixed = heard(write(tmp_path / "film.mkv", voices))
    heard_hz = [hz for hz in range(300, 900, 100) if loudness(mixed, hz) > 0.03]
    assert len(heard_hz) == 5 and loudness(mixed, 500.0) == max(loudness(mixed, hz) for hz in heard_hz)


def test_a_sound_of_255_channels_is_heard(tmp_path: Path) -> None:
    channels, voice = 255, (tone(0.5, 300.0, SAMPLE_RATE) * 32767).astype("<i2")
    data = np.zeros((len(voice), channels), "<i2")
    data[:, 200] = voice
    path = tmp_path / "table.wav"
    header = b"WAVEfmt " + (16).to_bytes(4, "little") + (1).to_bytes(2, "little") + channels.to_bytes(2, "little")
    header += SAMPLE_RATE.to_bytes(4, "little") + (SAMPLE_RATE * channels * 2).to_bytes(4, "little")
    header += (channels * 2).to_bytes(2, "little") + (16).to_bytes(2, "little")
    body = header + b"data" + data.nbytes.to_bytes(4, "little") + data.tobytes()
    path.write_bytes(b"RIFF" + len(body).to_bytes(4, "little") + body)
    assert loudness(heard(path), 300.0) == pytest.approx(0.5 / 255**0.5, rel=0.1)


def test_a_sound_that_turns_from_one_channel_to_two_goes_on(tmp_path: Path) -> None:
    """MP3s joined by `cat`."""
    parts = []
    for name, samples in (("mono", tone(1.0, 300.0)), ("stereo", np.stack([tone(1.0, 500.0)] * 2))):
        path = tmp_path / f"{name}.mp3"
        with av.open(str(path), "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as container:
            stream = container.add_stream("libmp3lame", rate=RATE, layout=name)
            for block in _sounds(samples, 0.0):
                container.mux(stream.encode(block))
            container.mux(stream.encode(None))
        parts.append(path.read_bytes())
    joined = tmp_path / "joined.mp3"
    joined.write_bytes(b"".join(parts))
    samples = heard(joined)
    assert len(samples) / SAMPLE_RATE == pytest.approx(2.1, abs=0.15)
    assert loudness(samples[:SAMPLE_RATE], 300.0) > 0.3
    assert loudness(samples[-SAMPLE_RATE:], 500.0) > 0.3


# ── clocks ───────────────────────────────────────────────────────────────────


def in_step(path: Path, seconds: float) -> None:
    """Each second is dark with a low tone or light with a high one; the picture and the sound must agree."""
    media = probe(path)
    assert media.duration_s == pytest.approx(seconds, abs=0.15)
    source = FileSource(path)
    shown = list(source.frames(None))
    times_s = np.array([frame.time_s for frame in shown])
    assert len(shown) == pytest.approx(25 * seconds, abs=2) and np.all(np.diff(times_s) > 0)
    assert times_s[-1] < media.duration_s and source.sound().end_s <= media.duration_s + 1e-3
    for second in range(round(seconds)):
        light = np.mean([f.image.mean() for f in shown if second + 0.2 < f.time_s < second + 0.8]) > 128
        samples = source.sound().read(second + 0.2, second + 0.8)
        high = loudness(samples, 800.0) > loudness(samples, 300.0)
        assert light == high == bool(second % 2), f"second {second}"


def part(path: Path, light: bool, shift_s: float) -> Path:
    return write(path, 200 if light else 30, tone(1.0, 800.0 if light else 300.0), shift_s=shift_s)


@pytest.mark.parametrize("starts_s", [(0, 0, 0), (0, 5400, 3), (7200, 1, 86_000)], ids=["restarts", "leaps", "both"])
def test_transport_streams_joined_by_cat(tmp_path: Path, starts_s: tuple[int, ...]) -> None:
    parts = [part(tmp_path / f"{i}.ts", bool(i % 2), start_s) for i, start_s in enumerate(starts_s)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(one.read_bytes() for one in parts))
    in_step(joined, len(parts))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".ts"])
def test_other_containers_are_in_step_too(tmp_path: Path, suffix: str) -> None:
    in_step(part(tmp_path / f"one{suffix}", False, 0.0), 1)


def test_a_gap_of_days_in_a_small_file_is_none(tmp_path: Path) -> None:
    """Silence of 10⁶ s was spooled until the disk was full."""
    path = tmp_path / "gap.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number, shift_s in enumerate((0.0, 1e6)):
            for block in _sounds(tone(1.0, 300.0 + 500 * number), shift_s):
                block = av.AudioResampler(format="s16").resample(block)[0]
                container.mux(stream.encode(block))
    assert probe(path).duration_s == pytest.approx(2.0, abs=0.1)
    samples = heard(path)
    assert len(samples) / SAMPLE_RATE == pytest.approx(2.0, abs=0.1)
    assert loudness(samples[-SAMPLE_RATE:], 800.0) > 0.3


def test_an_edit_list_is_followed(tmp_path: Path) -> None:
    """The sound of a phone's clip begins later than its picture, which the container alone tells."""
    path = tmp_path / "late.mp4"
    with av.open(str(path), "w") as container:
        film, sound = container.add_stream("mpeg4", rate=25), container.add_stream("aac", rate=RATE, layout="mono")
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        for picture in _pictures(100, 25, 0.0):
            container.mux(film.encode(picture))
        for block in _sounds(tone(0.3), 0.6):
            container.mux(sound.encode(block))
        container.mux(film.encode(None))
        container.mux(sound.encode(None))
    samples = heard(path)
    assert np.argmax(np.abs(samples) > 0.1) / SAMPLE_RATE == pytest.approx(0.6, abs=0.05)


def test_a_stream_without_timestamps_runs_at_its_own_rate(tmp_path: Path) -> None:
    raw = tmp_path / "raw.h264"
    with av.open(str(raw), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=10, options={"bf": "3"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 12 * number, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    media = probe(raw)
    assert (media.duration_s, media.fps) == (pytest.approx(2.0), 10.0)
    seen = list(frames(raw))
    assert [frame.time_s for frame in seen] == pytest.approx(np.arange(20) / 10)
    assert np.all(np.diff([frame.image.mean() for frame in seen]) > 6)


# ── paths, and what never ends ───────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["04.23:50.mkv", "part:one.mkv", "concat:a.mkv", "-x.mkv", "100%d.mkv", "a|b*?[1].mkv"]
)
def test_a_path_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "plain.mkv", 60, tone(0.5))
    os.rename("plain.mkv", name)
    assert probe(name).has_video and len(list(frames(name))) == 25
    assert len(heard(Path(name))) > 0.4 * SAMPLE_RATE


def test_a_percent_sign_is_no_series_of_pictures(tmp_path: Path) -> None:
    from PIL import Image

    for name, level in (("face%d.png", 200), ("face1.png", 20), ("face2.png", 40)):
        Image.new("RGB", (32, 32), (level,) * 3).save(tmp_path / name)
    (shown,) = frames(tmp_path / "face%d.png")
    assert shown.image.mean() == pytest.approx(200, abs=2)


def test_a_pipe_is_refused_since_it_may_never_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match=r"pipe.mp4 is a pipe or a device, which may never end; save"):
        probe(tmp_path / "pipe.mp4")


def test_a_sound_of_one_sample_a_second_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slow.wav"
    header = b"WAVEfmt " + (16).to_bytes(4, "little") + b"\1\0\1\0" + (1).to_bytes(4, "little")
    header += (2).to_bytes(4, "little") + b"\2\0\x10\0" + b"data" + (64_000).to_bytes(4, "little") + bytes(64_000)
    path.write_bytes(b"RIFF" + len(header).to_bytes(4, "little") + header)
    with pytest.raises(MediaError, match=r"slow.wav has 1 samples of sound a second, too few for a voice"):
        probe(path)
