"""Heads: from what a base makes of a prompt and of the turns before it to logits, one a label, or one for a rating.

What they mean is said elsewhere: `training.tasks` has how far they are from
what was to be learnt, `training.answers` the scores that they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from .encoder import Encoder
from .prefix import Prefix
from .turns import ITSELF, OTHER, SAME, UNKNOWN, Turns

# Numbers that a turn is remembered by; 256 read no better.
MEMORY = 128


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

    def forward(
        self,
        batch: dict[str, Tensor] | Sequence[dict[str, Tensor]],
        prefix: Prefix | None = None,
        *,
        turns: Turns | None = None,
    ) -> Tensor:
        """What the head reads of each prompt (B, L), or (B, L + M) where it remembers turns; with turns, logits (N, L).

        Args:
            batch: one as `collate` makes it, or several that are read one after the other.
            prefix: what all prompts begin with, which then is not in the batch.
            turns: what is remembered of the prompts that are read.
        """
        begun = () if prefix is None else (prefix,)
        parts = [batch] if isinstance(batch, dict) else batch
        read = torch.cat(
            [
                self.head(*self.encoder(part["ids"], part["attended"], *begun), part["attended"], part["target"])
                for part in parts
            ]
        )
        return read if turns is None else self.judged(read, turns)

    def judged(self, read: Tensor, turns: Turns) -> Tensor:
        """Logits (N, L) of prompts, from what was read (U, …) of them and of the turns before them."""
        own, memory = torch.from_numpy(turns.own).to(read.device), self.head.memory
        if memory is None:
            return read[own]
        labels = self.head.classifier.out_features
        return read[own, :labels] + memory(read[:, labels:], turns)


class Classifier(nn.Module):
    """Dropout and a linear layer, in float32, on a prompt's hidden states as they are pooled.

    Args:
        outputs: how many logits there are; see `Run.outputs`.
        pooling: of `llm.settings.Head`.
        remembers: whether turns before it add to what a prompt says by itself.
    """

    def __init__(
        self, hidden_size: int, outputs: int, pooling: str, dropout: float = 0.0, *, remembers: bool = False
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.dropout = nn.Dropout(dropout)
        width = (2 if pooling == "target-mean+pooler" else 1) * hidden_size
        self.classifier = nn.Linear(width, outputs)
        self.memory = Memory(width, outputs, dropout) if remembers else None

    def forward(self, hidden: Tensor, pooled: Tensor, attended: Tensor, target: Tensor) -> Tensor:
        """Logits (B, L) from hidden states (B, T, H), pooled (B, H) and masks (B, T).

        With a memory, (B, L + M): what the prompt says by itself, and what is remembered of it.
        """
        vectors = self.dropout(self._pooled(hidden, pooled, attended, target))
        logits = self.classifier(vectors)
        return logits if self.memory is None else torch.cat([logits, self.memory.noted(vectors)], dim=-1)

    def _pooled(self, hidden: Tensor, pooled: Tensor, attended: Tensor, target: Tensor) -> Tensor:
        if self.pooling == "last-token":
            # Wherever the padding is.
            last = (attended * torch.arange(1, attended.shape[1] + 1, device=attended.device)).argmax(1)
            return hidden[torch.arange(last.shape[0], device=last.device), last].float()
        weights = target.unsqueeze(-1).float()
        mean = (hidden.float() * weights).sum(1) / weights.sum(1)
        return torch.cat([mean, pooled.float()], dim=-1) if self.pooling == "target-mean+pooler" else mean


class Memory(nn.Module):
    """What turns add to the logits of a moment: a GRU (Cho et al., 2014) over them in order of time, the moment last.

    It begins by adding nothing.

    Args:
        width: of a prompt's vector.
    """

    def __init__(self, width: int, labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.noted = nn.Linear(width, MEMORY)
        self.who = nn.Embedding(len((ITSELF, SAME, OTHER, UNKNOWN)), MEMORY)
        self.gru = nn.GRU(MEMORY, MEMORY, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(MEMORY, labels)
        for parameter in (self.who.weight, *self.classifier.parameters()):
            nn.init.zeros_(parameter)

    def forward(self, noted: Tensor, turns: Turns) -> Tensor:
        """What is added (N, L), from what was noted (U, M) of each prompt read."""
        places, who = (torch.from_numpy(each).to(noted.device) for each in (turns.places, turns.who))
        steps = noted[places] + self.who(who)
        packed = pack_padded_sequence(steps, torch.from_numpy(turns.lengths), batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)
        return self.classifier(self.dropout(last[-1]))
