"""How weights follow the loss: the optimizer and the course of its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from pydantic import Field, model_validator

from ..core.settings import Settings


class OptimizerSettings(Settings):
    """How weights follow the loss."""

    name: Literal["adamw", "sgd"] = "adamw"
    learning_rate: float = Field(default=5e-4, gt=0)
    # A fresh head learns faster than an adapter; `None` for the same rate.
    head_learning_rate: float | None = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    momentum: float = Field(default=0.0, ge=0, lt=1)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_share: float = Field(default=0.06, ge=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _momentum_of_sgd(self) -> OptimizerSettings:
        if self.momentum and self.name != "sgd":
            raise ValueError(f"momentum goes with sgd: {self.name} has its own")
        return self


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
