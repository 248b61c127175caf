"""Workers on cores of their own: those that share them lose time to moving about."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from ...core.context import cores_here

try:
    import fcntl
except ImportError:  # on Windows workers share the cores as they come
    fcntl = None


def stay_on(cores: Iterable[int]) -> None:
    """Compute on these from now on, as do threads that are begun; nothing where a system cannot do it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def take_core() -> IO[str] | None:
    """Stay on a core that nobody else has taken on this machine, as long as what is returned is open.

    For who does not know how many others there are; `None` where all are taken.
    """
    if fcntl is None:
        return None
    for core in cores_here():
        try:
            taken = (Path(tempfile.gettempdir()) / f"emoscribe.core{core}").open("a")
        except OSError:  # somebody else's
            continue
        try:
            fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            taken.close()
            continue
        stay_on({core})
        return taken
    return None
