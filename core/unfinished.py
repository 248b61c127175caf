"""What is being written and may come to nothing: what it is called, and how it goes when its process is gone.

A name tells who writes: a machine since its last start, with its own numbering
of processes, and of these one, with when that began.  Whoever writes to the
same folder next takes away what is left of a process that no longer lives; of
another machine, which may write to a shared folder too, only what has long
been left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from functools import cache
from pathlib import Path

# So long nobody who is alive leaves alone what they are writing; clocks of machines may differ.
_LEFT_ALONE_S = 2 * 86_400.0

_WRITER = r"(?P<owner>[0-9a-f]{8})-(?P<pid>\d+)-(?P<began>\d+)-[\w]+"
_BESIDE = re.compile(rf"\.(?:{_WRITER}|[0-9a-f]{{12}})\.partial")
_PASSING = re.compile(rf"emoscribe-{_WRITER}")
# How often what other threads are writing to is taken away.
_TRIES = 5

# What this process is writing.
_mine: set[Path] = set()
_swept: set[tuple[Path, re.Pattern[str]]] = set()


def name_beside() -> str:
    """A hidden name, for what is then renamed; short, whatever that is called: names end at 255 bytes."""
    return f".{_writer()}{uuid.uuid4().hex[:6]}.partial"


def name_of_passing() -> str:
    """The name of a folder that is where the system has such things; nobody can guess it."""
    return f"emoscribe-{_writer()}{uuid.uuid4().hex}"


def begin(path: Path) -> None:
    """Something is written at `path` from now on; it is taken away should the process be ended in the middle of it."""
    _mine.add(path)


def end(path: Path) -> None:
    """It has become something else, or is to be nothing: whatever is at `path` is taken away."""
    _remove(path)
    _mine.discard(path)


def is_anything_unfinished() -> bool:
    """Whether there is anything to take away."""
    return bool(_mine)


def remove_unfinished() -> None:
    """Take away what is being written: for whoever ends the process in the middle of it."""
    for _ in range(_TRIES):  # other threads write on meanwhile
        for path in (left := list(_mine)):
            _remove(path)
        if not any(map(os.path.lexists, left)):
            break


def sweep(folder: Path) -> None:
    """Take away what processes that are gone have left in a folder; once, whatever goes wrong."""
    _sweep(folder, _BESIDE)


def sweep_passing(folder: Path) -> None:
    """The same where the system has what passes, and others have theirs."""
    _sweep(folder, _PASSING)


def sweep_passing_again() -> None:
    """The same for whoever has just ended those processes."""
    folder = Path(tempfile.gettempdir())
    _swept.discard((folder, _PASSING))
    sweep_passing(folder)


def _sweep(folder: Path, names: re.Pattern[str]) -> None:
    if (folder, names) in _swept:
        return
    _swept.add((folder, names))
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (found := names.fullmatch(entry.name)) is not None and _is_left(entry, found):
                _remove(Path(entry.path))


def _is_left(entry: os.DirEntry[str], found: re.Match[str]) -> bool:
    with suppress(OSError):
        if hasattr(os, "getuid") and entry.stat(follow_symlinks=False).st_uid != os.getuid():
            return False
        if found["owner"] == _owner() and sys.platform != "win32":
            return not _lives(int(found["pid"]), int(found["began"]))
        return time.time() - _last_written(Path(entry.path)) > _LEFT_ALONE_S
    return False


def _last_written(path: Path) -> float:
    inside = path.rglob("*") if path.is_dir() and not path.is_symlink() else ()
    return max(each.lstat().st_mtime for each in (path, *inside))


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        path.unlink()


# ── processes ────────────────────────────────────────────────────────────────


def _writer() -> str:
    pid = os.getpid()
    return f"{_owner()}-{pid}-{_began(pid) or 0}-"


@cache
def _owner() -> str:
    """A machine since its last start, and within it those who number processes alike: a container has its own."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    with suppress(OSError):
        parts.append(str(os.stat("/proc/self/ns/pid").st_ino))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


def _lives(pid: int, began: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is somebody else's
    # Numbers of processes are used again.
    return _began(pid) in (None, began)


def _began(pid: int) -> int | None:
    """When a process began, in ticks since the machine did; of one that has ended and is not buried yet -1."""
    try:
        # Its name, in brackets, may hold anything.
        told = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return -1 if told[0] in (b"Z", b"X") else int(told[19])
    except (OSError, ValueError, IndexError):
        return None
