"""Where models compute."""

from __future__ import annotations

from .errors import UnavailableError
from .settings import Device


def resolve_device(device: Device) -> str:
    """`auto` is a GPU where there is one.

    Raises:
        UnavailableError: `cuda` was asked for and there is none.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("device cuda was asked for, but torch sees no GPU; use device auto or cpu")
    return device
