"""Training fusion models on tiny clips, going on where it stopped, and scoring with what came out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from emoscribe.baseline.deciding import ClipScores
from emoscribe.baseline.frames import FeatureFrames
from emoscribe.baseline.learner import LabelledFeatures
from emoscribe.baseline.predictor import load_predictor
from emoscribe.baseline.run import BASELINE, MODEL, SCALER, SEARCH, SVM, FusionRun
from emoscribe.baseline.search import draw, search
from emoscribe.baseline.settings import BaselineSettings, SearchSettings
from emoscribe.baseline.train import fit
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.extractors.features.settings import FeatureSettings
from emoscribe.training.callbacks import Callback
from emoscribe.training.checkpoints import CHECKPOINT
from emoscribe.training.loop import is_whole
from emoscribe.training.progress import Metrics, Progress
from emoscribe.training.run import Task
from safetensors.torch import load_file

LABELS = ("anger", "joy", "neutral")
STREAMS = {"egemaps": 5, "voice-measures": 3}


def clips_of(task: Task, count: int, seed: int = 0) -> list[FeatureFrames]:
    """Clips of 2 to 12 frames, a fifth of them unmeasured, whose voice tells their target."""
    rng = np.random.default_rng(seed)
    clips = []
    for number in range(count):
        label, length = number % 3, int(rng.integers(2, 13))
        streams = {name: rng.normal(4, 0.5, (length, width)).astype(np.float32) for name, width in STREAMS.items()}
        streams["egemaps"][:, label] += 3
        streams["egemaps"][rng.random(length) < 0.2] = np.nan
        # Not a single measurement: the voice of some clips is not known.
        streams["voice-measures"][:] = np.nan if number % 4 == 0 else streams["voice-measures"]
        given = {LABELS[label], *(["neutral"] if label == 0 else [])}
        target = {"labels": LABELS[label], "label-sets": frozenset(given), "number": float(label - 1)}[task]
        clips.append(FeatureFrames(f"clip {number}", np.arange(length) / 5, streams, target))
    return clips


def run_of(folder: Path, task: Task = "labels", **settings: Any) -> FusionRun:
    optimizer = {"learning_rate": 0.01, **settings.pop("optimizer", {})}
    features = FeatureSettings(names=tuple(STREAMS))
    given = {"fusion": "bilstm-attention", "modalities": "A", "epochs": 4, "batch_size": 8, "device": "cpu", **settings}
    asked = BaselineSettings.model_validate({"features": features, "optimizer": optimizer, **given})
    labels = () if task == "number" else LABELS
    return FusionRun(folder=folder, settings=asked, task=task, labels=labels, streams=STREAMS)


def metrics_of(dev: Sequence[FeatureFrames]) -> Metrics[ClipScores]:
    """The share of right answers, and of numbers the mean absolute error."""

    def metrics(scored: Sequence[ClipScores]) -> Mapping[str, float]:
        assert [each.id for each in scored] == [clip.id for clip in dev]
        pairs = [(each.answer, clip.target) for each, clip in zip(scored, dev, strict=True)]
        if isinstance(dev[0].target, float):
            return {"mae": float(np.mean([abs(answer - target) for answer, target in pairs]))}  # pyright: ignore
        return {"accuracy": float(np.mean([answer == target for answer, target in pairs]))}

    return metrics


def trained(run: FusionRun, train: Sequence[FeatureFrames], dev: Sequence[FeatureFrames], **options: Any) -> FusionRun:
    select = options.pop("select", "mae" if run.task == "number" else "accuracy")
    metrics = options.pop("metrics", metrics_of(dev) if dev else None)
    return fit(run, LabelledFeatures(train, dev, metrics, select), **options)


def files(run: FusionRun) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.folder.glob("*.safetensors")}


def without_times(run: FusionRun) -> list[dict[str, Any]]:
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in run.metrics["epochs"]]


class Stops(Callback):
    """Pulls the plug at an update."""

    def __init__(self, step: int) -> None:
        self.at = step

    def on_step_end(self, progress: Progress, loss: float, learning_rate: float) -> None:
        if progress.step == self.at:
            raise KeyboardInterrupt


class Counts(Callback):
    def __init__(self) -> None:
        self.steps, self.rates, self.epochs = 0, [], []

    def on_step_end(self, progress: Progress, loss: float, learning_rate: float) -> None:
        self.steps = progress.step
        self.rates.append(learning_rate)
        assert 0 < progress.done <= 1 and progress.seconds_left >= 0

    def on_epoch_end(self, progress: Progress) -> None:
        assert progress.step == self.steps
        self.epochs.append(progress.epochs[-1]["epoch"])


# ── training ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fusion", ["bilstm-attention", "unimodal"])
@pytest.mark.parametrize("task", ["labels", "label-sets", "number"])
def test_what_is_learnt_is_told_of_clips_that_are_new(task: Task, fusion: str, tmp_path: Path) -> None:
    train, dev, test = (clips_of(task, count, seed) for seed, count in enumerate((48, 24, 24)))
    run = trained(run_of(tmp_path / "run", task, fusion=fusion, epochs=8), train, dev)
    assert is_whole(run.folder, BASELINE) and FusionRun.load(run.folder) == run
    scored = load_predictor(run).predict(test)
    for each, clip in zip(scored, test, strict=True):
        wide = () if task == "number" else (3,)
        assert each.id == clip.id and each.frames.shape == (len(clip.times_s), *wide)
        if task == "labels":
            assert sum(dict(each.scores).values()) == pytest.approx(1)  # pyright: ignore
    reached = metrics_of(test)(scored)
    if task == "number":
        assert reached["mae"] < 0.4 < 2 / 3  # of who always says 0
    else:
        assert reached["accuracy"] > 0.8
    assert set(run.thresholds) == (set(LABELS) if task == "label-sets" else set())
    # What was judged at the end is what the files say of dev.
    assert metrics_of(dev)(load_predictor(run).predict(dev)) == pytest.approx(run.metrics["dev"], abs=1e-6)
    assert run.sizes["bytes"] == sum(len(data) for data in files(run).values())
    assert run.sizes["parameters"] == sum(each.numel() for each in load_predictor(run).model.parameters())
    assert run.sizes["seconds_a_clip"] > 0


def test_dev_cannot_get_into_the_scaler(tmp_path: Path) -> None:
    train, dev = clips_of("labels", 24), clips_of("labels", 6, seed=1)
    far = [replace(each, streams={name: 1e6 - values for name, values in each.streams.items()}) for each in dev]
    one = trained(run_of(tmp_path / "one", epochs=1), train, dev)
    other = trained(run_of(tmp_path / "other", epochs=1), train, far)
    assert files(one) == files(other)
    voices = np.concatenate([each.streams["egemaps"] for each in train])
    np.testing.assert_allclose(load_predictor(one).scaler.mean["egemaps"], np.nanmean(voices, axis=0), rtol=1e-5)


@pytest.mark.parametrize("settings", [{"fusion": "unimodal"}, {"optimizer": {"name": "sgd", "momentum": 0.9}}])
def test_a_training_that_was_stopped_goes_on_bit_by_bit(settings: dict[str, Any], tmp_path: Path) -> None:
    train, dev = clips_of("labels", 24), clips_of("labels", 9, seed=1)
    whole = trained(run_of(tmp_path / "whole", dropout=0.3, **settings), train, dev)
    # In the middle of the third epoch of three updates each.
    run = run_of(tmp_path / "stopped", dropout=0.3, **settings)
    with pytest.raises(KeyboardInterrupt):
        trained(run, train, dev, callback=Stops(8))
    assert (run.folder / CHECKPOINT).is_file() and not is_whole(run.folder, BASELINE)
    torch.manual_seed(12345)  # Whatever others drew meanwhile.
    counts = Counts()
    resumed = trained(run, train, dev, resume=True, callback=counts)
    assert counts.epochs == [2, 3]
    assert files(resumed) == files(whole)
    assert without_times(resumed) == without_times(whole)
    assert not (run.folder / CHECKPOINT).exists() and is_whole(run.folder, BASELINE)


def test_the_same_seed_gives_the_same_model_and_another_another(tmp_path: Path) -> None:
    train, dev = clips_of("labels", 16), clips_of("labels", 6, seed=1)
    one, again, other = (
        files(trained(run_of(tmp_path / name, epochs=1, seed=seed), train, dev))
        for name, seed in (("one", 1), ("again", 1), ("other", 2))
    )
    assert one == again
    assert one[SCALER] == other[SCALER] and one[MODEL] != other[MODEL]


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"damaged")
    with pytest.raises(EmoscribeError, match=r"checkpoint.pt .*; train anew into another folder$") as raised:
        trained(run, clips_of("labels", 8), clips_of("labels", 6), resume=True)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("select", "course", "best", "epochs"),
    [
        ("f1", (0.1, 0.5, 0.3, 0.5, 0.4), 1, 4),
        ("mae", (0.9, 0.5, 0.7, 0.8, 0.1), 1, 4),
        # Undefined is the worst there is, but the first epoch is the best so far all the same.
        ("f1", (float("nan"), float("nan"), 0.2, float("nan"), 0.1), 2, 5),
    ],
)
def test_training_ends_when_patience_does_and_keeps_the_best_epoch(
    select: str, course: tuple[float, ...], best: int, epochs: int, tmp_path: Path
) -> None:
    train, dev = clips_of("labels", 16), clips_of("labels", 6, seed=1)
    # Epochs do not know how many there will be, with a constant rate.
    constant = {"schedule": "constant", "warmup_share": 0.0}

    def stopped_at(folder: str, course: Sequence[float], epochs: int) -> FusionRun:
        values = iter((*course[:epochs], 0.0))
        run = run_of(tmp_path / folder, epochs=epochs, patience=2, optimizer=constant)
        return fit(run, LabelledFeatures(train, dev, lambda scored: {select: next(values)}, select))

    patient = stopped_at("patient", course, 5 if epochs == 5 else 9)
    assert patient.metrics["best_epoch"] == best
    assert len(patient.metrics["epochs"]) == epochs
    # As if training had ended after its best epoch.
    short = stopped_at("short", (*[course[0]] * best, 1.0 if select == "f1" else 0.0), best + 1)
    assert files(patient) == files(short)


def test_the_rate_rises_and_falls_and_gradients_are_clipped(tmp_path: Path) -> None:
    train, dev, counts = clips_of("labels", 16), clips_of("labels", 6, seed=1), Counts()
    optimizer = {"name": "sgd", "learning_rate": 1.0, "clip_norm": 1e-9, "weight_decay": 0.0, "warmup_share": 0.5}
    run = run_of(tmp_path, optimizer=optimizer)
    before = {name: tensor.clone() for name, tensor in _fresh(run).items()}
    trained(run, train, dev, callback=counts)
    assert counts.rates == pytest.approx([0.5, 0.75, 1, 1, 0.75, 0.5, 0.25, 0])
    after = load_file(tmp_path / MODEL)
    assert all(torch.allclose(after[name], before[name], atol=1e-6) for name in before)
    assert any(not torch.equal(after[name], before[name]) for name in before)


def _fresh(run: FusionRun) -> dict[str, torch.Tensor]:
    from emoscribe.baseline.predictor import untrained

    torch.manual_seed(run.settings.seed)
    return untrained(run).state_dict()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_and_goes_on_too(precision: str, tmp_path: Path) -> None:
    train, dev = clips_of("labels", 32), clips_of("labels", 12, seed=1)
    settings = {"fusion": "unimodal", "precision": precision, "epochs": 4}
    whole = trained(run_of(tmp_path / "whole", **settings), train, dev)
    assert whole.metrics["dev"]["accuracy"] > 0.8
    full = trained(run_of(tmp_path / "full", **{**settings, "precision": "float32"}), train, dev)
    assert files(whole)[MODEL] != files(full)[MODEL]
    run = run_of(tmp_path / "stopped", **settings)
    with pytest.raises(KeyboardInterrupt):
        trained(run, train, dev, callback=Stops(10))
    assert files(trained(run, train, dev, resume=True)) == files(whole)


def test_a_loss_that_is_no_number_is_one_line(tmp_path: Path) -> None:
    run = run_of(tmp_path, optimizer={"name": "sgd", "learning_rate": 1e38, "clip_norm": 1e30})
    message = (
        r"^the loss of update \d+ is not a number; train anew with a lower optimizer.learning_rate \(it was 1e\+38\)$"
    )
    with pytest.raises(EmoscribeError, match=message):
        trained(run, clips_of("labels", 48), clips_of("labels", 6))
    assert not is_whole(tmp_path, BASELINE)


def test_what_cannot_be_trained_on_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    train, dev = clips_of("labels", 8), clips_of("labels", 6)
    run = run_of(tmp_path / "run")
    with pytest.raises(SettingsError, match="training needs clips, and others to measure on; one of the two is empty"):
        trained(run, train, [])
    with pytest.raises(SettingsError, match="clip clip 0 has the target 'envy'"):
        trained(run, train, [replace(dev[0], target="envy")])
    with pytest.raises(SettingsError, match="clip clip 0 lacks voice-measures, which the run reads"):
        trained(run, [replace(train[0], streams={"egemaps": train[0].streams["egemaps"]})], dev)
    assert not run.folder.exists()
    with pytest.raises(SettingsError, match="epochs cannot be chosen by 'f1'; there are: accuracy"):
        trained(run, train, dev, select="f1")


# ── scoring ──────────────────────────────────────────────────────────────────


def test_scores_of_many_clips_are_those_of_each(tmp_path: Path) -> None:
    train, dev = clips_of("labels", 24), clips_of("labels", 9, seed=1)
    for fusion in ("unimodal", "bilstm-attention"):
        settings = {"fusion": fusion, "window_frames": 5, "hop_frames": 3, "epochs": 1}
        baseline = load_predictor(trained(run_of(tmp_path / fusion, **settings), train, dev))
        together = baseline.predict(dev)
        for clip, each in zip(dev, together, strict=True):
            (alone,) = baseline.predict([clip])
            np.testing.assert_allclose(alone.frames, each.frames, atol=1e-6)
            assert alone.scores == pytest.approx(each.scores, abs=1e-6)
        (voted,) = baseline.predict(dev[:1], "vote")
        assert set(dict(voted.scores).values()) <= {k / len(dev[0].times_s) for k in range(13)}  # pyright: ignore


def test_a_run_whose_files_are_not_its_own_is_refused(tmp_path: Path) -> None:
    run = trained(run_of(tmp_path, epochs=1), clips_of("labels", 8), clips_of("labels", 6))
    with pytest.raises(EmoscribeError, match=r"model.safetensors is of another model \(.*\); train the run anew$"):
        load_predictor(run.model_copy(update={"settings": run.settings.model_copy(update={"fusion": "unimodal"})}))
    (tmp_path / MODEL).unlink()
    with pytest.raises(EmoscribeError, match=r"model.safetensors cannot be read \(.*\); train the run anew$"):
        load_predictor(run)


# ── the support vector machine ───────────────────────────────────────────────


@pytest.mark.parametrize("task", ["labels", "label-sets", "number"])
def test_a_support_vector_machine_reads_the_embedding(task: Task, tmp_path: Path) -> None:
    train, dev = clips_of(task, 36), clips_of(task, 18, seed=1)
    run = trained(run_of(tmp_path / "svm", task, svm=True, epochs=3), train, dev)
    baseline = load_predictor(run)
    scored = baseline.predict(dev)
    assert metrics_of(dev)(scored) == pytest.approx(run.metrics["dev"], abs=1e-6)
    if task == "number":
        assert run.metrics["dev"]["mae"] < 0.5
    else:
        assert run.metrics["dev"]["accuracy"] > 0.7
    assert run.metrics["dev_without_svm"] == run.metrics["epochs"][run.metrics["best_epoch"]]["dev"]
    assert load_file(run.folder / SVM)["weight"].shape == (1 if task == "number" else 3, 256)
    # The model is the one without the machine; its last layer is not what answers.
    without = trained(run_of(tmp_path / "without", task, epochs=3), train, dev)
    assert files(without)[MODEL] == files(run)[MODEL]
    assert not np.allclose(load_predictor(without).predict(dev)[0].frames, scored[0].frames)
    assert run.sizes["bytes"] == sum(len(data) for data in files(run).values())


def test_a_support_vector_machine_sees_the_training_clips_alone(tmp_path: Path) -> None:
    train, dev = clips_of("labels", 24), clips_of("labels", 9, seed=1)
    others = clips_of("labels", 9, seed=2)
    one = trained(run_of(tmp_path / "one", svm=True, epochs=1), train, dev)
    other = trained(run_of(tmp_path / "other", svm=True, epochs=1), train, others)
    assert files(one) == files(other)


# ── the search ───────────────────────────────────────────────────────────────

ASKED = SearchSettings(trials=3, learning_rate=(1e-4, 1e-2))


def searched(folder: Path, **options: Any) -> tuple[FusionRun, list[str]]:
    train, dev = clips_of("labels", 24), clips_of("labels", 12, seed=1)
    trials: list[str] = []

    def callback_of(run: FusionRun) -> Callback:
        trials.append(run.name)
        return options.get("callback") or Callback()

    run = run_of(folder, epochs=1, seed=3)
    asked = options.get("asked", ASKED)
    data = LabelledFeatures(train, dev, metrics_of(dev), "accuracy")
    return search(run, data, asked, resume=options.get("resume", False), callback_of=callback_of), trials


def test_a_search_keeps_the_trial_that_is_best_on_dev(tmp_path: Path) -> None:
    run, trials = searched(tmp_path)
    assert trials == ["00", "01", "02"]
    report = json.loads((tmp_path / SEARCH).read_text())
    reached = [each["dev"]["accuracy"] for each in report["trials"]]
    assert report["best"] == run.metrics["trial"] == int(np.argmax(reached))
    assert run.metrics["dev"]["accuracy"] == max(reached)
    drawn = report["trials"][report["best"]]
    assert run.settings.optimizer.learning_rate == drawn["learning_rate"]
    assert (run.settings.dropout, run.settings.optimizer.weight_decay) == (drawn["dropout"], drawn["weight_decay"])
    assert FusionRun.load(tmp_path) == run
    assert files(run) == files(FusionRun.load(tmp_path / "trials" / f"{report['best']:02d}"))
    assert load_predictor(run).predict(clips_of("labels", 3))[0].answer in LABELS


def test_a_search_goes_on_and_can_be_made_longer(tmp_path: Path) -> None:
    class StopsLate(Callback):
        trials = 0

        def on_epoch_end(self, progress: Progress) -> None:
            StopsLate.trials += 1
            if StopsLate.trials == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "stopped", callback=StopsLate())
    resumed, trials = searched(tmp_path / "stopped", resume=True)
    assert trials == ["01", "02"]
    whole, _ = searched(tmp_path / "whole")
    assert files(resumed) == files(whole)
    assert (tmp_path / "stopped" / SEARCH).read_text() == (tmp_path / "whole" / SEARCH).read_text()
    longer = ASKED.model_copy(update={"trials": 4})
    assert searched(tmp_path / "stopped", resume=True, asked=longer)[1] == ["03"]
    with pytest.raises(SettingsError, match="trial 0 had drawn other settings; search anew"):
        searched(tmp_path / "stopped", resume=True, asked=SearchSettings(trials=1, learning_rate=(0.1, 0.2)))


def test_trials_that_diverge_are_told_of_and_do_not_win(tmp_path: Path) -> None:
    train, dev = clips_of("labels", 24), clips_of("labels", 12, seed=1)
    run = run_of(tmp_path, epochs=2, optimizer={"name": "sgd", "clip_norm": 1e30})
    asked = SearchSettings(trials=2, learning_rate=(1e38, 1e38))
    with pytest.raises(EmoscribeError, match=r"the loss diverged in all 2 trials; search anew with a lower search.lea"):
        search(run, LabelledFeatures(train, dev, metrics_of(dev), "accuracy"), asked)
    report = json.loads((tmp_path / SEARCH).read_text())
    assert all("is not a number" in each["diverged"] for each in report["trials"])
    assert not (tmp_path / BASELINE).exists()


def test_draws_are_spread_over_the_orders_of_magnitude_and_depend_on_the_seed() -> None:
    drawn = [draw(SearchSettings(), 0, number) for number in range(300)]
    rates = np.log10([each["learning_rate"] for each in drawn])
    assert np.histogram(rates, bins=4, range=(-4, -2))[0] == pytest.approx([75] * 4, abs=25)
    assert {each["dropout"] for each in drawn} == {0.1, 0.3, 0.5}
    assert {each["weight_decay"] for each in drawn} == {0.0, 1e-4, 1e-2}
    assert draw(SearchSettings(), 0, 5) == drawn[5] != draw(SearchSettings(), 1, 5)


def test_a_run_that_was_changed_is_refused(tmp_path: Path) -> None:
    """Labels in another order, or a scaler of zeros, gave scores that looked like any others."""
    from safetensors.torch import load_file, save_file

    run = trained(run_of(tmp_path / "run", epochs=1), clips_of("labels", 12), clips_of("labels", 6, seed=1))
    assert load_predictor(run).probed() == run.probe
    load_predictor(run.model_copy(update={"probe": None, "labels": run.labels[::-1]}))
    with pytest.raises(EmoscribeError, match="is not as it was saved: its weights or labels are others"):
        load_predictor(run.model_copy(update={"labels": run.labels[::-1]}))
    path = run.folder / SCALER
    save_file({name: 9 * tensor if "scale" in name else tensor for name, tensor in load_file(path).items()}, path)
    with pytest.raises(EmoscribeError, match="to 'waves' it gave"):
        load_predictor(run)
