"""Training a fusion model: clips with their features and targets in, a run folder out.

Whatever the fusion and the task: windows of similar length in batches, the
task's loss, the epoch that does best on dev.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.optim.lr_scheduler import LambdaLR

from ..core.context import resolve_device
from ..core.errors import EmoscribeError, SettingsError
from ..core.files import make_folder
from ..training.callbacks import Watcher
from ..training.optimizers import rate_factor
from .batches import check_streams, collate, shuffled_batches
from .deciding import ClipScores, tuned_thresholds, with_thresholds
from .frames import Frames
from .optimizer import optimizer_for
from .predict import Baseline, embeddings, predict, untrained
from .resume import CHECKPOINT, Learner, Progress, load_checkpoint, save_checkpoint
from .run import BASELINE, MODEL, SCALER, SVM, BaselineRun, save_baseline
from .scaler import fit_scaler, save_scaler
from .svm import fit_svm, save_svm
from .tasks import Objective, objective_of, targets_of
from .weights import put_weights, save_tensors
from .windows import Window, windows_of

# Scores of the dev clips, in their order, to measures by name.
Judge = Callable[[Sequence[ClipScores]], Mapping[str, float]]

# Of these measures, the less the better.
ERRORS = ("mae", "mse", "rmse", "ece", "loss")


class Diverged(EmoscribeError):
    """The loss is no number any more."""


def fit(
    run: BaselineRun,
    train: Sequence[Frames],
    dev: Sequence[Frames],
    *,
    judge: Judge,
    select: str,
    resume: bool = False,
    watcher: Watcher | None = None,
) -> BaselineRun:
    """Train a fusion model; returns the run that was written.

    Args:
        run: what is to come out, but for thresholds, sizes and metrics; its
            settings say how.
        dev: what epochs are judged by, and the thresholds of label sets are tuned on.
        judge: measures the scores of dev.
        select: the measure that the best epoch is chosen by; the less the
            better for those in `ERRORS`, the more for all others.
        resume: go on from the checkpoint in the run's folder, if there is one.

    Raises:
        SettingsError: no clips, a feature or target that is not the run's, or a measure that is not measured.
        UnavailableError: the device is not here.
        Diverged: the loss is no number any more.
        EmoscribeError: the folder cannot be written to.
    """
    _check(run, train, dev)
    settings, watcher = run.settings, watcher or Watcher()
    folder, device = make_folder(run.folder), resolve_device(run.settings.device)
    scaler = fit_scaler(train, tuple(run.streams))
    save_scaler(scaler, folder / SCALER)
    torch.manual_seed(settings.seed)
    baseline = Baseline(run, untrained(run).to(device), scaler, device)
    lesson = _Lesson(baseline, train)
    steps = math.ceil(len(lesson.windows) / settings.batch_size) * settings.epochs
    learner = _learner(baseline, steps)
    resumed = resume and (folder / CHECKPOINT).is_file()
    progress = load_checkpoint(folder, learner) if resumed else Progress.fresh()

    while progress.epoch < settings.epochs and not _waited_enough(progress, settings.patience):
        began = time.perf_counter()
        losses = []
        for batch in shuffled_batches(lesson.windows, settings.batch_size, settings.seed * 1000 + progress.epoch):
            losses.append(_update(learner, lesson, batch, progress.step))
            progress.step += 1
            watcher.updated(progress.step, losses[-1], float(learner.schedule.get_last_lr()[0]), progress.step / steps)
        measured = _judged(predict(baseline, dev), run, dev, judge)[0]
        seconds = round(time.perf_counter() - began, 1)
        loss = round(float(np.mean(losses)), 6)
        progress.epochs.append({"epoch": progress.epoch, "loss": loss, "dev": measured, "seconds": seconds})
        reached = quality(measured, select)
        if progress.best_epoch < 0 or reached > progress.best_quality:
            progress.best_epoch, progress.best_quality = progress.epoch, reached
            save_tensors(baseline.model.state_dict(), folder / MODEL)
        progress.epoch += 1
        watcher.judged(progress.step, progress.epochs[-1])
        save_checkpoint(folder, learner, progress)
    put_weights(baseline.model, folder / MODEL)
    return _finished(baseline, lesson, dev, judge, select, progress)


def is_whole(folder: Path) -> bool:
    """Whether a training in that folder came to its end."""
    return (folder / BASELINE).is_file() and not (folder / CHECKPOINT).is_file()


# ── an epoch ─────────────────────────────────────────────────────────────────


class _Lesson:
    """The training clips in windows, and what is to be said of each."""

    def __init__(self, baseline: Baseline, train: Sequence[Frames]) -> None:
        run, settings = baseline.run, baseline.run.settings
        self.baseline, self.clips = baseline, train
        self.windows: list[Window] = windows_of(train, settings.window_frames, settings.hop_frames)
        self.clip_of = np.array([window.clip for window in self.windows])
        self.targets = targets_of(run, train)[torch.from_numpy(self.clip_of)]
        self.objective: Objective = objective_of(run, train, baseline.device)

    def loss(self, batch: np.ndarray) -> torch.Tensor:
        """The mean loss of the windows at these places."""
        model, device = self.baseline.model, self.baseline.device
        streams, there = collate(self.clips, [self.windows[place] for place in batch], self.baseline.scaler, device)
        with _autocast(device, self.baseline.run.settings.precision):
            logits = model(streams, there)
        return self.objective.loss(logits, self.targets[torch.from_numpy(batch)].to(device), there)


def _update(learner: Learner, lesson: _Lesson, batch: np.ndarray, step: int) -> float:
    """One step of the optimizer; returns the loss of the batch.

    Raises:
        Diverged: it is not a number.
    """
    settings = lesson.baseline.run.settings
    # What is drawn depends on the step alone, wherever training was taken up.
    torch.manual_seed((settings.seed << 32) + step)
    learner.model.train()
    loss = lesson.loss(batch)
    if not math.isfinite(value := float(loss.detach())):
        raise Diverged(
            f"the loss of update {step + 1} is not a number; train anew with a lower optimizer.learning_rate "
            f"(it was {settings.optimizer.learning_rate:g})"
        )
    learner.loss_scale.scale(loss).backward()
    learner.loss_scale.unscale_(learner.optimizer)
    torch.nn.utils.clip_grad_norm_(learner.model.parameters(), settings.optimizer.clip_norm)
    scale = learner.loss_scale.get_scale()
    learner.loss_scale.step(learner.optimizer)
    learner.loss_scale.update()
    # A scale that fell is a step that was left out, because gradients had overflown.
    if learner.loss_scale.get_scale() >= scale:
        learner.schedule.step()
    learner.optimizer.zero_grad()
    return value


def _learner(baseline: Baseline, steps: int) -> Learner:
    settings = baseline.run.settings
    optimizer = optimizer_for(baseline.model.parameters(), settings.optimizer)
    schedule = LambdaLR(optimizer, rate_factor(settings.optimizer, steps))
    loss_scale = torch.amp.GradScaler(baseline.device, enabled=settings.precision == "float16")
    return Learner(baseline.model, optimizer, schedule, loss_scale)


def _autocast(device: str, precision: str) -> contextlib.AbstractContextManager:
    """Half precision where it was asked for, or bfloat16 where a GPU multiplies it."""
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported(False) else "float32"
    half = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(device, half, enabled=precision != "float32")


# ── how good it is ───────────────────────────────────────────────────────────


def _judged(
    scored: Sequence[ClipScores], run: BaselineRun, dev: Sequence[Frames], judge: Judge
) -> tuple[dict[str, float], dict[str, float]]:
    """What is measured of dev, and the thresholds of label sets."""
    thresholds = {}
    if run.task == "label-sets":
        targets = [clip.target for clip in dev if isinstance(clip.target, frozenset)]
        thresholds = tuned_thresholds(scored, targets)
        scored = with_thresholds(scored, thresholds)
    return {name: round(float(value), 6) for name, value in judge(scored).items()}, thresholds


def quality(measured: Mapping[str, float | None], select: str) -> float:
    """The measure that epochs are chosen by, the more the better.

    Some are undefined (NaN, or null in JSON) where every clip got the same
    answer: nothing is worse.

    Raises:
        SettingsError: it was not measured.
    """
    if select not in measured:
        raise SettingsError(f"epochs cannot be chosen by {select!r}; there are: {', '.join(measured)}")
    value = measured[select]
    if value is None or math.isnan(value):
        return -math.inf
    return -value if select in ERRORS else value


def _waited_enough(progress: Progress, patience: int | None) -> bool:
    """Whether as many epochs as there is patience for brought nothing better."""
    return patience is not None and progress.epoch - 1 - progress.best_epoch >= patience


# ── the end ──────────────────────────────────────────────────────────────────


def _finished(
    baseline: Baseline, lesson: _Lesson, dev: Sequence[Frames], judge: Judge, select: str, progress: Progress
) -> BaselineRun:
    """The run as it is written: with the support vector machine, if there is to be one, and what is known of it."""
    run, best = baseline.run, progress.epochs[progress.best_epoch]
    if run.settings.svm:
        embedded = embeddings(baseline, lesson.clips, lesson.windows)
        svm = fit_svm(embedded, lesson.clip_of, lesson.targets, lesson.objective, run)
        save_svm(svm, run.folder / SVM)
        baseline = replace(baseline, svm=svm)
    began = time.perf_counter()
    scored = predict(baseline, dev)
    seconds = (time.perf_counter() - began) / len(dev)
    measured, thresholds = _judged(scored, run, dev, judge)
    of_model = {"dev_without_svm": best["dev"]} if run.settings.svm else {}
    run = run.model_copy(
        update={
            "thresholds": thresholds,
            "sizes": _sizes(baseline, seconds),
            "metrics": {
                **run.metrics,
                "selected_on": select,
                "best_epoch": progress.best_epoch,
                "dev": measured,
                **of_model,
                "epochs": progress.epochs,
            },
        }
    )
    save_baseline(run)
    # In this order: a run without a checkpoint is a whole one.
    (run.folder / CHECKPOINT).unlink(missing_ok=True)
    return run


def _sizes(baseline: Baseline, seconds: float) -> dict[str, float]:
    parameters = sum(each.numel() for each in baseline.model.parameters())
    if baseline.svm is not None:
        parameters += baseline.svm.weight.size + baseline.svm.bias.size
    files = [MODEL, SCALER, *([SVM] if baseline.svm is not None else [])]
    size = sum((baseline.run.folder / name).stat().st_size for name in files)
    return {"parameters": parameters, "bytes": size, "seconds_a_clip": round(seconds, 6)}


def _check(run: BaselineRun, train: Sequence[Frames], dev: Sequence[Frames]) -> None:
    if not train or not dev:
        raise SettingsError("training needs clips, and others to judge by; one of the two is empty")
    if run.task != "number" and len(run.labels) < 2 - (run.task == "label-sets"):
        raise SettingsError(f"{run.task} of {len(run.labels)} labels leave nothing to learn; give more labels")
    for clips in (train, dev):
        check_streams(clips, run.streams)
        targets_of(run, clips)
