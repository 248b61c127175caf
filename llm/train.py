"""LoRA fine-tuning: labelled prompts in, a run folder out.

Whatever the base, the head and the number of processes: batches of prompts of
similar length, cross-entropy, the epoch that does best on held-out prompts.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from ..core.errors import SettingsError
from ..core.files import make_folder
from ..core.timeline import Scored
from ..training import processes
from ..training.callbacks import Watcher
from .batches import Batches, Example
from .checkpoint import save_adapter
from .parallel import joined, shared
from .reader import Reader
from .resume import CHECKPOINT, Progress, load_checkpoint, save_checkpoint
from .run import DESCRIPTION, Run, save_run
from .score import score
from .settings import TrainingSettings
from .temperature import fitted_temperature
from .untrained import untrained
from .update import learner_of, update

# Scores of the dev prompts, in their order, to measures by name; the more the better.
Judge = Callable[[Sequence[Scored]], Mapping[str, float]]


def fit(
    run: Run,
    base: Path,
    examples_of: Callable[[int], Sequence[Example]],
    dev: Sequence[Example],
    settings: TrainingSettings,
    *,
    judge: Judge,
    select: str,
    resume: bool = False,
    watcher: Watcher | None = None,
) -> Run:
    """Train an adapter and its head; returns the run that was written.

    Under `accelerate launch` every process calls this; all return the run,
    and only the main one writes.

    Args:
        run: what is to come out, but for temperature and metrics.
        base: the folder of the base model.
        examples_of: the examples of an epoch, counted from 0; as many each.
        dev: what epochs are judged by, and the temperature is fitted on.
        judge: measures their scores.
        select: the measure that the best epoch is chosen by.
        resume: go on from the checkpoint in the run's folder, if there is one.

    Raises:
        SettingsError: no examples, or a label that the run does not have.
        UnavailableError: the device is not here, or what the base model needs.
        EmoscribeError: the folder cannot be written to, or the loss is no number any more.
    """
    watcher = watcher if watcher is not None and processes.is_main() else Watcher()
    folder = make_folder(run.folder)
    first = examples_of(0)
    _check(run, first)
    _check(run, dev)
    device, accelerator = joined(settings)
    torch.manual_seed(settings.seed)
    reader = untrained(base, run, settings, device.type, sharded=processes.is_sharded())
    steps = math.ceil(len(first) / settings.batch_size) * settings.epochs
    model = shared(reader.model, device, accelerator)
    model.train()
    learner = learner_of(reader, settings, steps)
    resumed = resume and (folder / CHECKPOINT).is_file()
    progress = load_checkpoint(folder, learner) if resumed else Progress.fresh()
    began = time.perf_counter() - progress.seconds

    while progress.epoch < settings.epochs and not _waited_enough(progress, settings):
        batches = _batches(reader, run, examples_of(progress.epoch), settings, progress.epoch)
        for batch in batches.indices[progress.batch :]:
            loss = update(model, learner, batches, batch, progress.step, settings)
            progress.loss_sum += loss
            progress.batch += 1
            progress.step += 1
            progress.seconds = time.perf_counter() - began
            watcher.updated(progress.step, loss, float(learner.schedule.get_last_lr()[0]), progress.step / steps)
            if settings.checkpoint_steps and progress.step % settings.checkpoint_steps == 0 and processes.is_main():
                save_checkpoint(folder, learner, progress)
        with learner.average.in_place() if learner.average is not None else contextlib.nullcontext():
            scored = _scored(reader, dev)
            progress.seconds = time.perf_counter() - began
            better = _judge_epoch(scored, dev, judge, select, progress, len(batches.indices))
            if better and processes.is_main():
                save_adapter(reader, run.base.id, folder)
        progress.epoch, progress.batch, progress.loss_sum = progress.epoch + 1, 0, 0.0
        watcher.judged(progress.step, progress.epochs[-1])
        if processes.is_main():
            # In this order: a run without a checkpoint is a whole one.
            save_checkpoint(folder, learner, progress)
            save_run(_described(run, progress, select))
    run = _described(run, progress, select)
    if processes.is_main():
        # Again: whoever was stopped after the last checkpoint has yet to do it.
        save_run(run)
        (folder / CHECKPOINT).unlink(missing_ok=True)
    processes.wait()
    return run


def _batches(reader: Reader, run: Run, examples: Sequence[Example], settings: TrainingSettings, epoch: int) -> Batches:
    _check(run, examples)
    tokens = reader.tokenizer([example.prompt for example in examples])
    padding_id = reader.tokenizer.padding_id
    return Batches(examples, tokens, run.labels, settings, epoch, padding_id=padding_id, device=reader.device)


def _scored(reader: Reader, dev: Sequence[Example]) -> list[Scored]:
    """The scores of the dev prompts, shared out to all processes; each has all of them."""
    prompts = [example.prompt for example in dev]
    reader.model.eval()
    # A model that lies in all of them is run by all of them in step.
    scored = (
        score(reader, prompts)
        if processes.is_sharded()
        else processes.mapped(lambda some: score(reader, some), prompts)
    )
    reader.model.train()
    return scored


def _judge_epoch(
    scored: Sequence[Scored], dev: Sequence[Example], judge: Judge, select: str, progress: Progress, batches: int
) -> bool:
    """Note how the epoch that has just ended went, and whether it is the best so far."""
    measured = {name: round(float(value), 6) for name, value in judge(scored).items()}
    seconds = progress.seconds - sum(each["seconds"] for each in progress.epochs)
    progress.epochs.append(
        {
            "epoch": progress.epoch,
            "loss": round(progress.loss_sum / batches, 6),
            "dev": measured,
            "seconds": round(seconds, 1),
        }
    )
    if better := measured[select] > progress.best_quality:
        progress.best_epoch, progress.best_quality = progress.epoch, measured[select]
        progress.temperature = round(fitted_temperature([example.label for example in dev], scored), 3)
    return better


def _described(run: Run, progress: Progress, select: str) -> Run:
    """The run with what is known after its best epoch."""
    best = progress.epochs[progress.best_epoch]
    metrics = {"selected_on": select, "best_epoch": progress.best_epoch, "dev": best["dev"], "epochs": progress.epochs}
    known = {
        "temperature": progress.temperature,
        "metrics": {**run.metrics, **metrics},
        "training": {**run.training, "seconds": round(progress.seconds)},
    }
    return run.model_copy(update=known)


def is_whole(folder: Path) -> bool:
    """Whether a training in that folder came to its end."""
    return (folder / DESCRIPTION).is_file() and not (folder / CHECKPOINT).is_file()


def _waited_enough(progress: Progress, settings: TrainingSettings) -> bool:
    """Whether as many epochs as there is patience for brought nothing better."""
    return settings.patience is not None and progress.epoch - 1 - progress.best_epoch >= settings.patience


def _check(run: Run, examples: Sequence[Example]) -> None:
    if not examples:
        raise SettingsError("training needs examples, and others to judge by; one of the two is empty")
    unknown = {example.label for example in examples} - set(run.labels)
    if unknown:
        raise SettingsError(f"label {sorted(unknown)[0]!r} is not among the run's: {', '.join(run.labels)}")
