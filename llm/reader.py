"""A reader: a base model with a run's adapter and head, ready to score prompts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.context import DEFAULT, Context, resolve_device
from ..core.errors import EmoscribeError, MediaError
from ..core.files import read_json
from ..core.weights import find_base
from .run import HEAD, Run
from .tokens import PromptTokenizer

if TYPE_CHECKING:
    from .heads import Classification
    from .label_words import LabelWords


@dataclass(frozen=True, eq=False)
class Reader:
    """What `score` needs.

    Attributes:
        model: a batch as `collate` makes it, and what it begins with, to
            logits (B, L), L as `labels`; its `head` is what was trained beside the adapter, or `None`.
        temperature: what the logits are divided by.
    """

    model: Classification | LabelWords
    tokenizer: PromptTokenizer
    labels: tuple[str, ...]
    temperature: float
    device: str


def load_reader(run: Run, context: Context = DEFAULT) -> Reader:
    """The reader that a run describes.

    Raises:
        UnavailableError: the base model, the device or what its weights need is not here.
        EmoscribeError: the run's files are damaged or do not fit its base.
    """
    from safetensors import SafetensorError

    chosen = resolve_device(context.device)
    folder = find_base(run.base.id, run.base.sha256, context)
    tokenizer = tokenizer_for(folder, run)
    try:
        model = _load_model(run, folder, tokenizer, chosen)
    except (OSError, SafetensorError, RuntimeError, KeyError, TypeError, ValueError, ImportError, MediaError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EmoscribeError(f"run {run.folder} cannot be loaded onto {run.base.id}: {reason}") from None
    return Reader(
        model=model.to(chosen).eval(),
        tokenizer=tokenizer,
        labels=run.labels,
        temperature=run.temperature,
        device=chosen,
    )


def _load_model(run: Run, base: Path, tokenizer: PromptTokenizer, device: str) -> Classification | LabelWords:
    if run.head.kind == "label-words":
        from .base import check_fit, dtype_for, load_adapted, load_base
        from .label_words import LabelWords

        if run.zero_shot:
            check_fit(read_config(base), run.head)
            model = load_base(base, run.head, run.base.quantization, device, dtype_for(device))
        else:
            model = load_adapted(base, run.folder, run.head, device, run.base.quantization)
        return LabelWords(model, tokenizer.answers)

    from safetensors.torch import load_file

    from .encoder import Encoder, load_encoder
    from .heads import Classification, Classifier

    config = read_config(base)
    encoder = load_encoder(base, run.folder, config, device, run.base.quantization)
    hidden_size = encoder.hidden_size if isinstance(encoder, Encoder) else config["hidden_size"]
    head = Classifier(hidden_size, len(run.labels), run.head.pooling)
    head.load_state_dict({name: tensor.float() for name, tensor in load_file(run.folder / HEAD).items()})
    return Classification(encoder, head)


def tokenizer_for(base: Path, run: Run) -> PromptTokenizer:
    """Label words are prepared together with the prompts that they follow, and these as turns of a chat.

    Raises:
        UnavailableError: the base has no fast tokenizer.
        SettingsError: it cannot tell the labels apart, or has no template for chats.
    """
    from .chat import chat_frame, has_chat_template

    chat = run.prompt.frame == "chat" or (run.prompt.frame == "auto" and has_chat_template(base))
    answers = run.labels if run.head.kind == "label-words" else ()
    return PromptTokenizer(base, answers, chat_frame(base) if chat else None)


def read_config(folder: Path) -> dict[str, Any]:
    """A base model's `config.json`."""
    return read_json(folder / "config.json")
