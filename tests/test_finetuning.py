"""Fine-tuning from corpus to run, on a tiny random BERT and tables that the tests write."""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.files import read_json
from emoscribe.core.settings import load
from emoscribe.core.timeline import Moment
from emoscribe.core.weights import FOLDERS_VARIABLE
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.experiments import EvaluationRequest, evaluate, finetune
from emoscribe.experiments.settings import FinetuneSettings
from emoscribe.experiments.teachers import as_frequent, averaged
from emoscribe.experiments.training_data import LabelledClip, TrainingCorpus, TrainingData, examples_of, mixed_in
from emoscribe.llm.predictor import load_predictor
from emoscribe.llm.run import ADAPTER, HEAD, NORMS, SHIPPED, TextRun, find_run
from emoscribe.llm.start import started
from emoscribe.prompts.render import render
from emoscribe.textualize.mixture import Labelled
from emoscribe.training.checkpoints import CHECKPOINT
from emoscribe.training.traces import load_traces
from safetensors.numpy import load_file

SAID = {
    "joy": ("what a great day", "great , great", "so happy today", "a great happy day"),
    "anger": ("you did what", "awful , awful you", "get out you", "you awful day"),
    "neutral": ("a day", "the train at noon", "what day", "noon at the train"),
}
SMALL = {
    "base": {"id": "tiny-bert"},
    "epochs": 3,
    "batch_size": 4,
    "modalities": "T",
    "optimizer": {"learning_rate": 0.01, "head_learning_rate": 0.02},
    "weight_average": 0.5,
    "device": "cpu",
}


@pytest.fixture(scope="module", autouse=True)
def models(tiny_bert: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDERS_VARIABLE, str(tiny_bert.parent))
        yield


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines of made-up dialogues, train and dev."""
    folder = tmp_path_factory.mktemp("table")
    rng = random.Random(0)
    for split, count in (("train", 36), ("dev", 15)):
        rows = [("text", "label", "speaker", "dialogue")]
        for number in range(count):
            label = list(SAID)[number % 3]
            text = f"{rng.choice(SAID[label])} {rng.choice(SAID[label])}"
            rows.append((text, label, "ab"[number % 2], f"{split}{number // 4}"))
        with (folder / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    return folder


def settings(**changed) -> FinetuneSettings:
    return FinetuneSettings.model_validate(SMALL | changed)


@pytest.fixture(scope="module")
def run(table: Path, tmp_path_factory: pytest.TempPathFactory):
    lines: list[str] = []
    run = finetune(
        CorpusRequest("table", table), tmp_path_factory.mktemp("runs") / "words", settings(), report=lines.append
    )
    return run, lines


def weights(folder: Path) -> bytes:
    return (folder / ADAPTER).read_bytes() + (folder / HEAD).read_bytes()


# ── what comes out ───────────────────────────────────────────────────────────


def test_a_run_is_whole(run, table: Path) -> None:
    run, lines = run
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
    assert any("36 clips to train on, 15 to choose by" in line for line in lines)
    assert sum("epoch" in line for line in lines) == 3
    for name in ("run.json", "settings.json", "README.md"):
        text = (run.folder / name).read_text()
        assert str(table) not in text and str(run.folder) not in text and os.environ[FOLDERS_VARIABLE] not in text


def test_it_is_evaluated_as_it_was_judged(run, table: Path, tmp_path: Path) -> None:
    run, _ = run
    done = evaluate(
        EvaluationRequest(CorpusRequest("table", table), "dev", (run.folder,), modalities=("T",)),
        tmp_path / "report",
        context=Context(device="cpu", offline=True),
    )
    measured = read_json(done.files["metrics.json"])["words"]
    for metric in ("accuracy", "weighted_f1", "macro_f1"):
        assert measured[metric] == pytest.approx(run.metrics["dev"][metric], abs=1e-6)
    # Dev chose the epoch: the report says that these scores are no test.
    assert "by which the epoch of words was chosen" in (tmp_path / "report" / "report.md").read_text()


def test_what_was_said_before_is_learnt_from(tmp_path: Path) -> None:
    """Where each line's label is what the line before it was like, a line alone tells nothing."""
    rng = random.Random(0)
    for split, dialogues in (("train", 30), ("dev", 10)):
        rows = [("text", "label", "speaker", "dialogue")]
        for number in range(dialogues):
            before = "joy"
            for turn in range(4):
                like = rng.choice(("joy", "anger"))
                rows.append((rng.choice(SAID[like]), before, "ab"[turn % 2], f"{split}{number}"))
                before = like
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    scores = {}
    calm = {"learning_rate": 0.003, "head_learning_rate": 0.01}
    for turns in (0, 2):
        folder = tmp_path / f"{turns}-turns"
        learning = settings(epochs=10, batch_size=8, optimizer=calm, prompt={"history_turns": turns})
        run = finetune(CorpusRequest("table", tmp_path), folder, learning)
        evaluated = evaluate(
            EvaluationRequest(CorpusRequest("table", tmp_path), "dev", (folder,)),
            tmp_path / f"report-{turns}",
            context=Context(device="cpu", offline=True),
        )
        scores[turns] = read_json(evaluated.files["metrics.json"])[folder.name]["macro_f1"]
        # What is kept reads as what was trained, with its memory and without.
        assert scores[turns] == pytest.approx(run.metrics["dev"]["macro_f1"], abs=1e-6)
    assert scores[0] < 0.75 and scores[2] > 0.9, scores


# ── being stopped ────────────────────────────────────────────────────────────


class _Stopped(Exception):
    pass


@pytest.mark.parametrize("stopped_at", [2, 14, 27])
def test_a_resumed_training_is_an_unbroken_one(run, table: Path, tmp_path: Path, stopped_at: int) -> None:
    unbroken, _ = run
    seen = 0

    def stop(stage: str, done: float) -> None:
        nonlocal seen
        seen += stage == "training"
        if seen == stopped_at:
            raise _Stopped

    often = settings(checkpoint_steps=5)
    with pytest.raises(_Stopped):
        finetune(CorpusRequest("table", table), tmp_path / "words", often, context=Context(offline=True, progress=stop))
    assert not (tmp_path / "words" / "run.json").exists() or (tmp_path / "words" / CHECKPOINT).exists()
    if (tmp_path / "words" / CHECKPOINT).exists():
        with pytest.raises(SettingsError, match="--resume"):
            finetune(CorpusRequest("table", table), tmp_path / "words", often)
    resumed = finetune(CorpusRequest("table", table), tmp_path / "words", often, resume=True)
    assert weights(resumed.folder) == weights(unbroken.folder)
    assert resumed.temperature == unbroken.temperature
    assert [each["dev"] for each in resumed.metrics["epochs"]] == [each["dev"] for each in unbroken.metrics["epochs"]]
    history = [json.loads(line) for line in (resumed.folder / "history.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in history if "loss" in row]
    assert steps == list(range(1, 28))


def test_a_training_stopped_before_it_was_described(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the last checkpoint and the description of the run."""

    def killed(run: TextRun) -> None:
        raise _Stopped

    with monkeypatch.context() as patch, pytest.raises(_Stopped):
        patch.setattr("emoscribe.llm.run.TextRun.save", killed)
        finetune(CorpusRequest("table", table), tmp_path / "words", settings(epochs=1))
    resumed = finetune(CorpusRequest("table", table), tmp_path / "words", settings(epochs=1), resume=True)
    assert find_run(resumed.folder) == resumed and not (resumed.folder / CHECKPOINT).exists()


def test_a_mistake_can_be_mended_in_the_same_folder(table: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no layer 'nope'"):
        finetune(CorpusRequest("table", table), tmp_path / "words", settings(lora={"target_modules": ["nope"]}))
    with pytest.raises(SettingsError, match="nothing on train-1 with the labels"):
        (tmp_path / "opinions.json").write_text("[]")
        finetune(
            CorpusRequest("table", table),
            tmp_path / "words",
            settings(teachers={"opinions": [tmp_path / "opinions.json"]}),
        )
    assert finetune(CorpusRequest("table", table), tmp_path / "words", settings(epochs=1)).metrics["best_epoch"] == 0


def test_a_damaged_checkpoint_is_named(table: Path, tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(EmoscribeError, match=r"checkpoint\.pt is damaged; train anew"):
        finetune(CorpusRequest("table", table), tmp_path, settings(), resume=True)


def test_only_the_same_training_is_resumed(run, table: Path, tmp_path: Path) -> None:
    run, _ = run
    folder = shutil.copytree(run.folder, tmp_path / "words")
    with pytest.raises(SettingsError, match=r"settings differ .*seed: 0, now 1"):
        finetune(CorpusRequest("table", table), folder, settings(seed=1), resume=True)
    other = shutil.copytree(table, tmp_path / "table")
    with (other / "train.csv").open("a") as file:
        file.write("one more,joy,a,z\n")
    with pytest.raises(SettingsError, match="data differ"):
        finetune(CorpusRequest("table", other), folder, settings(), resume=True)
    assert finetune(CorpusRequest("table", table), folder, settings(), resume=True).metrics == run.metrics


def test_a_full_disk_damages_nothing(table: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a disk with no room for the checkpoint."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(EmoscribeError, match="make room"):
            finetune(CorpusRequest("table", table), tmp_path / "words", settings())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "words").glob("*.partial*"))
    assert (
        finetune(CorpusRequest("table", table), tmp_path / "words", settings(), resume=True).metrics["best_epoch"] >= 0
    )


# ── several processes ────────────────────────────────────────────────────────


def test_two_processes_learn_and_measure_as_one(run, table: Path, tmp_path: Path) -> None:
    run, _ = run
    # Without dropout nothing is left to chance: the gradients are the same but for rounding.
    still = {"epochs": 1, "lora": {"dropout": 0}, "head_dropout": 0, "precision": "float32", "micro_batch_size": 1}
    config = tmp_path / "small.yaml"
    config.write_text(json.dumps(SMALL | still))
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

    said = by_two("finetune", "table", "--data", table, "--config", config, "--out", tmp_path / "two")
    assert said.count("epoch 1/1") == 1 and (tmp_path / "rank 1").exists()
    one = finetune(CorpusRequest("table", table), tmp_path / "one", settings(**still))
    two = find_run(tmp_path / "two")
    assert two.metrics["epochs"][0]["loss"] == pytest.approx(one.metrics["epochs"][0]["loss"], rel=1e-4)
    for name in (ADAPTER, HEAD):
        learnt, same = load_file(one.folder / name), load_file(two.folder / name)
        assert all(np.allclose(learnt[key], same[key], atol=1e-4) for key in learnt)
    measure = ("evaluate", "table", "--data", table, "--split", "dev", "--run", run.folder, "--offline")
    by_two(*measure, "--out", tmp_path / "by-two")
    evaluate(
        EvaluationRequest(CorpusRequest("table", table), "dev", (run.folder,)),
        tmp_path / "by-one",
        context=Context(device="cpu", offline=True),
    )
    by_one, by_two = (read_json(tmp_path / name / "metrics.json")["words"] for name in ("by-one", "by-two"))
    assert all(by_one[name] == by_two[name] for name in ("n", "accuracy", "weighted_f1", "macro_f1", "confusion"))
    # Other batches round otherwise.
    assert by_one["ece"] == pytest.approx(by_two["ece"], abs=1e-6)


# ── settings ─────────────────────────────────────────────────────────────────


def test_a_loss_that_is_no_number_ends_it(table: Path, tmp_path: Path) -> None:
    wild = settings(optimizer={"learning_rate": 1e30, "head_learning_rate": 1e30}, weight_average=0)
    with pytest.raises(EmoscribeError, match=r"lower optimizer\.learning_rate"):
        finetune(CorpusRequest("table", table), tmp_path / "words", wild)


def test_patience_ends_it_early(table: Path, tmp_path: Path) -> None:
    impatient = settings(epochs=9, patience=1, optimizer={"learning_rate": 1e-9, "head_learning_rate": 1e-9})
    run = finetune(CorpusRequest("table", table), tmp_path / "words", impatient)
    assert len(run.metrics["epochs"]) == 2 and run.metrics["best_epoch"] == 0


def test_gradients_do_not_depend_on_how_a_batch_is_cut(table: Path, tmp_path: Path) -> None:
    still = {"lora": {"dropout": 0}, "head_dropout": 0, "precision": "float32", "epochs": 1}
    losses = [
        finetune(CorpusRequest("table", table), tmp_path / str(size), settings(micro_batch_size=size, **still)).metrics[
            "epochs"
        ][0]
        for size in (None, 1, 3)
    ]
    assert losses[1]["loss"] == pytest.approx(losses[0]["loss"], rel=1e-4)
    assert losses[2]["loss"] == pytest.approx(losses[0]["loss"], rel=1e-4)


@pytest.mark.parametrize(
    "changed",
    [
        {"loss": {"class_weights": "balanced"}},
        {"loss": {"logit_adjustment": 1.0}},
        {"loss": {"label_smoothing": 0.2}},
        {"optimizer": {"name": "sgd", "learning_rate": 0.01, "head_learning_rate": 0.02}},
        {"optimizer": {"schedule": "cosine", "learning_rate": 0.01, "head_learning_rate": 0.02}},
        {"weight_average": 0},
        {"head": {"pooling": "target-mean"}},
        {"prompt": {"context_turns": 2}},
        {"seed": 1},
    ],
    ids=str,
)
def test_every_setting_counts(imbalanced: Path, plain_run: bytes, tmp_path: Path, changed: dict) -> None:
    run = finetune(CorpusRequest("table", imbalanced), tmp_path / "words", settings(epochs=1, **changed))
    assert weights(run.folder) != plain_run


@pytest.fixture(scope="module")
def imbalanced(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table with four neutral lines to every other one."""
    folder = tmp_path_factory.mktemp("imbalanced")
    for split in ("train", "dev"):
        rows = (table / f"{split}.csv").read_text().splitlines()
        rows += [row for row in rows for _ in range(3) if ",neutral," in row]
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def plain_run(imbalanced: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return weights(
        finetune(
            CorpusRequest("table", imbalanced), tmp_path_factory.mktemp("plain") / "words", settings(epochs=1)
        ).folder
    )


def write_all_alike(folder: Path) -> None:
    """A table of one line again and again: nothing tells but how frequent labels are.  Two thirds are neutral."""
    for split, times in (("train", 24), ("dev", 2)):
        labels = ["neutral", "neutral", "neutral", "neutral", "joy", "anger"] * times
        (folder / f"{split}.csv").write_text("text,label\n" + "".join(f"so fine,{label}\n" for label in labels))


def test_adjusted_logits_answer_as_if_labels_were_equally_frequent(tmp_path: Path) -> None:
    write_all_alike(tmp_path)
    answers = {}
    for adjustment in (0.0, 1.0):
        # One epoch: to dev all are equally good, and of those the first is kept.
        changed = {"loss": {"logit_adjustment": adjustment}, "epochs": 1}
        run = finetune(CorpusRequest("table", tmp_path), tmp_path / str(adjustment), settings(**changed))
        # As it was learnt: the temperature is fitted to dev, where neutral lines are as frequent.
        reader = replace(load_predictor(run, Context(device="cpu", offline=True)), temperatures={"": 1.0})
        scored = reader.predict([render([Moment(0, 1, None, "so fine")], 0, run.prompt, id="")])[0]
        answers[adjustment] = scored.scores["neutral"]
    assert answers[0.0] > 0.55
    assert answers[1.0] < 0.45


def test_teachers_and_what_they_said(table: Path, tmp_path: Path) -> None:
    asking = settings(epochs=1, teachers={"count": 2, "epochs": 1})
    run = finetune(CorpusRequest("table", table), tmp_path / "taught", asking)
    opinions = read_json(run.folder / "opinions.json")
    assert len(opinions) == 36 and all(sum(said.values()) == pytest.approx(1, abs=1e-3) for said in opinions.values())
    again = settings(epochs=1, teachers={"opinions": [str(run.folder / "opinions.json")] * 2})
    assert weights(finetune(CorpusRequest("table", table), tmp_path / "again", again).folder) == weights(run.folder)
    untaught = finetune(CorpusRequest("table", table), tmp_path / "untaught", settings(epochs=1))
    assert weights(untaught.folder) != weights(run.folder)
    with pytest.raises(SettingsError, match="says nothing on"):
        finetune(
            CorpusRequest("table", table),
            tmp_path / "no",
            settings(teachers={"opinions": [str(run.folder / "settings.json")]}),
        )


def test_opinions_of_several_runs_are_averaged() -> None:
    one, other = ({"a": {"joy": joy, "anger": 1 - joy}} for joy in (0.9, 0.3))
    assert averaged([one, other])["a"] == pytest.approx({"joy": 0.6, "anger": 0.4})


def test_opinions_hold_labels_as_frequent_as_they_are(tmp_path: Path) -> None:
    """Whatever the loss adjusts."""
    assert as_frequent({"joy": 0.5, "anger": 0.5}, {"joy": 3.0, "anger": 1.0}) == pytest.approx(
        {"joy": 0.75, "anger": 0.25}
    )
    write_all_alike(tmp_path)
    asking = settings(loss={"logit_adjustment": 1.0}, epochs=1, teachers={"count": 2, "epochs": 1})
    run = finetune(CorpusRequest("table", tmp_path), tmp_path / "taught", asking)
    neutral = [said["neutral"] for said in read_json(run.folder / "opinions.json").values()]
    assert min(neutral) > 0.55


def test_a_licence_of_its_own(table: Path, tmp_path: Path) -> None:
    run = finetune(CorpusRequest("table", table), tmp_path / "words", settings(epochs=1, licence="CC0-1.0"))
    assert run.licence == "CC0-1.0" and "license: cc0-1.0" in (run.folder / "README.md").read_text()


def test_a_training_goes_on_from_another_run(run, table: Path, tmp_path: Path) -> None:
    """Its adapter, the rows of the head for labels of the same name, and what it owes to whom."""
    shutil.copytree(run[0].folder, tmp_path / "start")
    start = run[0].model_copy(update={"folder": tmp_path / "start", "licence": "theirs alone"})
    start.save()
    other = tmp_path / "other"
    other.mkdir()
    for split, lines in (("train", SAID["joy"] + SAID["anger"]), ("dev", SAID["joy"] + SAID["anger"])):
        rows = [(f"{text} {split}", "joy" if text in SAID["joy"] else "fury") for text in lines]
        with (other / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    still = {"learning_rate": 1e-12, "head_learning_rate": 1e-12}
    asked = settings(init=str(start.folder), epochs=1, optimizer=still, weight_average=0, lora={"rank": 3})
    lines: list[str] = []
    on = finetune(CorpusRequest("table", other), tmp_path / "on", asked, report=lines.append)
    assert f"starts from {start.name} (theirs alone)" in lines
    adapter, head = ([load_file(each.folder / name) for each in (start, on)] for name in (ADAPTER, HEAD))
    assert adapter[0].keys() == adapter[1].keys()
    assert all(np.allclose(adapter[0][name], adapter[1][name], atol=1e-6) for name in adapter[0])
    joy, fury = (on.labels.index(label) for label in ("joy", "fury"))
    for name in head[0]:
        assert np.allclose(head[1][name][joy], head[0][name][start.labels.index("joy")], atol=1e-6)
        assert not np.allclose(head[1][name][fury], head[0][name][start.labels.index("joy")], atol=1e-2)
    assert on.licence == f"your own; theirs alone (of {start.name}, which it starts from)"
    assert on.training["settings"]["lora"]["rank"] == 16 and on.training["settings"]["init"] == start.name
    assert on.training["init"]["data"] == start.training["data"]
    card = (on.folder / "README.md").read_text()
    assert "Training started from" in card and str(start.folder.parent) not in card
    # What it started from was met before, too.
    met, before = load_traces(on.folder), load_traces(start.folder)
    assert set(before["table train"]["text"]) < set(met["table train"]["text"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"init": "meld-minilm"}, r"init meld-minilm is an adapter for \S+MiniLM-L6-v2, and base.id is tiny-bert; set"),
        ({"init": "zero-shot:tiny"}, "does not say what adapter it has"),
        ({"init": "nobody"}, "is neither a folder nor an adapter that ships"),
    ],
)
def test_what_cannot_be_started_from_is_said(changed: dict, message: str, table: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        finetune(CorpusRequest("table", table), tmp_path / "none", settings(**changed))
    assert not (tmp_path / "none").exists()


def test_auto_starts_from_what_has_read_the_same_base_where_few_words_are_read() -> None:
    def start_of(examples: int, modalities: str = "T", **changed) -> str | None:
        return started(load(FinetuneSettings, "minilm", [], **changed), examples, modalities)[0].init

    assert start_of(1200) == "goemotions-minilm"
    assert start_of(5000) is None and start_of(1200, "VA") is None
    assert start_of(1200, base__id="tiny-bert") is None and start_of(1200, lora__rank=8) is None
    assert start_of(1200, init="meld-minilm") == "meld-minilm"


def test_few_data_are_read_more_often_unless_it_is_said_how_often() -> None:
    few = settings(epochs="auto")
    assert [few.epochs_of(batches) for batches in (1, 7, 38, 75, 1000)] == [30, 30, 8, 4, 4]
    assert settings(epochs=2).epochs_of(1) == 2
    with pytest.raises(ValueError, match="epochs"):
        settings(epochs=0)


def test_one_answer_for_all_is_remarked(table: Path, tmp_path: Path) -> None:
    """200 lines ended in a run that answered neutral 200 times, without a remark."""
    alike = tmp_path / "alike"
    shutil.copytree(table, alike)
    with (alike / "train.csv").open("w", newline="") as file:
        rows = [(text, "joy") for text in SAID["joy"] * 8] + [(text, "neutral") for text in SAID["neutral"][:1]]
        csv.writer(file).writerows([("text", "label"), *rows])
    request, lines = CorpusRequest("table", alike), list[str]()
    run = finetune(request, tmp_path / "run", settings(labels=tuple(SAID)), report=lines.append)
    assert run.answered == ("joy",)
    assert any(line.startswith("on dev every answer is 'joy': nothing is told apart") for line in lines)
    assert "Every clip there was answered joy" in (run.folder / "README.md").read_text()
    found = evaluate(EvaluationRequest(request, "dev", (run.folder,)), tmp_path / "report")
    assert "answers 'joy' to each of 15 clips: it tells nothing apart" in found.files["report.md"].read_text()


def test_corpora_mixed(table: Path, tmp_path: Path) -> None:
    """Other lines, as another corpus; what each is read by is measured apart."""
    mixed = mixed_in(settings(epochs=1), [f"table={table}"])
    run = finetune(CorpusRequest("table", table), tmp_path / "mixed", mixed)
    # Two tables are two corpora: neither is forgotten for the other.
    assert {"mean", "table[T] weighted_f1", "table-2[T] weighted_f1"} <= set(run.metrics["dev"])
    assert set(load_traces(run.folder)) == {"table train", "table dev", "table-2 train", "table-2 dev"}
    with pytest.raises(SettingsError, match="where is faces"):
        finetune(
            CorpusRequest("table", table),
            tmp_path / "no",
            settings(mix=[{"corpus": "table", "name": "faces", "teaches": "T"}]),
        )
    with pytest.raises(SettingsError, match="NAME=DIR"):
        mixed_in(settings(), ["ravdess"])
    with pytest.raises(SettingsError, match="unknown corpus"):
        mixed_in(settings(), ["nothing=/tmp"])
    with pytest.raises(SettingsError, match="twice"):
        mixed_in(settings(), [f"table={table}", "table=/tmp"])
    with pytest.raises(ValueError, match="two corpora called table"):
        settings(mix=[{"corpus": "table", "teaches": "T"}, {"corpus": "table", "teaches": "T"}])
    with pytest.raises(ValueError, match="teaches T, which modalities V leave out"):
        settings(modalities="V", mix=[{"corpus": "table", "teaches": "V"}])


def test_a_corpus_with_nothing_to_learn_from(table: Path, tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    shutil.copy(table / "dev.csv", tmp_path / "dev")
    mix = [{"corpus": "table", "name": "other", "teaches": "T", "data": tmp_path / "dev", "examples": 3}]
    with pytest.raises(SettingsError, match=r"other in .* has no clips with one label in its train split"):
        finetune(CorpusRequest("table", table), tmp_path / "words", settings(mix=mix))


def test_teachers_are_heard_on_their_own_corpus_alone(table: Path, tmp_path: Path) -> None:
    """Rows of two tables are called the same."""
    mixed = settings(mix=[{"corpus": "table", "teaches": "T", "data": table}])
    data = [
        TrainingData(TrainingCorpus(name, None, "T"), {"train": (clip,)})  # pyright: ignore[reportArgumentType]
        for name, clip in (("table", line("a day", "neutral")), ("table-2", line("get out", "anger")))
    ]
    opinions = {"train-1": {"joy": 0.2, "anger": 0.2, "neutral": 0.6}}
    described = find_run("meld-minilm")
    examples = examples_of(data, described, mixed, 0, opinions)
    assert [(each.source, each.soft) for each in examples[:2]] == [("table", opinions["train-1"]), ("table-2", None)]


def line(text: str, label: str) -> LabelledClip:
    return LabelledClip("train-1", "a", Labelled(Moment(0, 1, text=text), label, "T"), ())


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
    table: Path, tmp_path: Path, changed: dict, message: str
) -> None:
    with pytest.raises(EmoscribeError, match=message) as refused:
        finetune(CorpusRequest("table", table), tmp_path / "words", settings(**changed))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "words").exists()


def test_a_split_without_labels(table: Path, tmp_path: Path) -> None:
    alone = tmp_path / "table"
    alone.mkdir()
    shutil.copy(table / "train.csv", alone)
    with pytest.raises(SettingsError, match="dev split"):
        finetune(CorpusRequest("table", alone), tmp_path / "words", settings())


def test_one_label_is_nothing_to_learn(table: Path, tmp_path: Path) -> None:
    alone = tmp_path / "table"
    alone.mkdir()
    for split in ("train", "dev"):
        (alone / f"{split}.csv").write_text("text,label\na day,joy\n")
    with pytest.raises(SettingsError, match=r"all clips of table in .* are 'joy'"):
        finetune(CorpusRequest("table", alone), tmp_path / "words", settings())


@pytest.mark.parametrize("out", ["words", "words/below"])
def test_a_file_is_no_run(table: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "words").write_text("")
    with pytest.raises(SettingsError, match="is a file"):
        finetune(CorpusRequest("table", table), tmp_path / out, settings())


def test_a_run_says_nothing_of_this_machine(table: Path, tmp_path: Path) -> None:
    norms = shutil.copy(SHIPPED / "meld-minilm" / NORMS, tmp_path)
    run = finetune(CorpusRequest("table", table), tmp_path / "words", settings(epochs=1, norms=str(norms)))
    for name in ("run.json", "settings.json", "README.md"):
        assert str(tmp_path) not in (run.folder / name).read_text()
