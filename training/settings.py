"""What every training can be told, whatever is trained."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from ..core.settings import Device, Settings
from .optimizers import OptimizerSettings

# What `auto` takes: as often as is usual for an adapter; where that is too few
# updates to leave the most frequent label behind, more often, if not for ever.
USUAL_EPOCHS, MOST_EPOCHS = 4, 30
FEWEST_UPDATES = 300


class LoopSettings(Settings):
    """How long it is learnt, by what steps, and from where chance is drawn."""

    optimizer: OptimizerSettings = OptimizerSettings()
    epochs: Literal["auto"] | Annotated[int, Field(ge=1)] = USUAL_EPOCHS
    """Times that the training data are read, of which the best on dev is kept; `auto` is 4, of few data up to 30."""
    patience: int | None = Field(default=None, ge=1)
    """Epochs without a better dev score before training ends; null for never."""
    batch_size: int = Field(default=32, ge=1)
    """Examples an update; each process takes its share of them."""
    weight_average: float = Field(default=0.0, ge=0, lt=1)
    """Decay an update of the moving average of the weights, which is scored and kept; 0 keeps the last weights."""
    checkpoint_steps: int | None = Field(default=None, ge=1)
    """Updates between checkpoints within an epoch; there is always one at its end."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of everything drawn at random."""
    device: Device = "auto"
    """Where the model is trained; `auto` is a GPU where there is one."""

    def is_few(self, examples: int) -> bool:
        """Whether so many examples make too few updates in the usual epochs."""
        return math.ceil(examples / self.batch_size) * USUAL_EPOCHS < FEWEST_UPDATES

    def epochs_of(self, batches: int) -> int:
        """How many epochs there are at most, of so many batches each."""
        if self.epochs != "auto":
            return self.epochs
        return max(USUAL_EPOCHS, min(MOST_EPOCHS, math.ceil(FEWEST_UPDATES / batches)))
