"""What a trained model is for whoever asks it, of either family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

Read = TypeVar("Read", contravariant=True)
Answer = TypeVar("Answer")


class Predictor(Protocol[Read, Answer]):
    """A run, loaded and ready to score.

    Attributes:
        labels: in the order of the scores; empty where a number is predicted.
        sizes: `{"parameters", "bytes"}`, of all that it takes, on disk.
    """

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def sizes(self) -> Mapping[str, float]: ...

    def predict(self, inputs: Sequence[Read], /) -> list[Answer]:
        """An answer to each, in their order: to a prompt `Scored`, to a clip's feature frames `ClipScores`."""
        ...
