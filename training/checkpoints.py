"""Where a training is, on disk: written whole, and read without running any code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

from ..core.errors import EmoscribeError
from ..core.files import atomic_path

R = TypeVar("R")

# There while a run is in training.
CHECKPOINT = "checkpoint.pt"


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values; the file before stays until this one is whole.

    Raises:
        EmoscribeError: the disk is full, or cannot be written to.
    """
    import torch

    with atomic_path(path) as partial:
        try:
            torch.save(dict(state), partial)
        except RuntimeError as error:
            # What PyTorch makes of a full disk.
            raise OSError(str(error).splitlines()[0]) from None


def read_checkpoint(path: Path, restore: Callable[[dict[str, Any]], R]) -> R:
    """What `restore` makes of what was written.

    Raises:
        EmoscribeError: the file is damaged, or `restore` cannot use it.
    """
    import torch

    try:
        return restore(torch.load(path, map_location="cpu", weights_only=True))
    except UnpicklingError:
        # PyTorch would advise to read it as code.
        raise EmoscribeError(f"{path} is damaged; train anew into another folder") from None
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EmoscribeError(f"{path} cannot be resumed from: {reason}; train anew into another folder") from None
