"""Expressions as the textbook has them, in the words of `face`.

EMFACS (Friesen & Ekman, 1983): for each basic emotion first what makes the
expression, then what may go with it.  Labelled faces lack some of them (hardly
anybody is photographed in fear), and units that only other extractors name.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from .face import looks

_SMILE, _FROWN, _WIDE = "lip corner puller (smile)", "brow lowerer (frown)", "upper lid raiser (wide eyes)"

_EXPRESSIONS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "neutral": (("neutral face",), ("lips closed", "jaw closed")),
    "surprise": (("inner brow raiser", "outer brow raiser", _WIDE, "jaw drop"), ("lips part",)),
    "fear": (
        ("inner brow raiser", _FROWN, _WIDE, "lip stretcher"),
        ("outer brow raiser", "lid tightener", "jaw drop", "lips part"),
    ),
    "sadness": (
        ("inner brow raiser", _FROWN, "lip corner depressor"),
        ("eyes lowered", "chin raiser", "lips closed", "head down"),
    ),
    "joy": ((_SMILE, "cheek raiser"), ("teeth showing", "lips part", "lid tightener")),
    "disgust": (
        ("nose wrinkler", "upper lip raiser", "lip corner depressor"),
        (_FROWN, "chin raiser", "lid tightener"),
    ),
    "anger": (
        (_FROWN, "lid tightener", "lip tightener"),
        (_WIDE, "lip pressor", "nose wrinkler", "lips closed", "jaw closed"),
    ),
}
_UNGRADED = ("neutral face", "lips closed", "jaw closed", "head down")
_GRADES, _GRADE_WEIGHTS = ("slight ", "", "strong "), (2, 4, 4)

# How often a part of the expression shows, and what may go with it.
_CORE_SHOWS, _OTHERS_SHOW = 0.8, 0.35

# What extractors that rate emotions say beside the units, and how often they
# are right.
_RATED, _RATED_RIGHT = 0.8, 0.75
_AFFECT_RATED = 0.3
_PLEASANT: Mapping[str, tuple[str, ...]] = {
    "joy": ("pleasant", "very pleasant"),
    "neutral": ("neither pleasant nor unpleasant",),
    "surprise": ("neither pleasant nor unpleasant", "pleasant", "unpleasant"),
}
_UNPLEASANT = ("unpleasant", "very unpleasant")
_AROUSAL: Mapping[str, tuple[str, ...]] = {
    "neutral": ("calm", "very calm"),
    "sadness": ("calm", "moderately aroused"),
}
_AROUSED = ("moderately aroused", "aroused", "very aroused")

# The emotions there are expressions of.
EXPRESSED = frozenset(_EXPRESSIONS)


def expression(label: str, rng: random.Random) -> str:
    """A face that shows `label`, one of `EXPRESSED`: most of what makes it, some of what goes with it."""
    core, others = _EXPRESSIONS[label]
    units = [unit for unit in core if rng.random() < _CORE_SHOWS] or list(core[:1])
    units += [unit for unit in others if rng.random() < _OTHERS_SHOW]
    graded = [(0 if unit in _UNGRADED else rng.choices(range(len(_GRADES)), _GRADE_WEIGHTS)[0], unit) for unit in units]
    graded.sort(key=lambda item: (item[1] in _UNGRADED, -item[0]))
    words = [unit if unit in _UNGRADED else _GRADES[grade] + unit for grade, unit in graded]
    return ", ".join([*words, *(_ratings(label, rng) if rng.random() < _RATED else [])])


def _ratings(label: str, rng: random.Random) -> list[str]:
    others = sorted(EXPRESSED - {label})
    first = label if rng.random() < _RATED_RIGHT else rng.choice(others)
    second = rng.choice(sorted(EXPRESSED - {first}))
    sure = rng.uniform(0.3, 1.0)
    pleasant, arousal = _PLEASANT.get(label, _UNPLEASANT), _AROUSAL.get(label, _AROUSED)
    affect = [rng.choice(pleasant), rng.choice(arousal)] if rng.random() < _AFFECT_RATED else []
    return [*looks({first: sure, second: (1.0 - sure) * rng.random()}), *affect]
