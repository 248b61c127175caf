"""Blends of two emotions: which there are, and how a label says how much of each.

As in BLEMORE (Lachmann et al., FG 2026): one emotion is alone, or two are
there, evenly or one more than the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations

# Of two emotions, the share of the stronger and of the weaker.
LEADING = (0.7, 0.3)
EVEN = (0.5, 0.5)

_BLEND = re.compile(r"(\d+) % (.+?) \+ (\d+) % (.+)")


def blend_label(shares: Mapping[str, float]) -> str:
    """Shares in words: “joy”, “70 % joy + 30 % surprise”; even ones in the order of the alphabet.

    Args:
        shares: of one emotion or two, adding up to 1.
    """
    if len(shares) == 1:
        return next(iter(shares))
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return " + ".join(f"{100 * share:.0f} % {emotion}" for emotion, share in ordered)


def shares_in(label: str) -> dict[str, float]:
    """The share of each emotion in a label, the stronger first; all of it where the label names no blend."""
    blend = _BLEND.fullmatch(label)
    if blend is None:
        return {label: 1.0}
    return {blend[2]: int(blend[1]) / 100, blend[4]: int(blend[3]) / 100}


def are_blends(labels: Iterable[str]) -> bool:
    """Whether some of the labels say how much of two emotions there is."""
    return any(len(shares_in(label)) > 1 for label in labels)


def blends_of(emotions: Sequence[str], alone: Sequence[str]) -> dict[str, dict[str, float]]:
    """Every emotion alone and every two of them together: the shares by label.

    Args:
        alone: what is in no blend, neutral above all; comes first.
    """
    shares: list[dict[str, float]] = [{emotion: 1.0} for emotion in (*alone, *emotions)]
    for kind in (LEADING, EVEN):
        shares += [dict(zip(pair, kind, strict=True)) for pair in permutations(emotions, 2)]
    return {blend_label(each): each for each in shares}
