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
from .predictor import FusionPredictor, untrained
from .run import MODEL, SCALER, SVM, FusionRun
from .scaler import fit_scaler, save_scaler
from .svm import fit_svm, save_svm
from .weights import put_weights


def fit(run: FusionRun, data: LabelledFeatures, *, resume: bool = False, callback: Callback | None = None) -> FusionRun:
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
    predictor = FusionPredictor(run, untrained(run).to(device), scaler, device)
    learner = WindowLearner(predictor, data)
    *_, progress = train(learner, settings, folder, data.select, resume, callback or Callback())
    put_weights(predictor.model, folder / MODEL)
    if settings.svm:
        predictor = replace(predictor, svm=_svm(predictor, learner, data))
    run = _described(predictor, data, progress)
    run.save()
    finish(folder)
    return run


def _svm(predictor: FusionPredictor, learner: WindowLearner, data: LabelledFeatures):
    """The support vector machine on the best epoch's embeddings of the training clips, which is written too."""
    embedded = predictor.embeddings(data.train, learner.windows)
    svm = fit_svm(embedded, learner.clip_of, learner.targets, learner.objective, predictor.run)
    save_svm(svm, predictor.run.folder / SVM)
    return svm


def _described(predictor: FusionPredictor, data: LabelledFeatures, progress: Progress) -> FusionRun:
    """The run with what is known of its best epoch, and of the support vector machine where there is one."""
    run = predictor.run
    began = time.perf_counter()
    scored = predictor.predict(data.dev)
    seconds = (time.perf_counter() - began) / len(data.dev)
    dev, fitted = measured(run, scored, data)
    metrics = {**run.metrics, **progress.metrics(data.select)}
    metrics["dev"] = {name: round(float(value), 6) for name, value in dev.items()}
    if predictor.svm is not None:
        metrics["dev_without_svm"] = progress.best["dev"]
    return run.model_copy(
        update={**fitted, "sizes": {**predictor.sizes, "seconds_a_clip": round(seconds, 6)}, "metrics": metrics}
        | {"probe": predictor.probed()}
    )
