"""Heads: from what an encoder makes of a prompt to a logit for each label."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TargetClassifier(nn.Module):
    """Dropout and a linear layer on [mean over the target's tokens ; pooled first token]."""

    def __init__(self, hidden_size: int, labels: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * hidden_size, labels)

    def forward(self, hidden: Tensor, pooled: Tensor, target: Tensor) -> Tensor:
        """Logits (B, L) from hidden states (B, T, H), pooled (B, H) and the target's mask (B, T)."""
        weights = target.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weights).sum(1) / weights.sum(1)
        return self.classifier(self.dropout(torch.cat([mean, pooled], dim=-1)))
