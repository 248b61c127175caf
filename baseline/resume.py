"""Where a training stands after an epoch, so that one that was stopped goes on as if it had not been.

Chance needs no place here: every update draws from its own seed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from ..training.checkpoints import read_checkpoint, write_checkpoint

CHECKPOINT = "checkpoint.pt"


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch: the next one, counted from 0.
        step: updates done.
        best_epoch, best_quality: so far; -1 and -inf before the first.
        epochs: what was measured after each.
    """

    epoch: int
    step: int
    best_epoch: int
    best_quality: float
    epochs: list[dict[str, Any]]

    @classmethod
    def fresh(cls) -> Progress:
        return cls(0, 0, -1, float("-inf"), [])


@dataclass(frozen=True, eq=False)
class Learner:
    """All that changes while something is learnt."""

    model: torch.nn.Module
    optimizer: Optimizer
    schedule: LambdaLR
    # Of the loss, in half precision: gradients would vanish there.
    loss_scale: torch.amp.GradScaler


def save_checkpoint(folder: Path, learner: Learner, progress: Progress) -> None:
    """Write `checkpoint.pt`; the one before it stays until this one is whole.

    Raises:
        EmoscribeError: the disk is full, or cannot be written to.
    """
    state = {
        "progress": asdict(progress),
        "model": learner.model.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
        "schedule": learner.schedule.state_dict(),
        "loss_scale": learner.loss_scale.state_dict(),
    }
    write_checkpoint(folder / CHECKPOINT, state)


def load_checkpoint(folder: Path, learner: Learner) -> Progress:
    """Put the learner back to where the checkpoint was written.

    Raises:
        EmoscribeError: it is damaged, or of another model.
    """

    def restore(state: dict[str, Any]) -> Progress:
        learner.model.load_state_dict(state["model"])
        learner.optimizer.load_state_dict(state["optimizer"])
        learner.schedule.load_state_dict(state["schedule"])
        learner.loss_scale.load_state_dict(state["loss_scale"])
        return Progress(**state["progress"])

    return read_checkpoint(folder / CHECKPOINT, restore)
