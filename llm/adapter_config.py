"""PEFT's description of an adapter, checked before anything is built by it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core.errors import EmoscribeError
from ..core.files import read_mapping
from ..core.limits import is_number
from ..core.text import shortened
from .run import ADAPTER_CONFIG

# A model has some thousand layers; what describes more of them describes none.
_MOST_BYTES = 1 << 20
_MOST_RANK = 1 << 16
_MOST_ALPHA = 1e6


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """What `adapter_config.json` says.

    Raises:
        MediaError: it is missing, or not a mapping in JSON.
        EmoscribeError: no adapter has such numbers.
    """
    path = folder / ADAPTER_CONFIG
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        raise EmoscribeError(f"{path} has {path.stat().st_size:,} bytes: no adapter is described in so many")
    config = read_mapping(path)
    if config.get("peft_type") == "LORA":
        for name, most, whole in (("r", _MOST_RANK, True), ("lora_alpha", _MOST_ALPHA, False)):
            patterns = config.get(f"{'rank' if whole else 'alpha'}_pattern")
            given = [config.get(name), *(patterns.values() if isinstance(patterns, Mapping) else ())]
            for value in given:
                if not is_number(value) or (whole and not isinstance(value, int)) or not 0 < value <= most:
                    kind = "whole number" if whole else "number"
                    raise EmoscribeError(
                        f"{path}: {name} must be a {kind} above 0 and up to {most:g}, got {shortened(value)}"
                    )
    return config
