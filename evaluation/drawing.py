"""How the pictures look: Matplotlib's settings, given the colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.typing import RcKeyType


def style(*, ink: str, muted: str, line: str, ground: str) -> dict[RcKeyType, Any]:
    """For `matplotlib.rc_context`: SVG with text that stays text, the same for the same data."""
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "emoscribe",
        # A name with two dollar signs in it is no formula.
        "text.parse_math": False,
        "font.size": 9,
        "text.color": ink,
        "axes.edgecolor": line,
        "axes.facecolor": "none",
        "axes.labelcolor": muted,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.facecolor": ground,
        "xtick.color": line,
        "ytick.color": line,
        "xtick.labelcolor": muted,
        "ytick.labelcolor": muted,
        "grid.color": line,
        "grid.linewidth": 0.6,
        "path.simplify_threshold": 0.5,
    }
