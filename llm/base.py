"""Base models as `transformers` reads them, and PEFT's adapters on them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.console import hushed
from ..core.errors import EmoscribeError, SettingsError, UnavailableError
from ..core.tensors import load_tensors
from .adapter_config import read_adapter_config
from .run import ADAPTER
from .settings import Head

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from torch import nn


@hushed()
def load_base(folder: Path, head: Head, quantization: str, device: str, dtype: torch.dtype) -> nn.Module:
    """A base model on its device: without what its checkpoint was trained to predict, or, for label words, with it.

    Raises:
        UnavailableError: it is to be quantized, and that cannot be done here.
        EmoscribeError: the checkpoint lacks weights.
        OSError, ValueError, KeyError, ImportError: `transformers` cannot read it.
    """
    import torch
    from transformers import AutoModel, AutoModelForCausalLM

    # Attention stays PyTorch's own, which picks a kernel by what the device has.  FlashAttention's package takes no
    # masks, so no branches of label words, and with some hundred tokens a prompt attention is little of the work.
    # What a checkpoint brings as code is not run; left open, `transformers` would ask on the terminal.
    options: dict[str, Any] = {"dtype": dtype, "trust_remote_code": False}
    if device == "cuda":
        options["device_map"] = {"": torch.cuda.current_device()}
    if quantization == "nf4":
        options["quantization_config"] = _nf4(device, dtype)
    kind = AutoModelForCausalLM if head.kind == "label-words" else AutoModel
    loaded: Any = kind.from_pretrained(folder, output_loading_info=True, **options)
    model, found = loaded
    missing = sorted(found["missing_keys"])
    if missing and all(name.startswith("pooler.") for name in missing):
        # A fresh one would be another one each time that the base is loaded.
        model.pooler = None
    elif missing:
        raise EmoscribeError(f"the weights in {folder} lack {missing[0]}; take a base that has all it needs")
    return model


def load_adapted(base: Path, adapter: Path, head: Head, device: str, quantization: str) -> nn.Module:
    """A base model with a run's adapter, for reading.

    Raises:
        UnavailableError, EmoscribeError, OSError, …: see `load_base` and `_adapted`.
    """
    import torch

    dtype = dtype_for(device)
    model = _adapted(load_base(base, head, quantization, device, dtype), adapter)
    # In fewer bits than float32, a merged weight would round away what the adapter adds.
    return model.merge_and_unload() if quantization == "none" and dtype == torch.float32 else model


@hushed()
def _adapted(model: nn.Module, folder: Path) -> PeftModel:
    """The base under a run's adapter, whose weights are float32.

    Raises:
        EmoscribeError: the adapter was made for another base.
        OSError, ValueError, TypeError, MediaError: its files are damaged.
    """
    from peft import PeftConfig, get_peft_model, set_peft_model_state_dict

    config = PeftConfig.from_peft_type(**read_adapter_config(folder))
    config.inference_mode = True
    # PEFT warns where this names another place than the one that the base was read from.
    config.base_model_name_or_path = None
    weights = load_tensors(folder / ADAPTER)
    adapted = get_peft_model(model, config)  # pyright: ignore[reportArgumentType]
    misfits = set_peft_model_state_dict(adapted, weights)
    lacking = [name for name in misfits.missing_keys if "lora_" in name]
    if named := [*misfits.unexpected_keys, *lacking]:
        raise EmoscribeError(f"the adapter in {folder} does not fit its base model (at {named[0]})")
    return adapted


def dtype_for(device: str, precision: str = "auto") -> torch.dtype:
    """What weights of a base are kept in: bfloat16 on a GPU that multiplies it, else float32."""
    import torch

    half = device == "cuda" and precision != "float32" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if half else torch.float32


def check_fit(config: dict[str, Any], head: Head) -> None:
    """Raises:
    SettingsError: a base of this `config.json` has nothing for the head to look at.
    """
    base = f"a base of type {config.get('model_type')}"
    if config.get("is_encoder_decoder"):
        raise SettingsError(f"{base} is an encoder and a decoder in one; take one that is either")
    causal = is_causal(config)
    if head.kind == "label-words" and not causal:
        raise SettingsError(f"head.kind label-words needs a causal base, and {base} is none; use classification")
    if head.kind == "classification" and causal and head.pooling == "target-mean+pooler":
        raise SettingsError(
            f"head.pooling target-mean+pooler looks at the first token, which in {base} has seen nothing else; "
            "use last-token or target-mean"
        )


def is_causal(config: dict[str, Any]) -> bool:
    """Whether a base of this `config.json` reads in one direction."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = config.get("model_type")
    # An encoder can be asked to work as a decoder; what cannot fill gaps is nothing else.
    decodes_only = kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    return decodes_only or bool(config.get("is_decoder"))


def _nf4(device: str, dtype: torch.dtype) -> Any:
    """Weights in four bits, their scales in eight (Dettmers et al., 2023)."""
    if device != "cuda":
        raise UnavailableError(f"quantization nf4 needs a GPU, and the device is {device}; set base.quantization: none")
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UnavailableError(
            "quantization nf4 needs bitsandbytes; get it with: pip install 'emoscribe[gpu]' "
            "(or set base.quantization: none)"
        )
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
