"""How far a training is, and which of its epochs was best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from ..core.errors import SettingsError

S = TypeVar("S")

# Scores of what dev has, in its order, to measures by name.
Metrics: TypeAlias = Callable[[Sequence[S]], Mapping[str, float]]

# Of these measures, the less the better.
ERRORS = ("mae", "mse", "rmse", "ece", "loss")


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        steps: updates there will be, unless patience ends it.
        step: updates done.
        epoch, batch: the next batch, both counted from 0.
        loss_sum: of this epoch's batches so far.
        seconds: it took so far, what was measured included.
        epochs: `{"epoch", "loss", "dev", "seconds"}` of each that is done, as in `run.json`.
        best_epoch: so far; -1 before the first is done.
        fitted: to dev, after the best epoch: a temperature, say, and what else a run remembers of it.
    """

    steps: int
    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    epochs: tuple[Mapping[str, Any], ...] = ()
    best_epoch: int = -1
    fitted: Mapping[str, Any] | None = None

    @property
    def done(self) -> float:
        """In 0–1."""
        return self.step / self.steps

    @property
    def seconds_left(self) -> float:
        """As long as the updates that are left take, if they take as long as those that are done."""
        return self.seconds / max(1, self.step) * (self.steps - self.step)

    @property
    def best(self) -> Mapping[str, Any]:
        """The entry of the best epoch."""
        return self.epochs[self.best_epoch]

    def waited(self, patience: int | None) -> bool:
        """Whether as many epochs as there is patience for brought nothing better."""
        return patience is not None and self.epoch - 1 - self.best_epoch >= patience

    def metrics(self, select: str) -> dict[str, Any]:
        """What a run remembers of it."""
        return {
            "selected_on": select,
            "best_epoch": self.best_epoch,
            "dev": self.best["dev"],
            "epochs": list(self.epochs),
        }


def quality(measured: Mapping[str, float | None], select: str) -> float:
    """The measure that epochs are chosen by, the more the better.

    Some are undefined (NaN, or null in JSON) where every clip got the same
    answer: nothing is worse.

    Raises:
        SettingsError: it was not measured.
    """
    if select not in measured:
        raise SettingsError(f"epochs cannot be chosen by {select!r}; there are: {', '.join(measured)}")
    value = measured[select]
    if value is None or math.isnan(value):
        return -math.inf
    return -value if select in ERRORS else value
