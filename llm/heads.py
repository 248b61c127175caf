"""Heads: from what a base makes of a prompt to logits, one a label, or one that is a rating.

What they mean is said elsewhere: `training.tasks` has how far they are from
what was to be learnt, `training.answers` the scores that they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .encoder import Encoder
from .prefix import Prefix


class Classification(nn.Module):
    """A base model and a classifier over what it makes of a prompt.

    Attributes:
        encoder: ids and mask (B, T) to hidden states (B, T, H) and pooled (B, H).
        head: what is trained beside the base's adapter.
    """

    def __init__(self, encoder: nn.Module, head: Classifier) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def read_ahead(self, ids: Tensor) -> Prefix | None:
        """See `prefix.read_ahead`; an encoder that reads in both directions cannot."""
        return self.encoder.read_ahead(ids) if isinstance(self.encoder, Encoder) else None

    def forward(self, batch: dict[str, Tensor], prefix: Prefix | None = None) -> Tensor:
        """Logits (B, L), L as `Run.outputs`, from a batch as `collate` makes it.

        Args:
            prefix: what all prompts begin with, which then is not in the batch.
        """
        begun = () if prefix is None else (prefix,)
        hidden, pooled = self.encoder(batch["ids"], batch["attended"], *begun)
        return self.head(hidden, pooled, batch["attended"], batch["target"])


class Classifier(nn.Module):
    """Dropout and a linear layer, in float32, on a prompt's hidden states as they are pooled.

    Args:
        outputs: how many logits there are; see `Run.outputs`.
        pooling: of `llm.settings.Head`.
    """

    def __init__(self, hidden_size: int, outputs: int, pooling: str, dropout: float = 0.0) -> None:
        super().__init__()
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear((2 if pooling == "target-mean+pooler" else 1) * hidden_size, outputs)

    def forward(self, hidden: Tensor, pooled: Tensor, attended: Tensor, target: Tensor) -> Tensor:
        """Logits (B, L) from hidden states (B, T, H), pooled (B, H) and masks (B, T)."""
        return self.classifier(self.dropout(self._pooled(hidden, pooled, attended, target)))

    def _pooled(self, hidden: Tensor, pooled: Tensor, attended: Tensor, target: Tensor) -> Tensor:
        if self.pooling == "last-token":
            # Wherever the padding is.
            last = (attended * torch.arange(1, attended.shape[1] + 1, device=attended.device)).argmax(1)
            return hidden[torch.arange(len(last), device=last.device), last].float()
        weights = target.unsqueeze(-1).float()
        mean = (hidden.float() * weights).sum(1) / weights.sum(1)
        return torch.cat([mean, pooled.float()], dim=-1) if self.pooling == "target-mean+pooler" else mean
