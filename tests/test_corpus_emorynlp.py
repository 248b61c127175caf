"""EmoryNLP's quirks, each on a miniature of the published tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from emoscribe.core.errors import MediaError
from emoscribe.corpora.caveats import train_overlap
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.identity import overlap, traces
from emoscribe.corpora.registry import read_corpus

from .fixtures.runs import write_rows

COLUMNS = [
    *("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID"),
    *("Season", "Episode", "Start_Time", "End_Time"),
]


def row(scene: int, utterance: int, text: str = "Hi.", **changed: object) -> list[object]:
    values = [text, "['Ross Geller']", "Joyful", scene, utterance, 1, 15, "00:00:03.795", "00:00:05.004"]
    return list((dict(zip(COLUMNS, values, strict=True)) | changed).values())


def write(path: Path, *rows: list[object], columns: list[str] = COLUMNS) -> None:
    write_rows(path, columns, *rows)


def read(data: Path, split: str = "train") -> Corpus:
    return read_corpus(CorpusRequest("emorynlp", data, splits=(split,)))


def test_turns_are_in_order_of_episode_scene_and_turn(tmp_path: Path) -> None:
    write(tmp_path / "emorynlp_train_final.csv", row(10, 1), row(2, 12), row(2, 3), row(1, 1, Episode=2))
    clips = read(tmp_path).clips
    assert [clip.id for clip in clips] == [
        *("sea1_ep2_sc1_utt1", "sea1_ep15_sc2_utt3", "sea1_ep15_sc2_utt12", "sea1_ep15_sc10_utt1"),
    ]
    assert [clip.dialogue for clip in clips][1:3] == ["friends-s01e15-scene-2"] * 2
    assert [clip.source for clip in clips][:2] == ["friends-s01e02", "friends-s01e15"]


def test_the_seven_emotions_are_read_in_lower_case(tmp_path: Path) -> None:
    labels = ["Joyful", "Mad", "Neutral", "Peaceful", "Powerful", "Sad", "Scared"]
    write(tmp_path / "emorynlp_train_final.csv", *(row(1, n, Emotion=label) for n, label in enumerate(labels)))
    corpus = read(tmp_path)
    assert [clip.target for clip in corpus.clips] == [label.casefold() for label in labels]
    assert corpus.label_set is not None and set(corpus.label_set.labels) == {clip.target for clip in corpus.clips}


@pytest.mark.parametrize(
    ("written", "speaker"),
    [
        ("['Monica Geller']", "Monica Geller"),
        ("['Ross Geller', 'Joey Tribbiani']", "Ross Geller and Joey Tribbiani"),
        ("[\"Monica's date\", 'All']", "Monica's date and All"),
        ("Gunther", "Gunther"),
        ("", None),
    ],
)
def test_speakers_are_lists_in_python(tmp_path: Path, written: str, speaker: str | None) -> None:
    write(tmp_path / "emorynlp_train_final.csv", row(1, 1, Speaker=written))
    assert read(tmp_path).clips[0].speaker == speaker


def test_videos_are_optional(tmp_path: Path) -> None:
    write(tmp_path / "emorynlp_dev_final.csv", row(1, 1), row(1, 2))
    video = tmp_path / "emorynlp_dev_splits" / "sea1_ep15_sc1_utt2.mp4"
    video.parent.mkdir()
    video.write_text("moving pictures")
    corpus = read(tmp_path, "dev")
    assert [clip.media for clip in corpus.clips] == [None, str(video)]
    assert corpus.missing == {"sea1_ep15_sc1_utt1": str(video.with_name("sea1_ep15_sc1_utt1.mp4"))}


def test_what_meld_has_of_the_same_episode_is_found(tmp_path: Path) -> None:
    meld, emory = tmp_path / "meld", tmp_path / "emory"
    columns = [
        *("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"),
        *("Season", "Episode", "StartTime", "EndTime"),
    ]
    said = "Where have you been all night?"
    there = [said, "Ross", "joy", "positive", 0, 0, 1, 15, "00:00:03,795", "00:00:05,004"]
    write(meld / "train_sent_emo.csv", there, columns=columns)
    write(emory / "emorynlp_test_final.csv", row(4, 1, said), row(4, 2, "Here.", Start_Time="00:00:05.171"))
    learnt, tested = traces(read_corpus(CorpusRequest("meld", meld)), "train"), read(emory, "test")
    found = {each.what: (each.shared, each.of) for each in overlap(learnt, tested, "test", "meld train")}
    assert found["clip"] == (1, 2) and found["source"] == (1, 1) and found["text"] == (1, 2)
    ((warning, runs),) = train_overlap(
        {run: {"meld train": learnt} for run in ("mine", "yours")}, tested, "test"
    ).items()
    assert "1 of 1 sources" in warning and "in meld train, which mine and yours learnt from" in warning
    assert runs == ("mine", "yours")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"Emotion": "Glee"}, r"row 2 \(line 3\), column 'Emotion': unknown label 'glee'; there are: joyful, mad, "),
        ({"Season": ""}, r"row 2 \(line 3\), column 'Season': expected a whole number, got None"),
        ({"Utterance_ID": 1}, r"column 'Utterance_ID': the scene has utterance 1 already in row 1"),
    ],
)
def test_errors_name_row_and_column(tmp_path: Path, wrong: dict[str, object], message: str) -> None:
    write(tmp_path / "emorynlp_train_final.csv", row(1, 1), row(1, 2, **wrong))
    with pytest.raises(MediaError, match=message):
        read(tmp_path)
