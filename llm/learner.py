"""What of a language model learns: an adapter and its head, on batches of labelled prompts."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import EmoscribeError, SettingsError
from ..core.labels import given
from ..core.prompt import Scored
from ..training import processes
from ..training.answers import tuned_thresholds
from ..training.progress import Metrics
from ..training.tasks import check_target
from .batches import Batches, Example
from .checkpoint import save_adapter
from .parallel import apart, average_gradients
from .predictor import TextPredictor
from .run import TextRun
from .settings import TrainingSettings
from .temperature import fitted_temperatures


@dataclass(frozen=True, eq=False)
class LabelledPrompts:
    """What a language model learns from, and is measured by.

    Attributes:
        examples_of: the examples of an epoch, counted from 0; as many each.
        dev: what epochs are measured on, and temperatures or thresholds are fitted to.
        metrics: measures the scores of dev.
        select: the measure that the best epoch is chosen by.
    """

    examples_of: Callable[[int], Sequence[Example]]
    dev: Sequence[Example]
    metrics: Metrics[Scored]
    select: str


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of an epoch, by their places in it."""

    epoch: Batches
    places: Sequence[int]


class PromptLearner:
    """A `training.updates.Learner`: an adapter and its head.

    Args:
        predictor: an untrained one.
        model: the predictor's, as `parallel.shared` returns it.
    """

    half_range = False

    def __init__(
        self,
        predictor: TextPredictor,
        model: nn.Module,
        settings: TrainingSettings,
        data: LabelledPrompts,
    ) -> None:
        self.model = model
        self._predictor, self._run, self._settings, self._data = predictor, predictor.run, settings, data
        self.head = [] if predictor.model.head is None else list(predictor.model.head.parameters())
        of_head = set(map(id, self.head))
        self.body = [each for each in predictor.model.parameters() if each.requires_grad and id(each) not in of_head]
        self.batches_an_epoch = math.ceil(len(data.examples_of(0)) / settings.batch_size)

    def state(self) -> dict[str, Tensor]:
        return {name: each for name, each in self._predictor.model.named_parameters() if each.requires_grad}

    def batches(self, epoch: int) -> list[Batch]:
        examples = self._data.examples_of(epoch)
        check_examples(self._run, examples)
        predictor = self._predictor
        batches = Batches(examples, predictor.tokenizer, self._run, self._settings, epoch, device=predictor.device)
        return [Batch(batches, places) for places in batches.indices]

    def backward(self, batch: Batch, scale: Callable[[Tensor], Tensor]) -> float:
        """The gradient is that of the mean over all examples of the batch, however it is shared out and cut up.

        Raises:
            EmoscribeError: the GPU's memory does not hold what is learnt from at once.
        """
        from peft.helpers import disable_input_dtype_casting

        settings, device = self._settings, self.body[0].device
        parts = batch.epoch.micro_batches(batch.places, processes.count())[processes.rank()]
        half = _is_half(device.type, settings.precision)
        total = torch.zeros((), device=device)
        try:
            # PEFT would turn all that an adapter sees into float32, only for it to be turned back.
            with disable_input_dtype_casting(self.model, half):
                for part in parts:
                    with apart(self.model) if part is not parts[-1] else contextlib.nullcontext():
                        loss = self._loss(batch, part, torch.autocast(device.type, torch.bfloat16, half))
                        scale(loss).backward()
                        total += loss.detach()
        except torch.OutOfMemoryError:
            at_once = settings.micro_batch_tokens or settings.micro_batch_size or settings.batch_size
            raise EmoscribeError(
                f"the GPU's memory does not hold the model and what it learns from at once ({at_once}); set "
                "micro_batch_tokens lower, or base.activation_checkpointing: true; what an update learns from is the "
                "same"
            ) from None
        average_gradients(self.model, [*self.body, *self.head])
        processes.average([total])
        return float(total)

    def measure(self) -> tuple[Mapping[str, float], dict[str, Any]]:
        """Measures of dev, and what a run remembers of it; the prompts are shared out to all processes."""
        prompts = [example.prompt for example in self._data.dev]
        # A model that lies in all of them is run by all of them in step.
        scored = (
            self._predictor.predict(prompts)
            if processes.is_sharded()
            else processes.mapped(lambda some: self._predictor.predict(some), prompts)
        )
        scored, known = remembered_of(self._run, self._data.dev, scored)
        return self._data.metrics(scored), {**known, "probe": self._predictor.probed().model_dump()}

    def keep(self) -> None:
        save_adapter(self._predictor, self._run.base.id, self._run.folder)

    def _loss(self, batch: Batch, part: Sequence[int], precision: torch.autocast) -> Tensor:
        """What a part of a batch adds to its loss, times the processes, over which gradients are averaged."""
        # With nothing left to do, a process repeats an example that does not count: the others wait for it.
        counted, part = (1.0, part) if part else (0.0, batch.places[:1])
        with precision:
            logits = self.model(**batch.epoch.inputs(part))
        return counted * processes.count() * batch.epoch.loss(logits, part) / len(batch.places)


def remembered_of(
    run: TextRun, dev: Sequence[Example], scored: Sequence[Scored]
) -> tuple[Sequence[Scored], dict[str, Any]]:
    """What was scored, answered by what is fitted to it; and that: temperatures of labels, thresholds of sets."""
    if run.task == "number":
        return scored, {}
    if run.task == "label-sets":
        targets = [each.target for each in dev if isinstance(each.target, frozenset)]
        thresholds = tuned_thresholds([each.scores for each in scored], targets)
        return [replace(each, given=given(each.scores, thresholds)) for each in scored], {"thresholds": thresholds}
    labels = [str(each.target) for each in dev]
    temperatures = fitted_temperatures(labels, scored, [each.prompt.signals for each in dev])
    found = {each.label for each in scored}
    answered = tuple(label for label in run.labels if label in found)
    return scored, {"temperature": temperatures.pop(""), "temperatures": temperatures, "answered": answered}


def check_examples(run: TextRun, examples: Sequence[Example]) -> None:
    """Raises:
    SettingsError: there are none, or one has a target that is not the run's.
    """
    if not examples:
        raise SettingsError("training needs examples, and others to measure on; one of the two is empty")
    for each in examples:
        check_target(run, each.target, f"an example ({each.prompt.text[:40]!r})")


def _is_half(device: str, precision: str) -> bool:
    """bfloat16 where it was asked for or the hardware multiplies it; elsewhere it would only be slower."""
    if precision != "auto":
        return precision == "bfloat16"
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_avx512_bf16_supported()
