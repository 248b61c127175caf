"""What is learnt from: the labelled prompts of an epoch as batches of tensors, and their loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.timeline import Prompt, Target
from ..training.tasks import objective_for, targets_of
from .run import TextRun
from .settings import TrainingSettings
from .tokens import Tokens, collate, shuffled_batches


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
    """The examples of an epoch, in random batches of similar length.

    Args:
        tokens: of their prompts, in their order.
        padding_id, device: as `collate` takes them.

    Attributes:
        indices: of the examples in each batch, the shortest first.
        lengths: of the prompts, in tokens.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        tokens: Sequence[Tokens],
        run: TextRun,
        settings: TrainingSettings,
        epoch: int,
        *,
        padding_id: int,
        device: str,
    ) -> None:
        self._tokens, self._padding_id, self._device = tokens, padding_id, device
        self._targets = targets_of(run, [each.target for each in examples])
        self._objective = objective_for(run, self._targets, settings.loss.class_weights)
        self._soft, self._offsets = None, torch.zeros(len(examples), run.outputs)
        if run.task == "labels":
            frequency = _frequencies(examples, run.labels)
            offsets = [settings.loss.logit_adjustment * np.log(frequency[each.source]) for each in examples]
            self._offsets = torch.from_numpy(np.array(offsets, dtype=np.float32))
            self._soft = torch.tensor([_soft(each, run.labels, settings) for each in examples])
        self.lengths = [len(each) for each in tokens]
        self.indices = shuffled_batches(self.lengths, settings.batch_size, settings.seed * 1000 + epoch)

    def prompts(self, batch: Sequence[int]) -> dict[str, Tensor]:
        """As `collate` has them."""
        return collate([self._tokens[i] for i in batch], self._padding_id, self._device)

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
