"""Weights in files: safetensors, which hold numbers and nothing that runs, and whose numbers are some."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import EmoscribeError
from .files import atomic_path, check_readable
from .text import first_line

if TYPE_CHECKING:
    from torch import Tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raises:
    EmoscribeError: the file cannot be written.
    """
    from safetensors.torch import save

    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Raises:
    EmoscribeError: the file is missing or damaged, or holds what is no number.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    if path.exists():
        check_readable(path)
    try:
        tensors = load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise EmoscribeError(f"{path} cannot be read ({first_line(error)}); train the run anew") from None
    wrong = next((name for name, tensor in tensors.items() if not tensor.isfinite().all()), None)
    if wrong is not None:
        raise EmoscribeError(f"{path} is damaged: not all of {wrong} are finite numbers; train the run anew")
    return tensors
