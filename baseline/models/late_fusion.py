"""Fusion of decisions: a network a stream, and how much each one's word counts.

Decision-level fusion with learnt weights, as in Poria et al. (2017), *A review
of affective computing: from unimodal analysis to multimodal fusion*.  Logits
are averaged, so that the result is one more row of logits whatever the task is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from .unimodal import Unimodal


class LateFusion(nn.Module):
    """A unimodal network for each of the M streams; their logits averaged with learnt weights.

    Args:
        streams: width of each feature, by name.
        outputs: logits a frame.
    """

    per_frame: ClassVar[bool] = True

    def __init__(self, streams: Mapping[str, int], outputs: int, *, dropout: float) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(
            {name: Unimodal({name: width}, outputs, dropout=dropout) for name, width in streams.items()}
        )
        # Equal at first; the softmax keeps them positive and their sum 1.
        self.weights = nn.Parameter(torch.zeros(len(streams)))

    def forward(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Streams (B, T, D each), padded at their end where not `there` (B, T), to logits (B, T, L)."""
        decisions = torch.stack([network(streams, there) for network in self.networks.values()], dim=-1)
        return decisions @ self.weights.softmax(0)
