"""Corpora from the command line: describe and evaluate, on miniature real ones."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

LINES = [
    ("Ann", "I am so happy, this is wonderful!", "joy"),
    ("Ben", "I miss her so much, I can't stop crying.", "sadness"),
    ("Ann", "Get out of my house, you liar!", "anger"),
    ("Ben", "The meeting is at ten o'clock.", "neutral"),
    ("Ann", "Oh my God! I can't believe it!", "surprise"),
    ("Ben", "Okay, see you on Monday.", "neutral"),
]


def emoscribe(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "emoscribe", *map(str, args)], capture_output=True, text=True)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, feat_media: Path) -> Path:
    """Lines with labels, and in the test split also a still."""
    folder = tmp_path_factory.mktemp("table")
    for split in ("train", "test"):
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["speaker", "text", "label", "video"])
            for speaker, text, label in LINES:
                still = feat_media / "single_face.jpg" if label == "joy" and split == "test" else ""
                writer.writerow([speaker, text, label, still])
    return folder


def test_corpus_describes_and_finds_what_splits_share(table: Path) -> None:
    result = emoscribe("corpus", "table", "--data", table, "--json")
    assert result.returncode == 0, result.stderr
    page = json.loads(result.stdout)
    assert page["splits"]["test"]["clips"] == len(LINES)
    assert page["splits"]["test"]["labels"]["neutral"] == 2
    shared = {(found["a"], found["b"], found["what"]): found["shared"] for found in page["overlap"]}
    assert shared["train", "test", "text"] == len(LINES)
    assert "dev" not in page["splits"]


def test_evaluate_writes_the_report_with_ablations(table: Path, tmp_path: Path) -> None:
    result = emoscribe(
        "evaluate", "table", "--data", table, "--split", "test", "--run", "meld-minilm",
        "--modalities", "T,TV", "--out", tmp_path / "report", "--offline",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    assert set(metrics) == {"meld-minilm[T]", "meld-minilm[TV]"}
    text = metrics["meld-minilm[T]"]
    assert text["n"] == len(LINES)
    assert text["accuracy"] >= 4 / 6, "six plain lines, read wrong"
    assert sum(map(sum, text["confusion"])) == len(LINES)
    assert {path.name for path in (tmp_path / "report").iterdir()} >= {
        "metrics.json", "comparison.json", "references.json", "predictions.csv", "report.html", "report.md",
    }  # fmt: skip
    assert "are in the train split too" in (tmp_path / "report" / "report.md").read_text()
    with (tmp_path / "report" / "predictions.csv").open() as file:
        rows = {(row["run"], row["clip"]): row for row in csv.DictReader(file)}
    joy = [row for row in rows.values() if row["label"] == "joy"]
    assert joy[0]["p_joy"] != joy[1]["p_joy"], "the still says nothing"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("evaluate", "mould", "--split", "test"), "unknown corpus 'mould'; there are: meld"),
        (("evaluate", "table", "--split", "dev"), "dev"),
        (("evaluate", "table", "--split", "test", "--column", "text=Utterance"), "Utterance"),
        (("evaluate", "table", "--split", "test", "--modalities", "X"), "modalities"),
    ],
    ids=["corpus", "split", "column", "modalities"],
)
def test_what_is_wrong_is_said_in_a_line(table: Path, tmp_path: Path, args: tuple[str, ...], message: str) -> None:
    result = emoscribe(*args, "--data", table, "--run", "meld-minilm", "--out", tmp_path / "report")
    assert result.returncode == 1
    assert message in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "report").exists()


def test_meld_is_read_well_above_the_references(shared: Path, tmp_path: Path) -> None:
    """On real dev lines, against what TF-IDF and the majority class make of them."""
    result = emoscribe(
        "evaluate", "meld", "--data", shared / "meld", "--split", "dev", "--run", "meld-minilm",
        "--modalities", "T", "--out", tmp_path, "--offline",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text())["meld-minilm"]
    references = json.loads((tmp_path / "references.json").read_text())
    assert metrics["weighted_f1"] > references["tfidf_logistic_regression"]["weighted_f1"] + 0.02
    assert metrics["weighted_f1"] > references["majority"]["weighted_f1"] + 0.25
