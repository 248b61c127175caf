"""Prompts to a probability for each label."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..core.timeline import Prompt, Scored
from .reader import Reader
from .tokens import batches_by_length, collate


def score(
    reader: Reader,
    prompts: Sequence[Prompt],
    batch_tokens: int = 2048,
    progress: Callable[[float], None] = lambda done: None,
) -> list[Scored]:
    """The scores of each prompt, in their order.

    Prompts of similar length share a batch, so that little is padded.

    Args:
        batch_tokens: tokens a batch holds at most, padding included.
        progress: told how much is done, in 0–1.
    """
    import torch

    tokens = reader.tokenizer(prompts)
    rows: list[list[float]] = [[]] * len(prompts)
    done = 0
    for batch in batches_by_length([len(each) for each in tokens], batch_tokens):
        with torch.inference_mode():
            tensors = collate([tokens[i] for i in batch], reader.tokenizer.padding_id, reader.device)
            logits = reader.logits(tensors).double() / reader.temperature
            for index, row in zip(batch, torch.softmax(logits, dim=-1).tolist(), strict=True):
                rows[index] = row
        done += len(batch)
        progress(done / len(prompts))
    return [
        Scored(prompt.id, dict(zip(reader.labels, row, strict=True))) for prompt, row in zip(prompts, rows, strict=True)
    ]
