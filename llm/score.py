"""Prompts to a probability for each label."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..core.errors import EmoscribeError
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
        batch_tokens: tokens a batch holds at most, padding and answers
            included; by default what suits the device.
        progress: told how much is done, in 0–1.

    Raises:
        EmoscribeError: the GPU's memory does not hold a batch.
    """
    import torch

    most = batch_tokens or BATCH_TOKENS[reader.device]
    try:
        return _scored(reader, prompts, most, progress)
    except torch.OutOfMemoryError:
        raise EmoscribeError(
            f"the GPU's memory does not hold the model and {most} tokens at a time; set model.batch_tokens lower, "
            "or free memory that others use"
        ) from None


def _scored(
    reader: Reader, prompts: Sequence[Prompt], batch_tokens: int, progress: Callable[[float], None]
) -> list[Scored]:
    import torch

    tokens = reader.tokenizer(prompts)
    rows: list[list[float]] = [[]] * len(prompts)
    done = 0
    with torch.inference_mode():
        prefix = _prefix(reader, tokens)
        rest = tokens if prefix is None else [each.after(prefix.length) for each in tokens]
        # The answers' tokens are read with each prompt; keys and values of what is shared lie there for each, too.
        answers = sum(len(answer) - 1 for answer in reader.tokenizer.answers)
        lengths = [len(each) + answers for each in tokens]
        for batch in batches_by_length(lengths, batch_tokens):
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
