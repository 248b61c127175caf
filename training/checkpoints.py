"""Where a training is, on disk: written whole, and read without running any code."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar, cast

from ..core.errors import EmoscribeError
from ..core.files import atomic_path, check_readable
from ..core.text import first_line

R = TypeVar("R")

# There while a run is in training.
CHECKPOINT = "checkpoint.pt"


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values; the file before stays until this one is whole.

    Raises:
        EmoscribeError: the disk is full, or cannot be written to.
    """
    import torch

    with atomic_path(path) as partial, partial.open("wb", buffering=0) as file:
        telling = _Telling(file)
        try:
            torch.save(dict(state), cast(Any, telling))
        except RuntimeError:
            # What PyTorch makes of a full disk.
            if telling.error is None:
                raise
            raise telling.error from None


class _Telling(io.RawIOBase):
    """A file that remembers what went wrong with it.

    Attributes:
        error: that; `None` as long as all is well.
    """

    def __init__(self, file: io.RawIOBase) -> None:
        self._file, self.error = file, None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        try:
            while len(rest):
                rest = rest[self._file.write(rest) or 0 :]
        except OSError as error:
            self.error = error
            raise
        return len(data)


def read_checkpoint(path: Path, restore: Callable[[dict[str, Any]], R]) -> R:
    """What `restore` makes of what was written.

    Raises:
        EmoscribeError: the file is damaged, or `restore` cannot use it.
    """
    import torch

    check_readable(path)
    try:
        return restore(torch.load(path, map_location="cpu", weights_only=True))
    except UnpicklingError:
        # PyTorch would advise to read it as code.
        raise EmoscribeError(f"{path} is damaged; train anew into another folder") from None
    except Exception as error:
        raise EmoscribeError(
            f"{path} cannot be resumed from: {first_line(error)}; train anew into another folder"
        ) from None
