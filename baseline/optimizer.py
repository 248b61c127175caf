"""The optimizer of a fusion model."""

from __future__ import annotations

from collections.abc import Iterable

from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer

from .settings import FusionOptimizerSettings


def optimizer_for(parameters: Iterable[Parameter], settings: FusionOptimizerSettings) -> Optimizer:
    """AdamW, or SGD with Nesterov's momentum."""
    rate, decay, momentum = settings.learning_rate, settings.weight_decay, settings.momentum
    if settings.name == "sgd":
        return SGD(parameters, lr=rate, momentum=momentum, weight_decay=decay, nesterov=momentum > 0)
    return AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
