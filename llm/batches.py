"""What is learnt from: the labelled prompts of an epoch as batches of tensors, and their loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.prompt import Prompt
from ..core.timeline import Target
from ..training import processes
from ..training.tasks import objective_for, targets_of
from .run import TextRun
from .settings import TrainingSettings
from .tokens import (
    PromptTokenizer,
    as_many,
    batches_by_length,
    batches_of_runs,
    collate,
    micro_batches,
    shuffled_batches,
)
from .turns import read_once

# Tokens, padding included, of prompts that a batch of dialogues reads at a time: a CPU is no faster with more, and
# pads less with fewer.
PADDED_TOGETHER = {"cpu": 512, "cuda": 16384}


@dataclass(frozen=True)
class Example:
    """A prompt and what is to be learnt of it.

    Attributes:
        source: whose label it is: labels are as frequent as in their source.
        soft: how likely each label is in a teacher's eyes, if one was asked.
    """

    prompt: Prompt
    target: Target
    source: str = ""
    soft: Mapping[str, float] | None = None


class Batches:
    """The examples of an epoch, in random batches of similar length; of dialogues that are remembered, in their order.

    Args:
        run: whose task and labels are learnt.

    Attributes:
        indices: of the examples in each batch.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        tokenizer: PromptTokenizer,
        run: TextRun,
        settings: TrainingSettings,
        epoch: int,
        *,
        device: str,
    ) -> None:
        self._settings, self._padding_id, self._device = settings, tokenizer.padding_id, device
        self._targets = targets_of(run, [each.target for each in examples])
        self._objective = objective_for(run, self._targets, settings.loss.class_weights)
        self._soft, self._offsets = None, torch.zeros(len(examples), run.outputs)
        if run.task == "labels":
            frequency = _frequencies(examples, run.labels)
            offsets = [settings.loss.logit_adjustment * np.log(frequency[each.source]) for each in examples]
            self._offsets = torch.from_numpy(np.array(offsets, dtype=np.float32))
            self._soft = torch.tensor([_soft(each, run.labels, settings) for each in examples])
        prompts, self._turns = read_once([example.prompt for example in examples])
        self._tokens = tokenizer(prompts)
        self._lengths = [len(self._tokens[place]) for place in self._turns.own]
        self._remembers = run.prompt.history_turns > 0
        seed = settings.seed * 1000 + epoch
        if self._remembers:
            self.indices = batches_of_runs(self._turns.follows_the_one_before(), settings.batch_size, seed)
        else:
            self.indices = shuffled_batches(self._lengths, settings.batch_size, seed)

    def micro_batches(self, batch: Sequence[int], processes: int) -> list[list[list[int]]]:
        """A batch shared out to processes, and each share cut into what a device takes at once.

        Returns:
            as `tokens.micro_batches`; what is remembered stays beside what remembers it.
        """
        limits = {"size": self._settings.micro_batch_size, "tokens": self._settings.micro_batch_tokens}
        if not self._remembers:
            return micro_batches(batch, self._lengths, processes, **limits)
        shares = [part.tolist() for part in np.array_split(np.asarray(batch, dtype=np.int64), processes)]
        return as_many([self._cut(share, **limits) for share in shares])

    def _cut(self, share: Sequence[int], size: int | None, tokens: int | None) -> list[list[int]]:
        """A share in its order, cut where it would read more; a prompt and its turns are never parted."""
        parts: list[list[int]] = []
        held: set[int] = set()
        for example in share:
            turns = set(self._turns.places[example, : self._turns.lengths[example]].tolist())
            more = sum(len(self._tokens[place]) for place in held | turns)
            if not parts or (tokens and more > tokens) or (size and len(parts[-1]) == size):
                parts.append([])
                held = set()
            parts[-1].append(example)
            held |= turns
        return parts

    def inputs(self, batch: Sequence[int]) -> dict[str, Any]:
        """What a `heads.Classification` or `label_words.LabelWords` is called with."""
        if not self._remembers:
            return {"batch": self._collated(self._turns.own[batch])}
        needed, turns = self._turns.some(batch)
        # Batches of dialogues hold prompts of all lengths: those of similar length are padded together.
        lengths = [len(self._tokens[place]) for place in needed]
        parts = batches_by_length(lengths, PADDED_TOGETHER[self._device])
        if processes.is_sharded():
            # All processes run such a model in step, so in as many parts.
            parts = [list(range(len(needed)))]
        order = [index for part in parts for index in part]
        return {
            "batch": [self._collated(needed[part]) for part in parts],
            "turns": replace(turns, places=np.argsort(order)[turns.places]),
        }

    def _collated(self, places: Iterable[int]) -> dict[str, Tensor]:
        return collate([self._tokens[place] for place in places], self._padding_id, self._device)

    def loss(self, logits: Tensor, batch: Sequence[int]) -> Tensor:
        """The sum of the task's losses of logits (B, L); see `training.tasks.Objective`."""
        device = logits.device
        targets, offsets = self._targets[batch].to(device), self._offsets[batch].to(device)
        soft = self._soft[batch].to(device) if self._soft is not None else None
        return self._objective.to(device).each(logits.float() + offsets, targets, soft).sum()


def _soft(example: Example, labels: Sequence[str], settings: TrainingSettings) -> list[float]:
    """How likely each label (L,) is to be: the given one, smoothed, and the teacher's opinion."""
    smoothing = settings.loss.label_smoothing
    hard = [(1 - smoothing) * (label == example.target) + smoothing / len(labels) for label in labels]
    if example.soft is None:
        return hard
    weight = settings.loss.soft_weight
    return [(1 - weight) * given + weight * example.soft[label] for given, label in zip(hard, labels, strict=True)]


def _frequencies(examples: Sequence[Example], labels: Sequence[str]) -> dict[str, np.ndarray]:
    """(L,) how frequent each label is, by source; never quite 0."""
    counts = {source: np.full(len(labels), 0.5) for source in {example.source for example in examples}}
    for example in examples:
        counts[example.source][labels.index(str(example.target))] += 1
    return {source: count / count.sum() for source, count in counts.items()}
