"""The optimizer of an adapter and its head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..training.optimizers import OptimizerSettings

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer


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
