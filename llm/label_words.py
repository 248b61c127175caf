"""Label words: how likely each label is as what follows a prompt, to a causal model.

The answers are a closed set, and none begins another, so that their
likelihoods can be compared; they are what a softmax is taken over.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..core.errors import SettingsError
from .prefix import Prefix, read_ahead
from .turns import Turns

# Prompts whose logits are in float32 at a time: with a vocabulary of 150,000 each position takes a megabyte.
_PROMPTS_AT_ONCE = 8

# Of a token of the prompt, where others have the answer that they belong to.
_PROMPT = -1


class LabelWords(nn.Module):
    """A causal language model that gives each answer its log-probability.

    One pass reads the prompt once and every answer as a branch that grows
    from its end: a branch sees the prompt and itself, at the positions that
    it would have as the only one.

    Args:
        model: of `transformers`, with or without PEFT around.
        answers: their tokens; none may begin another.

    Raises:
        SettingsError: the model carries a state from token to token, so that
            branches cannot be kept apart.
    """

    def __init__(self, model: nn.Module, answers: Sequence[Sequence[int]]) -> None:
        super().__init__()
        if getattr(model, "_is_stateful", False):
            raise SettingsError("head.kind label-words needs a base of attention alone; use classification")
        self.model = model
        # The language model's own; nothing is trained beside the adapter.
        self.head = None
        self._lengths = [len(answer) for answer in answers]
        ids, owners, depths, predicted_at = [], [], [], []
        for owner, answer in enumerate(answers):
            # An answer's first token is predicted at the end of the prompt, the others along its branch;
            # the last one predicts nothing.
            predicted_at += [0, *range(len(ids) + 1, len(ids) + len(answer))]
            ids += answer[:-1]
            owners += [owner] * (len(answer) - 1)
            depths += range(len(answer) - 1)
        self._ids, self._owners, self._depths, self._predicted_at, self._predicted = (
            nn.Buffer(torch.tensor(column, dtype=torch.long), persistent=False)
            for column in (ids, owners, depths, predicted_at, [token for answer in answers for token in answer])
        )

    def read_ahead(self, ids: Tensor) -> Prefix | None:
        """See `prefix.read_ahead`."""
        return read_ahead(self.model, ids)

    def forward(self, batch: dict[str, Tensor], prefix: Prefix | None = None) -> Tensor:
        """Log-probabilities (B, L) in float32 from `ids` and `attended` (B, T), padded on either side.

        Args:
            prefix: what all prompts begin with, which then is not in `ids`.
        """
        ids, attended = _padded_on_the_left(batch["ids"], batch["attended"])
        branches = self._ids.expand(len(ids), -1)
        past = prefix.length if prefix is not None else 0
        positions = past + (attended.cumsum(1) - 1).clamp(min=0)
        positions = torch.cat([positions, positions[:, -1:] + 1 + self._depths], dim=1)
        logits = self.model(
            input_ids=torch.cat([ids, branches], dim=1),
            attention_mask=self._masks(attended, positions, past),
            position_ids=positions,
            past_key_values=prefix.cache(len(ids)) if prefix is not None else None,
            use_cache=prefix is not None,
            logits_to_keep=1 + branches.shape[1],
        ).logits
        log_probabilities = torch.cat(
            [
                torch.log_softmax(part.float(), dim=-1)[:, self._predicted_at, self._predicted]
                for part in logits.split(_PROMPTS_AT_ONCE)
            ]
        )
        return torch.stack([part.sum(1) for part in log_probabilities.split(self._lengths, dim=1)], dim=1)

    def judged(self, read: Tensor, turns: Turns) -> Tensor:
        """Log-probabilities (N, L) of prompts from those of what was read (U, L); no turn is remembered."""
        return read[torch.from_numpy(turns.own).to(read.device)]

    def _masks(self, attended: Tensor, positions: Tensor, past: int) -> Tensor | dict[str, Tensor]:
        """What is added to attention (B, 1, S, P + S), from the prompts' mask (B, T), all S positions and P."""
        owners = torch.cat([self._owners.new_full(attended.shape[1:], _PROMPT), self._owners])
        seen = ((owners == _PROMPT) | (owners == owners[:, None])).tril()
        there = torch.cat([attended, attended.new_ones(1).expand(len(attended), len(self._owners))], dim=1)
        # Padding sees itself, as attention to nothing is not a number.
        seen = seen & there[:, None, :] | torch.eye(len(owners), dtype=torch.bool, device=seen.device)
        config = self.model.config.get_text_config()  # pyright: ignore
        window = getattr(config, "sliding_window", None)
        if past:
            # Whoever can go on from a prefix has no window.
            return self._added(torch.cat([seen.new_ones(*seen.shape[:2], past), seen], dim=2))
        if window is None:
            return self._added(seen)
        near = seen & (positions[:, :, None] - positions[:, None, :] < window)
        kinds = getattr(config, "layer_types", None)
        if kinds is None:
            return self._added(near)
        return {"full_attention": self._added(seen), "sliding_attention": self._added(near)}

    def _added(self, seen: Tensor) -> Tensor:
        dtype = self.model.get_input_embeddings().weight.dtype  # pyright: ignore
        mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
        return mask.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


def _padded_on_the_left(ids: Tensor, attended: Tensor) -> tuple[Tensor, Tensor]:
    """The same prompts, so that all end in the last column."""
    order = attended.long().argsort(dim=1, stable=True)
    return ids.gather(1, order), attended.gather(1, order)
