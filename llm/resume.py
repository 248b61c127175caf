"""Where a training stands, so that one that was stopped goes on as if it had not been.

Chance needs no place here: every update draws from its own seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..training.checkpoints import read_checkpoint, write_checkpoint

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LambdaLR

    from .average import WeightAverage

CHECKPOINT = "checkpoint.pt"


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch, batch: the next batch, both counted from 0.
        step: updates done.
        loss_sum: of this epoch's batches so far.
        best_epoch, best_quality: so far; -1 and -inf before the first.
        temperature: fitted after the best epoch.
        epochs: what was measured after each.
        seconds: it took so far.
    """

    epoch: int
    batch: int
    step: int
    loss_sum: float
    best_epoch: int
    best_quality: float
    temperature: float
    epochs: list[dict[str, Any]]
    seconds: float = 0.0

    @classmethod
    def fresh(cls) -> Progress:
        return cls(0, 0, 0, 0.0, -1, float("-inf"), 1.0, [])


@dataclass(frozen=True, eq=False)
class Learner:
    """All that changes while something is learnt."""

    parameters: Sequence[Parameter]
    optimizer: Optimizer
    schedule: LambdaLR
    average: WeightAverage | None


def save_checkpoint(folder: Path, learner: Learner, progress: Progress) -> None:
    """Write `checkpoint.pt`; the one before it stays until this one is whole.

    Raises:
        EmoscribeError: the disk is full, or cannot be written to.
    """
    state = {
        "progress": asdict(progress),
        "parameters": [parameter.detach() for parameter in learner.parameters],
        "optimizer": learner.optimizer.state_dict(),
        "schedule": learner.schedule.state_dict(),
        "average": learner.average.values if learner.average is not None else None,
    }
    write_checkpoint(folder / CHECKPOINT, state)


def load_checkpoint(folder: Path, learner: Learner) -> Progress:
    """Put the learner back to where the checkpoint was written.

    Raises:
        EmoscribeError: it is damaged, or of another model.
    """

    def restore(state: dict[str, Any]) -> Progress:
        learner.optimizer.load_state_dict(state["optimizer"])
        learner.schedule.load_state_dict(state["schedule"])
        _put(learner.parameters, state["parameters"])
        if learner.average is not None:
            _put(learner.average.values, state["average"])
        return Progress(**state["progress"])

    return read_checkpoint(folder / CHECKPOINT, restore)


def _put(targets: Sequence[Any], values: Sequence[Any]) -> None:
    for target, value in zip(targets, values, strict=True):
        target.data.copy_(value)
