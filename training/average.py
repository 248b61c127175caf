"""The moving average of the weights, which generalises better than the last of them (Izmailov et al., 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor


class WeightAverage:
    """An exponential moving average of a learner's tensors, by name.

    It decays faster at first, so that the untrained weights are soon
    forgotten.  What is no fraction, a count of batches, is as it was last.

    Args:
        tensors: the learner's own, which change as it learns.
    """

    def __init__(self, tensors: Mapping[str, Tensor], decay: float) -> None:
        self._tensors = tensors
        self._decay = decay
        self.values = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    def update(self, step: int) -> None:
        """Take in the weights after update `step`, counted from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for name, value in self.values.items():
            tensor = self._tensors[name].detach()
            value.lerp_(tensor, 1 - decay) if value.is_floating_point() else value.copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The tensors hold the average within the block, and their own values again after it."""
        own = {name: tensor.detach().clone() for name, tensor in self._tensors.items()}
        put(self.values, self._tensors)
        try:
            yield
        finally:
            put(own, self._tensors)


def put(values: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Give tensors the values of the same names.

    Raises:
        ValueError: the names differ.
    """
    if values.keys() != tensors.keys():
        raise ValueError("it is of another model")
    for name, tensor in tensors.items():
        tensor.data.copy_(values[name])
