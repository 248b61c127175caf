"""Files that appear whole or not at all, and records as JSON.

A file is written under another name beside its place and renamed into it, so
that whoever looks, or pulls the plug, never finds half of one.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import EmoscribeError, MediaError, SettingsError
from .limits import MOST_TABLE_BYTES, check_size

# A JSON value that fits into this many characters stays on one line.
_LINE = 110

# What files end with that hold results as a person has corrected them.
CORRECTED_SUFFIX = ".emoscribe.json"

# What is being written, and is to go if it comes to nothing.
_UNFINISHED: set[Path] = set()


# ── writing ──────────────────────────────────────────────────────────────────


def check_folder(folder: str | Path, what: str = "--out") -> None:
    """
    Args:
        what: the option that names it, for the error.

    Raises:
        SettingsError: it can be none, which is better known before hours of work than after.
    """
    folder = Path(folder)
    there = next((path for path in (folder, *folder.parents) if path.exists()), None)
    if there is not None and not there.is_dir():
        raise SettingsError(f"{what} {folder}: {there} is a file; give a folder")


def make_folder(folder: str | Path) -> Path:
    """The folder, made with its parents where it is not there.

    Raises:
        EmoscribeError: it cannot be made, or nothing can be written to it.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Asking `os.access` is not enough: a file system may be read-only.
        probe = folder / _partial_name()
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise EmoscribeError(f"cannot write to the folder {folder}: {_reason(error)}; choose another folder") from None
    return folder


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A path to write to; what was written becomes `path` when the block ends well.

    Raises:
        EmoscribeError: the folder is missing or read-only, or the disk full.
    """
    path = Path(path)
    partial = path.with_name(_partial_name())
    _UNFINISHED.add(partial)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise EmoscribeError(f"cannot write {path}: {_reason(error)}; make room or choose another folder") from None
    finally:
        with suppress(OSError):
            partial.unlink()
        _UNFINISHED.discard(partial)


@contextmanager
def passing_folder(beside: str | Path | None = None) -> Iterator[Path]:
    """A folder for this block alone.

    Args:
        beside: where it is, as a hidden folder; by default where the system has such things.
    """
    prefix = "emoscribe-" if beside is None else "."
    with tempfile.TemporaryDirectory(dir=beside, prefix=prefix) as name:
        folder = Path(name)
        _UNFINISHED.add(folder)
        try:
            yield folder
        finally:
            _UNFINISHED.discard(folder)


def remove_unfinished() -> None:
    """Take away what is being written: for whoever ends the process in the middle of it."""
    for path in list(_UNFINISHED):
        shutil.rmtree(path, ignore_errors=True)
        with suppress(OSError):
            path.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write `text` in UTF-8 with `\\n` line ends.

    Half a surrogate pair, which a file name that is not UTF-8 brings along,
    becomes its `\\udcff` escape: in JSON the very same string.

    Raises:
        EmoscribeError: see `atomic_path`.
    """
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` as it is.

    Raises:
        EmoscribeError: see `atomic_path`.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON that people can read too; see `plain`.

    Raises:
        EmoscribeError: see `atomic_path`.
    """
    write_text(path, dumps(value) + "\n")


# ── JSON ─────────────────────────────────────────────────────────────────────


def plain(value: Any) -> Any:
    """`value` in JSON's own types.

    Records become objects, arrays nested lists, sets sorted lists, paths
    strings; NaN and infinities, which JSON lacks, become null.

    Raises:
        TypeError: a type without a JSON form.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Set):
        return sorted(plain(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def dumps(value: Any) -> str:
    """JSON laid out for reading: what fits on a line stays on it."""
    return _laid_out(plain(value), "")


def read_json(path: str | Path) -> Any:
    """What a JSON file holds.

    Raises:
        MediaError: it is not there, not readable, too large, or not JSON.
    """
    try:
        check_size(Path(path), "file", MOST_TABLE_BYTES)
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise MediaError(f"cannot read {path}: {_reason(error)}") from None
    except (ValueError, RecursionError) as error:
        raise MediaError(f"{path} is not JSON in UTF-8{why_not_json(error)}") from None


def why_not_json(error: ValueError | RecursionError) -> str:
    """What is wrong with a text that `json.loads` refuses, in brackets; empty where the error does not tell."""
    if isinstance(error, json.JSONDecodeError):
        return f" (line {error.lineno}: {error.msg})"
    if isinstance(error, RecursionError):
        return " (nested too deeply)"
    return "" if isinstance(error, UnicodeDecodeError) else " (a number has thousands of digits)"


def _laid_out(value: Any, indent: str) -> str:
    line = json.dumps(value, ensure_ascii=False)
    numbers = isinstance(value, list) and all(isinstance(item, (int, float, type(None))) for item in value)
    if not isinstance(value, (dict, list)) or numbers or len(indent) + len(line) <= _LINE:
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        items = [f"{json.dumps(key, ensure_ascii=False)}: {_laid_out(item, deeper)}" for key, item in value.items()]
        opening, closing = "{", "}"
    else:
        items = [_laid_out(item, deeper) for item in value]
        opening, closing = "[", "]"
    return f"{opening}\n{deeper}" + f",\n{deeper}".join(items) + f"\n{indent}{closing}"


def _partial_name() -> str:
    # Short, whatever the file is called: names end at 255 bytes.
    return f".{uuid.uuid4().hex[:12]}.partial"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
