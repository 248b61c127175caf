"""Files that appear whole or not at all, and records as JSON.

A file is written under another name beside its place and renamed into it, so
that whoever looks, or pulls the plug, never finds half of one.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .errors import MediaError, SettingsError, WriteError
from .limits import MOST_TABLE_BYTES, check_size
from .text import reason_of
from .unfinished import begin, end, name_beside, name_of_passing, sweep, sweep_passing

# A JSON value that fits into this many characters stays on one line.
_LINE = 110

# What files end with that hold results as a person has corrected them.
CORRECTED_SUFFIX = ".emoscribe.json"

# Of a set of files that are to appear together: where each is written until then, or `None` where it is to go.
_STAGED: ContextVar[dict[Path, Path | None] | None] = ContextVar("staged", default=None)


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
        WriteError: it cannot be made, or nothing can be written to it.
    """
    folder = Path(folder)
    sweep(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Asking `os.access` is not enough: a file system may be read-only.
        probe = folder / name_beside()
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = reason_of(error)
        raise WriteError(f"cannot write to the folder {folder}: {reason}; choose another folder") from None
    return folder


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Whatever goes wrong with the system in this block is told of `path`, which is being written.

    Raises:
        WriteError: the folder is missing or read-only, or the disk full.
    """
    try:
        yield
    except OSError as error:
        raise WriteError(f"cannot write {path}: {reason_of(error)}; make room or choose another folder") from None


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A path to write to; what was written becomes `path` when the block ends well, or that of `together` around it.

    Raises:
        WriteError: see `writing`.
    """
    path, staged = Path(path), _STAGED.get()
    partial = path.with_name(name_beside())
    sweep(path.parent)
    begin(partial)
    try:
        with writing(path):
            yield partial
            _to_disk(partial)
            if staged is None:
                partial.replace(path)
    except BaseException:
        end(partial)
        raise
    if staged is None:
        end(partial)
        return
    if (before := staged.get(path)) is not None:
        end(before)
    staged[path] = partial


@contextmanager
def together() -> Iterator[None]:
    """Files written in this block, and in this thread, appear all at its end; or none, and what was there stays.

    A process that is killed while they are given their names, which takes a
    moment at the very end, leaves some of them and some of what was there.

    Raises:
        WriteError: one of them cannot be put in its place.
    """
    if _STAGED.get() is not None:
        yield  # they belong to more
        return
    staged: dict[Path, Path | None] = {}
    token = _STAGED.set(staged)
    try:
        try:
            yield
        finally:
            _STAGED.reset(token)
        _put_in_place(staged)
    finally:
        for partial in filter(None, staged.values()):
            end(partial)


def replaced(path: Path) -> None:
    """With the files of the block of `together` around this, what is at `path` goes, unless it is written anew."""
    staged = _STAGED.get()
    assert staged is not None, "nothing is replaced outside of a block"
    staged.setdefault(path, None)


def _put_in_place(staged: Mapping[Path, Path | None]) -> None:
    aside: dict[Path, Path] = {}
    placed: list[Path] = []
    try:
        for path in staged:
            if path.exists():
                aside[path] = path.with_name(name_beside())
                begin(aside[path])
                with writing(path):
                    _copy(path, aside[path])
        for path, partial in staged.items():
            with writing(path):
                path.unlink(missing_ok=True) if partial is None else partial.replace(path)
            placed.append(path)
    except BaseException:
        for path in placed:
            with suppress(OSError):
                aside[path].replace(path) if path in aside else path.unlink(missing_ok=True)
        raise
    finally:
        for before in aside.values():
            end(before)


def _copy(path: Path, copy: Path) -> None:
    try:
        os.link(path, copy)
    except OSError:
        shutil.copy2(path, copy)  # not every file system has files with two names


def _to_disk(path: Path) -> None:
    """See to it that what is renamed is there, should the power go; a folder's files see to it themselves."""
    if path.is_dir():
        return
    with path.open("r+b") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # there is nothing of the kind
                raise


@contextmanager
def passing_folder(beside: str | Path | None = None) -> Iterator[Path]:
    """A folder for this block alone.

    Args:
        beside: where it is, as a hidden folder; by default where the system has such things.

    Raises:
        WriteError: it cannot be made.
    """
    if beside is None:
        with writing_temporary():
            folder = Path(tempfile.gettempdir()) / name_of_passing()
        sweep_temporary()
    else:
        sweep(Path(beside))
        folder = Path(beside) / name_beside()
    # Whoever ends the process between the two finds nothing to take away; the other way round something would stay.
    begin(folder)
    try:
        with writing_temporary() if beside is None else writing(folder):
            folder.mkdir(mode=0o700)
        yield folder
    finally:
        end(folder)


def sweep_temporary() -> None:
    """Take away what killed processes have left where the system has what passes."""
    with suppress(OSError):
        sweep_passing(Path(tempfile.gettempdir()))


@contextmanager
def writing_temporary() -> Iterator[None]:
    """Whatever goes wrong with the system in this block is told of the folder for what passes.

    Raises:
        WriteError: it is full, or cannot be written to.
    """
    try:
        yield
    except OSError as error:
        try:
            where = tempfile.gettempdir()
        except OSError:  # there is none that can be written to
            where = os.environ.get("TMPDIR", "/tmp")
        reason = reason_of(error)
        raise WriteError(
            f"cannot write to the temporary folder {where}: {reason}; make room there or name another by TMPDIR"
        ) from None


def write_text(path: str | Path, text: str) -> None:
    """Write `text` in UTF-8 with `\\n` line ends.

    Half a surrogate pair, which a file name that is not UTF-8 brings along,
    becomes its `\\udcff` escape: in JSON the very same string.

    Raises:
        WriteError: see `atomic_path`.
    """
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` as it is.

    Raises:
        WriteError: see `atomic_path`.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as JSON that people can read too; see `plain`.

    Raises:
        WriteError: see `atomic_path`.
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
        raise MediaError(f"cannot read {path}: {reason_of(error)}") from None
    except (ValueError, RecursionError) as error:
        raise MediaError(f"{path} is not JSON in UTF-8{why_not_json(error)}") from None


def read_mapping(path: str | Path) -> dict[str, Any]:
    """What a JSON file holds that is one object.

    Raises:
        MediaError: see `read_json`; or it is something else.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise MediaError(f"{path} must be a mapping, got a {type(value).__name__}")
    return value


def check_readable(path: str | Path) -> None:
    """For what others read, who take a file that they may not open for one that is damaged.

    Raises:
        MediaError: it is not there, or may not be read.
    """
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except OSError as error:
        raise MediaError(f"cannot read {path}: {reason_of(error)}") from None


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
