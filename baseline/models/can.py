"""The channel attention network.

Zhang, Zhao and Guan (2023), *Multimodal continuous emotion recognition: a
technical report for ABAW5*, second model: the encoders of `lfan`, fused by
weights on the channels.  The softmax runs over the channels of all streams, so
that how much is made of one stream depends on what the others say
(co-attention).

The features are given rather than learnt here, padding counts in no batch
norm, and the layer before that norm has no bias, which the norm would undo.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .temporal import FrameNorm, TemporalEncoder

WIDTH = 128


class CAN(nn.Module):
    """Temporal encoders, each brought to 128 channels, and a weight on every channel of every frame.

    Args:
        streams: width of each of the M features, by name.
        outputs: logits a frame.
    """

    per_frame: ClassVar[bool] = True

    def __init__(self, streams: Mapping[str, int], outputs: int, *, dropout: float) -> None:
        super().__init__()
        encoders = {name: TemporalEncoder(name, width, dropout=dropout) for name, width in streams.items()}
        self.encoders = nn.ModuleDict(encoders)
        self.projections = nn.ModuleDict({name: nn.Linear(encoder.width, WIDTH) for name, encoder in encoders.items()})
        channels = WIDTH * len(streams)
        self.attention = nn.Linear(channels, channels)
        self.hidden = nn.Linear(channels, channels, bias=False)
        self.norm = FrameNorm(channels)
        self.classifier = nn.Linear(channels, outputs)

    def forward(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Streams (B, T, D each), padded at their end where not `there` (B, T), to logits (B, T, L)."""
        projected = [self.projections[name](encoder(streams[name], there)) for name, encoder in self.encoders.items()]
        channels = torch.cat(projected, dim=-1)
        weighted = channels * self.attention(channels).softmax(-1)
        return self.classifier(functional.leaky_relu(self.norm(self.hidden(weighted), there)))
