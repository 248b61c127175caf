"""The fusion models by name, and how one is built.

A model reads `streams`, by feature name (B, T, D) and free of NaN, and `there`
(B, T), false where a clip is padded at its end to its batch's longest.  It
answers with logits, (B, T, L) where its `per_frame` is true and (B, L) for the
whole window otherwise.  Padding changes neither; at padded frames the logits
say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable

from torch import Tensor

from .models.bilstm_attention import BiLSTMAttention
from .models.can import CAN
from .models.crossmodal import Crossmodal
from .models.jmt import JMT
from .models.late_fusion import LateFusion
from .models.lfan import LFAN
from .models.tfn import TFN
from .models.unimodal import Unimodal

FusionModel: TypeAlias = LFAN | CAN | JMT | BiLSTMAttention | TFN | LateFusion | Crossmodal | Unimodal

MODELS: Mapping[str, type[FusionModel]] = {
    "lfan": LFAN,
    "can": CAN,
    "jmt": JMT,
    "bilstm-attention": BiLSTMAttention,
    "tfn": TFN,
    "late-fusion": LateFusion,
    "crossmodal": Crossmodal,
    "unimodal": Unimodal,
}


@runtime_checkable
class Embeds(Protocol):
    """A fusion model that has one vector for a window: `isinstance(model, Embeds)`."""

    def embedding(self, streams: Mapping[str, Tensor], there: Tensor) -> Tensor:
        """Streams (B, T, D each) and `there` (B, T) to (B, E)."""
        ...


def build(fusion: str, streams: Mapping[str, int], outputs: int, *, dropout: float) -> FusionModel:
    """A fusion model with random weights.

    Args:
        fusion: a key of `MODELS`.
        streams: width of each feature, by name; at least one.  The model takes
            them by alphabet, so that a description whose keys were reordered
            still fits its weights.
        outputs: how many logits.
        dropout: share of activations dropped in training.

    Raises:
        SettingsError: the features are not such as the model reads.
    """
    return MODELS[fusion](dict(sorted(streams.items())), outputs, dropout=dropout)
