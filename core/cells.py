"""Tables as CSV: what a spreadsheet would run as a formula stays text, and can be read back."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

# What a spreadsheet takes for the beginning of a formula; white space before it is passed over.
_FORMULA = re.compile(r"[\t\r\n ]*[=+\-@]|[\t\r\n]")


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Rows of cells as CSV with `\\n` line ends; what is text by whoever made it goes through `as_cell` before."""
    text = io.StringIO()
    # A cell with a carriage return is put into quotes only where a line's end has one.
    table = csv.writer(text, lineterminator="\r\n")
    for row in rows:
        table.writerow(row)
        text.seek(text.tell() - 2)
        text.write("\n")
        text.truncate()
    return text.getvalue()


def as_cell(text: str) -> str:
    """`text` with an apostrophe before it where a spreadsheet would run it."""
    return f"'{text}" if is_formula(text.lstrip("'")) else text


def of_cell(cell: str) -> str:
    """The text that `as_cell` made a cell of."""
    return cell[1:] if cell.startswith("'") and is_formula(cell.lstrip("'")) else cell


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would run it."""
    return _FORMULA.match(text) is not None
