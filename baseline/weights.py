"""A fusion model's weights, from its run's file."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..core.errors import EmoscribeError
from ..core.tensors import load_tensors


def put_weights(model: nn.Module, path: Path) -> None:
    """Give a model the weights in a file.

    Raises:
        EmoscribeError: the file is missing, damaged, or of another model.
    """
    try:
        model.load_state_dict(load_tensors(path))
    except RuntimeError as error:
        raise EmoscribeError(f"{path} is of another model ({str(error).splitlines()[0]}); train the run anew") from None
