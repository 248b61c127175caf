"""What every training can be told, whatever is trained."""

from __future__ import annotations

from pydantic import Field

from ..core.settings import Device, Settings
from .optimizers import OptimizerSettings


class LoopSettings(Settings):
    """How long it is learnt, by what steps, and from where chance is drawn."""

    optimizer: OptimizerSettings = OptimizerSettings()
    epochs: int = Field(default=4, ge=1)
    # Epochs without a better dev score before training ends early; `None` for never.
    patience: int | None = Field(default=None, ge=1)
    # Examples an update.
    batch_size: int = Field(default=32, ge=1)
    # Decay an update of the moving average of the weights, which is what is
    # measured and kept; 0 keeps the last weights.
    weight_average: float = Field(default=0.0, ge=0, lt=1)
    # Updates between checkpoints within an epoch; there is always one at its end.
    checkpoint_steps: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    device: Device = "auto"
