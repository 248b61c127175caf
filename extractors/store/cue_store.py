"""Cues on disk, so that nothing is perceived twice.

A store is a folder of Parquet shards, or a prefix of an object store.  A row
is one part (`media`, `transcript`, `face`, `voice`, `peaks`, or a named
sequence) of one interval of one file, as produced under certain settings; the
file is known by its content, not its name.  Changed settings therefore
re-extract only what they touch.

What is put is on disk at once, in a shard of its own.  Whenever a process has
written `FAN` shards of about the same length it joins them, so that the files
of a store grow with the logarithm of its rows.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from ...core.context import Store
from ...core.errors import EmoscribeError
from .claims import claims_in
from .rows import DamagedError, Key, Part, from_row, size_of, to_row
from .shards import VanishedError, part_of, shards_at

# The whole file is an interval like any other, without an end.
WHOLE = (0.0, float("inf"))

# So many shards of a level make one of the next.
FAN = 16
# Before they are compressed: what is read and written at once when shards are joined.
SHARD_BYTES = 64 * 2**20
# Of a file: shards at least as large are left as they are when a piece of work ends.
SMALL_BYTES = 4 * 2**20
# Files that are kept open, since they are read from again.
_OPEN = 32
# Lists and indices of a store that is far away are waited for side by side.
_AT_ONCE = 8


def settings_hash(settings: Mapping[str, Any]) -> str:
    """A short hash of everything a part depends on besides the file."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


P = TypeVar("P", bound=Part)


def kept(
    store: Store | None,
    sha256: str,
    part: str,
    source: Mapping[str, Any],
    make: Callable[[], P],
    interval: tuple[float, float] = WHOLE,
) -> P:
    """The part from the store, or else made, and kept there.

    Args:
        source: everything that it depends on besides the file.
    """
    if store is None:
        return make()
    key = settings_hash(source)
    found = store.get(sha256, part, key, interval)
    if found is None:
        found = make()
        store.put(sha256, part, key, found, interval)
    return found


@contextmanager
def claimed(
    store: Store | None, sha256: str, interval: tuple[float, float] = WHOLE, *, wait: bool = True
) -> Iterator[bool]:
    """See `CueStore.claim`; where nothing is kept, everything is granted."""
    if store is None:
        yield True
        return
    with store.claim(sha256, interval, wait=wait) as mine:
        yield mine


class CueStore:
    """The cues kept in a folder, which is made with the first of them, or under a URL.

    Several processes may read and write one store at a time.

    Args:
        place: a folder, or a URL that `fsspec` knows (`s3://bucket/cues`).
        damaged: where shards are told that cannot be read, by name; without it the first is an error.

    Raises:
        EmoscribeError: it can be no folder, cannot be read, or a shard is damaged.
    """

    def __init__(self, place: str | Path, *, damaged: dict[str, DamagedError] | None = None) -> None:
        self.shards = shards_at(place)
        self._damaged = damaged
        self._lock = threading.RLock()
        self._index: dict[Key, tuple[str, int]] = {}
        self._known: set[str] = set()
        # What this process has written and may join: by name the number of rows.
        self._own: dict[str, int] = {}
        self._opened: OrderedDict[str, tuple[Any, list[int]]] = OrderedDict()
        self.refresh()

    def __len__(self) -> int:
        return len(self._index)

    def get(self, sha256: str, part: str, settings: str, interval: tuple[float, float] = WHOLE) -> Part | None:
        """What was kept under that key, or `None`.

        Raises:
            DamagedError: it is not what was kept.
            EmoscribeError: it cannot be read.
        """
        key = Key(sha256, *interval, part, settings)
        with self._lock:
            try:
                return self._value(key)
            except VanishedError:
                # Somebody has joined it with others, or has deleted it.
                self.refresh()
                try:
                    return self._value(key)
                except VanishedError:
                    del self._index[key]
                    return None

    def put(self, sha256: str, part: str, settings: str, value: Part, interval: tuple[float, float] = WHOLE) -> None:
        """Keep `value`; it appears whole or not at all, and is there when this returns.

        Raises:
            EmoscribeError: the store cannot be written.
        """
        key = Key(sha256, *interval, part, settings)
        with self._lock:
            self._add(part, [to_row(key, value)])
            self._join_what_is_many()

    def refresh(self) -> None:
        """Learn what other processes have written or deleted since.

        Raises:
            EmoscribeError: the store cannot be read, or a shard is damaged.
        """
        with self._lock:
            names = self.shards.names()
            if gone := self._known - names.keys():
                self._index = {key: place for key, place in self._index.items() if place[0] not in gone}
                for name in gone:
                    self._let_go(name)
            for name, keys in self._keys_of(name for name in names if name not in self._known):
                self._known.add(name)
                self._index.update((key, (name, row)) for row, key in enumerate(keys))

    @contextmanager
    def claim(self, sha256: str, interval: tuple[float, float] = WHOLE, *, wait: bool = True) -> Iterator[bool]:
        """Be at work on a stretch of a file, for this block; what others have put is known in it.

        Args:
            wait: until another process that is at work on it has ended.

        Yields:
            Whether nobody else is.  Under a URL nothing can be claimed, and everything is granted.
        """
        if self.shards.folder is None:
            yield True
            return
        with claims_in(self.shards.folder).claim(f"{sha256} {interval}", wait) as mine:
            if mine:
                self.refresh()
            yield mine

    def join(self) -> None:
        """Join small shards, whoever has written them: for the end of a piece of work."""
        if self.shards.folder is None:
            return
        with self._lock, claims_in(self.shards.folder).claim("upkeep", wait=False) as mine:
            if not mine:
                return  # another process is about it
            self.refresh()
            by_part: dict[str, list[str]] = {}
            for name, size in self.shards.names().items():
                if size < SMALL_BYTES and name in self._known:
                    by_part.setdefault(part_of(name), []).append(name)
            # What cannot be written anew, on a disk that is full or read-only, is as good as it is.
            with suppress(EmoscribeError):
                for names in by_part.values():
                    if len(names) > 1:
                        self._join(names)

    # ── rows ─────────────────────────────────────────────────────────────────

    def __iter__(self) -> Iterator[Key]:
        """What rows there are."""
        with self._lock:
            return iter(list(self._index))

    @property
    def names(self) -> list[str]:
        """The shards that its rows are in."""
        return sorted(self._known)

    def place_of(self, key: Key) -> tuple[str, int]:
        """The shard, and the number of the row in it, that hold a key.

        Raises:
            KeyError: none does.
        """
        return self._index[key]

    def groups(self, name: str) -> Iterator[tuple[int, list[dict[str, Any]] | DamagedError]]:
        """A shard in groups of rows, each with its first row's number, or with why it cannot be read.

        Raises:
            VanishedError, EmoscribeError: it is gone, or cannot be read at all.
        """
        with self._lock:
            shard, ends = self._open(name)
            for group, first in enumerate([0, *ends[:-1]] if ends else []):
                try:
                    yield first, self.shards.rows(shard, name, group)
                except DamagedError as error:
                    yield first, error

    def replace(self, names: Iterable[str], rows: Iterable[Mapping[str, Any]], part: str) -> list[str]:
        """Write rows of a part in shards of bounded size, and then delete the shards that held them.

        Args:
            names: the shards; a row of theirs that is not among `rows` is lost.

        Returns:
            The names of the new shards.
        """
        with self._lock:
            new, waiting, size = [], [], 0
            for row in rows:
                waiting.append(row)
                size += size_of(row)
                if size >= SHARD_BYTES:
                    new.append(self._add(part, waiting))
                    waiting, size = [], 0
            if waiting:
                new.append(self._add(part, waiting))
            for name in names:
                self._let_go(name)
                self.shards.remove(name)
            # What is about as large as a shard may be is joined no more.
            for name in new if size >= SHARD_BYTES // 2 else new[:-1]:
                self._own.pop(name, None)
            return new

    def _value(self, key: Key) -> Part | None:
        if (place := self._index.get(key)) is None:
            return None
        name, row = place
        shard, ends = self._open(name)
        group = bisect_right(ends, row)
        if group == len(ends):
            raise DamagedError(f"{self.shards.path(name)} is damaged: it has {ends[-1] if ends else 0} rows; delete it")
        found = self.shards.value(shard, name, group, row - (ends[group - 1] if group else 0))
        try:
            return from_row(key, found)
        except DamagedError as error:
            raise DamagedError(
                f"{self.shards.path(name)}, row {row}: {error}; "
                f"`emoscribe store compact {self.shards}` drops it, and it is extracted again"
            ) from None

    # ── shards ───────────────────────────────────────────────────────────────

    def _add(self, part: str, rows: list[Mapping[str, Any]]) -> str:
        name = self.shards.write(part, rows)
        self._known.add(name)
        self._own[name] = len(rows)
        for number, row in enumerate(rows):
            self._index[Key(*(row[column] for column in Key._fields))] = name, number
        return name

    def _join_what_is_many(self) -> None:
        levels: dict[tuple[str, int], list[str]] = {}
        for name, rows in self._own.items():
            levels.setdefault((part_of(name), int(math.log(rows, FAN) + 1e-9)), []).append(name)
        for names in levels.values():
            if len(names) >= FAN:
                self._join(names)

    def _join(self, names: list[str]) -> None:
        try:
            self.replace(names, self._rows_of(names), part_of(names[0]))
        except (VanishedError, DamagedError):
            # Somebody has joined or deleted them already; of a damaged one, who reads it is told.
            for name in names:
                self._own.pop(name, None)

    def _rows_of(self, names: Iterable[str]) -> Iterator[dict[str, Any]]:
        # Who was killed between writing what it had joined and deleting what that was leaves rows twice.
        there: set[Key] = set()
        for name in names:
            for _, rows in self.groups(name):
                if isinstance(rows, DamagedError):
                    raise rows
                for row in rows:
                    key = Key(*(row[column] for column in Key._fields))
                    if key not in there:
                        there.add(key)
                        yield row

    def _let_go(self, name: str) -> None:
        self._known.discard(name)
        self._own.pop(name, None)
        if (opened := self._opened.pop(name, None)) is not None:
            opened[0].close()

    def _open(self, name: str) -> tuple[Any, list[int]]:
        if name not in self._opened:
            shard = self.shards.open(name)
            ends, end = [], 0
            for group in range(shard.metadata.num_row_groups):
                end += shard.metadata.row_group(group).num_rows
                ends.append(end)
            self._opened[name] = shard, ends
            if len(self._opened) > _OPEN:
                self._opened.popitem(last=False)[1][0].close()
        self._opened.move_to_end(name)
        return self._opened[name]

    def _keys_of(self, names: Iterable[str]) -> Iterator[tuple[str, list[Key]]]:
        def read(name: str) -> tuple[str, list[Key]] | None:
            try:
                return name, self.shards.keys(name)
            except VanishedError:
                return None  # joined with others just now, and found there the next time
            except DamagedError as error:
                if self._damaged is None:
                    raise
                self._damaged[name] = error
                return None

        names = list(names)
        if len(names) <= _AT_ONCE:
            yield from filter(None, map(read, names))
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            yield from filter(None, pool.map(read, names))
