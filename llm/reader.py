"""A reader: a base model with a run's adapter and head, ready to score prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import EmoscribeError, MediaError, UnavailableError
from ..core.files import read_json
from ..core.runs import HEAD, Run
from ..core.settings import Device
from ..core.weights import find_base
from .tokens import PromptTokenizer

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Reader:
    """What `score` needs.

    Attributes:
        encoder: ids and mask (B, T) to hidden states (B, T, H) and pooled (B, H).
        head: those and the target's mask to logits (B, L), L as `labels`.
        temperature: what the logits are divided by.
    """

    encoder: nn.Module
    head: nn.Module
    tokenizer: PromptTokenizer
    labels: tuple[str, ...]
    temperature: float
    device: str

    def logits(self, batch: dict[str, Tensor]) -> Tensor:
        hidden, pooled = self.encoder(batch["ids"], batch["attended"])
        return self.head(hidden, pooled, batch["target"])


def load_reader(run: Run, *, device: Device = "auto", offline: bool = False) -> Reader:
    """The reader that a run describes.

    Raises:
        UnavailableError: the base model or the device is not here.
        EmoscribeError: the run's files are damaged or do not fit its base.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from .encoder import load_encoder
    from .heads import TargetClassifier

    chosen = resolve_device(device)
    folder = find_base(run.base.id, run.base.sha256, offline=offline)
    config = read_config(folder)
    try:
        encoder = load_encoder(folder, run.folder, config)
        head = TargetClassifier(config["hidden_size"], len(run.labels))
        head.load_state_dict({name: tensor.float() for name, tensor in load_file(run.folder / HEAD).items()})
    except (OSError, SafetensorError, RuntimeError, KeyError, MediaError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EmoscribeError(f"run {run.folder} cannot be loaded onto {run.base.id}: {reason}") from None
    return Reader(
        encoder=encoder.to(chosen).eval(),
        head=head.to(chosen).eval(),
        tokenizer=PromptTokenizer(folder),
        labels=run.labels,
        temperature=run.temperature,
        device=chosen,
    )


def resolve_device(device: Device) -> str:
    """`auto` is a GPU where there is one.

    Raises:
        UnavailableError: `cuda` was asked for and there is none.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise UnavailableError("device cuda was asked for, but torch sees no GPU; use device auto or cpu")
    return device


def read_config(folder: Path) -> dict[str, Any]:
    """A base model's `config.json`."""
    return read_json(folder / "config.json")
