"""C-EXPR-DB: the published files, trimming of real videos, and the challenge's form."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.errors import EmoscribeError, MediaError
from emoscribe.core.labels import COMPOUND, COMPOUND_OTHER
from emoscribe.corpora.c_expr_db_challenge import write_submission
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.experiments.trimming import trim
from emoscribe.extractors import media
from emoscribe.extractors.trimming import cut, frame_times_s

LABELS = [label.title() for label in COMPOUND_OTHER.labels]
HEADER = ["Begin Time - hh:mm:ss.ms", "End Time - hh:mm:ss.ms", *LABELS]
RATE = 16_000


def annotate(data: Path, video: str, *rows: tuple[str, str, str], mark: str = "1") -> None:
    path = data / "annotation" / f"{video}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(
            [start, end, *(mark if name == label else "" for name in LABELS)] for start, end, label in rows
        )


def fold(data: Path, number: int = 0, **lines: str) -> None:
    folder = data / "folds" / f"split-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("train", "val", "test"):
        (folder / f"{name}.txt").write_text(lines.get(name, lines.get("val", "")), encoding="utf-8")


def read(data: Path, **how) -> Corpus:
    return read_corpus(CorpusRequest("c-expr-db", data, **how))


# ── the published files ──────────────────────────────────────────────────────


def test_stray_spaces_and_counts_by_label(tmp_path: Path) -> None:
    rows = [("00:00:00.000", "00:00:00.010", "Sadly Surprised"), ("00:00:01.500", "00:01:02.25", "Other")]
    annotate(tmp_path, "14", *rows, ("01:00:00.000", "01:00:01.000", "Sadly Surprised"), mark="1  ")
    fold(tmp_path, train="Sadly-Surprised/14_Sadly-Surprised_1,2\n", val="Other/14_Other_0,7\n")
    source = tmp_path / "videos" / "14.mp4"
    source.parent.mkdir()
    source.write_text("a video")
    train, dev, _ = read(tmp_path).clips
    assert (train.id, train.target, train.source) == ("14_Sadly-Surprised_1", "sadly surprised", "c-expr-db-14")
    # Not trimmed yet: read from the source, in part.
    assert (train.media, train.start_s, train.end_s) == (str(source), 3600.0, 3601.0)
    assert (dev.start_s, dev.end_s) == (1.5, 62.25)


def test_a_trimmed_clip_goes_before_its_source(tmp_path: Path) -> None:
    annotate(tmp_path, "07", ("00:00:01.000", "00:00:02.000", "Sadly Angry"))
    fold(tmp_path, train="Sadly-Angry/07_Sadly-Angry_0,6\n", val="")
    for path in (tmp_path / "videos" / "07.mp4", tmp_path / "trimmed_videos" / "Sadly-Angry" / "07_Sadly-Angry_0.mp4"):
        path.parent.mkdir(parents=True)
        path.write_text("a video")
    (clip,) = read(tmp_path, splits=("train",)).clips
    assert (clip.media, clip.start_s, clip.end_s) == (str(path), None, None)


def test_other_is_no_answer_unless_asked_for(tmp_path: Path) -> None:
    fold(tmp_path, train="Other/01_Other_0,7\nSadly-Angry/07_Sadly-Angry_0,6\n")
    corpus = read(tmp_path, splits=("train",))
    assert [clip.target for clip in corpus.clips] == [None, "sadly angry"]
    assert (corpus.label_set, corpus.metric) == (COMPOUND, "macro_f1")
    everything = read(tmp_path, splits=("train",), task="compound-other")
    assert [clip.target for clip in everything.clips] == ["other", "sadly angry"]


def test_transcripts_are_unquoted_and_have_commas(tmp_path: Path) -> None:
    line = "Sadly-Angry/07_Sadly-Angry_0,6"
    fold(tmp_path, train=f'{line}, Well, "no", I don’t.\n', val=f"{line},\n", test=f"{line}\n")
    assert [clip.text for clip in read(tmp_path).clips] == ['Well, "no", I don’t.', None, None]


def test_each_published_fold_is_read(tmp_path: Path) -> None:
    fold(tmp_path, 0, train="Sadly-Angry/07_Sadly-Angry_0,6\n")
    fold(tmp_path, 4, train="Sadly-Angry/08_Sadly-Angry_0,6\n")
    corpus = read(tmp_path, fold=4)
    assert [clip.id for clip in corpus.clips] == ["08_Sadly-Angry_0"] and corpus.fold == 4
    with pytest.raises(MediaError, match=r"no .*split-3/train.txt; get annotation/ and folds/"):
        read(tmp_path, fold=3)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Sadly/07_Sadly_0,5", r"line 2: expected LABEL/NN_LABEL_K as in Sadly-Angry/07_Sadly-Angry_0"),
        ("Sadly-Angry/07_Other_0,6", r"line 2: expected LABEL/NN_LABEL_K"),
        ("hello", r"line 2: expected LABEL/NN_LABEL_K"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    fold(tmp_path, train=f"Sadly-Angry/07_Sadly-Angry_0,6\n{line}\n")
    with pytest.raises(MediaError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ("00:00:02.000", "00:00:01.000", "Other"),
            r"01.csv, row 1 \(line 2\), column 'End .*00:00:01.000 is not after",
        ),
        (
            ("0:61:02", "00:00:01.000", "Other"),
            r"row 1 \(line 2\), column 'Begin .*expected hh:mm:ss.ms, got '0:61:02'",
        ),
        (("00:00:00.000", "00:00:01.000", "None"), r"row 1 \(line 2\), column .*: expected one label a row, got 0"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path: Path, row: tuple[str, str, str], message: str) -> None:
    annotate(tmp_path, "01", row)
    fold(tmp_path, train="Other/01_Other_0,7\n")
    with pytest.raises(MediaError, match=message):
        read(tmp_path)


def test_folds_by_source_need_only_annotations(tmp_path: Path) -> None:
    for video in range(5):
        annotate(tmp_path, f"{video:02}", ("00:00:00.000", "00:00:01.000", "Sadly Angry"))
    corpus = read(tmp_path, folds="source", fold=2)
    assert [len(corpus.split(split)) for split in ("train", "dev", "test")] == [3, 1, 1]


def test_the_real_folds_by_source(shared: Path) -> None:
    corpora = [read(shared / "c-expr-db", folds="source", fold=k) for k in range(5)]
    assert {len(corpus.clips) for corpus in corpora} == {125}
    tested = [clip.id for corpus in corpora for clip in corpus.split("test")]
    assert len(tested) == len(set(tested)) == 125
    for corpus in corpora:
        assert 22 <= len(corpus.split("test")) <= 30
        # Only three videos have any “sadly surprised”.
        assert {clip.target for clip in corpus.split("test")} >= {*COMPOUND.labels, None} - {"sadly surprised"}


# ── trimming ─────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def trimmed(feat_media: Path, tmp_path_factory: pytest.TempPathFactory):
    """Two real videos, cut to the annotation layout; the one is 24 fps with silence, the other has no sound."""
    data = tmp_path_factory.mktemp("c-expr-db")
    (data / "videos").mkdir()
    shutil.copy(feat_media / "WolfgangLanger_Pexels.mp4", data / "videos" / "01.mp4")
    shutil.copy(feat_media / "single_face.mp4", data / "videos" / "02.mp4")
    annotate(
        data,
        "01",
        ("00:00:06.013", "00:00:06.777", "Fearfully Surprised"),
        ("00:00:10.000", "00:00:10.010", "Happily Surprised"),
        ("00:00:11.100", "00:00:11.500", "Happily Surprised"),
        ("00:01:00.000", "00:01:01.000", "Other"),
    )
    annotate(data, "02", ("00:00:00.000", "00:00:00.500", "Sadly Angry"))
    annotate(data, "03", ("00:00:00.000", "00:00:00.500", "Sadly Angry"))
    return data, trim("c-expr-db", data)


def test_every_clip_is_where_it_belongs(trimmed) -> None:
    data, done = trimmed
    expected = ["01_Fearfully-Surprised_0", "01_Happily-Surprised_0", "01_Happily-Surprised_1", "02_Sadly-Angry_0"]
    assert list(done.written) == expected and done.kept == ()
    assert (data / "trimmed_videos" / "Happily-Surprised" / "01_Happily-Surprised_1.mp4").is_file()
    assert "shows nothing from 60.000 s to 61.000 s" in done.failed["01_Other_0"]
    assert done.failed["03_Sadly-Angry_0"].startswith("no source video") and "03.mp4" in done.failed["03_Sadly-Angry_0"]
    assert sorted(path.name for path in (data / "trimmed_videos").rglob("*.*")) == [f"{name}.mp4" for name in expected]


def test_a_clip_shows_just_the_frames_of_its_interval(trimmed) -> None:
    """Cut at key frames, as `-c copy` does, it would start up to ten seconds early."""
    data, _ = trimmed
    clip = data / "trimmed_videos" / "Fearfully-Surprised" / "01_Fearfully-Surprised_0.mp4"
    original = [frame for frame in media.frames(data / "videos" / "01.mp4") if 6.013 <= frame.time_s < 6.777]
    shown = list(media.frames(clip))
    assert len(shown) == len(original) == 18
    for mine, theirs in zip(shown, original, strict=True):
        assert mine.time_s == pytest.approx(theirs.time_s - 6.013, abs=2e-3)
        assert np.abs(mine.image.astype(int) - theirs.image).mean() < 2
    assert media.probe(clip).has_audio
    assert media.probe(clip).duration_s == pytest.approx(6.777 - 6.013, abs=0.05)


def test_an_interval_between_two_frames_shows_the_one_that_stands(trimmed) -> None:
    data, _ = trimmed
    clip = data / "trimmed_videos" / "Happily-Surprised" / "01_Happily-Surprised_0.mp4"
    standing = [frame for frame in media.frames(data / "videos" / "01.mp4") if frame.time_s < 10.0][-1]
    (shown,) = media.frames(clip)
    assert shown.time_s == 0.0 and np.abs(shown.image.astype(int) - standing.image).mean() < 2


def test_trimming_again_keeps_what_is_there_and_mends_what_is_not(trimmed) -> None:
    data, done = trimmed
    clip = data / "trimmed_videos" / "Sadly-Angry" / "02_Sadly-Angry_0.mp4"
    others = {path: path.stat().st_mtime_ns for path in (data / "trimmed_videos").rglob("*.mp4") if path != clip}
    clip.unlink()
    heard: list[float] = []
    again = trim("c-expr-db", data, heard.append)
    assert again.written == ("02_Sadly-Angry_0",) and set(again.kept) == set(done.written) - {"02_Sadly-Angry_0"}
    assert all(path.stat().st_mtime_ns == time for path, time in others.items())
    assert heard == sorted(heard) and heard[-1] == 1.0


def test_the_reader_takes_what_was_trimmed(trimmed) -> None:
    data, done = trimmed
    pool = {clip.id: clip for clip in (*_pool(data), *_pool(data))}
    assert {id for id, clip in pool.items() if "trimmed_videos" in str(clip.media)} == set(done.written)
    assert pool["01_Other_0"].start_s == 60.0 and pool["03_Sadly-Angry_0"].media is None


def _pool(data: Path):
    lines = {"train": "Other/01_Other_0,7\nSadly-Angry/02_Sadly-Angry_0,6\nSadly-Angry/03_Sadly-Angry_0,6\n"}
    lines["train"] += "".join(f"Happily-Surprised/01_Happily-Surprised_{k},1\n" for k in range(2))
    fold(data, train=lines["train"] + "Fearfully-Surprised/01_Fearfully-Surprised_0,0\n", val="Other/01_Other_0,7\n")
    return read(data, splits=("train",)).clips


def test_sound_is_cut_to_the_sample(tmp_path: Path, make_media) -> None:
    """A click at 1.0 s is heard 0.4 s into a clip that starts at 0.6 s."""
    clicks = np.zeros(2 * RATE, dtype=np.float32)
    clicks[RATE : RATE + 40] = 0.9
    make_media(tmp_path / "clicks.mp4", frame_times_s=np.arange(60) / 30, sound=clicks)
    cut(tmp_path / "clicks.mp4", 0.6, 1.3, tmp_path / "clip.mp4")
    with media.sound(tmp_path / "clicks.mp4") as whole, media.sound(tmp_path / "clip.mp4") as part:
        heard = int(np.argmax(np.abs(whole.read(0.6, 1.3))))
        assert int(np.argmax(np.abs(part.read(0.0, 0.7)))) == pytest.approx(heard, abs=16)
        assert part.duration_s == pytest.approx(0.7, abs=0.1)


def test_sound_alone_and_pictures_alone_are_cut_too(tmp_path: Path, make_media) -> None:
    make_media(tmp_path / "tone.wav", sound=0.3 * np.sin(np.arange(2 * RATE) / 5).astype(np.float32))
    cut(tmp_path / "tone.wav", 0.5, 1.0, tmp_path / "tone.mp4")
    assert not media.probe(tmp_path / "tone.mp4").has_video
    make_media(tmp_path / "mute.mp4", frame_times_s=np.arange(30) / 30)
    cut(tmp_path / "mute.mp4", 0.5, 0.7, tmp_path / "cut.mp4")
    assert len(frame_times_s(tmp_path / "cut.mp4")) == 6 and not media.probe(tmp_path / "cut.mp4").has_audio


def test_pictures_taken_upright_stay_upright(tmp_path: Path, make_media) -> None:
    path = make_media(tmp_path / "phone.mp4", frame_times_s=np.arange(6) / 30, size=(66, 48))
    matrix = lambda *cells: b"".join(cell.to_bytes(4, "big", signed=True) for cell in cells)  # noqa: E731
    one = 1 << 16
    lying = matrix(one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    content = path.read_bytes()
    at = content.rindex(lying)
    path.write_bytes(content[:at] + matrix(0, one, 0, -one, 0, 0, 0, 0, 1 << 30) + content[at + len(lying) :])
    original = next(media.frames(path)).image
    assert original.shape == (66, 48, 3)
    cut(path, 0.0, 0.1, tmp_path / "clip.mp4")
    shown = next(media.frames(tmp_path / "clip.mp4")).image
    assert shown.shape == original.shape and np.abs(shown.astype(int) - original).mean() < 4


def test_a_damaged_source_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "01.mp4").write_bytes(b"not a video")
    with pytest.raises(MediaError, match=r"01.mp4 cannot be decoded: it is damaged, cut off, or not a video"):
        cut(tmp_path / "01.mp4", 0.0, 1.0, tmp_path / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["01.mp4"]


def test_a_folder_that_is_not_there_is_not_the_source_s_fault(tmp_path: Path, make_media) -> None:
    path = make_media(tmp_path / "a.mp4", frame_times_s=np.arange(6) / 30)
    with pytest.raises(EmoscribeError, match=r"cannot write .*nowhere"):
        cut(path, 0.0, 0.1, tmp_path / "nowhere" / "clip.mp4")


def test_trimming_needs_annotations(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no annotation/01.csv … in .*; get annotation/ and folds/"):
        trim("c-expr-db", tmp_path)


# ── the challenge ────────────────────────────────────────────────────────────


def test_the_challenge_has_an_answer_a_frame(tmp_path: Path, make_media) -> None:
    (tmp_path / "videos").mkdir()
    times_s = np.array([0.0, 0.04, 0.12, 0.16])
    make_media(tmp_path / "videos" / "07.mp4", frame_times_s=times_s)
    make_media(tmp_path / "videos" / "11.mp4", frame_times_s=times_s[:2])
    corpus = read_corpus(CorpusRequest("c-expr-db-challenge", tmp_path))
    assert [(clip.id, clip.split, clip.target) for clip in corpus.clips] == [("07", "test", None), ("11", "test", None)]
    frames = {clip.id: frame_times_s(str(clip.media)) for clip in corpus.clips}
    assert np.allclose(frames["07"], times_s, atol=1e-3)
    assert np.allclose(frames["07"], [frame.time_s for frame in media.frames(tmp_path / "videos" / "07.mp4")])
    answers = {video: ["sadly angry"] * len(times) for video, times in frames.items()}
    answers["11"][1] = "fearfully surprised"
    write_submission(tmp_path / "predictions.txt", answers)
    assert (tmp_path / "predictions.txt").read_text().splitlines() == [
        "image_location,Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,"
        "Angrily_Surprised,Sadly_Fearful,Sadly_Angry",
        *(f"07/{n:05}.jpg,6" for n in range(1, 5)),
        "11/00001.jpg,6",
        "11/00002.jpg,0",
    ]
    with pytest.raises(MediaError, match=r"11/00001.jpg: 'other' is no answer; there are: fearfully surprised"):
        write_submission(tmp_path / "predictions.txt", {"11": ["other"]})


def test_the_challenge_has_only_a_test_split(tmp_path: Path, make_media) -> None:
    (tmp_path / "videos").mkdir()
    make_media(tmp_path / "videos" / "01.mp4", frame_times_s=np.arange(2) / 30)
    with pytest.raises(MediaError, match="the challenge has no dev split, only test"):
        read_corpus(CorpusRequest("c-expr-db-challenge", tmp_path, splits=("dev",)))
    with pytest.raises(MediaError, match=r"no file .*02\.mp4"):
        frame_times_s(tmp_path / "videos" / "02.mp4")
