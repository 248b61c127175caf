"""Which of two runs is better: one test of one metric, corrected for all pairs that are compared.

A report makes many comparisons, and with enough of them some interval always
leaves out 0.  What decides is the paired bootstrap of the metric that the
corpus is judged by, its p corrected over every pair of the report (Holm,
1979).  All else is shown with its interval, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from .columns import Column
from .comparison import Comparison, Decision, Paired, holm, p_in_words
from .metrics import LEVEL

P = TypeVar("P", bound=Paired)


def decided(pairs: Sequence[P], column: Column) -> tuple[P, ...]:
    """The pairs with the decision on each; with none where the metric is not defined for both.

    Args:
        pairs: all that one report compares.
        column: the metric that decides.
    """
    found = [pair.differences.get(column.name) for pair in pairs]
    corrected = iter(holm([each.p for each in found if each is not None]))
    decisions = []
    for pair, difference in zip(pairs, found, strict=True):
        if difference is None:
            decisions.append(pair)
            continue
        p_holm = next(corrected)
        ahead = pair.b if (difference.difference > 0) != column.lower_is_better else pair.a
        better = ahead if p_holm < 1 - LEVEL else None
        decisions.append(replace(pair, decision=Decision(column.name, difference.p, p_holm, better)))
    return tuple(decisions)


def in_words(pair: Paired, column: Column, pairs: int) -> str:
    """How far apart two runs are, and whether that is more than chance, as a person would say it.

    Args:
        column: the metric that decided.
        pairs: how many comparisons p is corrected for.
    """
    a, b = pair.a, pair.b
    if pair.decision is None:
        return f"By {column.title}, {a} and {b} cannot be compared: it is not defined for both."
    found = pair.differences[column.name]
    low, high = found.low, found.high
    if (found.difference < 0) != column.lower_is_better:
        a, b, low, high = b, a, -high, -low
    size = abs(found.difference)
    points = f"{100 * size:.1f} points" if column.is_share else f"{size:.3f}"
    where = "below" if column.lower_is_better else "above"
    apart = f"{b} lies {points} {where} {a} (95 % interval {column.signed(low)} to {column.signed(high)})"
    verdict = f"{b} is better than {a}" if pair.decision.better else f"{a} and {b} cannot be told apart"
    correction = f", corrected for {pairs} pairs" if pairs > 1 else ""
    return f"By {column.title}, {apart}: {verdict} ({p_in_words(pair.decision.p_holm)}{correction}).{_alone(pair)}"


def _alone(pair: Paired) -> str:
    if not isinstance(pair, Comparison):
        return ""
    test = pair.mcnemar
    return (
        f" Of {pair.n:,} clips, {test.only_a:,} were answered rightly by {pair.a} alone "
        f"and {test.only_b:,} by {pair.b} alone."
    )
