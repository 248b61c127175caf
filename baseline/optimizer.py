"""The optimizer of a fusion model, and the course of its rate."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ..core.baselines import FusionOptimizerSettings


def optimizer_for(parameters: Iterable[Parameter], settings: FusionOptimizerSettings) -> Optimizer:
    """AdamW, or SGD with Nesterov's momentum."""
    rate, decay, momentum = settings.learning_rate, settings.weight_decay, settings.momentum
    if settings.name == "sgd":
        return SGD(parameters, lr=rate, momentum=momentum, weight_decay=decay, nesterov=momentum > 0)
    return AdamW(parameters, lr=rate, weight_decay=decay, fused=True)


def schedule_for(optimizer: Optimizer, settings: FusionOptimizerSettings, steps: int) -> LambdaLR:
    """The rate rises in a line over the warm-up, then stays or falls to nothing over what is left of `steps`."""
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
