"""Fine-tuning from corpus to run, on a tiny random BERT and tables that the tests write."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.files import read_json
from emoscribe.core.weights import FOLDERS_VARIABLE
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.experiments import EvaluationRequest, evaluate, finetune
from emoscribe.llm.run import ADAPTER, HEAD, NORMS, SHIPPED, TextRun, find_run
from emoscribe.training.checkpoints import CHECKPOINT
from emoscribe.training.traces import load_traces
from safetensors.numpy import load_file

pytestmark = pytest.mark.usefixtures("tiny_bert_found")


# ── what comes out ───────────────────────────────────────────────────────────


def test_a_run_is_whole(lines_run, lines_table: Path) -> None:
    run, reported = lines_run
    there = {path.name for path in run.folder.iterdir()}
    assert {"run.json", "adapter_config.json", ADAPTER, HEAD, "settings.json", "traces.json", "README.md"} <= there
    assert {"curves.svg", "history.jsonl", "curves"} <= there and CHECKPOINT not in there
    assert run == find_run(run.folder)
    assert run.metrics["selected_on"] == "macro_f1" and run.metrics["dev"]["macro_f1"] > 0.5
    assert run.metrics["epochs"][run.metrics["best_epoch"]]["dev"] == run.metrics["dev"]
    data = run.training["data"]
    assert [(each["split"], each["clips"]) for each in data] == [("train", 36), ("dev", 15)]
    assert data[0]["fingerprint"] != data[1]["fingerprint"]
    assert set(load_traces(run.folder)) == {"table train", "table dev"}
    assert any("36 clips to train on, 15 to choose by" in line for line in reported)
    assert sum("epoch" in line for line in reported) == 3
    for name in ("run.json", "settings.json", "README.md"):
        text = (run.folder / name).read_text()
        assert str(lines_table) not in text and str(run.folder) not in text and os.environ[FOLDERS_VARIABLE] not in text


def test_it_is_evaluated_as_it_was_judged(lines_run, lines_table: Path, tmp_path: Path) -> None:
    run, _ = lines_run
    done = evaluate(
        EvaluationRequest(CorpusRequest("table", lines_table), "dev", (run.folder,), modalities=("T",)),
        tmp_path / "report",
        context=Context(device="cpu", offline=True),
    )
    measured = read_json(done.files["metrics.json"])["words"]
    # What a table is judged by, not what the report draws first.
    assert read_json(done.files["comparison.json"])["decided_by"]["metric"] == "macro_f1"
    for metric in ("accuracy", "weighted_f1", "macro_f1"):
        assert measured[metric] == pytest.approx(run.metrics["dev"][metric], abs=1e-6)
    # Dev chose the epoch: the report says that these scores are no test.
    assert "by which the epoch of words was chosen" in (tmp_path / "report" / "report.md").read_text()


def test_what_was_said_before_is_learnt_from(tmp_path: Path, small_settings, sample_lines, write_csv) -> None:
    """Where each line's label is what the line before it was like, a line alone tells nothing."""
    rng = random.Random(0)
    for split, dialogues in (("train", 30), ("dev", 10)):
        rows = [("text", "label", "speaker", "dialogue")]
        for number in range(dialogues):
            before = "joy"
            for turn in range(4):
                like = rng.choice(("joy", "anger"))
                rows.append((rng.choice(sample_lines[like]), before, "ab"[turn % 2], f"{split}{number}"))
                before = like
        write_csv(tmp_path / f"{split}.csv", *rows)
    scores = {}
    calm = {"learning_rate": 0.003, "head_learning_rate": 0.01}
    for turns in (0, 2):
        folder = tmp_path / f"{turns}-turns"
        learning = small_settings(epochs=10, batch_size=8, optimizer=calm, prompt={"history_turns": turns})
        run = finetune(CorpusRequest("table", tmp_path), folder, learning)
        evaluated = evaluate(
            EvaluationRequest(CorpusRequest("table", tmp_path), "dev", (folder,)),
            tmp_path / f"report-{turns}",
            context=Context(device="cpu", offline=True),
        )
        scores[turns] = read_json(evaluated.files["metrics.json"])[folder.name]["macro_f1"]
        # What is kept reads as what was trained, with its memory and without.
        assert scores[turns] == pytest.approx(run.metrics["dev"]["macro_f1"], abs=1e-6)
    assert scores[0] < 0.75 and scores[2] > 0.95, scores


# ── being stopped ────────────────────────────────────────────────────────────


class _Stopped(Exception):
    pass


@pytest.mark.parametrize("stopped_at", [2, 14, 27])
def test_a_resumed_training_is_an_unbroken_one(
    lines_run, lines_table: Path, tmp_path: Path, stopped_at: int, small_settings, weights
) -> None:
    unbroken, _ = lines_run
    seen = 0

    def stop(stage: str, done: float) -> None:
        nonlocal seen
        seen += stage == "training"
        if seen == stopped_at:
            raise _Stopped

    often = small_settings(checkpoint_steps=5)
    with pytest.raises(_Stopped):
        finetune(
            CorpusRequest("table", lines_table), tmp_path / "words", often, context=Context(offline=True, progress=stop)
        )
    assert not (tmp_path / "words" / "run.json").exists() or (tmp_path / "words" / CHECKPOINT).exists()
    if (tmp_path / "words" / CHECKPOINT).exists():
        with pytest.raises(SettingsError, match="--resume"):
            finetune(CorpusRequest("table", lines_table), tmp_path / "words", often)
    resumed = finetune(CorpusRequest("table", lines_table), tmp_path / "words", often, resume=True)
    assert weights(resumed.folder) == weights(unbroken.folder)
    assert resumed.temperature == unbroken.temperature
    assert [each["dev"] for each in resumed.metrics["epochs"]] == [each["dev"] for each in unbroken.metrics["epochs"]]
    history = [json.loads(line) for line in (resumed.folder / "history.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in history if "loss" in row]
    assert steps == list(range(1, 28))


def test_a_training_stopped_before_it_was_described(
    lines_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_settings
) -> None:
    """Killed between the last checkpoint and the description of the run."""

    def killed(run: TextRun) -> None:
        raise _Stopped

    with monkeypatch.context() as patch, pytest.raises(_Stopped):
        patch.setattr("emoscribe.llm.run.TextRun.save", killed)
        finetune(CorpusRequest("table", lines_table), tmp_path / "words", small_settings(epochs=1))
    resumed = finetune(CorpusRequest("table", lines_table), tmp_path / "words", small_settings(epochs=1), resume=True)
    assert find_run(resumed.folder) == resumed and not (resumed.folder / CHECKPOINT).exists()


def test_a_mistake_can_be_mended_in_the_same_folder(lines_table: Path, tmp_path: Path, small_settings) -> None:
    with pytest.raises(SettingsError, match="no layer 'nope'"):
        finetune(
            CorpusRequest("table", lines_table), tmp_path / "words", small_settings(lora={"target_modules": ["nope"]})
        )
    with pytest.raises(SettingsError, match="nothing on train-1 with the labels"):
        (tmp_path / "opinions.json").write_text("[]")
        finetune(
            CorpusRequest("table", lines_table),
            tmp_path / "words",
            small_settings(teachers={"opinions": [tmp_path / "opinions.json"]}),
        )
    assert (
        finetune(CorpusRequest("table", lines_table), tmp_path / "words", small_settings(epochs=1)).metrics[
            "best_epoch"
        ]
        == 0
    )


def test_a_damaged_checkpoint_is_named(lines_table: Path, tmp_path: Path, small_settings) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(EmoscribeError, match=r"checkpoint\.pt is damaged; train anew"):
        finetune(CorpusRequest("table", lines_table), tmp_path, small_settings(), resume=True)


def test_only_the_same_training_is_resumed(lines_run, lines_table: Path, tmp_path: Path, small_settings) -> None:
    run, _ = lines_run
    folder = shutil.copytree(run.folder, tmp_path / "words")
    with pytest.raises(SettingsError, match=r"settings differ .*seed: 0, now 1"):
        finetune(CorpusRequest("table", lines_table), folder, small_settings(seed=1), resume=True)
    other = shutil.copytree(lines_table, tmp_path / "table")
    with (other / "train.csv").open("a") as file:
        file.write("one more,joy,a,z\n")
    with pytest.raises(SettingsError, match="data differ"):
        finetune(CorpusRequest("table", other), folder, small_settings(), resume=True)
    assert finetune(CorpusRequest("table", lines_table), folder, small_settings(), resume=True).metrics == run.metrics


def test_a_full_disk_damages_nothing(lines_table: Path, tmp_path: Path, small_settings) -> None:
    """A limit on the size of files stands in for a disk with no room for the checkpoint."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(EmoscribeError, match="make room"):
            finetune(CorpusRequest("table", lines_table), tmp_path / "words", small_settings())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "words").glob("*.partial*"))
    assert (
        finetune(CorpusRequest("table", lines_table), tmp_path / "words", small_settings(), resume=True).metrics[
            "best_epoch"
        ]
        >= 0
    )


# ── several processes ────────────────────────────────────────────────────────


def test_two_processes_learn_and_measure_as_one(lines_run, lines_table: Path, tmp_path: Path, small_settings) -> None:
    run, _ = lines_run
    # Without dropout nothing is left to chance: the gradients are the same but for rounding.
    still = {"epochs": 1, "lora": {"dropout": 0}, "head_dropout": 0, "precision": "float32", "micro_batch_size": 1}
    config = tmp_path / "small.yaml"
    config.write_text(small_settings(**still).model_dump_json(exclude_unset=True))
    # Told otherwise, a machine without GPUs starts a single process.
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    script = tmp_path / "launched.py"
    script.write_text(
        "import os, pathlib\n"
        "from emoscribe.cli import main\n"
        "pathlib.Path(__file__).with_name('rank ' + os.environ['RANK']).touch()\n"
        "main()\n"
    )

    def by_two(*arguments: object) -> str:
        command = [*launch, str(script), *map(str, arguments)]
        # Settings of whoever launches: none may touch what is learnt.
        told = {"OMP_NUM_THREADS": "1", "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"}
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | told)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = by_two("finetune", "table", "--data", lines_table, "--config", config, "--out", tmp_path / "two")
    assert said.count("epoch 1/1") == 1 and (tmp_path / "rank 1").exists()
    one = finetune(CorpusRequest("table", lines_table), tmp_path / "one", small_settings(**still))
    two = find_run(tmp_path / "two")
    assert two.metrics["epochs"][0]["loss"] == pytest.approx(one.metrics["epochs"][0]["loss"], rel=1e-4)
    for name in (ADAPTER, HEAD):
        learnt, same = load_file(one.folder / name), load_file(two.folder / name)
        assert all(np.allclose(learnt[key], same[key], atol=1e-4) for key in learnt)
    measure = ("evaluate", "table", "--data", lines_table, "--split", "dev", "--run", run.folder, "--offline")
    by_two(*measure, "--out", tmp_path / "by-two")
    evaluate(
        EvaluationRequest(CorpusRequest("table", lines_table), "dev", (run.folder,)),
        tmp_path / "by-one",
        context=Context(device="cpu", offline=True),
    )
    by_one, by_two = (read_json(tmp_path / name / "metrics.json")["words"] for name in ("by-one", "by-two"))
    assert all(by_one[name] == by_two[name] for name in ("n", "accuracy", "weighted_f1", "macro_f1", "confusion"))
    # Other batches round otherwise.
    assert by_one["ece"] == pytest.approx(by_two["ece"], abs=1e-6)


# ── what is wrong ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": ["joy", "anger"]}, "neutral"),
        ({"base": {"id": "no-such-model"}}, "no-such-model"),
        ({"modalities": "TX"}, "TVA"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    lines_table: Path, tmp_path: Path, changed: dict, message: str, small_settings
) -> None:
    with pytest.raises(EmoscribeError, match=message) as refused:
        finetune(CorpusRequest("table", lines_table), tmp_path / "words", small_settings(**changed))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "words").exists()


def test_a_split_without_labels(lines_table: Path, tmp_path: Path, small_settings) -> None:
    alone = tmp_path / "table"
    alone.mkdir()
    shutil.copy(lines_table / "train.csv", alone)
    with pytest.raises(SettingsError, match="dev split"):
        finetune(CorpusRequest("table", alone), tmp_path / "words", small_settings())


def test_one_label_is_nothing_to_learn(lines_table: Path, tmp_path: Path, small_settings) -> None:
    alone = tmp_path / "table"
    alone.mkdir()
    for split in ("train", "dev"):
        (alone / f"{split}.csv").write_text("text,label\na day,joy\n")
    with pytest.raises(SettingsError, match=r"all clips of table in .* are 'joy'"):
        finetune(CorpusRequest("table", alone), tmp_path / "words", small_settings())


@pytest.mark.parametrize("out", ["words", "words/below"])
def test_a_file_is_no_run(lines_table: Path, tmp_path: Path, out: str, small_settings) -> None:
    (tmp_path / "words").write_text("")
    with pytest.raises(SettingsError, match="is a file"):
        finetune(CorpusRequest("table", lines_table), tmp_path / out, small_settings())


def test_a_run_says_nothing_of_this_machine(lines_table: Path, tmp_path: Path, small_settings) -> None:
    norms = shutil.copy(SHIPPED / "meld-minilm" / NORMS, tmp_path)
    run = finetune(CorpusRequest("table", lines_table), tmp_path / "words", small_settings(epochs=1, norms=str(norms)))
    for name in ("run.json", "settings.json", "README.md"):
        assert str(tmp_path) not in (run.folder / name).read_text()
