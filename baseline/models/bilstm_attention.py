"""Recurrent networks side by side, and attention over what they say together.

A bidirectional LSTM a stream (Poria et al., 2017, *Context-dependent sentiment
analysis in user-generated videos*, there over the utterances of a video and
here over its frames), 8-head self-attention over their states (Vaswani et al.,
2017), and the mean over time as the window's embedding, which a linear layer or
a support vector machine reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .attention import Attention
from .streams import mean_over_time

# Of each direction.
STATES = 64
HEADS = 8


class BiLSTMAttention(nn.Module):
    """A BiLSTM for each of the M streams, one attention over all, one embedding a window.

    Args:
        streams: width of each feature, by name.
        outputs: logits a window.
    """

    per_frame: ClassVar[bool] = False

    def __init__(self, streams: Mapping[str, int], outputs: int, *, dropout: float) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(
            {name: nn.LSTM(width, STATES, batch_first=True, bidirectional=True) for name, width in streams.items()}
        )
        width = 2 * STATES * len(streams)
        self.attention = Attention(width, HEADS, dropout=dropout)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, outputs)

    def forward(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Streams (B, T, D each), padded at their end where not `there` (B, T), to logits (B, L)."""
        return self.classifier(self.dropout(self.embedding(streams, there)))

    def embedding(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """The same to (B, M x 128)."""
        # Packed, so that the way back in time starts at a clip's own last frame.
        lengths = there.sum(1).cpu()
        states = []
        for name, encoder in self.encoders.items():
            packed = pack_padded_sequence(streams[name], lengths, batch_first=True, enforce_sorted=False)
            states.append(pad_packed_sequence(encoder(packed)[0], batch_first=True, total_length=there.shape[1])[0])
        together = self.dropout(torch.cat(states, dim=-1))
        return mean_over_time(self.norm(together + self.attention(together, together, there)), there)
