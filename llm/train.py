"""LoRA fine-tuning of a small encoder: labelled prompts in, a run folder out.

The recipe that reads MELD best with MiniLM: adapters on every linear layer,
a higher rate for the fresh head, a few epochs, the best of them by the
weighted F1 on held-out prompts.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from ..core.errors import SettingsError
from ..core.files import atomic_path, make_folder, write_json
from ..core.runs import ADAPTER, ADAPTER_CONFIG, HEAD, Run, save_run
from ..core.settings import Device, Settings
from ..core.timeline import Prompt, Scored
from ..core.weights import find_base
from .reader import Reader, read_config, resolve_device
from .score import score
from .tokens import PromptTokenizer, collate, shuffled_batches

if TYPE_CHECKING:
    import torch


class TrainingSettings(Settings):
    """How an adapter is trained."""

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    head_dropout: float = Field(default=0.1, ge=0, lt=1)
    learning_rate: float = Field(default=5e-4, gt=0)
    head_learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_share: float = Field(default=0.06, ge=0, lt=1)
    clip_norm: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=32, ge=1)
    epochs: int = Field(default=4, ge=1)
    seed: int = 0
    device: Device = "auto"


@dataclass(frozen=True)
class Example:
    """A prompt, its label, and how much it counts."""

    prompt: Prompt
    label: str
    weight: float = 1.0


def fit(
    run: Run,
    examples_of: Callable[[int], Sequence[Example]],
    dev: Sequence[Example],
    settings: TrainingSettings,
    *,
    judge: Callable[[Sequence[Example], Sequence[Scored]], float] | None = None,
    offline: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> Run:
    """Train an adapter and its head; returns the run that was written.

    The epochs' adapters stay under `epochs/` in the run's folder; the best
    one is the run's.

    Args:
        run: what is to come out, but for temperature, seeds and metrics.
        examples_of: the examples of an epoch, counted from 0.
        dev: what epochs are judged by, and the temperature is fitted on.
        judge: how good scores of `dev` are; the more the better.  Weighted F1
            unless given.
        report: told a line an epoch.

    Raises:
        SettingsError: no examples, or a label that the run does not have.
        UnavailableError: the base model is not here.
    """
    import torch

    folder = make_folder(run.folder)
    base = find_base(run.base.id, run.base.sha256, offline=offline)
    _seed(settings.seed)
    reader = _untrained(base, run, settings)
    epochs = [list(examples_of(epoch)) for epoch in range(settings.epochs)]
    _check(run, [*epochs, dev])

    steps = sum(math.ceil(len(examples) / settings.batch_size) for examples in epochs)
    optimizer, schedule = _optimizer(reader, settings, steps)
    judge = judge or weighted_f1
    best, best_quality, temperature, history = -1, -math.inf, 1.0, []
    for epoch, examples in enumerate(epochs):
        loss = _train_epoch(reader, examples, optimizer, schedule, settings, epoch)
        scored = _scores(reader, dev)
        quality = judge(dev, scored)
        history.append({"epoch": epoch, "loss": round(loss, 4), "dev": round(quality, 4)})
        report(f"epoch {epoch + 1}/{settings.epochs}: loss {loss:.3f}, dev {quality:.4f}")
        _save(reader, run.base.id, make_folder(folder / "epochs" / str(epoch)))
        if quality > best_quality:
            best, best_quality, temperature = epoch, quality, fitted_temperature(dev, scored)
    _promote(folder / "epochs" / str(best), folder)
    run = run.model_copy(
        update={
            "temperature": round(temperature, 3),
            "seeds": (settings.seed,),
            "metrics": {**run.metrics, "epochs": history, "best_epoch": best},
            "training": {**run.training, "settings": settings.model_dump(mode="json"), "torch": torch.__version__},
        }
    )
    save_run(run)
    return run


# ── the model ────────────────────────────────────────────────────────────────


def _untrained(base: Path, run: Run, settings: TrainingSettings) -> Reader:
    """A reader whose encoder is the base under fresh adapters."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    from .encoder import Encoder
    from .heads import TargetClassifier

    device = resolve_device(settings.device)
    lora = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules="all-linear"
    )
    encoder = Encoder(get_peft_model(AutoModel.from_pretrained(base), lora))
    config = read_config(base)
    return Reader(
        encoder=encoder.to(device),
        head=TargetClassifier(config["hidden_size"], len(run.labels), settings.head_dropout).to(device),
        tokenizer=PromptTokenizer(base),
        labels=run.labels,
        temperature=1.0,
        device=device,
    )


def _save(reader: Reader, base: str, folder: Path) -> None:
    """PEFT's two files and the head.  The base is named by its id: PEFT would write this machine's path."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    model: Any = reader.encoder.model
    config = model.peft_config["default"].to_dict()
    config.update(base_model_name_or_path=base, inference_mode=True, target_modules=sorted(config["target_modules"]))
    write_json(folder / ADAPTER_CONFIG, {key: getattr(value, "value", value) for key, value in config.items()})
    for name, state in ((ADAPTER, get_peft_model_state_dict(model)), (HEAD, reader.head.state_dict())):
        with atomic_path(folder / name) as partial:
            partial.write_bytes(save({key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}))


def _promote(epoch: Path, folder: Path) -> None:
    for name in (ADAPTER_CONFIG, ADAPTER, HEAD):
        with atomic_path(folder / name) as partial:
            partial.write_bytes((epoch / name).read_bytes())


# ── the loop ─────────────────────────────────────────────────────────────────


def _train_epoch(
    reader: Reader,
    examples: Sequence[Example],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    settings: TrainingSettings,
    epoch: int,
) -> float:
    """One pass over the examples; returns the mean loss."""
    import torch
    from torch.nn.functional import cross_entropy

    tokens = reader.tokenizer([example.prompt for example in examples])
    targets = torch.tensor([reader.labels.index(example.label) for example in examples], device=reader.device)
    weights = torch.tensor([example.weight for example in examples], device=reader.device)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    batches = shuffled_batches([len(each) for each in tokens], settings.batch_size, settings.seed * 1000 + epoch)
    reader.encoder.train()
    reader.head.train()
    total = 0.0
    for batch in batches:
        tensors = collate([tokens[i] for i in batch], reader.tokenizer.padding_id, reader.device)
        with _autocast(reader.device):
            logits = reader.logits(tensors)
        losses = cross_entropy(logits.float(), targets[batch], reduction="none")
        loss = (losses * weights[batch]).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
        optimizer.step()
        schedule.step()
        total += float(loss.detach())
    return total / len(batches)


def _optimizer(
    reader: Reader, settings: TrainingSettings, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """AdamW; the rate rises over the warm-up and then falls to nothing in a line."""
    from torch.optim import AdamW
    from torch.optim.lr_scheduler import LambdaLR

    adapters = [parameter for parameter in reader.encoder.parameters() if parameter.requires_grad]
    optimizer = AdamW(
        [
            {"params": adapters, "lr": settings.learning_rate},
            {"params": list(reader.head.parameters()), "lr": settings.head_learning_rate},
        ],
        weight_decay=settings.weight_decay,
    )
    warmup = max(1, round(steps * settings.warmup_share))

    def factor(step: int) -> float:
        return (step + 1) / warmup if step < warmup else max(0.0, (steps - step) / max(1, steps - warmup))

    return optimizer, LambdaLR(optimizer, factor)


def _autocast(device: str) -> contextlib.AbstractContextManager:
    """bfloat16 where the hardware multiplies it; elsewhere it would only be slower."""
    import torch

    if device == "cuda":
        return torch.autocast("cuda", torch.bfloat16, enabled=torch.cuda.is_bf16_supported())
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported())


def _seed(seed: int) -> None:
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


# ── judging ──────────────────────────────────────────────────────────────────


def _scores(reader: Reader, examples: Sequence[Example]) -> list[Scored]:
    reader.encoder.eval()
    reader.head.eval()
    return score(reader, [example.prompt for example in examples])


def weighted_f1(examples: Sequence[Example], scored: Sequence[Scored]) -> float:
    """F1 of each label, weighted by how many examples have it; in 0–1."""
    from sklearn.metrics import f1_score

    true = [example.label for example in examples]
    return float(f1_score(true, [each.label for each in scored], average="weighted", zero_division=0))  # pyright: ignore[reportArgumentType]


def fitted_temperature(examples: Sequence[Example], scored: Sequence[Scored]) -> float:
    """What logits are best divided by (Guo et al., 2017): least negative log-likelihood, to 1 %."""
    labels = list(scored[0].scores)
    logits = np.log(np.maximum([list(each.scores.values()) for each in scored], 1e-12))
    true = np.array([labels.index(example.label) for example in examples])

    def negative_log_likelihood(temperature: float) -> float:
        scaled = logits / temperature
        log_sums = np.log(np.exp(scaled - scaled.max(1, keepdims=True)).sum(1)) + scaled.max(1)
        return float((log_sums - scaled[np.arange(len(true)), true]).mean())

    return float(min(np.geomspace(0.25, 8.0, 350), key=negative_log_likelihood))


def _check(run: Run, parts: Iterable[Sequence[Example]]) -> None:
    for examples in parts:
        if not examples:
            raise SettingsError("training needs examples, and others to judge by; one of the two is empty")
        unknown = {example.label for example in examples} - set(run.labels)
        if unknown:
            raise SettingsError(f"label {sorted(unknown)[0]!r} is not among the run's: {', '.join(run.labels)}")
