"""Corpora from the command line and in Python: describe, extract, read, evaluate, on miniature real ones."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.labels import COMPOUND_OTHER
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.identity import traces
from emoscribe.corpora.registry import read_corpus
from emoscribe.experiments import EvaluationRequest, evaluate, extract, extraction_settings, prompts
from emoscribe.extractors.store import CueStore
from emoscribe.llm.run import SHIPPED, find_run
from emoscribe.training.traces import save_traces

LINES = [
    ("Ann", "I am so happy, this is wonderful!", "joy"),
    ("Ben", "I miss her so much, I can't stop crying.", "sadness"),
    ("Ann", "Get out of my house, you liar!", "anger"),
    ("Ben", "The meeting is at ten o'clock.", "neutral"),
    ("Ann", "Oh my God! I can't believe it!", "surprise"),
    ("Ben", "Okay, see you on Monday.", "neutral"),
]


OFFLINE = Context(offline=True)


def keeping(store: Path) -> Context:
    return replace(OFFLINE, store=CueStore(store))


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


def test_only_the_named_split_has_to_be_as_it_should(table: Path, tmp_path: Path) -> None:
    shutil.copytree(table, tmp_path / "table")
    (tmp_path / "table" / "train.csv").write_text("text,label\nwhatever,no such label\n")
    done = evaluate(
        EvaluationRequest(CorpusRequest("table", tmp_path / "table"), "test", ("meld-minilm",), modalities=("T",)),
        tmp_path / "report",
    )
    assert json.loads(done.files["metrics.json"].read_text())["meld-minilm"]["n"] == len(LINES)


def test_what_is_wrong_is_said_in_a_line(table: Path, tmp_path: Path) -> None:
    result = emoscribe("evaluate", "mould", "--data", table, "--run", "meld-minilm", "--out", tmp_path / "report")
    assert result.returncode == 1
    assert result.stderr.startswith("emoscribe: unknown corpus 'mould'; there are: meld")
    assert len(result.stderr.splitlines()) == 1


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Path]:
    """A copy of the adapter that ships, described otherwise."""

    def described(name: str, **changes: Any) -> Path:
        folder = tmp_path / name
        shutil.copytree(SHIPPED / "meld-minilm", folder)
        description = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(description | changes))
        return folder

    return described


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"split": "dev"}, r"no dev.csv, dev.jsonl or dev.parquet"),
        ({"split": "tests"}, r"unknown split 'tests'; there are: train, dev, test"),
        ({"columns": {"text": "Utterance"}}, r"has no column 'Utterance' for text; there are: speaker, text"),
        ({"modalities": ["X"]}, r"modalities must be letters of TVA"),
        ({"out": "a file"}, r"--out .*a file is a file; give a folder"),
        ({"out": "a file/report"}, r"--out .*report: .*a file is a file"),
        ({"runs": ["gpt-9"]}, r"run 'gpt-9' is neither a folder nor an adapter"),
    ],
    ids=lambda value: str(next(iter(value.items()))) if isinstance(value, dict) else "",
)
def test_nothing_is_written_when_something_is_wrong(table: Path, tmp_path: Path, how: dict, message: str) -> None:
    (tmp_path / "a file").touch()
    given: dict[str, Any] = {"split": "test", "runs": ["meld-minilm"], "modalities": ["T"]} | how
    out, corpus = tmp_path / given.pop("out", "report"), CorpusRequest("table", table, columns=given.pop("columns", {}))
    with pytest.raises(EmoscribeError, match=message) as caught:
        evaluate(EvaluationRequest(corpus, **given), out, OFFLINE)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("text,label\n", r"test.csv has no rows"),
        ("text,label\nWell.,bored\n", r"row 1 \(line 2\), column 'label': unknown label 'bored'; there are: neutral"),
        ("text,mood\nWell.,joy\n", r"has no column 'label'; there are: text, mood"),
        ("label\njoy\n", r"has neither a column 'text' nor one 'video'"),
    ],
    ids=["empty", "label", "no labels", "nothing to read"],
)
def test_a_split_that_cannot_be_scored_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "test.csv").write_text(rows)
    with pytest.raises(EmoscribeError, match=message):
        evaluate(
            EvaluationRequest(CorpusRequest("table", tmp_path), "test", ("meld-minilm",)),
            tmp_path / "report",
            context=OFFLINE,
        )
    assert not (tmp_path / "report").exists()


def test_runs_that_do_not_fit_are_refused(table: Path, tmp_path: Path, run: Callable[..., Path]) -> None:
    other = run("other", labels=["yes", "no"], label_set="custom")
    base = run("base", base={"id": "sentence-transformers/all-MiniLM-L6-v2", "sha256": "0" * 64})
    for runs, message in (
        (["meld-minilm", other], "give different labels and cannot be compared; evaluate them apart"),
        ([base], "are not those that the adapter was trained on"),
        ([other], "unknown label 'joy'; there are: yes, no"),
    ):
        with pytest.raises(EmoscribeError, match=message):
            evaluate(
                EvaluationRequest(CorpusRequest("table", table), "test", runs, modalities=("T",)),
                tmp_path / "report",
                context=OFFLINE,
            )
    with pytest.raises(EmoscribeError, match="c-expr-db-challenge asks for one of fearfully surprised"):
        (tmp_path / "data" / "videos").mkdir(parents=True)
        (tmp_path / "data" / "videos" / "01.mp4").touch()
        evaluate(
            EvaluationRequest(CorpusRequest("c-expr-db-challenge", tmp_path / "data"), "test", (other,)),
            tmp_path / "report",
            context=OFFLINE,
        )
    assert not (tmp_path / "report").exists()


def test_the_report_says_what_a_run_has_met_before(table: Path, tmp_path: Path, run: Callable[..., Path]) -> None:
    knowing = run("knowing", training={"modalities": "T"})
    learnt = {"table train": traces(read_corpus(CorpusRequest("table", table)), "train"), "meld dev": {"text": []}}
    save_traces(find_run(knowing).folder, learnt)
    result = emoscribe(
        "evaluate", "table", "--data", table, "--run", knowing, "--run", "meld-minilm", "--modalities", "TA",
        "--out", tmp_path / "report", "--offline",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    *_, last = result.stderr.splitlines()
    assert last == "the test split and what knowing was trained with overlap: the report says in what"
    for name in ("report.md", "report.html"):
        page = (tmp_path / "report" / name).read_text()
        # “Okay, see you on Monday.” is long enough to tell something.
        shared = "2 of 2 speakers and 6 of 6 texts of 4 words or more"
        assert f"Of the test split, {shared} are in table train, which knowing learnt from: what was met" in page
        assert f"Of the test split, {shared} are in the train split too: what was met before is easier" in page
        assert "that speakers come back is usual" in page
        assert "knowing was trained on T: it has not learnt to read the voice (A)" in page


def test_a_run_is_read_with_the_signals_it_was_trained_on(table: Path, run: Callable[..., Path]) -> None:
    """Not told otherwise, it does not even look at the still."""
    text = run("text", training={"modalities": "T"})
    own, told = (
        prompts(
            EvaluationRequest(CorpusRequest("table", table), "test", (text,), modalities=letters),
            context=OFFLINE,
        )
        for letters in (None, ("T",))
    )
    assert [each.text for each in own] == [each.text for each in told]


# ── prompts ──────────────────────────────────────────────────────────────────


def test_prompts_of_a_corpus_are_those_it_is_scored_by(table: Path) -> None:
    result = emoscribe(
        "prompt", "table", "--data", table, "--split", "test", "--modalities", "T", "--limit", 2, "--offline"
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("── test-") == 2
    assert f'── test-1\n"{LINES[0][1]}"\n' in result.stdout
    wrong = emoscribe("prompt", "table", "--data", table, "--labels", "basic")
    assert wrong.returncode == 2 and "--labels goes with a video" in wrong.stderr
    where = emoscribe("prompt", "meld")
    assert where.returncode == 2 and "the corpus meld needs --data DIR" in where.stderr


def test_a_limit_does_not_change_the_words(shared: Path) -> None:
    every = prompts(
        EvaluationRequest(CorpusRequest("meld", shared / "meld"), "dev", ("meld-minilm",), modalities=("TA",)),
        context=OFFLINE,
    )
    some = prompts(
        EvaluationRequest(CorpusRequest("meld", shared / "meld"), "dev", ("meld-minilm",), modalities=("TA",)),
        limit=3,
        context=OFFLINE,
    )
    assert len(every) == 1109 and [each.text for each in some] == [each.text for each in every[:3]]


# ── cues ahead of time ───────────────────────────────────────────────────────


def test_extract_goes_on_past_a_bad_file_and_does_nothing_twice(tmp_path: Path, make_media) -> None:
    (tmp_path / "media" / "deeper").mkdir(parents=True)
    make_media(tmp_path / "media" / "tone.wav", sound=np.sin(np.arange(16_000) / 5))
    make_media(tmp_path / "media" / "deeper" / "grey.mp4", frame_times_s=np.arange(6) / 30)
    (tmp_path / "media" / "bad.mp4").write_text("no video")
    (tmp_path / "media" / "notes.txt").write_text("not media")
    command = ("extract", tmp_path / "media", "--out", tmp_path / "store", "--modalities", "V", "--offline")
    result = emoscribe(*command)
    assert result.returncode == 1
    assert result.stdout == "2 of 3 perceived; failed: bad.mp4\n"
    assert "bad.mp4 cannot be decoded" in result.stderr and "Traceback" not in result.stderr
    kept = sorted(path.name for path in (tmp_path / "store").glob("*.parquet"))
    assert [name.partition("-")[0] for name in kept] == ["face", "media"], "what several processes wrote is joined"
    settings, _ = extraction_settings(modalities="V", context=OFFLINE)
    assert sum(error is None for _, error in extract(tmp_path / "media", settings, tmp_path / "store", OFFLINE)) == 2
    assert sorted(path.name for path in (tmp_path / "store").glob("*.parquet")) == kept


def test_extract_perceives_what_evaluate_looks_up(table: Path, tmp_path: Path) -> None:
    settings, _ = extraction_settings(modalities="TV", context=OFFLINE)
    ((clip, error),) = extract(CorpusRequest("table", table, splits=("test",)), settings, tmp_path / "store", OFFLINE)
    assert (clip.id, clip.target, error) == ("test-1", "joy", None)
    assert "face" in {key.part for key in CueStore(tmp_path / "store")}
    kept = sorted((tmp_path / "store").iterdir())
    prompts(
        EvaluationRequest(CorpusRequest("table", table), "test", ("meld-minilm",), modalities=("TV",)),
        context=keeping(tmp_path / "store"),
    )
    assert sorted((tmp_path / "store").iterdir()) == kept


def test_extract_never_chooses_by_itself() -> None:
    settings, _ = extraction_settings(context=OFFLINE)
    trained = find_run("meld-minilm").extractors
    assert (settings.speech.engine, settings.face.engine) == ("faster-whisper", "landmarker")
    assert (settings.face.sampling_fps, settings.voice) == (5.0, trained.voice)
    faster, _ = extraction_settings(assignments=["face.sampling_fps=2"], context=OFFLINE)
    assert (faster.face.engine, faster.face.sampling_fps) == ("landmarker", 2)
    with pytest.raises(EmoscribeError, match="--config embedded and --run meld-minilm both say how to perceive"):
        extraction_settings("embedded", "meld-minilm")


def test_extract_says_what_it_has_nothing_to_work_on(table: Path, tmp_path: Path) -> None:
    settings, _ = extraction_settings(modalities="T", context=OFFLINE)
    (tmp_path / "empty").mkdir()
    for source, message in (
        (tmp_path / "empty", "no video, sound or picture in"),
        (CorpusRequest("table", table), "table publishes all that modalities T need: nothing to extract"),
        (CorpusRequest("mould", table), "unknown corpus 'mould'"),
    ):
        with pytest.raises(EmoscribeError, match=message):
            list(extract(source, settings, tmp_path / "store", OFFLINE))
    assert not (tmp_path / "store").exists()


# ── trimming ─────────────────────────────────────────────────────────────────


def test_trim_cuts_by_annotation_and_says_how_much(tmp_path: Path, feat_media: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "annotation").mkdir()
    shutil.copy(feat_media / "single_face.mp4", tmp_path / "videos" / "01.mp4")
    header = ["Begin Time - hh:mm:ss.ms", "End Time - hh:mm:ss.ms", *(label.title() for label in COMPOUND_OTHER.labels)]
    row = ["00:00:00.000", "00:00:00.500", "1", *("" for _ in COMPOUND_OTHER.labels[1:])]
    for video in ("01", "02"):
        (tmp_path / "annotation" / f"{video}.csv").write_text(f"{','.join(header)}\n{','.join(row)}\n")
    result = emoscribe("corpus", "c-expr-db", "--data", tmp_path, "--trim")
    assert result.returncode == 1
    assert result.stdout == "1 clips cut, 0 kept, 1 failed\n"
    assert result.stderr.startswith("emoscribe: no source video") and len(result.stderr.splitlines()) == 1
    assert (tmp_path / "trimmed_videos" / "Fearfully-Surprised" / "01_Fearfully-Surprised_0.mp4").is_file()
    refused = emoscribe("corpus", "table", "--data", tmp_path, "--trim")
    assert refused.returncode == 1
    assert refused.stderr == "emoscribe: --trim goes with c-expr-db: the clips of table are read as they are\n"


# ── on real data ─────────────────────────────────────────────────────────────


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
