"""Who is at work on what, among the processes that share a store."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows: there two processes may do the same work, and keep it twice
    fcntl = None

# Readers of Parquet pass over names that begin so.
FILE = "_claims"
_BYTES = 2**62


class Claims:
    """Locks on single bytes of one file: the system lets go of them when a process ends, however it does.

    Between threads of a process nothing is locked.  Where no file can be
    written, nobody can work either, and everything is granted.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._file: int | None = None
        self._held: Counter[int] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def claim(self, what: str, wait: bool) -> Iterator[bool]:
        """
        Args:
            wait: until whoever is at work on it has ended.

        Yields:
            Whether it is ours for this block.
        """
        byte = int.from_bytes(hashlib.blake2b(what.encode(), digest_size=8).digest()) % _BYTES
        mine = self._take(byte, wait)
        try:
            yield mine
        finally:
            if mine:
                self._release(byte)

    def _take(self, byte: int, wait: bool) -> bool:
        with self._lock:
            if self._held[byte]:
                self._held[byte] += 1
                return True
            file = self._opened()
        if file is not None and fcntl is not None:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, byte)
            except BlockingIOError:
                return False
            except OSError:
                pass  # a file system without locks
        with self._lock:
            self._held[byte] += 1
        return True

    def _release(self, byte: int) -> None:
        with self._lock:
            self._held[byte] -= 1
            if self._held[byte] or self._file is None or fcntl is None:
                return
            del self._held[byte]
            with suppress(OSError):
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, byte)

    def _opened(self) -> int | None:
        # Kept open: to close any handle of the file lets go of all its locks.
        if self._file is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            except OSError:
                return None
        return self._file


_CLAIMS: dict[Path, Claims] = {}
_LOCK = threading.Lock()


def claims_in(folder: Path) -> Claims:
    """The claims of a folder: one object a process, since its locks are the process's."""
    with _LOCK:
        return _CLAIMS.setdefault(folder.resolve(), Claims(folder.resolve()))
