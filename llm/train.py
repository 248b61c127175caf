"""LoRA fine-tuning: labelled prompts in, a run folder out.

Whatever the base, the head, the task and the number of processes: batches of
prompts of similar length, the task's loss, the epoch that does best on held-out prompts.
"""

from __future__ import annotations

from pathlib import Path

import torch

from ..core.files import make_folder
from ..training import processes
from ..training.callbacks import Callback
from ..training.loop import finish, train
from ..training.probe import Probe
from ..training.progress import Progress
from .learner import LabelledPrompts, PromptLearner, check_examples
from .parallel import joined, shared
from .run import TextRun
from .settings import TrainingSettings
from .untrained import untrained


def fit(
    run: TextRun,
    base: Path,
    data: LabelledPrompts,
    settings: TrainingSettings,
    *,
    resume: bool = False,
    callback: Callback | None = None,
) -> TextRun:
    """Train an adapter and its head; returns the run that was written.

    Under `accelerate launch` every process calls this; all return the run,
    and only the main one writes.

    Args:
        run: what is to come out, but for metrics and what is fitted to dev.
        base: the folder of the base model.
        resume: go on from the checkpoint in the run's folder, if there is one.

    Raises:
        SettingsError: no examples, a target that is not the run's, or a measure that is not measured.
        UnavailableError: the device is not here, or what the base model needs.
        Diverged: the loss is no number any more.
        EmoscribeError: the folder cannot be written to.
    """
    folder = make_folder(run.folder)
    check_examples(run, data.examples_of(0))
    check_examples(run, data.dev)
    device, accelerator = joined(settings)
    torch.manual_seed(settings.seed)
    predictor = untrained(base, run, settings, device.type, sharded=processes.is_sharded())
    learner = PromptLearner(predictor, shared(predictor.model, device, accelerator), settings, data)
    trained = run
    for progress in train(learner, settings, folder, data.select, resume, callback or Callback()):
        trained = _described(run, progress, data.select)
        if processes.is_main():
            trained.save()
    finish(folder)
    return trained


def _described(run: TextRun, progress: Progress, select: str) -> TextRun:
    """The run with what is known after its best epoch."""
    fitted = dict(progress.fitted or {})
    if "probe" in fitted:
        fitted["probe"] = Probe(**fitted["probe"])
    known = {
        **fitted,
        "metrics": {**run.metrics, **progress.metrics(select)},
        "training": {**run.training, "seconds": round(progress.seconds)},
    }
    return run.model_copy(update=known)
