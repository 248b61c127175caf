"""A fusion model's weights, from its run's file."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..core.errors import EmoscribeError
from ..core.tensors import load_tensors
from ..core.text import first_line


def put_weights(model: nn.Module, path: Path) -> None:
    """Give a model the weights in a file.

    Raises:
        EmoscribeError: the file is missing, damaged, or of another model.
    """
    try:
        model.load_state_dict(load_tensors(path))
    except RuntimeError as error:
        raise EmoscribeError(f"{path} is of another model ({first_line(error)}); train the run anew") from None
