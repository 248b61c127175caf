"""What the fusion models do to streams before any of them differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from ...extractors.features.settings import FEATURES


def letter(name: str) -> str:
    """Whether a feature is about what is said (T), the face (V) or the voice (A)."""
    return FEATURES[name].letter


def by_letter(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The features of each modality that has any: T, then V, then A, each in the order given."""
    names = tuple(names)
    found = {about: tuple(name for name in names if letter(name) == about) for about in "TVA"}
    return {about: those for about, those in found.items() if those}


def beside_each_other(streams: Mapping[str, Tensor], names: Iterable[str]) -> Tensor:
    """The features named (B, T, D each) as one (B, T, sum of D)."""
    return torch.cat([streams[name] for name in names], dim=-1)


def mean_over_time(frames: Tensor, there: Tensor) -> Tensor:
    """Frames (B, T, D) to the mean (B, D) of those that are there (B, T)."""
    weights = there.unsqueeze(-1)
    return (frames * weights).sum(1) / weights.sum(1)
