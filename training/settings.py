"""What every training can be told, whatever is trained."""

from __future__ import annotations

from pydantic import Field

from ..core.settings import Device, Settings
from .optimizers import OptimizerSettings


class LoopSettings(Settings):
    """How long it is learnt, by what steps, and from where chance is drawn."""

    optimizer: OptimizerSettings = OptimizerSettings()
    epochs: int = Field(default=4, ge=1)
    """Times that the training data are read; the epoch that is best on dev is kept."""
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
