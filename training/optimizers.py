"""How weights follow the loss: the optimizer and the course of its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from ..core.settings import Settings

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer


class OptimizerSettings(Settings):
    """How weights follow the loss."""

    name: Literal["adamw", "sgd"] = "adamw"
    """Which optimizer."""
    learning_rate: float = Field(default=5e-4, gt=0)
    """The highest learning rate, reached at the end of the warm-up."""
    head_learning_rate: float | None = Field(default=1e-3, gt=0)
    """That of the head, which is fresh and learns faster than an adapter; null for the same."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decay of the weights, decoupled from the gradient in adamw."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Nesterov's momentum, of sgd; adamw has its own."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls after the warm-up."""
    warmup_share: float = Field(default=0.06, ge=0, lt=1)
    """Share of all updates in which the learning rate rises."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Norm to which longer gradients are shortened."""

    @model_validator(mode="after")
    def _momentum_of_sgd(self) -> OptimizerSettings:
        if self.momentum and self.name != "sgd":
            raise ValueError(f"momentum goes with sgd: {self.name} has its own")
        return self


def optimizer_for(body: Sequence[Parameter], head: Sequence[Parameter], settings: OptimizerSettings) -> Optimizer:
    """AdamW, or SGD; the head may learn at a rate of its own."""
    from torch.optim import SGD, AdamW

    rates = (settings.learning_rate, settings.head_learning_rate or settings.learning_rate)
    groups = [
        {"params": list(parameters), "lr": rate}
        for parameters, rate in zip((body, head), rates, strict=True)
        if parameters
    ]
    decay, momentum = settings.weight_decay, settings.momentum
    if settings.name == "sgd":
        return SGD(groups, momentum=momentum, weight_decay=decay, nesterov=momentum > 0)
    # One pass over all weights of an update, not a dozen each.
    return AdamW(groups, weight_decay=decay, fused=True)


def rate_factor(settings: OptimizerSettings, steps: int) -> Callable[[int], float]:
    """Of each of `steps` updates, from 0, the share of the learning rate.

    It rises in a line over the warm-up, then stays or falls to nothing over
    what is left.
    """
    warmup = round(steps * settings.warmup_share)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = (step - warmup) / max(1, steps - warmup)
        return {
            "linear": 1 - done,
            "cosine": (1 + math.cos(math.pi * done)) / 2,
            "constant": 1.0,
        }[settings.schedule]

    return factor
