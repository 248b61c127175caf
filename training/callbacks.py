"""Who is called as a training goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from .curves import Curves

if TYPE_CHECKING:
    from pathlib import Path

    from ..core.context import StageProgress
    from .progress import Progress


class Callback:
    """Does nothing.  `with` it, as long as there is training."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever it keeps open is closed."""

    def on_step_end(self, progress: Progress, loss: float, learning_rate: float) -> None:
        """After each update: the loss of its batch, and the learning rate of the next."""

    def on_epoch_end(self, progress: Progress) -> None:
        """After each epoch, whose entry is the last of `progress.epochs`."""


class Report(Callback):
    """Curves in the run's folder, a line an epoch with the time left, a bar.

    Args:
        select: the measure that the best epoch is chosen by.
        report: told the lines.
        watched: told how much is done.
    """

    def __init__(self, folder: Path, select: str, report: Callable[[str], None], watched: StageProgress) -> None:
        self._select = select
        self._report, self._watched = report, watched
        self._curves = Curves(folder)

    def __exit__(self, *_: object) -> None:
        self._curves.close()

    def on_step_end(self, progress: Progress, loss: float, learning_rate: float) -> None:
        self._curves.add(progress.step, loss=loss, learning_rate=learning_rate)
        self._watched("training", progress.done)

    def on_epoch_end(self, progress: Progress) -> None:
        entry = progress.epochs[-1]
        dev = entry["dev"]
        self._curves.add(progress.step, epoch=progress.epoch, **{f"dev_{name}": value for name, value in dev.items()})
        self._curves.draw([self._select])
        left = f", about {in_words(progress.seconds_left)} left" if progress.step < progress.steps else ""
        self._report(
            f"epoch {progress.epoch}/{progress.steps * progress.epoch // progress.step}: loss {entry['loss']:.3f}, "
            f"{self._select} {dev[self._select]:.3f}{left}"
        )


def in_words(seconds: float) -> str:
    """A length of time to two figures or so: `40 s`, `12 min`, `3 h`."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
