"""Training a fusion model: clips with their features and targets in, a run folder out."""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from ..core.context import resolve_device
from ..core.files import make_folder
from ..training.callbacks import Callback
from ..training.loop import finish, train
from ..training.progress import Progress
from .learner import LabelledFeatures, WindowLearner, check_data, measured
from .predict import Baseline, embeddings, predict, untrained
from .run import MODEL, SCALER, SVM, BaselineRun, save_baseline
from .scaler import fit_scaler, save_scaler
from .svm import fit_svm, save_svm
from .weights import put_weights


def fit(
    run: BaselineRun, data: LabelledFeatures, *, resume: bool = False, callback: Callback | None = None
) -> BaselineRun:
    """Train a fusion model; returns the run that was written.

    Args:
        run: what is to come out, but for thresholds, sizes and metrics; its
            settings say how.
        resume: go on from the checkpoint in the run's folder, if there is one.

    Raises:
        SettingsError: no clips, a feature or target that is not the run's, or a measure that is not measured.
        UnavailableError: the device is not here.
        Diverged: the loss is no number any more.
        EmoscribeError: the folder cannot be written to.
    """
    check_data(run, data)
    settings, device = run.settings, resolve_device(run.settings.device)
    folder = make_folder(run.folder)
    scaler = fit_scaler(data.train, tuple(run.streams))
    save_scaler(scaler, folder / SCALER)
    torch.manual_seed(settings.seed)
    baseline = Baseline(run, untrained(run).to(device), scaler, device)
    learner = WindowLearner(baseline, data)
    *_, progress = train(learner, settings, folder, data.select, resume, callback or Callback())
    put_weights(baseline.model, folder / MODEL)
    if settings.svm:
        baseline = replace(baseline, svm=_svm(baseline, learner, data))
    run = _described(baseline, data, progress)
    save_baseline(run)
    finish(folder)
    return run


def _svm(baseline: Baseline, learner: WindowLearner, data: LabelledFeatures):
    """The support vector machine on the best epoch's embeddings of the training clips, which is written too."""
    embedded = embeddings(baseline, data.train, learner.windows)
    svm = fit_svm(embedded, learner.clip_of, learner.targets, learner.objective, baseline.run)
    save_svm(svm, baseline.run.folder / SVM)
    return svm


def _described(baseline: Baseline, data: LabelledFeatures, progress: Progress) -> BaselineRun:
    """The run with what is known of its best epoch, and of the support vector machine where there is one."""
    run = baseline.run
    began = time.perf_counter()
    scored = predict(baseline, data.dev)
    seconds = (time.perf_counter() - began) / len(data.dev)
    dev, fitted = measured(run, scored, data)
    metrics = {**run.metrics, **progress.metrics(data.select)}
    metrics["dev"] = {name: round(float(value), 6) for name, value in dev.items()}
    if baseline.svm is not None:
        metrics["dev_without_svm"] = progress.best["dev"]
    return run.model_copy(update={**fitted, "sizes": _sizes(baseline, seconds), "metrics": metrics})


def _sizes(baseline: Baseline, seconds: float) -> dict[str, float]:
    parameters = sum(each.numel() for each in baseline.model.parameters())
    if baseline.svm is not None:
        parameters += baseline.svm.weight.size + baseline.svm.bias.size
    files = [MODEL, SCALER, *([SVM] if baseline.svm is not None else [])]
    size = sum((baseline.run.folder / name).stat().st_size for name in files)
    return {"parameters": parameters, "bytes": size, "seconds_a_clip": round(seconds, 6)}
