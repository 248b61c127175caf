"""One step of the optimizer, however the batch is shared out and cut up."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from ..core.errors import EmoscribeError
from ..training import processes
from ..training.optimizers import rate_factor
from .average import WeightAverage
from .batches import Batches
from .optimizer import optimizer_for
from .parallel import apart, average_gradients
from .reader import Reader
from .resume import Learner
from .settings import TrainingSettings
from .tokens import micro_batches


def learner_of(reader: Reader, settings: TrainingSettings, steps: int) -> Learner:
    """What changes in a training of so many steps: the adapter and head, and what moves them."""
    head = [parameter for parameter in reader.model.head.parameters()] if reader.model.head is not None else []
    of_head = {id(parameter) for parameter in head}
    adapter = [each for each in reader.model.parameters() if each.requires_grad and id(each) not in of_head]
    parameters = [*adapter, *head]
    average = WeightAverage(parameters, settings.weight_average) if settings.weight_average else None
    optimizer = optimizer_for(adapter, head, settings.optimizer)
    return Learner(parameters, optimizer, LambdaLR(optimizer, rate_factor(settings.optimizer, steps)), average)


def update(
    model: nn.Module, learner: Learner, batches: Batches, batch: Sequence[int], step: int, settings: TrainingSettings
) -> float:
    """One step on a batch, of which this process does its share; returns the loss of the batch.

    The gradient is that of the mean over all examples of the batch.

    Args:
        model: as `parallel.shared` returns it.
        step: updates done before.

    Raises:
        EmoscribeError: the loss is not a number, or the GPU's memory does not hold what is learnt from at once.
    """
    try:
        loss = accumulate(model, learner, batches, batch, step, settings)
    except torch.OutOfMemoryError:
        at_once = settings.micro_batch_tokens or settings.micro_batch_size or settings.batch_size
        raise EmoscribeError(
            f"the GPU's memory does not hold the model and what it learns from at once ({at_once}); set "
            "micro_batch_tokens lower, or base.activation_checkpointing: true; what an update learns from is the same"
        ) from None
    if not math.isfinite(loss):
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
    return loss


def accumulate(
    model: nn.Module, learner: Learner, batches: Batches, batch: Sequence[int], step: int, settings: TrainingSettings
) -> float:
    """The gradients of the mean loss over a batch, in all processes, and that loss."""
    from peft.helpers import disable_input_dtype_casting

    rank, count = processes.rank(), processes.count()
    # What is drawn depends on the step alone, wherever training was taken up.
    torch.manual_seed((settings.seed << 32) + step * count + rank)
    limits = {"size": settings.micro_batch_size, "tokens": settings.micro_batch_tokens}
    parts = micro_batches(batch, batches.lengths, count, **limits)[rank]
    device = learner.parameters[0].device
    total = torch.zeros((), device=device)
    half = _is_half(device.type, settings.precision)
    # PEFT would turn all that an adapter sees into float32, only for it to be turned back.
    with disable_input_dtype_casting(model, half):
        for part in parts:
            with apart(model) if part is not parts[-1] else contextlib.nullcontext():
                total += _passed(model, batches, part, batch, torch.autocast(device.type, torch.bfloat16, half))
    average_gradients(model, learner.parameters)
    processes.average([total])
    return float(total)


def _passed(
    model: nn.Module, batches: Batches, part: Sequence[int], batch: Sequence[int], precision: torch.autocast
) -> torch.Tensor:
    """Forwards and backwards over a part of a batch; returns what it adds to the loss, times the processes."""
    # With nothing left to do, a process repeats an example that does not count: the others wait for it.
    counted, part = (1.0, part) if part else (0.0, batch[:1])
    with precision:
        logits = model(batches.prompts(part))
    # Gradients are averaged over the processes.
    loss = counted * processes.count() * batches.loss(logits, part) / len(batch)
    loss.backward()
    return loss.detach()


def _is_half(device: str, precision: str) -> bool:
    """bfloat16 where it was asked for or the hardware multiplies it; elsewhere it would only be slower."""
    if precision != "auto":
        return precision == "bfloat16"
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()
