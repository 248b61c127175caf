"""Files by the SHA-256 of what they hold."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_sha256(path: Path) -> str:
    """The same, computed once a process as long as the file stays as it is: a model takes a second to read."""
    told = path.stat()
    return _sha256(path, told.st_size, told.st_mtime_ns)


@functools.lru_cache(256)
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    return sha256_of(path)
