"""Attention over time between two sequences, and where in time a frame is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention over the frames that are there (Vaswani et al., 2017)."""

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)

    def forward(self, asks: Tensor, answers: Tensor, there: Tensor | None = None) -> Tensor:
        """Queries (B, T, D) on keys and values (B, S, D), of which `there` (B, S) count, to (B, T, D)."""
        missing = None if there is None else ~there
        return self.attention(asks, answers, answers, key_padding_mask=missing, need_weights=False)[0]


def positions(frames: Tensor) -> Tensor:
    """Sines and cosines of each frame's place (T, D) for frames (B, T, D) of even D (Vaswani et al., 2017, 3.5)."""
    length, width = frames.shape[1:]
    place = torch.arange(length, device=frames.device).unsqueeze(1)
    rate = torch.exp(torch.arange(0, width, 2, device=frames.device) * (-math.log(10_000) / width))
    return torch.stack([(place * rate).sin(), (place * rate).cos()], dim=-1).flatten(1)
