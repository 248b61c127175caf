"""A predictor before it learns: a base under a fresh adapter and head, or under those that training starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from ..core.console import hushed
from ..core.errors import EmoscribeError, SettingsError
from ..core.text import first_line
from .base import check_fit, dtype_for, load_base
from .bert import is_plain_bert
from .encoder import Encoder
from .heads import Classification, Classifier
from .label_words import LabelWords
from .predictor import TextPredictor, read_config, tokenizer_for
from .run import TextRun, find_run
from .settings import LoraSettings, TrainingSettings
from .start import start_from
from .tokens import PromptTokenizer

if TYPE_CHECKING:
    from peft import LoraConfig
    from torch import nn


def untrained(
    base: Path, run: TextRun, settings: TrainingSettings, device: str, *, sharded: bool = False
) -> TextPredictor:
    """A predictor whose adapter and head (`predictor.model.head`, or `None`) are to be trained; both are float32.

    Args:
        base: the folder of the base model.
        run: whose labels are the answers.
        sharded: leave the weights in main memory: no device is to hold them all.

    Raises:
        SettingsError: the head does not fit the base or the prompts, or the base has no such layers to adapt.
        UnavailableError: the base is to be quantized, and that cannot be done here.
        EmoscribeError: the base cannot be loaded.
    """
    config = read_config(base)
    check_fit(config, settings.head)
    if settings.head.kind == "label-words" and run.prompt.history_turns:
        raise SettingsError(
            "prompt.history_turns are remembered by a classification head; "
            "with label-words, let the prompt itself hold turns by prompt.context_turns"
        )
    tokenizer = tokenizer_for(base, run)
    # A BERT is read in float32, so it is trained on those weights too.
    precision = "float32" if is_plain_bert(config) else settings.precision
    dtype, place = dtype_for(device, precision), "cpu" if sharded else device
    try:
        model = load_base(base, settings.head, settings.base.quantization, place, dtype)
    except (OSError, SafetensorError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise EmoscribeError(f"the base model {run.base.id} cannot be loaded: {first_line(error)}") from None
    predictor = adapted(model, run, settings, tokenizer, device)
    if not sharded:
        predictor.model.to(device)
    return predictor


@hushed()
def adapted(
    model: Any, run: TextRun, settings: TrainingSettings, tokenizer: PromptTokenizer, device: str
) -> TextPredictor:
    """A base model of `transformers` under an adapter and a head, fresh or from `init`, where its weights are."""
    from peft import get_peft_model

    if settings.base.activation_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
        # The weights before the first adapter are frozen: without this, nothing in the first layer is kept track of.
        model.enable_input_require_grads()
    model = get_peft_model(model, _lora(model, settings.lora))
    predictor = TextPredictor(
        run=run,
        model=_with_head(model, run, settings, tokenizer.answers),
        tokenizer=tokenizer,
        device=device,
    )
    if settings.init is not None:
        start_from(find_run(settings.init), predictor)
    return predictor


def _with_head(
    model: nn.Module, run: TextRun, settings: TrainingSettings, answers: tuple[tuple[int, ...], ...]
) -> Classification | LabelWords:
    if settings.head.kind == "label-words":
        return LabelWords(model, answers)
    encoder = Encoder(model)
    head = Classifier(
        encoder.hidden_size,
        run.outputs,
        settings.head.pooling,
        settings.head_dropout,
        remembers=run.prompt.history_turns > 0,
    )
    return Classification(encoder, head)


def _lora(model: nn.Module, settings: LoraSettings) -> LoraConfig:
    """PEFT's description of the adapter."""
    from peft import LoraConfig

    targets = settings.target_modules
    if targets != "all-linear":
        layers = {name.rpartition(".")[2] for name, each in model.named_modules() if _is_linear(each)}
        paths = [name for name, _ in model.named_modules()]
        for target in targets:
            if not any(path == target or path.endswith(f".{target}") for path in paths):
                raise SettingsError(
                    f"lora.target_modules: the base has no layer {target!r}; there are: {', '.join(sorted(layers))}"
                )
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        use_rslora=settings.rank_stabilized,
        target_modules=targets if isinstance(targets, str) else list(targets),
    )


def _is_linear(module: nn.Module) -> bool:
    """Whether PEFT can adapt it; GPT-2 has layers of a kind of its own."""
    from torch.nn import Linear
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, (Linear, Conv1D))
