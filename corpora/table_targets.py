"""The label column of a table: whether its cells are a label each, any number of them, or a rating."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..core.errors import SettingsError
from ..core.labels import LABEL_SETS, LabelSet, as_basic, label_set
from ..core.text import ends
from ..core.timeline import Target
from .corpus import CorpusRequest
from .rows import Row, with_point

# What cells can be read as; `auto` is what they show.
TASKS = ("auto", "labels", "label-sets", "number")

# Between the labels of a cell, the first that occurs; commas are in too many labels to be taken for that unasked.
_SEPARATORS = "|;"
_SEPARATORS_ASKED = "|;,"

# How pandas, R and spreadsheets write that there is none (`pandas.read_csv` takes these for missing).
_MISSING = {"#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "n/a", "NULL", "null", "None", "NaT"}
_MISSING |= {"NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"}

# What readers make of whole numbers where some are missing.
_WHOLE_AS_FLOAT = re.compile(r"([+-]?\d+)\.0+")


@dataclass(frozen=True)
class Targets:
    """How the cells of a label column are read.

    Attributes:
        labels: the answers there are; `None` of ratings.
        several: whether a cell has any number of labels, with `separator` between them where it is a text.
        range: the lowest and the highest rating; `None` of labels.
        recognised: what was made of the column, for people; empty where that goes without saying.
    """

    labels: LabelSet | None = None
    several: bool = False
    separator: str | None = None
    range: tuple[float, float] | None = None
    recognised: str = ""

    def of(self, row: Row, column: str) -> Target:
        """What a row's clip is to be learnt as.

        Raises:
            MediaError: the cell is none of it.
        """
        if self.range is not None:
            rating = _rating(row, column)
            if not self.range[0] <= rating <= self.range[1]:
                raise row.wrong(column, f"rating {rating:g} is not from {ends(self.range)}; set range to the scale")
            return rating
        assert self.labels is not None
        if self.several:
            return frozenset(_answer(row, column, part, self.labels) for part in _parts(row, column, self.separator))
        return _answer(row, column, _label(row, column, self.labels.labels), self.labels)


def targets_in(cells: Sequence[tuple[Row, str]], request: CorpusRequest) -> Targets:
    """How cells are read: as is asked for, or else as they show.

    Lists, and texts with `|` or `;` between labels, are sets of labels.
    Numbers of which one is not whole are ratings; if all are whole they are
    labels, since classes are often numbered.

    Args:
        cells: all there are, each a row and a column of it.

    Raises:
        MediaError: a cell is not as it should be.
        SettingsError: a scale of ratings is asked for, and the cells are labels.
    """
    task = _recognised(cells, request.labels) if request.task == "auto" else request.task
    column = f"column {cells[0][1]!r}"
    if task == "number":
        if request.range is not None:
            return Targets(range=request.range)
        bounds = _scale([_rating(row, column) for row, column in cells])
        return Targets(range=bounds, recognised=f"{column} holds ratings, taken to be from {ends(bounds)}")
    if request.range is not None:
        raise SettingsError(f"range is for ratings, and {column} holds labels; leave it out, or give --task number")
    if task == "labels":
        found = [_label(row, column) for row, column in cells] if request.labels is None else []
        numbered = bool(found) and all(_number_in(label) is not None for label in found)
        return Targets(
            request.labels or _labels_in(found),
            recognised=f"{column} holds whole numbers, taken as labels; --task number makes them ratings"
            if numbered and request.task == "auto"
            else "",
        )
    separator = _separator(cells, _SEPARATORS if request.task == "auto" else _SEPARATORS_ASKED)
    labels = request.labels or _labels_in(part for row, column in cells for part in _parts(row, column, separator))
    how = f"{separator!r} between them" if separator else "as lists"
    return Targets(labels, True, separator, recognised=f"{column} holds any number of labels a clip, {how}")


# ── recognising ──────────────────────────────────────────────────────────────


def _recognised(cells: Sequence[tuple[Row, str]], known: LabelSet | None) -> str:
    if any(isinstance(row.cells.get(column), list) for row, column in cells):
        return "label-sets"
    texts = {text for row, column in cells if (text := row.text(column)) is not None} - _MISSING
    if known is not None and texts <= set(known.labels):
        return "labels"
    if _separator(cells, _SEPARATORS) is not None:
        return "label-sets"
    numbers = [_number_in(text) for text in texts]
    fractions = any(number is not None and not number.is_integer() for number in numbers)
    return "number" if fractions and None not in numbers else "labels"


def _separator(cells: Iterable[tuple[Row, str]], among: str) -> str | None:
    """The first that occurs; `None` where none does."""
    texts = {value for row, column in cells if isinstance(value := row.cells.get(column), str)}
    return next((separator for separator in among if any(separator in text for text in texts)), None)


def _scale(ratings: Sequence[float]) -> tuple[float, float]:
    """The whole numbers around ratings; as far above 0 as below, where they are on both sides of it."""
    low, high = math.floor(min(ratings)), math.ceil(max(ratings))
    if low < 0 < high:
        low, high = -max(-low, high), max(-low, high)
    return float(low), float(max(high, low + 1))


def _labels_in(found: Iterable[str]) -> LabelSet:
    """The labels that occur, in the order of a known label set that has them all, or else of the alphabet."""
    # One label in two cases is one label.
    spelled: dict[str, str] = {}
    for label in found:
        spelled.setdefault(label.casefold(), label)
    known = next((known for known in LABEL_SETS.values() if set(spelled) <= set(known.labels)), None)
    if known is None or not spelled:
        return label_set(sorted(spelled.values()))
    if len(spelled) == len(known.labels):
        return known
    return label_set([label for label in known.labels if label in spelled])


# ── reading a cell ───────────────────────────────────────────────────────────


def _rating(row: Row, column: str) -> float:
    text = _filled(row, column, "rating")
    number = _number_in(text)
    if number is None:
        raise row.wrong(column, f"expected a rating, got {text!r}")
    return number


def _number_in(text: str) -> float | None:
    """The number that a text is, or nothing."""
    try:
        number = float(with_point(text))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _parts(row: Row, column: str, separator: str | None) -> list[str]:
    """The labels of a cell as they are written; of an empty one, or an empty list, there are none."""
    value: Any = row.cells.get(column)
    if value == [] or (isinstance(value, str) and not value.strip()):
        return []
    if not isinstance(value, list):
        text = _label(row, column)
        value = text.split(separator) if separator else [text]
    return [_shortened(text) for part in value if (text := str(part).strip())]


def _label(row: Row, column: str, given: Collection[str] = ()) -> str:
    """The label as written, but `0` where a reader made `0.0` of it, in this split or another."""
    return _shortened(_filled(row, column, "label", given))


def _shortened(label: str) -> str:
    whole = _WHOLE_AS_FLOAT.fullmatch(label)
    return whole[1] if whole else label


def _filled(row: Row, column: str, what: str, given: Collection[str] = ()) -> str:
    text = row.text(column)
    if text is None or (text in _MISSING and text not in given):
        written = f" ({text!r})" if text is not None else ""
        raise row.wrong(column, f"no {what}{written}; fill it in or remove the row")
    return text


def _answer(row: Row, column: str, label: str, labels: LabelSet) -> str:
    """What the answers call a label."""
    if label in labels.labels:
        return label
    same = [one for one in labels.labels if one.casefold() == label.casefold()]
    if same:
        return same[0]
    meant = as_basic(label)
    hint = f"; did you mean {meant!r}?" if meant in labels.labels else ""
    raise row.wrong(column, f"unknown label {label!r}; there are: {', '.join(labels.labels)}{hint}")
