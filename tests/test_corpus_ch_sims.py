"""CH-SIMS: ratings, their signs and their moods, on a miniature of the published table."""

from __future__ import annotations

from pathlib import Path

import pytest
from emoscribe.core.errors import MediaError, SettingsError
from emoscribe.core.labels import SENTIMENT, label_set
from emoscribe.corpora.ch_sims import MOODS
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.registry import read_corpus

from .fixtures.runs import write_rows

COLUMNS = ["video_id", "clip_id", "text", "label", "label_T", "label_A", "label_V", "annotation", "mode"]


def row(clip: str, label: object = 0.2, **changed: object) -> list[object]:
    values = ["video_0001", clip, "我不知道，真的。", label, 0.4, -0.6, 1.0, "Positive", "test"]
    return list((dict(zip(COLUMNS, values, strict=True)) | changed).values())


def write(path: Path, *rows: list[object]) -> None:
    write_rows(path, COLUMNS, *rows, encoding="utf-8-sig")


def read(data: Path, task: str | None = None) -> Corpus:
    return read_corpus(CorpusRequest("ch-sims", data, splits=("test",), task=task))


def test_a_rating_for_each_modality(tmp_path: Path) -> None:
    write(tmp_path / "label.csv", row("0001"))
    tasks = ("sentiment", "sentiment-text", "sentiment-voice", "sentiment-face")
    for task, rating in zip(tasks, (0.2, 0.4, -0.6, 1.0), strict=True):
        corpus = read(tmp_path, task)
        assert [clip.target for clip in corpus.clips] == [rating]
        assert (corpus.label_set, corpus.metric) == (None, "mae")
    (clip,) = read(tmp_path).clips
    assert (clip.id, clip.text, clip.source) == ("video_0001-0001", "我不知道，真的。", "ch-sims-video_0001")
    assert type(clip.target) is float and clip.target == 0.2


def test_the_sign_of_a_rating_and_its_mood(tmp_path: Path) -> None:
    ratings = (-1.0, -0.7, -0.4, -0.1, 0.0, 0.1, 0.4, 0.7, 1.0)
    write(tmp_path / "label.csv", *(row(f"{n:04}", rating) for n, rating in enumerate(ratings)))
    polarity, moods = read(tmp_path, "polarity"), read(tmp_path, "moods")
    assert polarity.label_set == SENTIMENT and moods.label_set == MOODS and moods.metric == "macro_f1"
    assert [clip.target for clip in polarity.clips] == [*["negative"] * 4, "neutral", *["positive"] * 4]
    assert [clip.target for clip in moods.clips] == [
        *("anger", "anxiety", "fatigue", "neutral", "neutral"),
        *("relaxed", "happy", "excited", "excited"),
    ]


def test_the_labels_of_a_run_choose_polarity_and_others_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "label.csv", row("0001", -0.2), row("0002", 0.2))
    assert [
        clip.target for clip in read_corpus(CorpusRequest("ch-sims", tmp_path, labels=label_set("sentiment"))).clips
    ] == [
        "negative",
        "positive",
    ]
    with pytest.raises(SettingsError, match=r"ch-sims has numbers to predict, .* with labels are: polarity"):
        read_corpus(CorpusRequest("ch-sims", tmp_path, labels=label_set("basic")))


def test_videos_are_found_where_numbers_lost_their_zeros_and_in_v2(tmp_path: Path) -> None:
    write(tmp_path / "meta.csv", row("10"), row("2"), row("3"))
    folder = tmp_path / "Raw" / "video_0001"
    folder.mkdir(parents=True)
    for name in ("0010", "00002"):
        (folder / f"{name}.mp4").write_text(name)
    corpus = read(tmp_path)
    assert [clip.id for clip in corpus.clips] == [f"video_0001-{n:04}" for n in (2, 3, 10)]
    assert [clip.media and Path(clip.media).name for clip in corpus.clips] == ["00002.mp4", None, "0010.mp4"]
    assert corpus.missing == {"video_0001-0003": str(folder / "0003.mp4")}


def test_what_is_not_rated_has_no_target(tmp_path: Path) -> None:
    write(tmp_path / "label.csv", row("0001", ""), row("0002", 0.0))
    assert [clip.target for clip in read(tmp_path).clips] == [None, 0.0]
    assert [clip.target for clip in read(tmp_path, "polarity").clips] == [None, "neutral"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"label": 2}, r"row 2 \(line 3\), column 'label': expected a number from -1 to 1, got 2"),
        ({"label": "good"}, r"column 'label': expected a number, got 'good'"),
        ({"mode": "dev"}, r"column 'mode': unknown mode 'dev'; there are: train, valid, test"),
        ({"clip_id": "1"}, r"column 'clip_id': video_0001 has clip 1 already in row 1"),
    ],
)
def test_errors_name_row_and_column(tmp_path: Path, wrong: dict[str, object], message: str) -> None:
    write(tmp_path / "label.csv", row("0001"), row("0002", **wrong))
    with pytest.raises(MediaError, match=message):
        read(tmp_path)


def test_a_split_without_rows_is_named(tmp_path: Path) -> None:
    write(tmp_path / "label.csv", row("0001"))
    with pytest.raises(MediaError, match=r"no rows of mode 'valid' in .*label.csv"):
        read_corpus(CorpusRequest("ch-sims", tmp_path, splits=("dev",)))
