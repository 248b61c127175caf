"""The moving average of the weights, which generalises better than the last of them (Izmailov et al., 2018)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter


class WeightAverage:
    """An exponential moving average of parameters, in their order.

    It decays faster at first, so that the untrained weights are soon
    forgotten.
    """

    def __init__(self, parameters: Sequence[Parameter], decay: float) -> None:
        self._parameters = parameters
        self._decay = decay
        self.values: list[Tensor] = [parameter.detach().clone() for parameter in parameters]

    def update(self, step: int) -> None:
        """Take in the weights after update `step`, counted from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for value, parameter in zip(self.values, self._parameters, strict=True):
            value.lerp_(parameter.detach(), 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The parameters hold the average within the block, and their own values again after it."""
        own = [parameter.detach().clone() for parameter in self._parameters]
        self._put(self.values)
        try:
            yield
        finally:
            self._put(own)

    def _put(self, values: Sequence[Tensor]) -> None:
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.data.copy_(value)
