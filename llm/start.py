"""Training that goes on from another run: its adapter, and of its head what labels have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..core.errors import EmoscribeError, SettingsError
from ..core.settings import validate
from ..core.tensors import load_tensors
from ..core.text import first_line
from .run import ADAPTER, HEAD, TextRun, find_run
from .settings import LoraSettings, TrainingSettings

if TYPE_CHECKING:
    from .predictor import TextPredictor

S = TypeVar("S", bound=TrainingSettings)

# What `auto` starts from: it has read many people's words, and anybody may use what it learnt from.
FREE = "goemotions-minilm"


def started(settings: S, examples: int, modalities: str) -> tuple[S, TextRun | None]:
    """The settings with the shape of the adapter and head that training starts from, and whose these are.

    Args:
        examples: of an epoch; `auto` helps where they are few.
        modalities: what is read; `auto` has learnt from words.

    Returns:
        settings whose `init` is a run or nothing.

    Raises:
        SettingsError: `init` names no run, one without an adapter, or one for another base.
    """
    if settings.init == "auto":
        start, shaped = _shaped(settings, FREE)
        alike = _has_base(start, settings) and shaped == settings.model_copy(update={"init": FREE})
        if alike and "T" in modalities and settings.is_few(examples):
            return shaped, start
        return settings.model_copy(update={"init": None}), None
    if settings.init is None:
        return settings, None
    start, shaped = _shaped(settings, settings.init)
    if not _has_base(start, settings):
        raise SettingsError(
            f"init {settings.init} is an adapter for {start.base.id}, and base.id is {settings.base.id}; "
            f"set base.id={start.base.id}, or init=null to start afresh"
        )
    return shaped, start


def start_from(start: TextRun, predictor: TextPredictor) -> None:
    """Give a predictor a run's adapter, its memory of turns, and its head's rows for the labels that both have.

    Raises:
        EmoscribeError: the run's files are damaged, or of another shape.
    """
    from peft import PeftModel, set_peft_model_state_dict

    model = next(module for module in predictor.model.modules() if isinstance(module, PeftModel))
    try:
        loaded = set_peft_model_state_dict(model, load_tensors(start.folder / ADAPTER))
        lacking = [*(name for name in loaded.missing_keys if "lora_" in name), *loaded.unexpected_keys]
        if lacking:
            raise KeyError(lacking[0])
        if predictor.model.head is None:
            return
        head, known = predictor.model.head.state_dict(), load_tensors(start.folder / HEAD)
        for name in head.keys() & known.keys():
            if "classifier." not in name:
                head[name].copy_(known[name])
                continue
            for row, label in enumerate(predictor.labels):
                if label in start.labels:
                    head[name][row] = known[name][start.labels.index(label)]
    except (RuntimeError, KeyError) as error:
        raise EmoscribeError(f"run {start.folder} cannot be started from: {first_line(error)}") from None


def _has_base(start: TextRun, settings: TrainingSettings) -> bool:
    """Of a base in a folder a run remembers the folder's name."""
    return start.base.id in (settings.base.id, Path(settings.base.id).name)


def _shaped(settings: S, name: str) -> tuple[TextRun, S]:
    """A run, and the settings with its adapter's rank, scale and layers, and its kind of head."""
    start = find_run(name)
    if start.pack is not None:
        raise SettingsError(f"init {name} is a pack, which only reads; name the run that it was made from")
    known = start.training.get("settings", {}).get("lora")
    if known is None:
        raise SettingsError(f"init {name} does not say what adapter it has; name a run that `finetune` wrote")
    lora = validate(LoraSettings, {**known, "dropout": settings.lora.dropout}, f"init {name}")
    return start, settings.model_copy(update={"init": name, "lora": lora, "head": start.head})
