"""The optimizer of an adapter and its head, and the course of its rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..core.training import OptimizerSettings

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR


def optimizer_for(adapter: list[Parameter], head: list[Parameter], settings: OptimizerSettings) -> Optimizer:
    """AdamW or SGD; the head may learn at a rate of its own."""
    from torch.optim import SGD, AdamW

    groups = [
        {"params": parameters, "lr": rate}
        for parameters, rate in (
            (adapter, settings.learning_rate),
            (head, settings.head_learning_rate or settings.learning_rate),
        )
        if parameters
    ]
    if settings.name == "sgd":
        return SGD(groups, momentum=settings.momentum, weight_decay=settings.weight_decay)
    return AdamW(groups, weight_decay=settings.weight_decay)


def schedule_for(optimizer: Optimizer, settings: OptimizerSettings, steps: int) -> LambdaLR:
    """The rate rises in a line over the warm-up, then stays or falls to nothing over what is left of `steps`."""
    from torch.optim.lr_scheduler import LambdaLR

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

    return LambdaLR(optimizer, factor)
