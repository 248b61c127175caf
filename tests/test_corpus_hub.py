"""Data sets as the `datasets` library reads them: real ones, written here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError
from emoscribe.corpora.corpus import Corpus, CorpusRequest
from emoscribe.corpora.registry import read_corpus

SPLITS = ("train", "validation", "test")
ROWS = {"utterance": ["Hi, all.", "No.", "Well?"], "emotion": [0, 1, -1], "id": [7, 8, 9]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parquet a split, whose labels are numbers with names; the last row of each has none."""
    import datasets

    folder = tmp_path_factory.mktemp("lines")
    features = datasets.Features(
        {
            "utterance": datasets.Value("string"),
            "emotion": datasets.ClassLabel(names=["joy", "anger"]),
            "id": datasets.Value("int64"),
        }
    )
    for split in SPLITS:
        rows = ROWS if split == "test" else {name: values[:2] for name, values in ROWS.items()}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(folder / f"{split}.parquet"))
    return folder


def read(data: str, splits: Sequence[str] = ("train", "dev"), **columns: str) -> Corpus:
    request = CorpusRequest("table", data, splits=tuple(splits), columns=columns)
    return read_corpus(request, Context(offline=True))


def test_splits_and_classes_get_the_names_that_they_have_here(folder: Path) -> None:
    corpus = read(f"hf:{folder}", text="utterance", label="emotion")
    assert corpus.splits == ("train", "dev")
    assert [(clip.id, clip.text, clip.target) for clip in corpus.split("dev")] == [
        ("dev-1", "Hi, all.", "joy"),
        ("dev-2", "No.", "anger"),
    ]
    assert set(corpus.label_set.labels if corpus.label_set else ()) == {"joy", "anger"}


def test_lists_of_classes_are_sets_of_labels(tmp_path: Path) -> None:
    import datasets

    emotions = datasets.Sequence(datasets.ClassLabel(names=["joy", "anger"]))
    rows = {"text": ["Hi.", "No.", "At noon."], "label": [[0], [1, 0], []]}
    features = datasets.Features({"text": datasets.Value("string"), "label": emotions})
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / "train.parquet"))
    assert [clip.target for clip in read(f"hf:{tmp_path}", ["train"]).clips] == [{"joy"}, {"anger", "joy"}, frozenset()]


def test_other_files_that_the_library_reads(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\nHello there.,joy\nGo away.,anger\n")
    (tmp_path / "validation.csv").write_text("text,label\nHello.,joy\n")
    corpus = read(f"hf:{tmp_path}")
    assert [clip.target for clip in corpus.clips] == ["joy", "anger", "joy"]


def test_the_command_describes_it(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_text('{"text": "Hi.", "label": "joy"}\n{"text": "No.", "label": "anger"}\n')
    result = CliRunner().invoke(main, ["corpus", "table", "--data", f"hf:{tmp_path}"])
    assert result.exit_code == 0 and "Your own data" in result.output and "joy" in result.output
    refused = CliRunner().invoke(main, ["corpus", "meld", "--data", f"hf:{folder}"])
    assert refused.exit_code == 1 and "goes with table: meld is read as it was published" in refused.output


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        (
            "hf:nobody/nothing",
            {},
            "no folder nobody/nothing, and --offline does not ask the hub; get it",
        ),
        ("hf:{}:fancy", {}, "cannot be read: BuilderConfig 'fancy' not found"),
        ("hf:{}", {}, "the train split of .* has no column 'label'; there are: utterance, emotion, id"),
        ("hf:{}", {"label": "mood"}, "has no column 'mood' for label; there are: utterance, emotion, id"),
        ("hf:{}", {"label": "emotion"}, "has neither a column 'text' nor one 'video'"),
    ],
    ids=["offline", "configuration", "no label", "no such column", "nothing to read"],
)
def test_what_is_wrong_is_said_in_a_line(folder: Path, name: str, columns: dict[str, str], message: str) -> None:
    with pytest.raises(EmoscribeError, match=message) as caught:
        read(name.format(folder), **columns)
    assert "\n" not in str(caught.value)


def test_a_row_without_a_class_is_named(folder: Path) -> None:
    with pytest.raises(EmoscribeError, match=r"the test split of .*, row 3, column 'emotion': no label"):
        read(f"hf:{folder}", ["test"], text="utterance", label="emotion")


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\nHello there.,joy\n")
    with pytest.raises(EmoscribeError, match="has no test split; there are: train"):
        read(f"hf:{tmp_path}", ["test"])
