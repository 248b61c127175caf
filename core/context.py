"""What everything that computes has to know, and nobody decides twice: where, online or not, who watches, what is kept.

Made once where a command or a caller begins, and handed down whole.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from .errors import UnavailableError
from .settings import Device

# Told the name of a stage and how much of it is done, in 0–1.
StageProgress = Callable[[str, float], None]


def unwatched(stage: str, done: float) -> None:
    """A `StageProgress` that nobody watches."""


class Store(Protocol):
    """Keeps what was perceived, by content and settings; `extractors.store.CueStore` is one."""

    def get(self, sha256: str, part: str, settings: str, interval: tuple[float, float] = ...) -> Any | None: ...

    def put(self, sha256: str, part: str, settings: str, value: Any, interval: tuple[float, float] = ...) -> None: ...

    def claim(
        self, sha256: str, interval: tuple[float, float] = ..., *, wait: bool = ...
    ) -> AbstractContextManager[bool]:
        """Be at work on a stretch of a file; gives whether nobody else is."""
        ...


@dataclass(frozen=True, eq=False)
class Context:
    """The circumstances of a piece of work.

    Attributes:
        device: where language and fusion models compute; extractors have a setting each.
        offline: never try the network.
        progress: told what is done, from several threads.
        store: what was perceived is kept here and reused; `None` keeps nothing.
    """

    device: Device = "auto"
    offline: bool = False
    progress: StageProgress = unwatched
    store: Store | None = None

    def stage(self, name: str) -> Callable[[float], None]:
        """To be told how much of one stage is done, in 0–1."""
        return partial(self.progress, name)


# Wherever there is a GPU, online, unwatched, and nothing is kept.
DEFAULT = Context()


def resolve_device(asked: Device, what: str = "device") -> str:
    """`cpu` or `cuda`; `auto` is a GPU where there is one.

    Args:
        what: the setting that asks, for the error.

    Raises:
        UnavailableError: `cuda` was asked for and there is none.
    """
    if asked == "cuda" and not gpu_is_here():
        raise UnavailableError(f"{what} cuda: no GPU that torch can use; take auto or cpu")
    return asked if asked != "auto" else "cuda" if gpu_is_here() else "cpu"


def cores_here() -> list[int]:
    """The numbers of the cores that this process may use, which in a container are fewer than the machine has."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def gpu_is_here() -> bool:
    """Whether torch can use an NVIDIA GPU; torch, which takes seconds, is imported only where there is a driver."""
    if "torch" not in sys.modules:
        try:
            driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        except OSError:
            return False
        count = ctypes.c_int(0)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
            return False
    import torch

    return torch.cuda.is_available()
