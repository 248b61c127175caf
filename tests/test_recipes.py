"""Recipes that make tables of corpora, and the one that measures mishearing, on miniature data."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.labels import BASIC
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.registry import read_corpus
from emoscribe.evaluation.predictions import Predictions
from emoscribe.llm.run import find_run
from sklearn.metrics import f1_score

from .fixtures.runs import write_rows

RECIPES = Path(__file__).resolve().parents[1] / "recipes"

Recipe = Callable[..., int]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Runs a recipe as the command line does; returns its exit code."""

    def run(name: str, *arguments: str | Path) -> int:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        monkeypatch.syspath_prepend(RECIPES)
        with pytest.raises(SystemExit) as exit:
            runpy.run_path(str(RECIPES / name), run_name="__main__")
        return int(exit.value.code or 0)

    return run


# ── GoEmotions ───────────────────────────────────────────────────────────────


def goemotions(folder: Path, labels: str, name: str = "emotions.txt", **splits: list[str]) -> Path:
    folder.mkdir()
    (folder / name).write_text(labels.replace(" ", "\n"))
    for split in ("train", "dev", "test"):
        lines = splits.get(split, ["Fine.\t0\tz"])
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_goemotions_becomes_a_table(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = goemotions(
        tmp_path / "goemotions",
        "neutral admiration joy anger",
        train=[
            'She said "hi", [NAME] and [NAME]\t1,2\ta',
            "Both at once\t2,3\tb",
            "  so  GOOD\t1\tc",
            "A [RELIGION] man\t0\td",
        ],
        dev=["So good\t2\te", "Twice\t0\tf", "Twice\t0\tg"],
        test=["[NAME]!\t3\th"],
    )
    assert recipe("goemotions_table.py", "--goemotions", data, "--out", tmp_path / "table") == 0
    assert "train: 2 of 4 comments (1 with several emotions, 1 held out)" in capsys.readouterr().out
    corpus = read_corpus(CorpusRequest("table", tmp_path / "table"))
    train = corpus.split("train")
    assert [clip.target for clip in train] == ["joy", "neutral"]
    assert train[1].text == "A religious man"
    said = str(train[0].text)
    assert said.startswith('She said "hi", ') and "[" not in said
    first, second = said.removeprefix('She said "hi", ').split(" and ")
    assert first != second
    assert len(corpus.split("dev")) == 3 and corpus.split("test")[0].target == "anger"

    before = (tmp_path / "table" / "train.csv").read_bytes()
    assert recipe("goemotions_table.py", "--goemotions", data, "--out", tmp_path / "table") == 0
    assert (tmp_path / "table" / "train.csv").read_bytes() == before


def test_goemotions_grouped_already(recipe: Recipe, tmp_path: Path) -> None:
    data = goemotions(tmp_path / "goemotions", " ".join(BASIC.labels), "labels.txt", train=["Yes\t4\ta"])
    assert recipe("goemotions_table.py", "--goemotions", data, "--out", tmp_path / "table") == 0
    assert read_corpus(CorpusRequest("table", tmp_path / "table")).split("train")[0].target == "joy"


@pytest.mark.parametrize(
    ("labels", "line", "said"),
    [
        ("joy zeal", "Yes\t0\ta", "unknown label 'zeal'"),
        ("joy anger", "Yes\t2\ta", "train.tsv, line 1"),
        ("joy anger", "Yes\tjoy\ta", "train.tsv, line 1"),
        ("joy anger", "Yes\t0", "train.tsv, line 1"),
    ],
)
def test_goemotions_that_is_not_as_published(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: str, line: str, said: str
) -> None:
    data = goemotions(tmp_path / "goemotions", labels, train=[line])
    assert recipe("goemotions_table.py", "--goemotions", data, "--out", tmp_path / "table") == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "table").exists()


# ── faces ────────────────────────────────────────────────────────────────────


def faces(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    (folder / "images").mkdir(parents=True)
    write_rows(folder / "labels.csv", ("image", "person", "label"), *rows)
    for image, _, _ in rows:
        (folder / "images" / image).touch()
    return folder


def test_faces_become_a_table_split_by_person(recipe: Recipe, tmp_path: Path) -> None:
    rows = [(f"{person}_{still}.jpg", person, "joy") for person in "GFEDCBA" for still in (1, 2)]
    data = faces(tmp_path / "faces", rows)
    assert recipe("faces_table.py", "--faces", data, "--out", tmp_path / "deep" / "table") == 0
    corpus = read_corpus(CorpusRequest("table", tmp_path / "deep" / "table"))
    assert corpus.splits == ("train", "dev") and not corpus.missing
    assert {clip.source for clip in corpus.split("dev")} == {"A", "F"}
    assert {clip.source for clip in corpus.split("train")} == {"B", "C", "D", "E", "G"}
    assert len(corpus.clips) == 14 and {clip.text for clip in corpus.clips} == {None}
    assert {Path(str(clip.media)).resolve().name for clip in corpus.clips} == {image for image, _, _ in rows}


def test_a_still_that_is_not_there_is_named(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = faces(tmp_path / "faces", [("a.jpg", "A", "joy"), ("b.jpg", "B", "anger")])
    (data / "images" / "b.jpg").unlink()
    assert recipe("faces_table.py", "--faces", data, "--out", tmp_path / "table") == 1
    assert "labels.csv, row 2: no b.jpg" in capsys.readouterr().err


# ── lines that are heard ─────────────────────────────────────────────────────

LINES = [
    ("Ross", "joy", "I am so happy to see you."),
    ("Rachel", "anger", "– Get out of my house!"),
    ("Ross", "joy", "That is wonderful news."),
    ("Ross", "joy", "Oh."),
]


def meld(folder: Path) -> Path:
    header = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID", "Season", "Episode")
    rows = [(text, who, label, "positive", 0, at, 1, 1) for at, (who, label, text) in enumerate(LINES)]
    write_rows(folder / "dev_sent_emo.csv", header, *rows)
    return folder


@pytest.mark.skipif(not (shutil.which("espeak-ng") or shutil.which("flite")), reason="no synthesiser on PATH")
@pytest.mark.skipif(importlib.util.find_spec("pocketsphinx") is None, reason="no PocketSphinx")
def test_lines_are_heard_once(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, heard = meld(tmp_path / "meld"), tmp_path / "out" / "heard.jsonl"
    arguments = ("--meld", data, "--out", heard.parent)
    assert recipe("heard_lines.py", *arguments, "--lines", "2") == 0
    rows = [json.loads(line) for line in heard.read_text().splitlines()]
    assert {row["said"] for row in rows} < {text for _, _, text in LINES[:3]}
    assert len({row["voice"] for row in rows}) == 2
    assert all(0 <= probability <= 1 for row in rows for _, probability in row["words"])

    # As if everything had been heard rightly, and the recipe been stopped in the middle of another line.
    for row in rows:
        row["words"] = [[word.strip(",.!").lower(), 1.0] for word in row["said"].split() if word != "–"]
    heard.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"id": "dev')
    capsys.readouterr()
    assert recipe("heard_lines.py", *arguments, "--lines", "2") == 0
    assert [json.loads(line) for line in heard.read_text().splitlines()] == rows
    printed = capsys.readouterr().out
    assert re.search(r"word error rate +0\.000\n", printed) and "2 lines of MELD dev" in printed


def test_no_more_lines_than_there_are(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not (shutil.which("espeak-ng") or shutil.which("flite")):
        pytest.skip("no synthesiser on PATH")
    assert recipe("heard_lines.py", "--meld", meld(tmp_path / "meld"), "--out", tmp_path / "out", "--lines", "4") == 1
    assert "--lines must be from 1 to 3" in capsys.readouterr().err


def test_without_a_synthesiser(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert recipe("heard_lines.py", "--meld", meld(tmp_path / "meld"), "--out", tmp_path / "out") == 1
    assert "get it with: apt-get install espeak-ng" in capsys.readouterr().err


def test_word_errors_are_counted() -> None:
    spoken = runpy.run_path(str(RECIPES / "spoken.py"))
    words, distance = spoken["words_of"], spoken["distance"]
    assert words("Don’t! — you KNOW, 2...") == ["don't", "you", "know", "2"]
    assert distance(words("a b c d"), words("a x c")) == 2
    assert distance([], words("a b")) == 2 and distance(words("a b"), []) == 2
    pairs = spoken["aligned"](words("we had to see it"), words("had to c it now"))
    assert pairs == [("we", None), ("had", "had"), ("to", "to"), ("see", "c"), ("it", "it"), (None, "now")]


# ── how sure is sure ─────────────────────────────────────────────────────────


@pytest.mark.skipif(not (shutil.which("espeak-ng") or shutil.which("flite")), reason="no synthesiser on PATH")
@pytest.mark.skipif(importlib.util.find_spec("pocketsphinx") is None, reason="no PocketSphinx")
def test_words_are_judged_by_their_probability(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = meld(tmp_path / "meld")
    (data / "dev_sent_emo.csv").rename(data / "train_sent_emo.csv")
    assert recipe("calibrate_unclear.py", "--meld", data, "--lines", "3", "--engine", "pocketsphinx") == 0
    printed = capsys.readouterr().out
    assert "3 recordings" in printed and re.search(r"more wrong than right below [01]\.\d\d \[", printed)
    assert recipe("calibrate_unclear.py", "--meld", data, "--lines", "5", "--engine", "pocketsphinx") == 1
    assert "--lines must be from 1 to 4, got 5" in capsys.readouterr().err


def test_a_word_is_right_however_it_is_spelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(RECIPES)
    are_right = runpy.run_path(str(RECIPES / "calibrate_unclear.py"))["are_right"]
    assert are_right("OK, I’ll be goin’ now", ["Okay,", "I", "will", "be", "going", "how?"]) == [True] * 5 + [False]
    assert are_right("See-saw – yes", ["sea-saw", "–", "yes", "да"]) == [False, None, True, False]


def test_the_threshold_divides_wrong_from_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(RECIPES)
    threshold = runpy.run_path(str(RECIPES / "calibrate_unclear.py"))["threshold"]
    right = np.array([False, True, False, False, True, False, True, True])
    assert threshold(np.array([0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.8, 0.9]), right) == 0.4
    assert threshold(np.array([0.9, 0.8]), np.array([True, True])) == 0.8
    assert threshold(np.array([0.9, 0.8]), np.array([False, False])) == 1.0


# ── several seeds ────────────────────────────────────────────────────────────


def test_runs_over_seeds(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed, (best, last) in enumerate(((0.5, 0.4), (0.7, 0.6))):
        epochs = [{"epoch": number, "dev": {"macro_f1": value}} for number, value in enumerate((best, last))]
        metrics = {"dev": epochs[0]["dev"], "epochs": epochs}
        find_run("meld-minilm").model_copy(update={"folder": tmp_path / f"{seed}", "metrics": metrics}).save()
    assert recipe("over_seeds.py", tmp_path / "0", tmp_path / "1") == 0
    assert "| macro f1 | .600 ± .141 | .500 | .700 |" in capsys.readouterr().out
    assert recipe("over_seeds.py", "--last", tmp_path / "0", tmp_path / "1") == 0
    assert "| macro f1 | .500 ± .141 | .400 | .600 |" in capsys.readouterr().out
    assert recipe("over_seeds.py", tmp_path / "none") == 1


# ── words against features ───────────────────────────────────────────────────


def test_approaches_are_compared_over_seeds_and_folds() -> None:
    """Folds are pooled before a measure is taken, seeds after; intervals are those of the seeds' mean."""
    script = runpy.run_path(str(RECIPES / "compare_approaches.py"), run_name="recipe")
    rng = np.random.default_rng(0)
    labels, read, pooled = ("anger", "joy", "neutral"), [], {}
    for seed in (0, 1):
        for fold, clips in enumerate((40, 25)):
            # What is true of a clip is the same whoever answers.
            truth = np.random.default_rng(fold).integers(3, size=clips)
            given = np.where(rng.random(clips) < 0.7, truth, rng.integers(3, size=clips))
            ids = tuple(f"{fold}-{clip}" for clip in range(clips))
            names = tuple(labels[each] for each in truth)
            read.append(Predictions(f"words-T-seed{seed}", labels, ids, names, np.eye(3)[given]))
            pooled.setdefault(seed, []).append((truth, given))
    measured = script["measured"](read, ["words-T-seed0", "words-T-seed1"])
    scores = [
        f1_score(*(np.concatenate(part) for part in zip(*pooled[seed], strict=True)), average="macro")
        for seed in (0, 1)
    ]
    assert measured["clips"] == 65
    assert measured["macro_f1"]["mean"] == pytest.approx(np.mean(scores))
    assert measured["macro_f1"]["sd"] == pytest.approx(np.std(scores, ddof=1))
    low, high = measured["macro_f1"]["interval"]
    assert low < np.mean(scores) < high and 0.05 < high - low < 0.4
    table = script["table"]([{"way": "words", "modalities": "T"} | measured])
    assert table.splitlines()[2].startswith("| T | words | .") and " ± ." in table
