"""What is learnt from: the labelled prompts of an epoch as batches of tensors, and their loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..core.timeline import Prompt
from .settings import TrainingSettings
from .tokens import PromptTokenizer, batches_by_length, batches_of_runs, collate, shuffled_batches
from .turns import read_once

# Tokens, padding included, of prompts that a batch of dialogues reads at a time: a CPU is no faster with more, and
# pads less with fewer.
PADDED_TOGETHER = {"cpu": 512, "cuda": 16384}


@dataclass(frozen=True)
class Example:
    """A prompt and its label.

    Attributes:
        source: whose label it is: labels are as frequent as in their source.
        soft: how likely each label is in a teacher's eyes, if one was asked.
    """

    prompt: Prompt
    label: str
    source: str = ""
    soft: Mapping[str, float] | None = None


class Batches:
    """The examples of an epoch, in random batches of similar length; of dialogues that are remembered, in their order.

    Args:
        labels: the answers, in their order.

    Attributes:
        indices: of the examples in each batch.
        lengths: of the prompts, in tokens; turns before them not counted.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        tokenizer: PromptTokenizer,
        labels: Sequence[str],
        settings: TrainingSettings,
        epoch: int,
        *,
        device: str,
    ) -> None:
        frequency = _frequencies(examples, labels)
        self._targets = torch.tensor([_target(each, labels, settings) for each in examples])
        self._weights = torch.tensor(_weights(examples, settings.loss.class_weights))
        offsets = [settings.loss.logit_adjustment * np.log(frequency[each.source]) for each in examples]
        self._offsets = torch.from_numpy(np.array(offsets, dtype=np.float32))
        self._padding_id, self._device = tokenizer.padding_id, device
        prompts, self._turns = read_once([example.prompt for example in examples])
        self._tokens = tokenizer(prompts)
        self.lengths = [len(self._tokens[place]) for place in self._turns.own]
        self._remembers = any(example.prompt.history for example in examples)
        seed = settings.seed * 1000 + epoch
        if self._remembers:
            self.indices = batches_of_runs(self._turns.follows_the_one_before(), settings.batch_size, seed)
        else:
            self.indices = shuffled_batches(self.lengths, settings.batch_size, seed)

    def inputs(self, batch: Sequence[int]) -> dict[str, Any]:
        """What a `heads.Classification` or `label_words.LabelWords` is called with."""
        if not self._remembers:
            return {"batch": self._collated(self._turns.own[batch])}
        needed, turns = self._turns.some(batch)
        # Batches of dialogues hold prompts of all lengths: those of similar length are padded together.
        parts = batches_by_length([len(self._tokens[place]) for place in needed], PADDED_TOGETHER[self._device])
        order = [index for part in parts for index in part]
        return {
            "batch": [self._collated(needed[part]) for part in parts],
            "turns": replace(turns, places=np.argsort(order)[turns.places]),
        }

    def _collated(self, places: Sequence[int]) -> dict[str, Tensor]:
        return collate([self._tokens[place] for place in places], self._padding_id, self._device)

    def loss(self, logits: Tensor, batch: Sequence[int]) -> Tensor:
        """The weighted sum of the cross-entropies of logits (B, L)."""
        targets, weights, offsets = (
            each[batch].to(logits.device) for each in (self._targets, self._weights, self._offsets)
        )
        losses = cross_entropy(logits.float() + offsets, targets, reduction="none")
        return (losses * weights).sum()


def _target(example: Example, labels: Sequence[str], settings: TrainingSettings) -> list[float]:
    """How likely each label (L,) is to be: the given one, smoothed, and the teacher's opinion."""
    smoothing = settings.loss.label_smoothing
    hard = [(1 - smoothing) * (label == example.label) + smoothing / len(labels) for label in labels]
    if example.soft is None:
        return hard
    weight = settings.loss.soft_weight
    return [(1 - weight) * given + weight * example.soft[label] for given, label in zip(hard, labels, strict=True)]


def _frequencies(examples: Sequence[Example], labels: Sequence[str]) -> dict[str, np.ndarray]:
    """(L,) how frequent each label is, by source; never quite 0."""
    counts = {source: np.full(len(labels), 0.5) for source in {example.source for example in examples}}
    for example in examples:
        counts[example.source][labels.index(example.label)] += 1
    return {source: count / count.sum() for source, count in counts.items()}


def _weights(examples: Sequence[Example], kind: str) -> list[float]:
    """What each example counts by its label: one on average."""
    counts = Counter(example.label for example in examples)
    power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[kind]
    weights = [counts[example.label] ** -power for example in examples]
    mean = sum(weights) / len(weights)
    return [weight / mean for weight in weights]
