"""LoRA fine-tuning: labelled prompts in, a run folder out.

Whatever the base, the head and the number of processes: batches of prompts of
similar length, cross-entropy, the epoch that does best on held-out prompts.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import processes
from ..core.errors import EmoscribeError, SettingsError
from ..core.files import make_folder
from ..core.runs import DESCRIPTION, Run, save_run
from ..core.timeline import Prompt, Scored
from ..core.training import TrainingSettings
from .average import WeightAverage
from .checkpoint import save_adapter
from .optimizer import optimizer_for, schedule_for
from .reader import Reader
from .resume import CHECKPOINT, Learner, Progress, load_checkpoint, save_checkpoint
from .score import score
from .temperature import fitted_temperature
from .tokens import Tokens, collate, shuffled_batches
from .untrained import untrained

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator


@dataclass(frozen=True)
class Example:
    """A prompt and its label.

    Attributes:
        source: whose label it is: labels are as frequent as in their source.
        soft: how likely each label is in a teacher's eyes, if one was asked.
    """

    prompt: Prompt
    label: str
    source: str = ""
    soft: Mapping[str, float] | None = None


# Scores of the dev prompts, in their order, to measures by name; the more the better.
Judge = Callable[[Sequence[Scored]], Mapping[str, float]]


class Watcher:
    """Is told how a training goes, in the main process; this one keeps it to itself."""

    def updated(self, step: int, loss: float, learning_rate: float, done: float) -> None:
        """After each update: its number from 1, and how much is done, in 0–1."""

    def judged(self, step: int, measured: Mapping[str, Any]) -> None:
        """After each epoch, counted from 0: `{"epoch", "loss", "dev", "seconds"}`."""


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
    import torch

    watcher = watcher if watcher is not None and processes.is_main() else Watcher()
    folder = make_folder(run.folder)
    first = examples_of(0)
    _check(run, first)
    _check(run, dev)
    accelerator = _accelerator(settings)
    torch.manual_seed(settings.seed)
    reader = untrained(base, run, settings, accelerator.device.type)
    steps = math.ceil(len(first) / settings.batch_size) * settings.epochs
    learner, model = _learner(reader, settings, steps, accelerator)
    resumed = resume and (folder / CHECKPOINT).is_file()
    progress = load_checkpoint(folder, learner) if resumed else Progress.fresh()

    while progress.epoch < settings.epochs and not _waited_enough(progress, settings):
        began = time.perf_counter()
        examples = examples_of(progress.epoch)
        _check(run, examples)
        batches = _Batches(reader, examples, settings, progress.epoch)
        for batch in batches.indices[progress.batch :]:
            loss = _update(accelerator, model, learner, batches, batch, progress.step, settings)
            progress.loss_sum += loss
            progress.batch += 1
            progress.step += 1
            watcher.updated(progress.step, loss, float(learner.schedule.get_last_lr()[0]), progress.step / steps)
            if settings.checkpoint_steps and progress.step % settings.checkpoint_steps == 0 and processes.is_main():
                save_checkpoint(folder, learner, progress)
        with learner.average.in_place() if learner.average is not None else contextlib.nullcontext():
            better = _judge_epoch(reader, dev, judge, select, progress, len(batches.indices), began)
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
    accelerator.wait_for_everyone()
    return run


# ── an epoch ─────────────────────────────────────────────────────────────────


class _Batches:
    """The examples of an epoch as tensors, batch by batch."""

    def __init__(self, reader: Reader, examples: Sequence[Example], settings: TrainingSettings, epoch: int) -> None:
        import torch

        self._reader, self._settings = reader, settings
        self._tokens: list[Tokens] = reader.tokenizer([example.prompt for example in examples])
        frequency = _frequencies(examples, reader.labels)
        self._targets = torch.tensor([_target(each, reader.labels, settings) for each in examples])
        self._weights = torch.tensor(_weights(examples, settings.loss.class_weights))
        offsets = [settings.loss.logit_adjustment * np.log(frequency[each.source]) for each in examples]
        self._offsets = torch.from_numpy(np.array(offsets, dtype=np.float32))
        lengths = [len(each) for each in self._tokens]
        self.indices = shuffled_batches(lengths, settings.batch_size, settings.seed * 1000 + epoch)

    def prompts(self, batch: Sequence[int]) -> dict[str, torch.Tensor]:
        """As `collate` has them."""
        return collate([self._tokens[i] for i in batch], self._reader.tokenizer.padding_id, self._reader.device)

    def loss(self, logits: torch.Tensor, batch: Sequence[int]) -> torch.Tensor:
        """The weighted sum of the cross-entropies of logits (B, L)."""
        from torch.nn.functional import cross_entropy

        targets, weights, offsets = (
            each[batch].to(logits.device) for each in (self._targets, self._weights, self._offsets)
        )
        losses = cross_entropy(logits.float() + offsets, targets, reduction="none")
        return (losses * weights).sum()


def _update(
    accelerator: Accelerator,
    model: Any,
    learner: Learner,
    batches: _Batches,
    batch: Sequence[int],
    step: int,
    settings: TrainingSettings,
) -> float:
    """One step of the optimizer on a batch, of which this process does its share; returns the loss of the batch.

    However the batch is shared out and cut up, the gradient is that of the
    mean over all of it.

    Raises:
        EmoscribeError: the loss is not a number.
    """
    import torch

    rank, count = processes.rank(), processes.count()
    # What is drawn depends on the step alone, wherever training was taken up.
    torch.manual_seed((settings.seed << 32) + step * count + rank)
    # A batch of fewer examples than processes: some repeat one that does not count.
    share, counts = (batch[rank::count], 1.0) if len(batch) > rank else (batch[:1], 0.0)
    size = settings.micro_batch_size or len(share)
    parts = [share[first : first + size] for first in range(0, len(share), size)]
    total = torch.zeros((), device=accelerator.device)
    for part in parts:
        last = part is parts[-1]
        with contextlib.nullcontext() if last else accelerator.no_sync(model):
            with _autocast(accelerator.device.type, settings.precision):
                logits = model(batches.prompts(part))
            # Gradients are averaged over the processes.
            loss = counts * count * batches.loss(logits, part) / len(batch)
            # Not the launcher's: its own settings would scale the loss.
            loss.backward()
            total += loss.detach()
    mean = float(accelerator.reduce(total, "mean"))  # pyright: ignore[reportArgumentType]
    if not math.isfinite(mean):
        raise EmoscribeError(
            f"the loss of update {step + 1} is not a number; train anew with a lower optimizer.learning_rate "
            f"(it was {settings.optimizer.learning_rate:g})"
        )
    torch.nn.utils.clip_grad_norm_(learner.parameters, settings.optimizer.clip_norm)
    learner.optimizer.step()
    learner.schedule.step()
    learner.optimizer.zero_grad()
    if learner.average is not None:
        learner.average.update(step + 1)
    return mean


def _judge_epoch(
    reader: Reader,
    dev: Sequence[Example],
    judge: Judge,
    select: str,
    progress: Progress,
    batches: int,
    began: float,
) -> bool:
    """Measure the epoch that has just ended, and whether it is the best so far."""
    reader.model.eval()
    scored = processes.mapped(lambda prompts: score(reader, prompts), [example.prompt for example in dev])
    reader.model.train()
    measured = {name: round(float(value), 6) for name, value in judge(scored).items()}
    loss, seconds = round(progress.loss_sum / batches, 6), round(time.perf_counter() - began, 1)
    progress.epochs.append({"epoch": progress.epoch, "loss": loss, "dev": measured, "seconds": seconds})
    if better := measured[select] > progress.best_quality:
        progress.best_epoch, progress.best_quality = progress.epoch, measured[select]
        progress.temperature = round(fitted_temperature([example.label for example in dev], scored), 3)
    return better


def _described(run: Run, progress: Progress, select: str) -> Run:
    """The run with what is known after its best epoch."""
    best = progress.epochs[progress.best_epoch]
    metrics = {"selected_on": select, "best_epoch": progress.best_epoch, "dev": best["dev"], "epochs": progress.epochs}
    return run.model_copy(update={"temperature": progress.temperature, "metrics": {**run.metrics, **metrics}})


def is_whole(folder: Path) -> bool:
    """Whether a training in that folder came to its end."""
    return (folder / DESCRIPTION).is_file() and not (folder / CHECKPOINT).is_file()


def _waited_enough(progress: Progress, settings: TrainingSettings) -> bool:
    """Whether as many epochs as there is patience for brought nothing better."""
    return settings.patience is not None and progress.epoch - 1 - progress.best_epoch >= settings.patience


# ── what it takes ────────────────────────────────────────────────────────────


def _accelerator(settings: TrainingSettings) -> Accelerator:
    from accelerate import Accelerator, DistributedDataParallelKwargs

    from .reader import resolve_device

    device = resolve_device(settings.device)
    # Adapters on layers that the head does not look at have no gradient.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    # Precision is a setting of the run, not of how it was launched.
    accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no", kwargs_handlers=[unused])
    if accelerator.distributed_type not in ("NO", "MULTI_CPU", "MULTI_GPU"):
        raise SettingsError(
            f"accelerate launch asks for {accelerator.distributed_type.value}, and training takes processes with "
            "whole models; launch with --multi_gpu"
        )
    return accelerator


def _learner(
    reader: Reader, settings: TrainingSettings, steps: int, accelerator: Accelerator
) -> tuple[Learner, torch.nn.Module]:
    """What changes in training, and the model as all processes share it."""
    head = [parameter for parameter in reader.model.head.parameters()] if reader.model.head is not None else []
    of_head = {id(parameter) for parameter in head}
    adapter = [each for each in reader.model.parameters() if each.requires_grad and id(each) not in of_head]
    parameters = [*adapter, *head]
    average = WeightAverage(parameters, settings.weight_average) if settings.weight_average else None
    optimizer = optimizer_for(adapter, head, settings.optimizer)
    schedule = schedule_for(optimizer, settings.optimizer, steps)
    model = accelerator.prepare_model(reader.model)
    model.train()
    return Learner(parameters, optimizer, schedule, average), model


def _autocast(device: str, precision: str) -> contextlib.AbstractContextManager:
    """bfloat16 where it was asked for or the hardware multiplies it; elsewhere it would only be slower."""
    import torch

    fast = torch.cuda.is_bf16_supported if device == "cuda" else torch.cpu._is_avx512_bf16_supported
    enabled = fast() if precision == "auto" else precision == "bfloat16"
    return torch.autocast(device, torch.bfloat16, enabled=enabled)


def _target(example: Example, labels: Sequence[str], settings: TrainingSettings) -> list[float]:
    """How likely each label (L,) is to be: the given one, smoothed, and the teacher's opinion."""
    smoothing = settings.loss.label_smoothing
    hard = [(1 - smoothing) * (label == example.label) + smoothing / len(labels) for label in labels]
    if example.soft is None:
        return hard
    weight = settings.loss.soft_weight
    return [(1 - weight) * given + weight * example.soft[label] for given, label in zip(hard, labels, strict=True)]


def _frequencies(examples: Sequence[Example], labels: Sequence[str]) -> dict[str, np.ndarray]:
    """(L,) how frequent each label is, by source; never quite 0."""
    counts = {source: np.full(len(labels), 0.5) for source in {example.source for example in examples}}
    for example in examples:
        counts[example.source][labels.index(example.label)] += 1
    return {source: count / count.sum() for source, count in counts.items()}


def _weights(examples: Sequence[Example], kind: str) -> list[float]:
    """What each example counts by its label: one on average."""
    counts = Counter(example.label for example in examples)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[kind]
    weights = [counts[example.label] ** -power for example in examples]
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]


def _check(run: Run, examples: Sequence[Example]) -> None:
    if not examples:
        raise SettingsError("training needs examples, and others to judge by; one of the two is empty")
    unknown = {example.label for example in examples} - set(run.labels)
    if unknown:
        raise SettingsError(f"label {sorted(unknown)[0]!r} is not among the run's: {', '.join(run.labels)}")
