"""Decoding real files: times, rotation, missing streams, damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.errors import MediaError
from emoscribe.extractors.media import SAMPLE_RATE, frames, probe, sound


def tone(seconds: float, hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE)


def loud_from(path: Path) -> float:
    """The time at which the sound begins, in seconds."""
    with sound(path) as heard:
        samples = heard.read(0, heard.duration_s)
    return float(np.argmax(np.abs(samples) > 0.1)) / SAMPLE_RATE


def turn_clockwise(path: Path) -> Path:
    """Set the display matrix that a phone held upright writes: a quarter turn clockwise."""
    identity, quarter = (
        b"".join((value & 0xFFFFFFFF).to_bytes(4, "big") for value in matrix)
        for matrix in (
            (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000),
            (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000),
        )
    )
    data = bytearray(path.read_bytes())
    header = data.find(b"tkhd")
    at = data.find(identity, header)
    assert 0 < at - header < 64
    data[at : at + len(quarter)] = quarter
    path.write_bytes(data)
    return path


def test_variable_frame_rate_keeps_true_times(tmp_path: Path, make_media) -> None:
    times_s = np.array([0.0, 0.1, 0.15, 0.9, 1.0, 2.5, 2.6])
    path = make_media(tmp_path / "variable.mp4", frame_times_s=times_s)
    assert [f.time_s for f in frames(path)] == pytest.approx(times_s, abs=1e-3)
    # One frame for each second that has any: the first shown in it.
    assert [f.time_s for f in frames(path, sampling_fps=1)] == pytest.approx([0.0, 1.0, 2.5], abs=1e-3)


def test_sampling_does_not_drift(tmp_path: Path, make_media) -> None:
    path = make_media(tmp_path / "steady.mp4", frame_times_s=np.arange(300) / 29.97)
    sampled = [f.time_s for f in frames(path, sampling_fps=5)]
    assert len(sampled) == 50
    assert np.max(np.abs(sampled - np.arange(50) / 5)) < 1 / 29


def test_rotation_of_the_camera_is_undone(tmp_path: Path, make_media) -> None:
    path = make_media(tmp_path / "upright.mp4", frame_times_s=np.arange(3) / 30, size=(64, 48))
    turned = turn_clockwise(path)
    assert (probe(turned).width, probe(turned).height) == (48, 64)
    assert next(frames(turned)).image.shape == (64, 48, 3)


def test_a_clockwise_matrix_turns_the_picture_clockwise(tmp_path: Path) -> None:
    """What the camera saw at its left edge is shown at the top."""
    import av

    path = tmp_path / "left-is-white.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:, :16] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    image = next(frames(turn_clockwise(path))).image
    assert image[:8].mean() > 200 and image[-8:].mean() < 50


def test_late_sound_lies_where_it_is_heard(tmp_path: Path, make_media) -> None:
    path = make_media(tmp_path / "late.mp4", frame_times_s=np.arange(90) / 30, sound=tone(1.0), sound_start_s=1.5)
    assert loud_from(path) == pytest.approx(1.5, abs=0.05)


def test_sound_longer_than_the_picture(tmp_path: Path, make_media) -> None:
    path = make_media(tmp_path / "long.mp4", frame_times_s=np.arange(30) / 30, sound=tone(3.0))
    media = probe(path)
    assert media.duration_s == pytest.approx(3.0, abs=0.1)
    assert max(f.time_s for f in frames(path)) < 1.0
    with sound(path) as heard:
        assert heard.duration_s == pytest.approx(3.0, abs=0.1)
        assert len(heard.read(2.5, 99.0)) == pytest.approx(0.5 * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)


def test_missing_streams_are_values(tmp_path: Path, make_media) -> None:
    silent = make_media(tmp_path / "no sound – ünïcode.mp4", frame_times_s=np.arange(10) / 10)
    media = probe(silent)
    assert media.has_video and not media.has_audio
    with sound(silent) as heard:
        assert heard.duration_s == 0.0 and list(heard.blocks(1.0)) == []

    heard_only = make_media(tmp_path / "no picture.wav", sound=tone(0.2))
    media = probe(heard_only)
    assert not media.has_video and media.has_audio and media.width is None
    assert list(frames(heard_only)) == []
    assert media.duration_s == pytest.approx(0.2)


def test_a_still_is_one_frame(feat_media: Path) -> None:
    media = probe(feat_media / "multi_face.jpg")
    assert (media.duration_s, media.width, media.height, media.fps) == (0.0, 1000, 667, None)
    assert [f.time_s for f in frames(feat_media / "multi_face.jpg")] == [0.0]


def test_levels_match_the_samples(tmp_path: Path, make_media) -> None:
    path = make_media(tmp_path / "tone.wav", sound=tone(1.0))
    with sound(path) as heard:
        assert heard.read(0, 1) == pytest.approx(tone(1.0), abs=1e-4)
        assert np.concatenate([block for _, block in heard.blocks(0.3)]) == pytest.approx(tone(1.0), abs=1e-4)


def test_a_cut_off_file_is_as_long_as_what_is_left(tmp_path: Path, make_media) -> None:
    path = make_media(tmp_path / "whole.mkv", frame_times_s=np.arange(300) / 30, size=(320, 240))
    data = path.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 6 // 10])
    left = probe(cut)
    assert 3 < left.duration_s < 8
    assert 90 < len(list(frames(cut))) < 240


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.mp4", None, r"no file .*gone\.mp4"),
        ("empty.mp4", b"", r"empty\.mp4 is empty \(0 bytes\)"),
        ("text.mp4", b"dear diary\n" * 50, r"text\.mp4 cannot be decoded: .*not a video"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", r"list\.m3u8 .*"),
    ],
)
def test_what_is_not_media_is_said_in_a_line(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(MediaError, match=message) as error:
        probe(path)
    assert "\n" not in str(error.value)


def test_a_folder_is_not_a_video(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="is a folder"):
        probe(tmp_path)
