"""The tensor fusion network.

Zadeh et al. (2017), *Tensor fusion network for multimodal sentiment analysis*,
EMNLP: one vector a modality, a one put before each, and their outer product,
which holds every modality, every pair and all three.  With one modality there
is nothing to multiply, and a network on its vector is left.

The text's vector is made of the LSTM's last state, the paper's of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from .streams import beside_each_other, by_letter, mean_over_time

# Of a modality's vector, and of the layers after the product (as in the paper).
WIDTHS: Mapping[str, int] = {"T": 128, "V": 32, "A": 32}
HIDDEN = 128


class TFN(nn.Module):
    """A network a modality, and two layers on the outer product of their vectors.

    Args:
        streams: width of each feature, by name; those of one modality are put
            beside each other.
        outputs: logits a window.
    """

    per_frame: ClassVar[bool] = False

    def __init__(self, streams: Mapping[str, int], outputs: int, *, dropout: float) -> None:
        super().__init__()
        self.features = by_letter(streams)
        self.encoders = nn.ModuleDict()
        products = 1
        for modality, names in self.features.items():
            encoder = LastState if modality == "T" else MeanFrame
            self.encoders[modality] = encoder(sum(streams[n] for n in names), WIDTHS[modality], dropout=dropout)
            products *= 1 + WIDTHS[modality]
        self.fusion = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(products, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()
        )
        self.classifier = nn.Linear(HIDDEN, outputs)

    def forward(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Streams (B, T, D each), padded at their end where not `there` (B, T), to logits (B, L)."""
        return self.classifier(self.embedding(streams, there))

    def embedding(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """The same to (B, 128)."""
        one = there.new_ones(len(there), 1, dtype=torch.float32)
        product = one
        for modality, encoder in self.encoders.items():
            vector = encoder(beside_each_other(streams, self.features[modality]), there)
            product = (product.unsqueeze(2) * torch.cat([one, vector], dim=1).unsqueeze(1)).flatten(1)
        return self.fusion(product)


class LastState(nn.Module):
    """What an LSTM has made of frames (B, T, D) when they end: (B, width)."""

    def __init__(self, features: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, width, batch_first=True)
        self.output = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU())

    def forward(self, frames: Tensor, there: Tensor) -> Tensor:
        packed = pack_padded_sequence(frames, there.sum(1).cpu(), batch_first=True, enforce_sorted=False)
        return self.output(self.lstm(packed)[1][0][-1])


class MeanFrame(nn.Module):
    """Three layers on the mean of frames (B, T, D): (B, width)."""

    def __init__(self, features: int, width: int, *, dropout: float) -> None:
        super().__init__()
        layers = [nn.Dropout(dropout)]
        for before in (features, width, width):
            layers += [nn.Linear(before, width), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, frames: Tensor, there: Tensor) -> Tensor:
        return self.layers(mean_over_time(frames, there))
