"""The files that a run's models are kept in: safetensors, which hold numbers and nothing that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ..core.errors import EmoscribeError
from ..core.files import atomic_path


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raises:
    EmoscribeError: the file cannot be written.
    """
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()})
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Raises:
    EmoscribeError: the file is missing or damaged.
    """
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise EmoscribeError(f"{path} cannot be read ({str(error).splitlines()[0]}); train the run anew") from None


def put_weights(model: nn.Module, path: Path) -> None:
    """Give a model the weights in a file.

    Raises:
        EmoscribeError: the file is missing, damaged, or of another model.
    """
    try:
        model.load_state_dict(load_tensors(path))
    except RuntimeError as error:
        raise EmoscribeError(f"{path} is of another model ({str(error).splitlines()[0]}); train the run anew") from None
