"""One modality alone: what a fusion has to beat.

The temporal encoder of `lfan` (Zhang et al., 2021) and a linear layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from ...core.errors import SettingsError
from .streams import beside_each_other, by_letter
from .temporal import TemporalEncoder


class Unimodal(nn.Module):
    """A temporal encoder on the features of one modality, put beside each other.

    Args:
        streams: width of each feature, by name.
        outputs: logits a frame.

    Raises:
        SettingsError: the features are of several modalities.
    """

    per_frame: ClassVar[bool] = True

    def __init__(self, streams: Mapping[str, int], outputs: int, *, dropout: float) -> None:
        super().__init__()
        letters = "".join(by_letter(streams))
        if len(letters) > 1:
            raise SettingsError(
                f"the unimodal network reads one modality, got features of {letters}; "
                f"set modalities to one of {', '.join(letters)}, or choose another fusion"
            )
        self.features = tuple(streams)
        self.encoder = TemporalEncoder(self.features[0], sum(streams.values()), dropout=dropout)
        self.classifier = nn.Linear(self.encoder.width, outputs)

    def forward(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Streams (B, T, D each), padded at their end where not `there` (B, T), to logits (B, T, L)."""
        return self.classifier(self.encoder(beside_each_other(streams, self.features), there))
