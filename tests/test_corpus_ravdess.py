"""RAVDESS: everything from file names."""

from __future__ import annotations

from pathlib import Path

import pytest
from emoscribe.core.errors import MediaError
from emoscribe.core.labels import BASIC
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.registry import read_corpus


def record(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(path))
    return path


def test_a_name_says_it_all(tmp_path: Path) -> None:
    path = record(tmp_path / "03-01-06-02-02-01-16.flac")
    (clip,) = read_corpus(CorpusRequest("ravdess", tmp_path)).clips
    assert (clip.id, clip.media, clip.split, clip.target) == ("01-06-02-02-01-16", str(path), "dev", "fear")
    assert (clip.text, clip.speaker, clip.source) == ("Dogs are sitting by the door.", "actor-16", "ravdess-actor-16")


def test_calm_counts_as_neutral_unless_asked_for(tmp_path: Path) -> None:
    for emotion in range(1, 9):
        record(tmp_path / f"03-01-{emotion:02}-01-01-01-01.wav")
    corpus = read_corpus(CorpusRequest("ravdess", tmp_path))
    targets = ["neutral", "neutral", "joy", "sadness", "anger", "fear", "disgust", "surprise"]
    assert [clip.target for clip in corpus.clips] == targets and corpus.label_set == BASIC
    eight = read_corpus(CorpusRequest("ravdess", tmp_path, task="basic-calm"))
    assert [clip.target for clip in eight.clips][:3] == ["neutral", "calm", "joy"]
    assert eight.label_set is not None and len(eight.label_set.labels) == 8


def test_no_actor_is_in_two_splits(tmp_path: Path) -> None:
    for actor in range(1, 25):
        record(tmp_path / f"Actor_{actor:02}" / f"03-01-01-01-01-01-{actor:02}.wav")
    corpus = read_corpus(CorpusRequest("ravdess", tmp_path))
    assert [len(corpus.split(split)) for split in ("train", "dev", "test")] == [15, 3, 6]
    assert [clip.source for clip in corpus.split("dev")] == [f"ravdess-actor-{n}" for n in (16, 17, 18)]


def test_of_a_performance_the_fullest_recording_is_read_once(tmp_path: Path) -> None:
    """The archives overlap: sound alone, pictures alone, both; one mirror holds everything twice."""
    sound = record(tmp_path / "audio" / "Actor_01" / "03-01-03-01-01-01-01.wav")
    record(tmp_path / "audio_again" / "Actor_01" / "03-01-03-01-01-01-01.wav")
    assert [clip.media for clip in read_corpus(CorpusRequest("ravdess", tmp_path)).clips] == [str(sound)]
    record(tmp_path / "video" / "Actor_01" / "02-01-03-01-01-01-01.mp4")
    assert [clip.media for clip in read_corpus(CorpusRequest("ravdess", tmp_path)).clips] == [str(sound)]
    both = record(tmp_path / "video" / "Actor_01" / "01-01-03-01-01-01-01.mp4")
    assert [clip.media for clip in read_corpus(CorpusRequest("ravdess", tmp_path)).clips] == [str(both)]


def test_songs_and_other_files_are_passed_over(tmp_path: Path) -> None:
    record(tmp_path / "03-02-03-01-01-01-01.wav")
    record(tmp_path / "03-01-03-01-01-01-01.txt")
    with pytest.raises(MediaError, match=r"no recordings of actors 1–15 \(train\) in .*doi:10.5281/zenodo.1188976"):
        read_corpus(CorpusRequest("ravdess", tmp_path))


def test_an_impossible_name_is_named(tmp_path: Path) -> None:
    record(tmp_path / "03-01-09-01-01-01-01.wav")
    with pytest.raises(
        MediaError, match=r"03-01-09-01-01-01-01.wav: its name says emotion 09, but there are only 01 to 08"
    ):
        read_corpus(CorpusRequest("ravdess", tmp_path))


def test_a_split_without_actors_is_named(tmp_path: Path) -> None:
    record(tmp_path / "03-01-03-01-01-01-01.wav")
    with pytest.raises(MediaError, match=r"no recordings of actors 19–24 \(test\)"):
        read_corpus(CorpusRequest("ravdess", tmp_path, splits=("test",)))


def test_the_real_recordings(shared: Path) -> None:
    corpus = read_corpus(CorpusRequest("ravdess", shared / "ravdess"))
    assert len(corpus.clips) == 1080 and corpus.splits == ("train", "dev")
    assert {clip.target for clip in corpus.clips} == set(BASIC.labels)
    assert len({clip.source for clip in corpus.clips}) == 18
