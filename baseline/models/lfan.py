"""The leader-follower attention network.

Zhang, Ding, Wei and Guan (2021), *Continuous emotion recognition with
audio-visual leader-follower attentive fusion*; with words as a third modality
in Zhang et al. (2022), their report for ABAW3.  The follower is what all
streams make of each other within a frame; the leader is one stream that is also
read as it is.

The sizes are those of Richet et al. (2024), *Textualized and feature-based
models for compound multimodal emotion recognition in the wild*.  What differs:
features are given rather than learnt, padding counts in no batch norm, and the
Xavier initialisation of the normed convolutions takes effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .streams import letter
from .temporal import TemporalEncoder

MODAL_WIDTH = 32
HEADS = 2
# Who leads: the face, as published; without one the words, since a voice is encoded a quarter as wide.
LEADERS = "VTA"


class LFAN(nn.Module):
    """Temporal encoders, attention between the streams of a frame, and the leading stream beside it.

    Args:
        streams: width of each of the M features, by name.  The first visual
            one leads, or the first textual, or the first of all.
        outputs: logits a frame.
    """

    per_frame: ClassVar[bool] = True

    def __init__(self, streams: Mapping[str, int], outputs: int, *, dropout: float) -> None:
        super().__init__()
        self.leader = min(streams, key=lambda name: LEADERS.index(letter(name)))
        encoders = {name: TemporalEncoder(name, width, dropout=dropout) for name, width in streams.items()}
        self.encoders = nn.ModuleDict(encoders)
        self.attention = StreamAttention({name: encoder.width for name, encoder in encoders.items()}, dropout=dropout)
        self.classifier = nn.Linear(encoders[self.leader].width + MODAL_WIDTH * len(streams), outputs)

    def forward(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Streams (B, T, D each), padded at their end where not `there` (B, T), to logits (B, T, L)."""
        encoded = {name: encoder(streams[name], there) for name, encoder in self.encoders.items()}
        follower = self.attention(encoded)
        return self.classifier(torch.cat([encoded[self.leader], follower], dim=-1))


class StreamAttention(nn.Module):
    """Attention between the M streams of a frame, each with projections of its own.

    Streams (B, T, C each) become M x 32 numbers a frame.
    """

    def __init__(self, widths: Mapping[str, int], *, dropout: float) -> None:
        super().__init__()
        self.projections = nn.ModuleDict({name: nn.Linear(width, 3 * MODAL_WIDTH) for name, width in widths.items()})
        self.output = nn.Linear(MODAL_WIDTH * len(widths), MODAL_WIDTH * len(widths))
        for layer in (*self.projections.values(), self.output):
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(MODAL_WIDTH * len(widths))

    def forward(self, streams: Mapping[str, Tensor]) -> Tensor:
        projected = torch.stack([layer(streams[name]) for name, layer in self.projections.items()], dim=2)
        # (B, T, M, 3 x 32) to three of (B, T, heads, M, 16): queries, keys and values.
        split = projected.unflatten(-1, (3, HEADS, MODAL_WIDTH // HEADS)).permute(3, 0, 1, 4, 2, 5)
        queries, keys, values = split
        attended = functional.scaled_dot_product_attention(queries, keys, values) + values
        joined = attended.transpose(2, 3).flatten(2)
        return self.norm(self.dropout(self.output(joined)))
