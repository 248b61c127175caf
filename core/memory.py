"""What was freed goes back to the system."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


def give_back() -> None:
    """Give the system what this process has freed, in milliseconds; nothing where the C library is not glibc.

    glibc by itself keeps, for each thread that ever was, what lies between
    pieces in use: a hundred megabytes and more after some hundred videos.
    """
    if (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
