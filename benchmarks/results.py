"""What a benchmark ends with: one line of JSON, and on request a file a device.

A ratio above 1 always means that ours is better.
"""

from __future__ import annotations

import json
import platform
import re
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from emoscribe.core.files import make_folder, write_text

PACKAGES = ("torch", "transformers", "peft", "accelerate", "py-feat", "openai-whisper", "av", "numpy")


def report(name: str, ours: float, plain: float, unit: str, device: str, out: Path | None = None, **about: Any) -> None:
    """Print `{"name", "ratio", "ours", "plain", "unit", "device"}`.

    Args:
        unit: of both.  One in seconds is a cost, the less the better; any
            other is a rate.
        device: as `device_name` says it.
        out: a folder.  Its file of this device keeps the latest result of
            each name, with `about` (sizes, whose weights) and versions.
    """
    ratio = plain / ours if unit.startswith("seconds") else ours / plain
    result = {
        "name": name,
        "ratio": round(ratio, 3),
        "ours": float(f"{ours:.4g}"),
        "plain": float(f"{plain:.4g}"),
        "unit": unit,
        "device": device,
    }
    if out is not None:
        path = make_folder(out) / f"{re.sub(r'[^a-z0-9]+', '-', device.lower()).strip('-')}.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        kept[name] = result | about | {"date": date.today().isoformat(), "versions": versions()}
        write_text(path, json.dumps(dict(sorted(kept.items())), indent=2) + "\n")
    print(json.dumps(result), flush=True)


def device_name(device: str) -> str:
    """The GPU's name for `cuda`; the processor's, and how many threads torch has on it, for `cpu`."""
    import torch

    if device == "cuda":
        return torch.cuda.get_device_name()
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    """As Linux names it; elsewhere the architecture alone."""
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        told = ""
    model = re.search(r"^model name\s*:\s*(.+)$", told, re.MULTILINE)
    return model[1].strip() if model else f"{platform.machine()} CPU"


def versions() -> dict[str, str]:
    """Of Python, and of the packages that set the pace."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
