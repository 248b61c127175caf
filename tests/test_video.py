"""The video itself with subtitles, or with faces framed and captions drawn into it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from emoscribe.core.errors import EmoscribeError, MediaError, SettingsError
from emoscribe.core.timeline import FaceTrack, LabelledTranscript, Moment, Segment
from emoscribe.extractors.media import frames, probe
from emoscribe.outputs import write_outputs
from emoscribe.outputs.lettering import lettered
from emoscribe.outputs.subtitles import one_at_a_time
from emoscribe.outputs.tracks import face_tracks

# What is said when; the second overlaps the third.
SAID = ((0.2, 0.6, "Größe"), (0.8, 1.4, "映画 שלום"), (1.2, 1.8, "<i>two"))
BOX = (20, 10, 60, 50)


def write(path: Path, pictures: str = "h264", sounds: str = "aac", turn: int = 0) -> Path:
    """Two seconds of grey at an uneven pace, and of a tone; turned by the container."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(pictures, rate=25, options={"crf": "18", "bf": "2"} if pictures == "h264" else {})
        video.width, video.height, video.pix_fmt = 120, 90, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream(sounds, rate=48_000 if sounds == "libopus" else 16_000, layout="mono")
        if turn:
            video.set_display_rotation(turn)
        for number in range(50):
            grey = np.full((90, 120, 3), 60 + 2 * number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = 40 * number + 10 * (number % 2), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        samples = (9000 * np.sin(np.arange(2 * audio.rate) * 0.1)).astype(np.int16)
        for first in range(0, len(samples), 960):
            block = av.AudioFrame.from_ndarray(samples[None, first : first + 960], format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = audio.rate, first, Fraction(1, audio.rate)
            container.mux(audio.encode(block))
        container.mux(audio.encode())
    return path


def result(path: Path, labelled: LabelledTranscript) -> LabelledTranscript:
    """What might be made of it: a face, off the middle, from 0.5 to 1.5 s."""
    times_s = np.arange(0.5, 1.55, 0.1)
    n = len(times_s)
    face = FaceTrack(
        "x", ("AU12",), times_s, np.ones(n, int), np.tile(BOX, (n, 1)), np.zeros((n, 1)), np.arange(0, 2, 0.1)
    )
    scores = labelled.segments[2].scores
    moments = (Moment(start_s, end_s, text=text) for start_s, end_s, text in SAID)
    segments = tuple(Segment(moment, scores) for moment in moments)
    return replace(labelled, media=probe(path), segments=segments, tracks=face_tracks(face))


def sound(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([block.to_ndarray() for block in container.decode(audio=0)], axis=1)


def subtitles(path: Path) -> list[tuple[float, float, str]]:
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(container.streams.subtitles[0]) if packet.size > 2]
        return [
            (float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base), bytes(p)[2:].decode())
            for p in packets
        ]


def shown(path: Path) -> tuple[list[float], np.ndarray]:
    """Times, and pictures as a player shows them."""
    all_frames = list(frames(path))
    return [frame.time_s for frame in all_frames], np.stack([frame.image for frame in all_frames])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_subtitles_beside_picture_and_sound_as_they_are(
    labelled: LabelledTranscript, tmp_path: Path, suffix: str
) -> None:
    source = write(tmp_path / f"talk{suffix}")
    (path,) = write_outputs(result(source, labelled), tmp_path, ["video"])
    assert path.name == "talk.labelled.mp4"
    # Nothing was encoded anew.
    assert np.array_equal(sound(path), sound(source))
    (times_s, pictures), (source_times_s, source_pictures) = shown(path), shown(source)
    assert times_s == pytest.approx(source_times_s, abs=1e-3) and np.array_equal(pictures, source_pictures)
    with av.open(str(path)) as container:
        assert [stream.type for stream in container.streams] == ["video", "audio", "subtitle"]
        assert container.duration / 1e6 == pytest.approx(probe(source).duration_s, abs=0.1)
    said = "[surprise 0.71] Größe", "[surprise 0.71] 映画 שלום", "[surprise 0.71] <i>two"
    assert subtitles(path) == [
        (0.2, 0.6, said[0]),
        (0.8, 1.2, said[1]),
        (1.2, 1.4, f"{said[1]}\n{said[2]}"),
        (1.4, 1.8, said[2]),
    ]
    assert not list(tmp_path.glob(".*"))


def test_a_recording_that_was_joined_from_two(labelled: LabelledTranscript, tmp_path: Path) -> None:
    """The clock of the second starts anew, and its first packets overlap the last of the first."""
    source = tmp_path / "joined.ts"
    source.write_bytes(2 * write(tmp_path / "part.ts").read_bytes())
    (path,) = write_outputs(result(source, labelled), tmp_path, ["video"])
    assert np.array_equal(sound(path), sound(source))
    (times_s, pictures), (source_times_s, source_pictures) = shown(path), shown(source)
    assert np.array_equal(pictures, source_pictures)
    assert np.abs(np.subtract(times_s, source_times_s)).max() < 0.05


def test_what_mp4_cannot_hold_is_encoded_anew(labelled: LabelledTranscript, tmp_path: Path) -> None:
    source = write(tmp_path / "talk.avi", pictures="wmv2", sounds="pcm_mulaw")
    (path,) = write_outputs(result(source, labelled), tmp_path, ["video"])
    with av.open(str(path)) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac", "mov_text"]
    (times_s, pictures), (source_times_s, source_pictures) = shown(path), shown(source)
    assert times_s == pytest.approx(source_times_s, abs=1e-3)
    assert np.abs(pictures.astype(int) - source_pictures).mean() < 2
    assert sound(path).shape[1] / 48_000 == pytest.approx(sound(source).shape[1] / 16_000, abs=0.1)


@pytest.mark.parametrize("turn", [0, 90])
def test_faces_are_framed_and_captions_drawn(labelled: LabelledTranscript, tmp_path: Path, turn: int) -> None:
    source = write(tmp_path / "talk.mp4", turn=turn)
    (path,) = write_outputs(result(source, labelled), tmp_path, ["video-burnt"])
    assert path.name == "talk.burnt.mp4" and np.array_equal(sound(path), sound(source))
    (times_s, pictures), (source_times_s, source_pictures) = shown(path), shown(source)
    assert pictures.shape[1:] == source_pictures.shape[1:] == ((120, 90, 3) if turn else (90, 120, 3))
    assert times_s == pytest.approx(source_times_s, abs=1e-3)
    changed = np.abs(pictures.astype(int) - source_pictures).mean(axis=3)
    left, top, right, bottom = BOX
    at = {time_s: int(np.argmin(np.abs(np.array(times_s) - time_s))) for time_s in (0.1, 0.7, 1.0)}
    edges = [np.s_[top : top + 2, left + 4 : right - 4], np.s_[top + 4 : bottom - 4, left : left + 2]]
    for edge in edges:
        assert changed[at[0.1]][edge].max() < 8 and changed[at[0.7]][edge].min() > 20
    assert changed[at[0.7]][top + 6 : bottom - 6, left + 6 : right - 6].mean() < 4
    # Between two moments there is no caption; in one there is.
    assert changed[at[0.7]][-20:].max() < 12 and changed[at[1.0]][-20:].max() > 60


def test_a_picture_of_odd_sides(labelled: LabelledTranscript, tmp_path: Path) -> None:
    """H.264 wants even ones: the last row and column stand twice."""
    source = tmp_path / "talk.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 83, 71, "yuv444p"
        for _ in range(5):
            grey = np.full((71, 83, 3), 120, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    (path,) = write_outputs(result(source, labelled), tmp_path, ["video-burnt"])
    _, pictures = shown(path)
    assert pictures.shape == (5, 72, 84, 3) and np.abs(pictures[0, 60:, 80:].astype(int) - 120).max() < 6


def test_letters_of_every_script_fit() -> None:
    """Words that are wider than a line are broken; what no font has is a box, and no failure."""
    one, many = lettered("Größe", 20, 300), lettered("Größe שלום 映画" + "o" * 60, 20, 300)
    assert one.shape[0] < many.shape[0] and many.shape[1] <= 300
    # Umlauts are drawn: the dots make it another picture.
    assert not np.array_equal(lettered("ä", 20, 300), lettered("a", 20, 300))
    # Every pixel is at least shaded, and letters are solid.
    assert one[..., 3].min() > 100 and one[..., 3].max() == 255


def test_a_sound_file_has_subtitles_and_a_picture_is_refused(
    labelled: LabelledTranscript, feat_media: Path, tmp_path: Path, make_media
) -> None:
    source = make_media(tmp_path / "talk.m4a", sound=np.sin(np.arange(32_000) * 0.1))
    heard = replace(result(source, labelled), tracks=None)
    (path,) = write_outputs(heard, tmp_path, ["video"])
    assert np.array_equal(sound(path), sound(source)) and len(subtitles(path)) == 4
    with pytest.raises(SettingsError, match=r"talk\.m4a has no picture to draw into; leave the format video-burnt out"):
        write_outputs(heard, tmp_path, ["video-burnt"])
    still = replace(heard, media=probe(feat_media / "single_face.jpg"))
    for name in ("video", "video-burnt"):
        with pytest.raises(
            SettingsError, match="is a still picture, which makes no video; leave the formats of videos"
        ):
            write_outputs(still, tmp_path, [name])


def test_the_source_is_never_written_over_and_nothing_is_left_half(
    labelled: LabelledTranscript, tmp_path: Path
) -> None:
    source = write(tmp_path / "talk.labelled.mp4")
    before = source.read_bytes()
    transcript = result(source, labelled)
    assert write_outputs(transcript, tmp_path, ["video"]) == [tmp_path / "talk.labelled.labelled.mp4"]
    with pytest.raises(EmoscribeError, match="is the video that was analysed; choose another folder"):
        write_outputs(transcript, tmp_path, ["video"], stem="talk")
    assert source.read_bytes() == before
    gone = replace(transcript, media=replace(transcript.media, path=str(tmp_path / "gone.mp4")))
    with pytest.raises(MediaError, match="gone"):
        write_outputs(gone, tmp_path, ["video"])
    assert {path.name for path in tmp_path.iterdir()} == {"talk.labelled.mp4", "talk.labelled.labelled.mp4"}


def test_subtitles_one_at_a_time() -> None:
    times_s = ((0.5, 0.9, "b"), (0.0, 0.6, "a"), (2.0, 2.0, "c"), (0.9, 1.0, "d"))
    segments = [Segment(Moment(start_s, end_s, text=text), {"joy": 1.0}) for start_s, end_s, text in times_s]
    shown = [
        (start_ms, end_ms, lines.replace("[joy 1.00] ", "")) for start_ms, end_ms, lines in one_at_a_time(segments)
    ]
    assert shown == [
        (0, 500, "a"), (500, 600, "a\nb"), (600, 900, "b"), (900, 1000, "d"), (2000, 2001, "c"),
    ]  # fmt: skip
    assert list(one_at_a_time([])) == []
