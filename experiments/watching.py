"""Whoever waits for a training is told how it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.context import Progress
from ..llm.curves import Curves
from ..training.callbacks import Watcher


class Told(Watcher):
    """Curves in the run's folder, a line an epoch, a bar."""

    def __init__(
        self, folder: Path, epochs: int, select: str, report: Callable[[str], None], progress: Progress
    ) -> None:
        self._epochs, self._select = epochs, select
        self._report, self._progress = report, progress
        self._curves = Curves(folder, [select])

    def __exit__(self, *_: object) -> None:
        self._curves.close()

    def updated(self, step: int, loss: float, learning_rate: float, done: float) -> None:
        self._curves.add(step, loss=loss, learning_rate=learning_rate)
        self._progress("training", done)

    def judged(self, step: int, measured: Mapping[str, Any]) -> None:
        epoch, dev = measured["epoch"] + 1, measured["dev"]
        self._curves.add(step, epoch=epoch, **{f"dev_{name}": value for name, value in dev.items()})
        self._curves.draw()
        self._report(
            f"epoch {epoch}/{self._epochs}: loss {measured['loss']:.3f}, {self._select} {dev[self._select]:.3f}"
        )
