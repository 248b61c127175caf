"""LoRA adapters in PEFT's format, merged into the weights that they adapt.

Merged weights read as fast as the base alone.  What is merged here is plain
LoRA (Hu et al., 2022), rank-stabilised or not; the rest is PEFT's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core.errors import EmoscribeError
from ..core.tensors import load_tensors
from .adapter_config import read_adapter_config
from .run import ADAPTER

_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"

# What makes an adapter more than W + s·B·A with one rank and scale throughout.
_VARIANTS = (
    "use_dora",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "fan_in_fan_out",
    "trainable_token_indices",
)


def is_plain(config: Mapping[str, Any]) -> bool:
    """Whether an `adapter_config.json` describes what `merged` merges."""
    usual = config.get("peft_type") == "LORA" and config.get("bias", "none") == "none"
    return usual and not any(config.get(variant) for variant in _VARIANTS)


def merged(weights: Mapping[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """`weights` with W + s·B·A for every adapted matrix W; s is α/r, or α/√r if rank-stabilised.

    Raises:
        EmoscribeError: the adapter was made for another base.
    """
    config = read_adapter_config(folder)
    scale = config["lora_alpha"] / (math.sqrt(config["r"]) if config.get("use_rslora") else config["r"])
    adapter = load_tensors(folder / ADAPTER)
    result = dict(weights)
    for name in adapter:
        if not name.endswith(_A):
            continue
        module = name.removesuffix(_A)
        down, up = adapter[name].float(), adapter[module + _B].float()
        adapted = module.removeprefix(_PREFIX) + ".weight"
        if adapted not in result or result[adapted].shape != (up.shape[0], down.shape[1]):
            raise EmoscribeError(f"the adapter in {folder} does not fit its base model (at {adapted})")
        result[adapted] = result[adapted].float() + scale * (up @ down)
    return result
