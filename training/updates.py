"""The steps by which a learner learns: gradients to weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from ..core.errors import EmoscribeError
from . import processes
from .average import WeightAverage, put
from .optimizers import optimizer_for, rate_factor
from .settings import LoopSettings

B = TypeVar("B")


class Diverged(EmoscribeError):
    """The loss is no number any more."""


class Learner(Protocol[B]):
    """What differs between the families of models: what is learnt from, and how good it is.

    Attributes:
        model: what is trained, whole; it drops out while it learns and not while it is measured.
        body, head: the parameters that are trained, apart where they may learn at different rates.
        half_range: whether gradients are computed in float16, where small ones vanish unless the loss is scaled.
        batches_an_epoch: how many there are, in every epoch.
    """

    model: nn.Module
    body: list[nn.Parameter]
    head: list[nn.Parameter]
    half_range: bool
    batches_an_epoch: int

    def state(self) -> Mapping[str, Tensor]:
        """All tensors that change as it learns, by name: its own, not copies."""
        ...

    def batches(self, epoch: int) -> Sequence[B]:
        """What an epoch, counted from 0, learns from."""
        ...

    def backward(self, batch: B, scale: Callable[[Tensor], Tensor]) -> float:
        """Add the gradients of a batch's mean loss, times `scale`, to those there are; returns the loss.

        In several processes each does its share, and all have the mean.
        """
        ...

    def measure(self) -> tuple[Mapping[str, float], Mapping[str, Any]]:
        """Measures of dev by name, and what is fitted to dev besides."""
        ...

    def keep(self) -> None:
        """Write the model as it is: it is the best so far."""
        ...


class Updates(Generic[B]):
    """The updates of a learner: optimizer, schedule, moving average.

    Args:
        steps: how many there will be.
    """

    def __init__(self, learner: Learner[B], settings: LoopSettings, steps: int) -> None:
        self._learner, self._settings = learner, settings
        self._parameters = [*learner.body, *learner.head]
        self._device = self._parameters[0].device.type
        self._optimizer = optimizer_for(learner.body, learner.head, settings.optimizer)
        self._schedule = LambdaLR(self._optimizer, rate_factor(settings.optimizer, steps))
        self._loss_scale = torch.amp.GradScaler(self._device, enabled=learner.half_range)
        decay = settings.weight_average
        self._average = WeightAverage(learner.state(), decay) if decay else None

    @property
    def learning_rate(self) -> float:
        """Of the next update."""
        return float(self._schedule.get_last_lr()[0])

    def update(self, batch: B, step: int) -> float:
        """One step on a batch; returns its loss.

        Args:
            step: updates done before.

        Raises:
            Diverged: the loss is not a number.
        """
        # What is drawn depends on the step alone, wherever training was taken up.
        torch.manual_seed((self._settings.seed << 32) + step * processes.count() + processes.rank())
        loss = self._learner.backward(batch, self._loss_scale.scale)
        if not math.isfinite(loss):
            raise Diverged(
                f"the loss of update {step + 1} is not a number; train anew with a lower optimizer.learning_rate "
                f"(it was {self._settings.optimizer.learning_rate:g})"
            )
        self._loss_scale.unscale_(self._optimizer)
        torch.nn.utils.clip_grad_norm_(self._parameters, self._settings.optimizer.clip_norm)
        scale = self._loss_scale.get_scale()
        self._loss_scale.step(self._optimizer)
        self._loss_scale.update()
        # A scale that fell is a step that was left out, because gradients had overflown.
        if self._loss_scale.get_scale() >= scale:
            self._schedule.step()
        self._optimizer.zero_grad()
        if self._average is not None:
            self._average.update(step + 1)
        return loss

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """Within the block, the learner has the moving average of its weights, if one is kept."""
        return self._average.in_place() if self._average is not None else contextlib.nullcontext()

    def state(self) -> dict[str, Any]:
        """All that changes from update to update, as tensors and plain values."""
        return {
            "learner": dict(self._learner.state()),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "loss_scale": self._loss_scale.state_dict(),
            "average": self._average.values if self._average is not None else {},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to where `state` was taken."""
        put(state["learner"], self._learner.state())
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._loss_scale.load_state_dict(state["loss_scale"])
        if self._average is not None:
            put(state["average"], self._average.values)
