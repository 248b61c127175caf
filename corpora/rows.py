"""Rows of a file, each knowing where it stands, so that an error can say so."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import MediaError
from ..core.files import check_readable
from ..core.limits import MOST_TABLE_BYTES, check_size
from ..core.text import reason_of, shortened

# Spreadsheets of many countries write semicolons.
_DELIMITERS = ",;\t"

# Where the decimal point is a comma, and the delimiter is not.
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class Row:
    """One row: cells by column.

    Attributes:
        number: counted from 1, without the header.
        line: the line of the file it starts on, where it is a text.
    """

    file: Path | str
    number: int
    line: int | None
    cells: Mapping[str, Any]

    def wrong(self, column: str, what: str) -> MediaError:
        """The error that a cell is to blame for."""
        line = f" (line {self.line})" if self.line is not None else ""
        return MediaError(f"{self.file}, row {self.number}{line}, column {column!r}: {what}")

    def text(self, column: str) -> str | None:
        """The cell without the space around it; `None` where it is empty."""
        value = self.cells.get(column)
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # where some are missing, readers make integers floats
        if not isinstance(value, str | int | float):
            raise self.wrong(column, f"expected text or a number, got a {type(value).__name__}")
        return str(value).strip() or None

    def seconds(self, column: str) -> float | None:
        """The cell as a time; `None` where it is empty."""
        text = self.text(column)
        if text is None:
            return None
        try:
            number = float(with_point(text))
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise self.wrong(column, f"expected seconds as a number from 0, got {shortened(text)}")
        return number

    def measure(self, column: str) -> float:
        """The cell as a number; NaN where it is empty."""
        text = self.text(column)
        try:
            return math.nan if text is None else float(with_point(text))
        except ValueError:
            raise self.wrong(column, f"expected a number, got {shortened(text)}") from None

    def integer(self, column: str) -> int:
        """The cell as a whole number; it must not be empty."""
        text = self.text(column)
        try:
            return int(text or "")
        except ValueError:
            raise self.wrong(column, f"expected a whole number, got {shortened(text)}") from None


def with_point(number: str) -> str:
    """A number as spreadsheets of many countries write it."""
    return number.replace(",", ".") if _DECIMAL_COMMA.fullmatch(number) else number


@dataclass(frozen=True)
class Table:
    """What a file holds: its columns, in order, and its rows."""

    file: Path | str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def require(self, *columns: str) -> None:
        """
        Raises:
            MediaError: one of the columns is not there.
        """
        for column in columns:
            if column not in self.columns:
                raise MediaError(f"{self.file} has no column {column!r}; there are: {', '.join(self.columns)}")


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        MediaError: it cannot be read.
    """
    try:
        check_size(path, "table", MOST_TABLE_BYTES)
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"cannot read {path}: {reason_of(error)}") from None


def read_utf8(path: Path) -> str:
    """The text of a file, without a byte-order mark.

    Raises:
        MediaError: it cannot be read, or is not UTF-8.
    """
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise MediaError(f"{path}, line {line}: not UTF-8; save the file in that encoding") from None


def csv_table(path: Path, text: str) -> Table:
    """The rows of a CSV file with a header; rows without any cell are skipped.

    Lines end where CSV says so: not at every character that Unicode calls a
    line break, but at the carriage return of old Macintoshs.  Excel's line
    `sep=;` is not data, nor are empty cells behind the last column.

    Args:
        path: what to call the file in errors.

    Raises:
        MediaError: no header, a column twice, a row of another length.
    """
    told = re.match(r'"?sep=(.)"?(\r\n?|\n)', text, re.IGNORECASE)
    header_line = re.sub(r'"[^"]*"', "", re.split(r"\r\n?|\n", text, maxsplit=1)[0])
    delimiter = told[1] if told else max(_DELIMITERS, key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[Row] = []
    try:
        if told:
            next(reader)
        columns = _header(path, next(reader, []))
        line = reader.line_num + 1
        for cells in reader:
            while len(cells) > len(columns) and not cells[-1].strip():
                cells.pop()
            if any(cell.strip() for cell in cells):
                row = Row(path, len(rows) + 1, line, dict(zip(columns, cells, strict=False)))
                if len(cells) != len(columns):
                    raise MediaError(
                        f"{path}, row {row.number} (line {line}): {len(cells)} cells under {len(columns)} columns; "
                        "text that holds commas or quotes has to be quoted"
                    )
                rows.append(row)
            line = reader.line_num + 1
    except csv.Error as error:
        raise MediaError(f"{path}, line {reader.line_num}: not CSV ({error})") from None
    return Table(path, columns, tuple(rows))


def jsonl_table(path: Path, text: str) -> Table:
    """The rows of a file with one JSON object a line; empty lines are skipped.

    Raises:
        MediaError: a line is not a JSON object.
    """
    rows: list[Row] = []
    columns: dict[str, None] = {}
    for line, content in enumerate(re.split(r"\r\n?|\n", text), start=1):
        if not content.strip():
            continue
        try:
            cells = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise MediaError(f"{path}, row {len(rows) + 1} (line {line}): not JSON ({error})") from None
        if not isinstance(cells, dict):
            raise MediaError(
                f"{path}, row {len(rows) + 1} (line {line}): expected an object, got {content.strip()[:40]!r}"
            )
        rows.append(Row(path, len(rows) + 1, line, cells))
        columns |= dict.fromkeys(cells)
    return Table(path, tuple(columns), tuple(rows))


def parquet_table(path: Path) -> Table:
    """The rows of a Parquet file.

    Raises:
        MediaError: it cannot be read, or is not Parquet.
    """
    import pyarrow
    import pyarrow.parquet

    check_readable(path)
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException):
        raise MediaError(f"{path} cannot be read as Parquet: it is damaged or another kind of file") from None
    rows = tuple(Row(path, number, None, cells) for number, cells in enumerate(table.to_pylist(), start=1))
    return Table(path, tuple(table.column_names), rows)


def _header(path: Path, cells: list[str]) -> tuple[str, ...]:
    columns = tuple(cell.strip() for cell in cells)
    if not any(columns):
        raise MediaError(f"{path} is empty; its first line has to name the columns")
    twice = next((column for column, count in Counter(columns).items() if column and count > 1), None)
    if twice is not None:
        raise MediaError(f"{path} has two columns called {shortened(twice)}; rename one")
    return columns
