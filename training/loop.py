"""The loop that everything is trained by: epochs of updates, each measured on dev, the best of them kept.

Whoever is stopped goes on from the last checkpoint as if nothing had been;
chance needs no place in it, since every update draws from its own seed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from . import processes
from .callbacks import Callback
from .checkpoints import CHECKPOINT, read_checkpoint, write_checkpoint
from .progress import Progress, quality
from .settings import LoopSettings
from .updates import Learner, Updates

B = TypeVar("B")


def train(
    learner: Learner[B], settings: LoopSettings, folder: Path, select: str, resume: bool, callback: Callback
) -> Iterator[Progress]:
    """Train; after each epoch, once its checkpoint is written, yields how far it is.

    Under `accelerate launch` every process calls this; only the main one
    writes, and calls back.

    Args:
        folder: the run's; the checkpoint in it is gone when the last epoch is.
        select: the measure on dev that the best epoch is chosen by.
        resume: go on from the checkpoint in the folder, if there is one; where
            that is after an epoch, it is yielded first.

    Raises:
        Diverged: the loss is not a number.
        SettingsError: the measure is not measured.
        EmoscribeError: the folder cannot be written to, or its checkpoint not be resumed from.
    """
    callback = callback if processes.is_main() else Callback()
    epochs = settings.epochs_of(learner.batches_an_epoch)
    steps = learner.batches_an_epoch * epochs
    updates = Updates(learner, settings, steps)
    path = folder / CHECKPOINT
    resumed = resume and path.is_file()
    progress = read_checkpoint(path, partial(_restored, updates)) if resumed else Progress(steps)
    clock = _clock(progress.seconds)
    if progress.epochs:
        yield progress
    while progress.epoch < epochs and not progress.waited(settings.patience):
        learner.model.train()
        batches = learner.batches(progress.epoch)
        for batch in batches[progress.batch :]:
            loss = updates.update(batch, progress.step)
            progress = replace(
                progress,
                step=progress.step + 1,
                batch=progress.batch + 1,
                loss_sum=progress.loss_sum + loss,
                seconds=clock(),
            )
            callback.on_step_end(progress, loss, updates.learning_rate)
            if settings.checkpoint_steps and progress.step % settings.checkpoint_steps == 0:
                _write(path, updates, progress)
        learner.model.eval()
        with updates.averaged():
            progress = _measured(learner, progress, select, clock)
            if progress.best_epoch == progress.epoch - 1 and processes.is_main():
                learner.keep()
        callback.on_epoch_end(progress)
        _write(path, updates, progress)
        yield progress
    processes.wait()


def finish(folder: Path) -> None:
    """A run whose description was written is whole once it has no checkpoint any more."""
    if processes.is_main():
        (folder / CHECKPOINT).unlink(missing_ok=True)
    processes.wait()


def is_whole(folder: Path, description: str) -> bool:
    """Whether a training in a folder came to its end.

    Args:
        description: the file that describes a run.
    """
    return (folder / description).is_file() and not (folder / CHECKPOINT).is_file()


def _measured(learner: Learner[B], progress: Progress, select: str, clock: Callable[[], float]) -> Progress:
    """What is known after an epoch whose updates are done."""
    dev, fitted = learner.measure()
    dev = {name: round(float(value), 6) for name, value in dev.items()}
    seconds = clock()
    entry = {
        "epoch": progress.epoch,
        "loss": round(progress.loss_sum / progress.batch, 6),
        "dev": dev,
        "seconds": round(seconds - sum(each["seconds"] for each in progress.epochs), 1),
    }
    reached = quality(dev, select)
    better = not progress.epochs or reached > quality(progress.best["dev"], select)
    return replace(
        progress,
        epoch=progress.epoch + 1,
        batch=0,
        loss_sum=0.0,
        seconds=seconds,
        epochs=(*progress.epochs, entry),
        best_epoch=progress.epoch if better else progress.best_epoch,
        fitted=fitted if better else progress.fitted,
    )


def _write(path: Path, updates: Updates[Any], progress: Progress) -> None:
    if processes.is_main():
        write_checkpoint(path, {"progress": asdict(progress), **updates.state()})


def _restored(updates: Updates[Any], state: dict[str, Any]) -> Progress:
    updates.restore(state)
    return Progress(**{**state["progress"], "epochs": tuple(state["progress"]["epochs"])})


def _clock(before: float) -> Callable[[], float]:
    """Seconds since now, and those before."""
    began = time.perf_counter() - before
    return lambda: time.perf_counter() - began
