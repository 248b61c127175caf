"""The report's pictures: Matplotlib draws them as SVG, the page gives them their colours.

Each is drawn in placeholder colours that become the page's CSS variables, so
one picture serves light, dark and paper.  Text stays text.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.text import printable
from .calibration import Reliability
from .metrics import roc

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

# Placeholder colour → CSS variable of `page/report.css`.
INK, MUTED, LINE, ACCENT, ON_ACCENT = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04", "#0a0b05"
HUES = [f"#0a0c{number:02x}" for number in range(8)]
VARIABLES = {INK: "--ink", MUTED: "--soft", LINE: "--rule", ACCENT: "--mark", ON_ACCENT: "--paper"} | {
    hue: f"--hue-{number}" for number, hue in enumerate(HUES)
}
DASHES = ["-", (0, (4, 2)), (0, (1, 1.5))]

# Cells of `scatter_figure` along an axis, and how many sizes its dots come in.
GRID = 36
DOT_SIZES = 6

# SVG with text that stays text, the same for the same data.
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "emoscribe",
    # A name with two dollar signs in it is no formula.
    "text.parse_math": False,
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "path.simplify_threshold": 0.5,
}


@dataclass(frozen=True)
class Bar:
    """One row of `intervals_figure`: a value and its interval, by metric, as drawn; NaN where there is none."""

    name: str
    values: Sequence[tuple[float, float, float]]
    is_reference: bool = False


def intervals_figure(rows: Sequence[Bar], titles: Sequence[str]) -> str:
    """A dot and its 95 % interval for every row, one panel a metric."""
    with _style():
        figure = _figure(2.2 + 2.3 * len(titles), 0.55 + 0.27 * len(rows))
        panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
        for column, (panel, title) in enumerate(zip(panels, titles, strict=True)):
            for y, row in enumerate(rows):
                value, low, high = row.values[column]
                colour = MUTED if row.is_reference else ACCENT
                panel.plot([low, high], [y, y], color=colour, linewidth=2.2, alpha=0.45, solid_capstyle="round")
                panel.plot(value, y, "o", color=colour, markersize=5, markeredgewidth=0)
            panel.set_title(title, fontsize=9, color=MUTED, loc="left")
            panel.grid(axis="x")
            panel.spines["left"].set_visible(False)
            panel.tick_params(length=0)
            panel.margins(x=0.08)
        panels[0].set_yticks(range(len(rows)), [_short(row.name, 34) for row in rows], color=INK)
        panels[0].set_ylim(len(rows) - 0.5, -0.5)
        return _svg(figure, "dots with confidence intervals: " + ", ".join(titles))


def confusion_figure(matrix: np.ndarray, labels: Sequence[str]) -> str:
    """The confusion matrix: counts, shaded by the share of each true label."""
    size = len(labels)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    inches = max(0.24, min(0.52, 8.0 / size))
    slant = 40 if size < 15 else 60
    with _style():
        figure = _figure(1.1 + inches * size, 1.0 + inches * size)
        axes = figure.subplots()
        axes.add_collection(_cells(shares))
        for row, column in np.ndindex(size, size):
            share = float(shares[row, column])
            if matrix[row, column]:
                colour = ON_ACCENT if share > 0.6 else INK
                count = f"{matrix[row, column]:,}"
                axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8.5 if size < 15 else 6)
        names = [_short(label, 28) for label in labels]
        axes.set_xticks(range(size), names, rotation=slant, ha="left", rotation_mode="anchor", color=INK)
        axes.set_yticks(range(size), names, color=INK)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal", xlabel="answered", ylabel="true")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return _svg(figure, "confusion matrix, rows true, columns answered")


def reliability_figure(curve: Reliability) -> str:
    """Accuracy over confidence, with the number of clips below."""
    bins = len(curve.count)
    centres = (np.arange(bins) + 0.5) / bins
    with _style():
        figure = _figure(3.1, 3.5)
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
        axes.bar(centres, np.nan_to_num(curve.accuracy), width=0.85 / bins, color=ACCENT, alpha=0.28)
        met = curve.count > 0
        axes.plot(curve.confidence[met], curve.accuracy[met], "o-", color=ACCENT, markersize=4, linewidth=1.6)
        axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share answered rightly")
        counts.bar(centres, curve.count, width=0.85 / bins, color=MUTED, alpha=0.6)
        counts.set(xlabel="confidence", ylabel="clips")
        counts.locator_params(axis="y", nbins=2)
        for panel in (axes, counts):
            panel.tick_params(length=0)
            panel.grid(axis="y")
            panel.set_axisbelow(True)
        figure.align_ylabels()
        return _svg(figure, "reliability curve: accuracy over confidence")


def roc_figure(truth: np.ndarray, scores: np.ndarray, labels: Sequence[str], areas: Sequence[float | None]) -> str:
    """Each label's ROC curve against the rest, and the area under it.

    Args:
        truth: (N, L) bool, whether a clip has each label.
        scores: (N, L) probabilities.
        areas: (L,) under each curve; labels without one are left out.
    """
    with _style():
        figure = _figure(5.0, 3.5)
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
        for label, area in enumerate(areas):
            if area is not None:
                alarms, hits = roc(truth[:, label], scores[:, label])
                style = DASHES[label // len(HUES) % len(DASHES)]
                name = f"{_short(labels[label], 22)}  {area:.2f}"
                axes.plot(alarms, hits, color=HUES[label % len(HUES)], linestyle=style, linewidth=1.6, label=name)
        axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel="false alarms", ylabel="found", aspect="equal")
        axes.grid()
        axes.tick_params(length=0)
        if any(area is not None for area in areas):
            key = {"frameon": False, "fontsize": 8.5, "ncols": 1 + len(labels) // 16}
            axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), title="area under", **key)
        return _svg(figure, "ROC curves, each label against the rest")


def scatter_figure(truth: np.ndarray, values: np.ndarray, bounds: tuple[float, float]) -> str:
    """What was answered over what is true; the larger a dot, the more clips lie there.

    Clips are gathered on a grid, so that the picture stays small however many
    there are; answers outside of the scale lie on its edge.

    Args:
        truth, values: (N,).
    """
    low, high = bounds
    step = (high - low) / GRID
    cells = np.round((np.clip(np.stack([truth, values]), low, high) - low) / step).astype(int)
    (x, y), clips = np.unique(cells, axis=1, return_counts=True)
    # A marker of one size is drawn once and used many times.
    sizes = np.ceil(DOT_SIZES * np.sqrt(clips / clips.max())).astype(int)
    with _style():
        figure = _figure(4.3, 4.3)
        axes = figure.subplots()
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
        for size in np.unique(sizes):
            of_size = sizes == size
            axes.plot(
                low + step * x[of_size],
                low + step * y[of_size],
                "o",
                color=ACCENT,
                alpha=0.55,
                markersize=1.5 + 1.5 * size,
                markeredgewidth=0,
            )
        edge = 0.04 * (high - low)
        axes.set(xlim=(low - edge, high + edge), ylim=(low - edge, high + edge), xlabel="true", ylabel="answered")
        axes.set_aspect("equal")
        axes.locator_params(nbins=7)
        axes.grid()
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        return _svg(figure, "answered ratings over true ones")


# ── from Matplotlib to the page ──────────────────────────────────────────────


def _style():
    from matplotlib import rc_context

    return rc_context(STYLE)


def _figure(width: float, height: float) -> Figure:
    """A figure of its own, so that nothing of pyplot's state is touched.  Inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _cells(shares: np.ndarray):
    """The cells of a matrix as one thing to draw: of many labels, each for itself takes seconds."""
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    # The faintest shade shows where the cells are.
    colours = [to_rgba(ACCENT, 0.05 + 0.95 * share) for share in shares.ravel()]
    cells = [Rectangle((column - 0.47, row - 0.47), 0.94, 0.94) for row, column in np.ndindex(*shares.shape)]
    return PatchCollection(cells, facecolor=colours, edgecolor="none", clip_on=False)


def _svg(figure: Figure, description: str) -> str:
    """The figure as an `<svg>` element for a page that holds others like it."""
    file = io.StringIO()
    with warnings.catch_warnings():
        # That Matplotlib's own font lacks a letter does not matter: the
        # page's has it.
        warnings.simplefilter("ignore")
        figure.savefig(file, format="svg", bbox_inches="tight", pad_inches=0.03)
    svg = printable(file.getvalue())
    svg = svg[svg.index("<svg ") :]
    # Inside a page an `<svg>` needs no namespaces, and its `<style>` would
    # reach everything else.
    svg = re.sub(r"<(metadata|style).*?</\1>| xmlns(:\w+)?=\"[^\"]*\"", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"/>', "", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = svg.replace("xlink:href=", "href=").replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)
    for placeholder, variable in VARIABLES.items():
        svg = svg.replace(placeholder, f"var({variable})")
    svg = re.sub(r"font-family: [^;\"]*; ", "", svg)
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d)\d+", r"\1", path[0]).replace("\n", ""), svg)
    return re.sub(r"\s*\n\s*", "\n", svg)


def _short(name: str, length: int) -> str:
    name = " ".join(name.split())
    return name if len(name) <= length else f"{name[: length - 1]}…"
