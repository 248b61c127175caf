"""Prompts to a probability for each label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..core.timeline import Prompt, Scored
from .reader import Reader
from .tokens import Tokens, batches_by_length, collate

if TYPE_CHECKING:
    from .prefix import Prefix


# Tokens a batch holds: on a CPU more are no faster; a GPU idles with fewer.
BATCH_TOKENS = {"cpu": 2048, "cuda": 16384}


def score(
    reader: Reader,
    prompts: Sequence[Prompt],
    batch_tokens: int | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> list[Scored]:
    """The scores of each prompt, in their order.

    Prompts of similar length share a batch, so that little is padded; what
    all begin with, an instruction say, is read once where the model allows.

    Args:
        batch_tokens: tokens a batch holds at most, padding included; by
            default what suits the device.
        progress: told how much is done, in 0–1.
    """
    import torch

    tokens = reader.tokenizer(prompts)
    rows: list[list[float]] = [[]] * len(prompts)
    done = 0
    with torch.inference_mode():
        prefix = _prefix(reader, tokens)
        rest = tokens if prefix is None else [each.after(prefix.length) for each in tokens]
        for batch in batches_by_length([len(each) for each in rest], batch_tokens or BATCH_TOKENS[reader.device]):
            tensors = collate([rest[i] for i in batch], reader.tokenizer.padding_id, reader.device)
            logits = reader.model(tensors, prefix).double() / reader.temperature
            for index, row in zip(batch, torch.softmax(logits, dim=-1).tolist(), strict=True):
                rows[index] = row
            done += len(batch)
            progress(done / len(prompts))
    return [
        Scored(prompt.id, dict(zip(reader.labels, row, strict=True))) for prompt, row in zip(prompts, rows, strict=True)
    ]


def _prefix(reader: Reader, tokens: Sequence[Tokens]) -> Prefix | None:
    import torch

    from .prefix import shared_length

    length = shared_length(tokens)
    return reader.model.read_ahead(torch.from_numpy(tokens[0].ids[:length]).to(reader.device)) if length else None
