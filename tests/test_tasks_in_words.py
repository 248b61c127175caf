"""Sets of labels and ratings by a language model: from corpus to run, report and labelled transcript."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from emoscribe.baseline.settings import BaselineSettings
from emoscribe.cli import main
from emoscribe.core.context import Context
from emoscribe.core.errors import SettingsError
from emoscribe.core.files import read_json
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.experiments import EvaluationRequest, baseline, evaluate, finetune
from emoscribe.llm.run import TextRun, find_run
from emoscribe.llm.settings import Head
from jsonschema import Draft202012Validator

pytestmark = pytest.mark.usefixtures("tiny_bert_found")

OFFLINE = Context(device="cpu", offline=True)

# What is said, and what of it there is to learn: CMU-MOSEI's emotions, and a rating in −1–1.
SAID: dict[str, tuple[set[str], float]] = {
    "what a great happy day": ({"happy"}, 0.8),
    "awful , awful you": ({"anger", "disgust"}, -0.8),
    "the train at noon": (set(), 0.0),
    "awful great you did what": ({"anger", "surprise"}, -0.4),
}


def said(count: int) -> list[tuple[str, set[str], float]]:
    return [(text, *SAID[text]) for text in islice(cycle(SAID), count)]


@pytest.fixture(scope="module")
def mosei(tmp_path_factory: pytest.TempPathFactory, write_csv) -> Path:
    """CMU-MOSEI as its label tables have it, without recordings."""
    folder = tmp_path_factory.mktemp("mosei")
    emotions = ("happy", "sad", "anger", "surprise", "disgust", "fear")
    header = ("video", "start_time", "end_time", "sentiment", *emotions, "text", "ASR")
    for split, count in (("Train", 20), ("Val", 8), ("Test", 8)):
        rows = [
            (f"{split}{i}", 0, 2, 3 * rating, *(float(emotion in present) for emotion in emotions), text, "")
            for i, (text, present, rating) in enumerate(said(count))
        ]
        write_csv(folder / f"Data_{split}_modified.csv", header, *rows)
    return folder


@pytest.fixture(scope="module")
def sets(mosei: Path, tmp_path_factory: pytest.TempPathFactory, small_settings) -> TextRun:
    return finetune(
        CorpusRequest("cmu-mosei", mosei), tmp_path_factory.mktemp("runs") / "words", small_settings(epochs=6)
    )


@pytest.fixture(scope="module")
def rated(tmp_path_factory: pytest.TempPathFactory, small_settings, write_csv) -> tuple[TextRun, Path, list[str]]:
    """Learnt from a table of ratings from 1 to 5, where a model that thought in −1–1 would never get."""
    lines: list[str] = []
    table = tmp_path_factory.mktemp("table")
    for split, count in (("train", 20), ("dev", 8), ("test", 8)):
        rows = [(text, 3 + 2 * rating) for text, _, rating in said(count)]
        write_csv(table / f"{split}.csv", ("text", "label"), *rows)
    out = tmp_path_factory.mktemp("runs") / "words"
    return finetune(CorpusRequest("table", table), out, small_settings(epochs=6), report=lines.append), table, lines


# ── learning, and being compared ─────────────────────────────────────────────


def test_sets_of_labels_beside_the_baseline(sets: TextRun, mosei: Path, tiny_bert: Path, tmp_path: Path) -> None:
    assert (sets.task, sets.metrics["selected_on"], sets.temperature) == ("label-sets", "macro_f1", 1.0)
    assert set(sets.thresholds) == set(sets.labels) and find_run(sets.folder) == sets
    assert 0 < sets.thresholds["anger"] < 1 and sets.thresholds["fear"] == 0.5  # which nobody shows
    features = {"names": ["token-embeddings"], "rate_hz": 4, "weights": {"token-embeddings": str(tiny_bert)}}
    asked = {"fusion": "unimodal", "modalities": "T", "features": features, "epochs": 4, "device": "cpu"}
    corpus = CorpusRequest("cmu-mosei", mosei)
    (frames,) = baseline(corpus, tmp_path / "features", BaselineSettings.model_validate(asked))
    found = evaluate(EvaluationRequest(corpus, "test", (sets.folder, frames.folder)), tmp_path / "report", OFFLINE)
    measured = read_json(found.files["metrics.json"])
    assert measured["words"].keys() == measured["features"].keys()
    assert measured["words"]["macro_f1"] == 1.0 and measured["words"]["none"]["both"] > 0
    assert {name: one["threshold"] for name, one in measured["words"]["per_class"].items()} == dict(sets.thresholds)
    (pair,) = read_json(found.files["comparison.json"])["pairs"]
    assert {pair["a"], pair["b"]} == {"words", "features"}


def test_what_dev_said_in_training_is_what_it_says_of_the_run(sets: TextRun, mosei: Path, tmp_path: Path) -> None:
    """The thresholds are those of the epoch that was kept."""
    found = evaluate(EvaluationRequest(CorpusRequest("cmu-mosei", mosei), "dev", (sets.folder,)), tmp_path, OFFLINE)
    measured = read_json(found.files["metrics.json"])["words"]
    assert {name: measured[name] for name in sets.metrics["dev"]} == pytest.approx(sets.metrics["dev"], abs=1e-6)
    card = (sets.folder / "README.md").read_text(encoding="utf-8")
    assert "of which a moment may have any number" in card and "anger 0." in card


def test_ratings_of_a_table_on_a_scale_of_its_own(
    rated: tuple[TextRun, Path, list[str]], tmp_path: Path, write_csv
) -> None:
    run, table, lines = rated
    assert "table: column 'label' holds ratings, taken to be from 1 to 5" in lines
    assert (run.task, run.range, run.labels, run.metrics["selected_on"]) == ("number", (1.0, 5.0), (), "mae")
    assert "gives a rating from 1 to 5" in (run.folder / "README.md").read_text(encoding="utf-8")
    report = evaluate(EvaluationRequest(CorpusRequest("table", table), "test", (run.folder,)), tmp_path / "a", OFFLINE)
    measured = read_json(report.files["metrics.json"])["words"]
    always_the_mean = read_json(report.files["references.json"])["mean"]["mae"]
    assert measured["range"] == [1, 5] and measured["mae"] < 0.5 * always_the_mean
    # Whole ratings, fewer than there are, are on the run's scale and not labels.
    (tmp_path / "few").mkdir()
    write_csv(tmp_path / "few" / "test.csv", ("text", "label"), ("great day", 4), ("awful you", 2))
    few = EvaluationRequest(CorpusRequest("table", tmp_path / "few"), "test", (run.folder,))
    measured = read_json(evaluate(few, tmp_path / "b", OFFLINE).files["metrics.json"])["words"]
    assert (measured["n"], measured["range"]) == (2, [1, 5])


def test_ratings_are_brought_to_a_corpus_with_another_scale(
    rated: tuple[TextRun, Path, list[str]], mosei: Path, tmp_path: Path
) -> None:
    request = EvaluationRequest(CorpusRequest("cmu-mosei", mosei), "test", (rated[0].folder,))
    found = evaluate(request, tmp_path, OFFLINE)
    measured = read_json(found.files["metrics.json"])["words"]
    assert measured["range"] == [-3, 3] and measured["mae"] < 0.6 and measured["accuracy_2_nonzero"] == 1.0
    assert "brought to -3 to 3 in proportion" in found.files["report.md"].read_text(encoding="utf-8")


def test_sets_do_not_start_from_words_that_are_answers(
    sets: TextRun, mosei: Path, tmp_path: Path, small_settings
) -> None:
    start = sets.model_copy(update={"folder": tmp_path / "start", "head": Head(kind="label-words"), "task": "labels"})
    start.save()
    with pytest.raises(SettingsError, match=r"head\.kind: label-words is for one label a clip"):
        finetune(CorpusRequest("cmu-mosei", mosei), tmp_path / "run", small_settings(init=str(start.folder)))


def test_the_task_of_a_corpus_is_chosen_from_the_command_line(mosei: Path, tmp_path: Path, small_settings) -> None:
    config = tmp_path / "small.yaml"
    config.write_text(small_settings(epochs=1).model_dump_json(exclude_unset=True))
    command = ["finetune", "cmu-mosei", "--data", str(mosei), "--config", str(config), "--offline"]
    done = CliRunner().invoke(main, [*command, "--task", "sentiment", "--out", str(tmp_path / "run")])
    assert done.exit_code == 0 and ", mae " in done.output, done.output
    run = find_run(tmp_path / "run")
    assert (run.task, run.range, run.annotation) == ("number", (-3.0, 3.0), "sentiment")


# ── what is about one label a clip ───────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"teachers": {}}, "have a set of labels each, and teachers is for one label a clip"),
        ({"mixture": {}}, "mixture is for one label a clip"),
        ({"mix": [{"corpus": "meld", "data": "nowhere", "teaches": "T"}]}, "mix is for one label a clip"),
        ({"head": {"kind": "label-words"}}, "head.kind: label-words is for one label a clip"),
        ({"loss": {"logit_adjustment": 0.4}}, "loss.logit_adjustment is for one label a clip"),
        ({"loss": {"label_smoothing": 0.1}}, "loss.label_smoothing is for one label a clip"),
        (
            {"task": "sentiment", "loss": {"class_weights": "sqrt"}},
            "have a number each, and loss.class_weights is for one label a clip.*--task \\(emotions, sentiment, pol",
        ),
        ({"range": (0, 1)}, "range goes with table: what cmu-mosei asks for is known"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_about_one_label_a_clip_is_refused(
    changed: dict[str, Any], message: str, mosei: Path, tmp_path: Path, small_settings
) -> None:
    with pytest.raises(SettingsError, match=message):
        finetune(CorpusRequest("cmu-mosei", mosei), tmp_path / "run", small_settings(epochs=6, **changed))
    assert not (tmp_path / "run").exists()


def test_runs_are_not_asked_for_what_they_do_not_answer(
    sets: TextRun, rated: tuple[TextRun, Path, list[str]], mosei: Path, tmp_path: Path
) -> None:
    corpus = CorpusRequest("cmu-mosei", mosei)

    def refused(message: str, *runs: Any, **how: Any) -> None:
        with pytest.raises(SettingsError, match=message):
            evaluate(EvaluationRequest(corpus, "test", runs, **how), tmp_path / "report", OFFLINE)

    refused("runs that answer in different kinds cannot be compared", sets.folder, rated[0].folder)
    refused("with --window, frames decide on one label for a clip, and the runs", sets.folder, window_s=1.0)
    refused("clips of cmu-mosei have a set of labels each, and the runs answer with a label", "zero-shot:tiny-bert")
    with pytest.raises(ValueError, match=r"head\.kind label-words answers with one label, and the task is label-sets"):
        TextRun.model_validate(sets.model_dump() | {"folder": sets.folder, "head": {"kind": "label-words"}})


# ── in a video ───────────────────────────────────────────────────────────────

SCHEMA = json.loads(files("emoscribe").joinpath("outputs/transcript.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def talk(make_media: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Six seconds of silence, and what is said to be said in them."""
    folder = tmp_path_factory.mktemp("talk")
    lines = (
        "1\n00:00:00,200 --> 00:00:02,000\nawful , awful you\n\n2\n00:00:03,000 --> 00:00:05,500\nthe train at noon\n"
    )
    (folder / "talk.srt").write_text(lines)
    return make_media(folder / "talk.wav", sound=np.zeros(6 * 16_000)), folder / "talk.srt"


def analyzed(run: TextRun, talk: tuple[Path, Path], out: Path, *more: str) -> Any:
    video, lines = talk
    command = ["analyze", str(video), "--run", str(run.folder), "--transcript", str(lines), "--offline", *more]
    return CliRunner().invoke(main, [*command, "--out", str(out), "--formats", "json,srt,csv,html"])


def test_a_moment_shows_all_that_reaches_its_threshold(sets: TextRun, talk: tuple[Path, Path], tmp_path: Path) -> None:
    done = analyzed(sets, talk, tmp_path)
    assert done.exit_code == 0, done.output
    assert re.search(r"\] (anger|disgust) \d\.\d\d, (anger|disgust) \d\.\d\d  \"awful , awful you\"", done.output)
    result = read_json(tmp_path / "talk.json")
    Draft202012Validator(SCHEMA).validate(result)
    assert result["thresholds"] == dict(sets.thresholds)
    both, nothing = (one for one in result["segments"] if one["text"])
    assert set(both["labels"]) == {"anger", "disgust"} and both["label"] == both["labels"][0]
    # None is given, and the likeliest is shown with how likely that is.
    assert nothing["labels"] == [] and nothing["label"] == max(nothing["scores"], key=nothing["scores"].get)
    assert f"[{nothing['label']} {nothing['scores'][nothing['label']]:.2f}] the train" in (
        tmp_path / "talk.srt"
    ).read_text(encoding="utf-8")
    with (tmp_path / "talk.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["text"]]
    assert [row["labels"] for row in rows] == ["|".join(both["labels"]), ""]
    page = (tmp_path / "talk.html").read_text(encoding="utf-8")
    assert "6 labels, any number a moment" in page
    again = CliRunner().invoke(
        main, ["export", str(tmp_path / "talk.json"), "--formats", "csv", "--out", str(tmp_path / "x")]
    )
    assert again.exit_code == 0
    assert (tmp_path / "x" / "talk.csv").read_bytes() == (tmp_path / "talk.csv").read_bytes()


def test_a_moment_is_rated(rated: tuple[TextRun, Path, list[str]], talk: tuple[Path, Path], tmp_path: Path) -> None:
    run = rated[0]
    done = analyzed(run, talk, tmp_path)
    assert done.exit_code == 0 and re.search(r"\] rating 1\.\d\d +\"awful , awful you\"", done.output), done.output
    result = read_json(tmp_path / "talk.json")
    Draft202012Validator(SCHEMA).validate(result)
    assert (result["labels"], result["range"]) == ([], [1, 5])
    awful, neutral = (one["rating"] for one in result["segments"] if one["text"])
    assert awful < 2 < neutral < 4
    assert f"[rating {awful:.2f}] awful , awful you" in (tmp_path / "talk.srt").read_text(encoding="utf-8")
    with (tmp_path / "talk.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # Where nobody speaks there is nothing to rate.
    assert [row["rating"] for row in rows if row["text"]] == [f"{awful:.6f}", f"{neutral:.6f}"]
    assert all(row["rating"] == "" for row in rows if not row["text"]) and "label" not in rows[0]
    page = (tmp_path / "talk.html").read_text(encoding="utf-8")
    assert "rated from 1 to 5" in page and re.search(r'"range":\[1(\.0)?,5(\.0)?\]', page)
    assert analyzed(run, talk, tmp_path, "--labels", "basic").exit_code == 1


def test_sets_and_ratings_cannot_become_compound_labels(
    sets: TextRun, rated: tuple[TextRun, Path, list[str]], talk: tuple[Path, Path], tmp_path: Path
) -> None:
    """The rule takes probabilities of which one is right."""
    for run, what in ((sets, "scores any number of"), (rated[0], "gives ratings and no labels")):
        done = analyzed(run, talk, tmp_path, "--labels", "compound")
        assert done.exit_code == 1 and what in done.output


def test_tiers_of_praat_are_read_and_said_which(
    sets: TextRun, talk: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tiers = '"IntervalTier" "Clara" 0 6 2 0 3 "awful , awful you" 3 6 "" "IntervalTier" "phones" 0 6 1 0 6 "AO"'
    lines = tmp_path / "talk.TextGrid"
    lines.write_text(f'File type = "ooTextFile"\nObject class = "TextGrid"\n0 6 <exists> 2 {tiers}\n')
    table = tmp_path / "all.csv"
    done = analyzed(sets, (talk[0], lines), tmp_path / "out", "--table", str(table))
    assert done.exit_code == 0, done.output
    said = capfd.readouterr().err.splitlines()
    assert "transcript: file talk.TextGrid, tiers Clara" in said and f"→ {table}" in said
    result = read_json(tmp_path / "out" / "talk.json")
    Draft202012Validator(SCHEMA).validate(result)
    (heard,) = result["transcript"]["utterances"]
    assert (heard["start_s"], heard["end_s"], heard["speaker"], heard["text"]) == (0, 3, "Clara", "awful , awful you")
    assert table.read_bytes() == (tmp_path / "out" / "talk.csv").read_bytes()


def test_one_bad_video_leaves_the_table_of_the_others(sets: TextRun, talk: tuple[Path, Path], tmp_path: Path) -> None:
    bad, table = tmp_path / "bad.wav", tmp_path / "all.csv"
    bad.write_bytes(b"RIFF")
    silent = ["--set", "speech.engine=none", "--modalities", "T", "--offline", "--run", str(sets.folder)]
    command = ["analyze", str(bad), str(talk[0]), "--table", str(table), *silent]
    assert CliRunner().invoke(main, command).exit_code == 1
    with table.open(encoding="utf-8") as file:
        assert {row["video"] for row in csv.DictReader(file)} == {"talk.wav"}
    done = CliRunner().invoke(main, [*command, "--skip-existing", "--out", str(tmp_path)])
    assert done.exit_code == 1 and "emoscribe export" in done.output and len(done.output.splitlines()) == 1
