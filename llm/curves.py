"""A training's curves: its history, TensorBoard's events, and a picture.

`history.jsonl` in the run's folder is what counts: a row a logging step and a
row an epoch.  The events under `curves/` and `curves.svg` are made of it, so
that a run that was killed and resumed has the curves of one that was not.
"""

from __future__ import annotations

import io
import json
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import EmoscribeError, MediaError
from ..core.files import make_folder, plain, write_text
from ..evaluation.drawing import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from tensorboardX import SummaryWriter

HISTORY = "history.jsonl"
EVENTS = "curves"
PICTURE = "curves.svg"

# Scalars called so were measured on what is held out.
DEV = "dev_"

Row = Mapping[str, Any]

# A hundredth part of the steps is noise, a fifth would hide an epoch.
SMOOTHED_SHARE = 0.05

# Light and dark; viewers that know no dark show it light, on its own paper.
INK, MUTED, LINE, ACCENT, PAPER = "#1c1a17", "#615c53", "#dcd6ca", "#8a2b1d", "#fcfbf8"
HUES = ("#8a2b1d", "#15748a", "#9a6a00", "#6a3d9a", "#3d7d3a", "#a8326f")
DARK = dict(
    zip(
        (INK, MUTED, LINE, PAPER, *HUES),
        ("#ece8df", "#a39d92", "#35343b", "#15151a", "#f0a08c", "#6cc3d8", "#e0b04c", "#c0a0ea", "#93cf8e", "#f090c0"),
        strict=True,
    )
)
FONTS = "Avenir, 'Segoe UI', Inter, 'Helvetica Neue', Arial, sans-serif"

STYLE = style(ink=INK, muted=MUTED, line=LINE, ground=PAPER)


# ── what is written as it goes ───────────────────────────────────────────────


class Curves:
    """Where a training writes down how it goes.  One process of several does.

    Goes on with the history in the folder, if there is one.  A training that
    was resumed begins where its checkpoint was, before the history's end:
    what comes again is forgotten.

    Args:
        folder: the run's.
        metrics: what the picture shows of what is measured on dev; see
            `curves_figure`.

    Raises:
        EmoscribeError: the folder cannot be written to.
        MediaError: the history in it is damaged.
    """

    def __init__(self, folder: str | Path, metrics: Sequence[str] | None = None) -> None:
        self._folder = make_folder(folder)
        self._metrics = metrics
        self._rows = read_history(folder)
        self._events: SummaryWriter | None = None

    @property
    def step(self) -> int:
        """Updates made so far."""
        return self._rows[-1]["step"] if self._rows else 0

    def add(self, step: int, **scalars: float) -> None:
        """Write down what was measured after so many updates.

        Args:
            scalars: `loss` and `learning_rate` of updates; after an epoch
                `epoch`, counted from 1, and what was measured on dev, as
                `dev_loss` and `dev_<metric>`.

        Raises:
            EmoscribeError: the disk is full, or the folder gone.
        """
        row = plain({"step": step, **scalars})
        if self._events is None:
            self._events = self._begin(row)
        path = self._folder / HISTORY
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(_line(row))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise EmoscribeError(f"cannot write {path}: {reason}; make room, then --resume") from None
        self._rows.append(row)
        _show(self._events, row)

    def _begin(self, row: Row) -> SummaryWriter:
        """Forget `row` and what came after it, if they were there; TensorBoard is shown the rest anew."""
        from tensorboardX import SummaryWriter

        self._rows = [each for each in self._rows if _place(each) < _place(row)]
        write_text(self._folder / HISTORY, "".join(map(_line, self._rows)))
        folder = make_folder(self._folder / EVENTS)
        for stale in folder.glob("events.out.tfevents.*"):
            stale.unlink()
        events = SummaryWriter(str(folder), flush_secs=10)
        for each in self._rows:
            _show(events, each)
        return events

    def draw(self) -> None:
        """Write the picture of all so far.

        Raises:
            EmoscribeError: the folder cannot be written to.
        """
        write_text(self._folder / PICTURE, curves_figure(self._rows, self._metrics))

    def close(self) -> None:
        if self._events is not None:
            self._events.close()

    def __enter__(self) -> Curves:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def read_history(folder: str | Path) -> list[Row]:
    """The rows of a run's history, in the order written; none where there is none.

    Each has `step`, the number of updates, and scalars by name; `None` for
    one that was not finite.  A last line that was cut short is left out.

    Raises:
        MediaError: it is not a history.
    """
    path = Path(folder) / HISTORY
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        rows = [json.loads(line) for line in lines]
        max(map(_place, rows), default=None)
    except (OSError, ValueError, TypeError, KeyError):
        raise MediaError(f"{path} is damaged; remove it and train without --resume") from None
    return rows


def _place(row: Row) -> tuple[int, bool]:
    """Where a row stands among others: an epoch ends after its last update."""
    return row["step"], "epoch" in row


def _show(events: SummaryWriter, row: Row) -> None:
    for name, value in row.items():
        if name != "step":
            tag = f"dev/{name.removeprefix(DEV)}" if name.startswith(DEV) else f"train/{name}"
            events.add_scalar(tag, math.nan if value is None else value, row["step"])


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


# ── what is drawn ────────────────────────────────────────────────────────────


def curves_figure(rows: Sequence[Row], metrics: Sequence[str] | None = None) -> str:
    """A history as an SVG picture: loss, what was measured on dev, learning rate, over the updates.

    Args:
        rows: as from `read_history`.
        metrics: names without `dev_`, of those to show; the first six unless
            given.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    measured = dict.fromkeys(name for row in rows for name in row if name.startswith(DEV) and name != f"{DEV}loss")
    names = list(measured)[: len(HUES)] if metrics is None else [f"{DEV}{name}" for name in metrics]
    shown = [name for name in names if name in measured]
    drawn = [(_draw_loss, 3.0), (partial(_draw_metrics, names=shown), 3.0 + 0.25 * len(shown))][: 2 if shown else 1]
    drawn.append((_draw_learning_rate, 1.4))
    heights = [height for _, height in drawn]
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.8 * sum(heights)), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
        panels = figure.subplots(len(drawn), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0].tolist()
        for panel, (draw, _) in zip(panels, drawn, strict=True):
            draw(panel, rows)
            panel.grid(axis="y")
            panel.set_axisbelow(True)
            panel.tick_params(length=0)
        _mark_epochs(panels, rows)
        panels[-1].set_xlabel("updates")
        panels[-1].set_xlim(left=0)
        figure.align_ylabels()
        return _svg(figure)


def _draw_loss(panel: Axes, rows: Sequence[Row]) -> None:
    steps, losses = _series(rows, "loss")
    panel.plot(steps, losses, color=ACCENT, linewidth=0.8, alpha=0.3)
    panel.plot(steps, smoothed(losses), color=ACCENT, linewidth=1.6, label="training, smoothed")
    dev_steps, dev_losses = _series(rows, f"{DEV}loss")
    if len(dev_steps):
        panel.plot(dev_steps, dev_losses, "o-", color=HUES[1], markersize=4, linewidth=1.2, label="dev")
        panel.legend(frameon=False, fontsize=8.5, labelcolor=MUTED)
    panel.set_title("loss", fontsize=9, color=MUTED, loc="left")


def _draw_metrics(panel: Axes, rows: Sequence[Row], names: Sequence[str]) -> None:
    """Each metric on dev, its best value ringed and in the key."""
    for number, name in enumerate(names):
        steps, values = _series(rows, name)
        colour = HUES[number % len(HUES)]
        label = _in_words(name)
        if np.isfinite(values).any():
            best = int(np.nanargmax(values))
            panel.plot(steps[best], values[best], "o", color="none", markeredgecolor=colour, markersize=9)
            label += f", best {values[best]:.3f}"
        panel.plot(steps, values, "o-", color=colour, markersize=4, linewidth=1.6, label=label)
    panel.set_title("on dev", fontsize=9, color=MUTED, loc="left")
    # Above the curves: beside them any place may be taken.
    panel.legend(frameon=False, fontsize=8.5, labelcolor=INK, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0)


def _draw_learning_rate(panel: Axes, rows: Sequence[Row]) -> None:
    panel.plot(*_series(rows, "learning_rate"), color=MUTED, linewidth=1.4)
    panel.set_title("learning rate", fontsize=9, color=MUTED, loc="left")
    panel.set_ylim(bottom=0)
    panel.locator_params(axis="y", nbins=3)


def _mark_epochs(panels: Sequence[Axes], rows: Sequence[Row]) -> None:
    """A line where each epoch ended, through all panels; numbered, as many as there is room for."""
    ends = {row["epoch"]: row["step"] for row in rows if row.get("epoch") is not None}
    every = math.ceil(len(ends) / 20)
    for place, (epoch, step) in enumerate(ends.items(), start=1):
        if place % every == 0:
            for panel in panels:
                panel.axvline(step, color=LINE, linewidth=0.6, zorder=0)
            name = f"epoch {epoch:g}" if place == every else f"{epoch:g}"
            panels[0].annotate(
                name, (step, 1), xycoords=("data", "axes fraction"), fontsize=8, color=MUTED, ha="right", va="bottom"
            )


def _series(rows: Sequence[Row], name: str) -> tuple[np.ndarray, np.ndarray]:
    """(N,) updates and (N,) values of a scalar; NaN where it was not finite."""
    having = [(row["step"], row[name]) for row in rows if name in row]
    return np.array([step for step, _ in having], dtype=float), np.array([v for _, v in having], dtype=float)


def smoothed(values: np.ndarray) -> np.ndarray:
    """(N,) exponentially weighted means of what came before, the beginning not drawn to zero."""
    keep = 1 - 1 / max(1.0, SMOOTHED_SHARE * len(values))
    means, total, weight = [], 0.0, 0.0
    for value in values:
        if math.isfinite(value):
            total, weight = keep * total + value, keep * weight + 1
        means.append(total / weight if weight else math.nan)
    return np.array(means)


def _in_words(name: str) -> str:
    """`dev_weighted_f1` as people write it."""
    return re.sub(r"\bf1\b", "F1", name.removeprefix(DEV).replace("_", " "))


def _svg(figure: Any) -> str:
    """The figure as a file of its own, in the colours of the page that shows it."""
    file = io.StringIO()
    with warnings.catch_warnings():
        # A viewer's fonts have letters that Matplotlib's own lacks.
        warnings.simplefilter("ignore")
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}", file.getvalue())
    rules = "".join(
        f'[style*="{role}: {light}"]{{{role}:{dark}!important}}'
        for light, dark in DARK.items()
        for role in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    return re.sub(r"(<svg [^>]*>)", lambda tag: tag[0] + "\n " + style, svg, count=1)
