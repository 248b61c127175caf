"""CMU-MOSEI in each form that its labels are published in, and its quirks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import pytest
from emoscribe.core.errors import MediaError
from emoscribe.core.labels import SENTIMENT
from emoscribe.corpora.cmu_mosei_files import SIX
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.registry import read_corpus

from .fixtures.runs import write_rows

HAPPY = [1.0, 2.0, 0, 0, 0, 0, 0]
SAD_AND_ANGRY = [-2.5, 0, 1 / 3, 1.0, 0, 0, 0]
NOTHING = [0.0] * 7


def labelled(data: Path, video: str, *segments: tuple[float, float, Sequence[float]]) -> None:
    """Segments of a video in `CMU_MOSEI_Labels.csd`, and the video among those for test."""
    data.mkdir(parents=True, exist_ok=True)
    with h5py.File(data / "CMU_MOSEI_Labels.csd", "a") as file:
        file[f"All Labels/data/{video}/intervals"] = [segment[:2] for segment in segments]
        file[f"All Labels/data/{video}/features"] = [segment[2] for segment in segments]
        videos = list(file["All Labels/data"])
    folds(data, test=videos)


def folds(data: Path, train: Sequence[str] = (), dev: Sequence[str] = (), test: Sequence[str] = ()) -> None:
    lists = {"standard_train_fold": train, "standard_valid_fold": dev, "standard_test_fold": test}
    text = "".join(f"{name} = {list(videos)!r}\n\n" for name, videos in lists.items())
    (data / "cmu_mosei_std_folds.py").write_text(f"import os\n{text}")


def transcribed(data: Path, video: str, *lines: str) -> None:
    path = data / "Raw" / "Transcript" / "Segmented" / "Combined" / f"{video}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{video}___{line}\n" for line in lines))


def record(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(path))
    return str(path)


def read(data: Path, task: str | None = None, split: str = "test") -> Corpus:
    return read_corpus(CorpusRequest("cmu-mosei", data, splits=(split,), task=task))


# ── the published labels ─────────────────────────────────────────────────────


def test_any_of_six_emotions_is_present_or_none(tmp_path: Path) -> None:
    labelled(tmp_path, "a", (0, 2, HAPPY), (2, 4, SAD_AND_ANGRY), (4, 6, NOTHING))
    corpus = read(tmp_path)
    assert [clip.target for clip in corpus.clips] == [frozenset({"happy"}), frozenset({"sad", "anger"}), frozenset()]
    assert (corpus.label_set, corpus.metric) == (SIX, "macro_f1")
    assert {(clip.dialogue, clip.source) for clip in corpus.clips} == {("a", "cmu-mosei-a")}


def test_the_sentiment_is_a_number_and_its_sign_a_label(tmp_path: Path) -> None:
    labelled(tmp_path, "a", (0, 2, HAPPY), (2, 4, SAD_AND_ANGRY), (4, 6, NOTHING))
    numbers, signs = read(tmp_path, "sentiment"), read(tmp_path, "polarity")
    assert [clip.target for clip in numbers.clips] == [1.0, -2.5, 0.0]
    assert all(type(clip.target) is float for clip in numbers.clips)
    assert (numbers.label_set, numbers.metric) == (None, "mae")
    assert [clip.target for clip in signs.clips] == ["positive", "negative", "neutral"]
    assert signs.label_set == SENTIMENT


def test_segments_are_in_order_of_time_and_meet_their_words_by_it(tmp_path: Path) -> None:
    """Labels are in another order than transcripts, and some begin before their video."""
    labelled(tmp_path, "x_y", (5.0, 7.5, HAPPY), (-0.457596371882, 1.77959183673, NOTHING), (9.0, 9.5, NOTHING))
    transcribed(tmp_path, "x_y", "0___-0.457596___1.779592___Hello.", "4___5.0___7.5___It is___well___fine.")
    own = record(tmp_path / "Raw" / "Videos" / "Segmented" / "Combined" / "x_y_4.mp4")
    corpus = read(tmp_path)
    assert [clip.id for clip in corpus.clips] == ["x_y_0", "x_y_4", "x_y_9.000-9.500"]
    assert [clip.text for clip in corpus.clips] == ["Hello.", "It is___well___fine.", None]
    assert [clip.media for clip in corpus.clips] == [None, own, None]

    whole = record(tmp_path / "Raw" / "Videos" / "Full" / "Combined" / "x_y.mp4")
    corpus = read(tmp_path)
    assert [(clip.media, clip.start_s, clip.end_s) for clip in corpus.clips] == [
        (whole, 0.0, pytest.approx(1.77959183673)),
        (own, None, None),
        (whole, 9.0, 9.5),
    ]
    assert corpus.missing == {}


def test_sound_alone_will_do_and_times_of_nothing_are_not_looked_at(tmp_path: Path) -> None:
    labelled(tmp_path, "a", (0.0, 2.0, HAPPY), (-0.5, -0.1, NOTHING))
    sound = record(tmp_path / "Raw" / "Audio" / "Full" / "WAV_16000" / "a.wav")
    corpus = read(tmp_path)
    assert sorted((clip.id, clip.media) for clip in corpus.clips) == [("a_0.000-0.000", None), ("a_0.000-2.000", sound)]
    assert set(corpus.missing) == {"a_0.000-0.000"}


def test_the_lists_of_videos_say_what_is_in_which_split(tmp_path: Path) -> None:
    for video in "abcd":
        labelled(tmp_path, video, (0, 2, HAPPY))
    folds(tmp_path, train=["a", "gone"], dev=["b"], test=["c"])
    corpus = read_corpus(CorpusRequest("cmu-mosei", tmp_path))
    # d is in none of the lists.
    assert [(clip.source, clip.split) for clip in corpus.clips] == [
        ("cmu-mosei-a", "train"),
        ("cmu-mosei-b", "dev"),
        ("cmu-mosei-c", "test"),
    ]


def test_the_lists_are_read_and_not_run(tmp_path: Path) -> None:
    labelled(tmp_path, "a", (0, 2, HAPPY))
    path = tmp_path / "cmu_mosei_std_folds.py"
    ran = tmp_path / "ran"
    path.write_text(f"open({str(ran)!r}, 'w')\n{path.read_text()}")
    assert len(read(tmp_path).clips) == 1 and not ran.exists()
    path.write_text("standard_test_fold = make()\n")
    with pytest.raises(MediaError, match=r"cmu_mosei_std_folds.py: expected the lists standard_train_fold, "):
        read(tmp_path)
    path.unlink()
    with pytest.raises(MediaError, match=r"no cmu_mosei_std_folds.py in .*; get it from CMU-MultimodalSDK"):
        read(tmp_path)


def test_what_is_annotated_twice_counts_once_unless_it_differs(tmp_path: Path) -> None:
    labelled(tmp_path, "a", (0, 2, HAPPY), (0, 2, HAPPY))
    assert len(read(tmp_path).clips) == 1
    labelled(tmp_path, "b", (0, 2, HAPPY), (0, 2, NOTHING))
    with pytest.raises(MediaError, match=r"segment b_0.000-2.000 is annotated twice, and not the same"):
        read(tmp_path)


def test_damaged_labels_are_named(tmp_path: Path) -> None:
    labelled(tmp_path, "a", (0, 2, [4.0, *NOTHING[1:]]))
    with pytest.raises(MediaError, match=r"a at 0 s is rated 4, 0, .*; a sentiment from -3 to 3 and six emotions"):
        read(tmp_path)
    transcribed(tmp_path, "a", "first___0___2___Hello.")
    with pytest.raises(MediaError, match=r"a.txt, line 1: expected a___INDEX___START___END___TEXT"):
        read(tmp_path)
    (tmp_path / "CMU_MOSEI_Labels.csd").write_text("not HDF5")
    with pytest.raises(MediaError, match=r"CMU_MOSEI_Labels.csd cannot be read as the published labels"):
        read(tmp_path)


# ── the tables ───────────────────────────────────────────────────────────────

HEADER = ["video", "start_time", "end_time", "sentiment", *SIX.labels, "text", "ASR"]


def test_tables_of_the_challenge(tmp_path: Path) -> None:
    labels = tmp_path / "Labels"
    write_rows(
        labels / "Data_Train_modified.csv", HEADER, ["a", 3, 4, *NOTHING, "Later.", ""], ["a", 0, 2, *HAPPY, "Hi.", ""]
    )
    write_rows(labels / "Data_Test_original.csv", HEADER, ["b", -0.4, 2, *SAD_AND_ANGRY, "No.", "no"])
    write_rows(labels / "Data_Val_modified.csv", ["video"])  # of no use, and not needed for the others
    whole = record(tmp_path / "Videos" / "Full" / "Combined" / "b.mp4")
    (clip,) = read(tmp_path).clips
    assert (clip.media, clip.start_s, clip.end_s, clip.text) == (whole, 0.0, 2.0, "No.")
    assert clip.target == {"sad", "anger"} and clip.id == "b_0.000-2.000"
    assert [clip.text for clip in read(tmp_path, split="train").clips] == ["Hi.", "Later."]
    with pytest.raises(MediaError, match=r"Data_Val_modified.csv has no column 'start_time'"):
        read(tmp_path, split="dev")


def test_a_table_with_the_sentiment_alone(tmp_path: Path) -> None:
    header = ["video_id", "clip_id", "text", "label", "label_T", "label_A", "label_V", "annotation", "mode"]
    rows = [["a", clip, f"Clip {clip}.", rating, *[""] * 4, "test"] for clip, rating in ((10, -1.5), (2, 0))]
    write_rows(tmp_path / "label.csv", header, *rows)
    video = record(tmp_path / "Raw" / "a" / "10.mp4")
    corpus = read(tmp_path, "sentiment")
    assert [(clip.id, clip.target, clip.media) for clip in corpus.clips] == [("a_2", 0.0, None), ("a_10", -1.5, video)]
    assert [clip.target for clip in read(tmp_path, "polarity").clips] == ["neutral", "negative"]
    with pytest.raises(MediaError, match=r"label.csv holds the sentiment alone: ask for task sentiment or polarity"):
        read(tmp_path)
    with pytest.raises(MediaError, match=r"nothing of the dev split in .*; get CMU_MOSEI_Labels.csd"):
        read(tmp_path, "sentiment", "dev")
