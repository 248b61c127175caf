"""What the settings of a fine-tuning do, and what it starts from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.settings import load
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.experiments import EvaluationRequest, evaluate, finetune
from emoscribe.experiments.settings import FinetuneSettings
from emoscribe.llm.run import ADAPTER, HEAD, find_run
from emoscribe.llm.start import started
from emoscribe.training.traces import load_traces
from safetensors.numpy import load_file

pytestmark = pytest.mark.usefixtures("tiny_bert_found")


def test_a_loss_that_is_no_number_ends_it(lines_table: Path, tmp_path: Path, small_settings) -> None:
    wild = small_settings(optimizer={"learning_rate": 1e30, "head_learning_rate": 1e30}, weight_average=0)
    with pytest.raises(EmoscribeError, match=r"lower optimizer\.learning_rate"):
        finetune(CorpusRequest("table", lines_table), tmp_path / "words", wild)


def test_patience_ends_it_early(lines_table: Path, tmp_path: Path, small_settings) -> None:
    impatient = small_settings(epochs=9, patience=1, optimizer={"learning_rate": 1e-9, "head_learning_rate": 1e-9})
    run = finetune(CorpusRequest("table", lines_table), tmp_path / "words", impatient)
    assert len(run.metrics["epochs"]) == 2 and run.metrics["best_epoch"] == 0


def test_gradients_do_not_depend_on_how_a_batch_is_cut(lines_table: Path, tmp_path: Path, small_settings) -> None:
    still = {"lora": {"dropout": 0}, "head_dropout": 0, "precision": "float32", "epochs": 1}
    losses = [
        finetune(
            CorpusRequest("table", lines_table), tmp_path / str(size), small_settings(micro_batch_size=size, **still)
        ).metrics["epochs"][0]
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
def test_every_setting_counts(
    imbalanced: Path, plain_run: bytes, tmp_path: Path, changed: dict, small_settings, weights
) -> None:
    run = finetune(CorpusRequest("table", imbalanced), tmp_path / "words", small_settings(epochs=1, **changed))
    assert weights(run.folder) != plain_run


@pytest.fixture(scope="module")
def imbalanced(lines_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table with four neutral lines to every other one."""
    folder = tmp_path_factory.mktemp("imbalanced")
    for split in ("train", "dev"):
        rows = (lines_table / f"{split}.csv").read_text().splitlines()
        rows += [row for row in rows for _ in range(3) if ",neutral," in row]
        (folder / f"{split}.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def plain_run(imbalanced: Path, tmp_path_factory: pytest.TempPathFactory, small_settings, weights) -> bytes:
    return weights(
        finetune(
            CorpusRequest("table", imbalanced), tmp_path_factory.mktemp("plain") / "words", small_settings(epochs=1)
        ).folder
    )


def test_a_licence_of_its_own(lines_table: Path, tmp_path: Path, small_settings) -> None:
    run = finetune(CorpusRequest("table", lines_table), tmp_path / "words", small_settings(epochs=1, licence="CC0-1.0"))
    assert run.licence == "CC0-1.0" and "license: cc0-1.0" in (run.folder / "README.md").read_text()


def test_a_training_goes_on_from_another_run(
    lines_run, lines_table: Path, tmp_path: Path, small_settings, sample_lines, write_csv
) -> None:
    """Its adapter, the rows of the head for labels of the same name, and what it owes to whom."""
    shutil.copytree(lines_run[0].folder, tmp_path / "start")
    start = lines_run[0].model_copy(update={"folder": tmp_path / "start", "licence": "theirs alone"})
    start.save()
    other = tmp_path / "other"
    other.mkdir()
    texts = {"joy": sample_lines["joy"], "fury": sample_lines["anger"]}
    for split in ("train", "dev"):
        rows = [(f"{text} {split}", label) for label in texts for text in texts[label]]
        write_csv(other / f"{split}.csv", ("text", "label"), *rows)
    still = {"learning_rate": 1e-12, "head_learning_rate": 1e-12}
    asked = small_settings(init=str(start.folder), epochs=1, optimizer=still, weight_average=0, lora={"rank": 3})
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


def test_a_training_goes_on_with_what_turns_are_remembered_by(
    lines_table: Path, tmp_path: Path, small_settings
) -> None:
    remembering = {"prompt": {"history_turns": 2}, "weight_average": 0, "epochs": 1}
    start = finetune(CorpusRequest("table", lines_table), tmp_path / "start", small_settings(**remembering))
    still = {"learning_rate": 1e-12, "head_learning_rate": 1e-12}
    asked = small_settings(init=str(start.folder), optimizer=still, **remembering)
    on = finetune(CorpusRequest("table", lines_table), tmp_path / "on", asked)
    before, after = (load_file(each.folder / HEAD) for each in (start, on))
    assert before.keys() == after.keys() and any(name.startswith("memory.gru") for name in before)
    assert all(np.allclose(before[name], after[name], atol=1e-6) for name in before)


def test_norms_without_the_grades_that_are_asked_for(lines_table: Path, tmp_path: Path, small_settings) -> None:
    coarse = find_run("meld-minilm").model_copy(update={"folder": tmp_path / "coarse"})
    assert coarse.norms is not None
    kept = [coarse.norms["quantiles"].index(at) for at in (0.1, 0.25, 0.75, 0.9)]
    registers = {
        register: {name: [bounds[at] for at in kept] for name, bounds in of.items()}
        for register, of in coarse.norms["registers"].items()
    }
    norms = {**coarse.norms, "quantiles": [0.1, 0.25, 0.75, 0.9], "registers": registers}
    coarse.model_copy(update={"norms": norms}).save()
    asked = small_settings(modalities="TA", norms=str(coarse.folder), wording={"voice_grades": "eighths"})
    with pytest.raises(SettingsError, match=r"coarse: quantiles must be .* to grade by eighths"):
        finetune(CorpusRequest("table", lines_table), tmp_path / "words", asked)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"init": "meld-minilm"}, r"init meld-minilm is an adapter for \S+MiniLM-L6-v2, and base.id is tiny-bert; set"),
        ({"init": "zero-shot:tiny"}, "does not say what adapter it has"),
        ({"init": "nobody"}, "is neither a folder nor an adapter that ships"),
    ],
)
def test_what_cannot_be_started_from_is_said(
    changed: dict, message: str, lines_table: Path, tmp_path: Path, small_settings
) -> None:
    with pytest.raises(SettingsError, match=message):
        finetune(CorpusRequest("table", lines_table), tmp_path / "none", small_settings(**changed))
    assert not (tmp_path / "none").exists()


def test_auto_starts_from_what_has_read_the_same_base_where_few_words_are_read() -> None:
    def start_of(examples: int, modalities: str = "T", **changed) -> str | None:
        return started(load(FinetuneSettings, "minilm", [], **changed), examples, modalities)[0].init

    assert start_of(1200) == "goemotions-minilm"
    assert start_of(5000) is None and start_of(1200, "VA") is None
    assert start_of(1200, base__id="tiny-bert") is None and start_of(1200, lora__rank=8) is None
    assert start_of(1200, init="meld-minilm") == "meld-minilm"


def test_few_data_are_read_more_often_unless_it_is_said_how_often(small_settings) -> None:
    few = small_settings(epochs="auto")
    assert [few.epochs_of(batches) for batches in (1, 7, 38, 75, 1000)] == [30, 30, 8, 4, 4]
    assert small_settings(epochs=2).epochs_of(1) == 2
    with pytest.raises(ValueError, match="epochs"):
        small_settings(epochs=0)


def test_one_answer_for_all_is_remarked(
    lines_table: Path, tmp_path: Path, small_settings, sample_lines, write_csv
) -> None:
    """200 lines ended in a run that answered neutral 200 times, without a remark."""
    alike = tmp_path / "alike"
    shutil.copytree(lines_table, alike)
    joyful = [(text, "joy") for text in sample_lines["joy"] * 8]
    write_csv(alike / "train.csv", ("text", "label"), *joyful, (sample_lines["neutral"][0], "neutral"))
    request, lines = CorpusRequest("table", alike), list[str]()
    run = finetune(request, tmp_path / "run", small_settings(labels=tuple(sample_lines)), report=lines.append)
    assert run.answered == ("joy",)
    assert any(line.startswith("on dev every answer is 'joy': nothing is told apart") for line in lines)
    assert "Every clip there was answered joy" in (run.folder / "README.md").read_text()
    found = evaluate(EvaluationRequest(request, "dev", (run.folder,)), tmp_path / "report")
    assert "answers 'joy' to each of 15 clips: it tells nothing apart" in found.files["report.md"].read_text()
