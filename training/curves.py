"""A training's curves: its history, TensorBoard's events, and a figure.

`history.jsonl` in the run's folder is what counts: a row an update and a row
an epoch.  The events under `curves/` and `curves.svg` are made of it, so that
a run that was killed and resumed has the curves of one that was not.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..core.errors import MediaError
from ..core.files import check_readable, make_folder, plain, write_text, writing
from ..core.text import printable

HISTORY = "history.jsonl"
EVENTS = "curves"
FIGURE = "curves.svg"

# Scalars called so were measured on what is held out.
DEV = "dev_"

# Text that stays text, the same for the same data; a name with two dollar signs in it is no formula.
STYLE: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "emoscribe", "text.parse_math": False}

Row = Mapping[str, Any]


class Curves:
    """Where a training writes down how it goes.  One process of several does.

    Goes on with the history in the folder, if there is one.  A training that
    was resumed begins where its checkpoint was, before the history's end:
    what comes again is forgotten.

    Args:
        folder: the run's.

    Raises:
        EmoscribeError: the folder cannot be written to.
        MediaError: the history in it is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = make_folder(folder)
        self._rows = read_history(folder)
        self._events: _Events | None = None

    def add(self, step: int, **scalars: float) -> None:
        """Write down what was measured after so many updates.

        Args:
            scalars: `loss` and `learning_rate` of updates; after an epoch
                `epoch`, counted from 1, and what was measured on dev, as
                `dev_<metric>`.

        Raises:
            EmoscribeError: the disk is full, or the folder gone.
        """
        row = plain({"step": step, **scalars})
        if self._events is None:
            self._events = self._begin(row)
        path = self._folder / HISTORY
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
        self._rows.append(row)
        self._events.show(row)

    def draw(self, metrics: Sequence[str]) -> None:
        """Write the figure of all so far.

        Raises:
            EmoscribeError: the folder cannot be written to.
        """
        write_text(self._folder / FIGURE, curves_figure(self._rows, metrics))

    def close(self) -> None:
        """Let go of TensorBoard's events."""
        if self._events is not None:
            self._events.close()

    def _begin(self, row: Row) -> _Events:
        """Forget `row` and what came after it, if they were there; TensorBoard is shown the rest anew."""
        self._rows = [each for each in self._rows if _place(each) < _place(row)]
        write_text(self._folder / HISTORY, "".join(map(_line, self._rows)))
        folder = make_folder(self._folder / EVENTS)
        for stale in folder.glob("events.out.tfevents.*"):
            with writing(stale):
                stale.unlink()
        events = _Events(folder)
        for each in self._rows:
            events.show(each)
        return events


class _Events:
    """TensorBoard's events, written as they come.

    Not by `SummaryWriter`, which writes in a thread of its own, where nobody hears that the disk is full.

    Raises:
        EmoscribeError: they cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        from tensorboardX.event_file_writer import EventsWriter

        self._folder = folder
        with writing(folder):
            self._writer = EventsWriter(str(folder / "events"))

    def show(self, row: Row) -> None:
        """
        Raises:
            EmoscribeError: it cannot be written.
        """
        from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]
        from tensorboardX.summary import scalar

        with writing(self._folder):
            for name, value in row.items():
                if name != "step":
                    tag = f"dev/{name.removeprefix(DEV)}" if name.startswith(DEV) else f"train/{name}"
                    summary = scalar(tag, math.nan if value is None else value)
                    self._writer.write_event(Event(wall_time=time.time(), step=row["step"], summary=summary))
            self._writer.flush()

    def close(self) -> None:
        with suppress(OSError):  # it was told when it was written
            self._writer.close()


def read_history(folder: str | Path) -> list[Row]:
    """The rows of a run's history, in the order written; none where there is none.

    Each has `step`, the number of updates, and scalars by name; `None` for
    one that was not finite.  A last line that was cut short is left out.

    Raises:
        MediaError: it is not a history.
    """
    path = Path(folder) / HISTORY
    if not path.exists():
        return []
    check_readable(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        rows = [json.loads(line) for line in lines]
        max(map(_place, rows), default=None)
    except (OSError, ValueError, TypeError, KeyError):
        raise MediaError(f"{path} is damaged; remove it and train without --resume") from None
    return rows


def curves_figure(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """A history as an SVG picture: loss, what was measured on dev, and learning rate, over the updates.

    Args:
        rows: as from `read_history`.
        metrics: which of those on dev to show, without `dev_`.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(7, 6), layout="constrained")
        loss, dev, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.5))
        loss.plot(*_series(rows, "loss"), linewidth=0.8)
        for name in metrics:
            steps, values = _series(rows, f"{DEV}{name}")
            dev.plot(steps, values, "o-", markersize=4, label=name.replace("_", " "))
        rate.plot(*_series(rows, "learning_rate"))
        for panel, title in ((loss, "loss"), (dev, "on dev"), (rate, "learning rate")):
            panel.set_title(title, fontsize=9, loc="left")
            panel.grid(axis="y", linewidth=0.5)
        if metrics:
            dev.legend(fontsize=8)
        rate.set_xlabel("updates")
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return printable(file.getvalue())


def _place(row: Row) -> tuple[int, bool]:
    """Where a row stands among others: an epoch ends after its last update."""
    return row["step"], "epoch" in row


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _series(rows: Sequence[Row], name: str) -> tuple[list[int], list[float]]:
    """Updates, and a scalar's values after them; NaN where it was not finite."""
    having = [(row["step"], row[name]) for row in rows if name in row]
    return [step for step, _ in having], [math.nan if value is None else float(value) for _, value in having]
