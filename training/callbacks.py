"""How a training tells what it does, whatever is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class Watcher:
    """Is told how a training goes; this one keeps it to itself.

    `with` it, until there is no more to tell.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever it keeps open is closed."""

    def updated(self, step: int, loss: float, learning_rate: float, done: float) -> None:
        """After each update: its number from 1, and how much is done, in 0–1."""

    def judged(self, step: int, measured: Mapping[str, Any]) -> None:
        """After each epoch, counted from 0: `{"epoch", "loss", "dev", "seconds"}`."""
