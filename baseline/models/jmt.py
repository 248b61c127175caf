"""The joint multimodal transformer.

Waligora et al. (2024), *Joint multimodal transformer for emotion recognition in
the wild*, CVPR workshops: the streams together are one modality more, and every
one of them asks every other.

Published for two streams; here for any number.  The published code lets the
last attention run over all frames of a batch, so that a clip's scores depend on
its neighbours; here it runs, as the paper draws it, over the answers within a
frame.  What is read off is the joint representation's answer.  As in `can`, no
bias before a batch norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import Attention
from .temporal import FrameNorm, TemporalEncoder

WIDTH = 128
JOINT = "joint"


class JMT(nn.Module):
    """Temporal encoders, a joint representation, and cross-attention over time in all ordered pairs.

    Args:
        streams: width of each of the M features, by name; the pairs are
            P = M (M + 1).
        outputs: logits a frame.
    """

    per_frame: ClassVar[bool] = True

    def __init__(self, streams: Mapping[str, int], outputs: int, *, dropout: float) -> None:
        super().__init__()
        encoders = {name: TemporalEncoder(name, width, dropout=dropout) for name, width in streams.items()}
        self.encoders = nn.ModuleDict(encoders)
        self.projections = nn.ModuleDict({name: nn.Linear(encoder.width, WIDTH) for name, encoder in encoders.items()})
        self.joint = nn.Linear(WIDTH * len(streams), WIDTH)
        # The joint representation comes last, and so does what it asks.
        modalities = (*streams, JOINT)
        self.transformers = nn.ModuleDict({name: Transformer() for name in modalities})
        self.pairs = tuple(permutations(modalities, 2))
        self.cross_attention = nn.ModuleList(Attention(WIDTH, 1) for _ in self.pairs)
        self.final_transformer = Transformer()
        self.final_attention = Attention(WIDTH, 1)
        self.hidden = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm = FrameNorm(WIDTH)
        self.classifier = nn.Linear(WIDTH, outputs)

    def forward(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Streams (B, T, D each), padded at their end where not `there` (B, T), to logits (B, T, L)."""
        inputs = {
            name: self.projections[name](encoder(streams[name], there)) for name, encoder in self.encoders.items()
        }
        inputs[JOINT] = self.joint(torch.cat(list(inputs.values()), dim=-1))
        encoded = {name: transformer(inputs[name], there) for name, transformer in self.transformers.items()}
        answers = torch.stack(
            [
                attention(encoded[asks], encoded[answers], there)
                for (asks, answers), attention in zip(self.pairs, self.cross_attention, strict=True)
            ],
            dim=2,
        )
        # (B, T, P, 128) as B T short sequences of P.
        within = self.final_transformer(answers.flatten(0, 1))
        fused = self.final_attention(within[:, -1:], within).squeeze(1).unflatten(0, there.shape)
        return self.classifier(functional.leaky_relu(self.norm(self.hidden(fused), there)))


class Transformer(nn.Module):
    """One layer of one head, each half with its residual and layer norm: (B, T, 128) to (B, T, 128)."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention(WIDTH, 1)
        self.feed_forward = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))

    def forward(self, frames: Tensor, there: Tensor | None = None) -> Tensor:
        attended = self.norms[0](frames + self.attention(frames, frames, there))
        return self.norms[1](attended + self.feed_forward(attended))
