"""One transformer a modality, each listening to the others.

After Tsai et al. (2019), *Multimodal transformer for unaligned multimodal
language sequences*, ACL: all modalities on one width, a crossmodal transformer
for every ordered pair, self-attention over what a modality has gathered.  Here
each modality then decides for itself, from the mean over time rather than the
last frame, and a linear layer fuses the logits.  With one modality, its
transformer listens to itself alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from .attention import Attention, positions
from .streams import beside_each_other, by_letter, mean_over_time

WIDTH = 64
HEADS = 4
LAYERS = 2


class Crossmodal(nn.Module):
    """A transformer for each of the M modalities, and a linear layer on their logits.

    Args:
        streams: width of each feature, by name; those of one modality are put
            beside each other.
        outputs: logits a window.
    """

    per_frame: ClassVar[bool] = False

    def __init__(self, streams: Mapping[str, int], outputs: int, *, dropout: float) -> None:
        super().__init__()
        self.features = by_letter(streams)
        self.projections = nn.ModuleDict(
            {modality: nn.Linear(sum(streams[n] for n in names), WIDTH) for modality, names in self.features.items()}
        )
        self.modalities = nn.ModuleDict(
            {
                modality: Modality([other for other in self.features if other != modality], outputs, dropout=dropout)
                for modality in self.features
            }
        )
        self.fusion = nn.Linear(outputs * len(self.features), outputs)

    def forward(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Streams (B, T, D each), padded at their end where not `there` (B, T), to logits (B, L)."""
        frames = {}
        for modality, projection in self.projections.items():
            projected = projection(beside_each_other(streams, self.features[modality]))
            frames[modality] = projected + positions(projected)
        decisions = [decide(frames[modality], frames, there) for modality, decide in self.modalities.items()]
        return self.fusion(torch.cat(decisions, dim=-1))


class Modality(nn.Module):
    """What one modality decides when it has heard the others."""

    def __init__(self, others: list[str], outputs: int, *, dropout: float) -> None:
        super().__init__()
        gathered = WIDTH * max(1, len(others))
        self.crossmodal = nn.ModuleDict({other: Transformer(WIDTH, dropout=dropout) for other in others})
        self.memory = Transformer(gathered, dropout=dropout)
        self.norm = nn.LayerNorm(gathered)
        self.classifier = nn.Linear(gathered, outputs)

    def forward(self, own: Tensor, frames: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Its own frames (B, T, 64), those of all by modality, and `there` (B, T), to logits (B, L)."""
        heard = [listen(own, frames[other], there) for other, listen in self.crossmodal.items()]
        gathered = torch.cat(heard, dim=-1) if heard else own
        return self.classifier(mean_over_time(self.norm(self.memory(gathered, None, there)), there))


class Transformer(nn.Module):
    """Layers that ask one sequence, or, given none, what they have made of their own."""

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, dropout=dropout) for _ in range(LAYERS))

    def forward(self, frames: Tensor, answers: Tensor | None, there: Tensor) -> Tensor:
        """Frames (B, T, D), and those they ask (B, T, D), of which `there` (B, T) count, to (B, T, D)."""
        for layer in self.layers:
            frames = layer(frames, frames if answers is None else answers, there)
        return frames


class Layer(nn.Module):
    """Attention and a feed-forward network, normed before each and added to what came in."""

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention = Attention(width, HEADS, dropout=dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, asks: Tensor, answers: Tensor, there: Tensor) -> Tensor:
        before, after = self.norms
        asks = asks + self.dropout(self.attention(before(asks), before(answers), there))
        return asks + self.dropout(self.feed_forward(after(asks)))
