"""Corpora, read as prose: extract their cues, read their prompts, evaluate runs on one, fine-tune a run on one.

corpus ─ cues_of ─▶ cues ─ moments_of_clips ─▶ moments ─ render ─▶ prompts ─ score ─▶ predictions ─▶ report
                                                                           └ fit ───▶ run
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .evaluating import Evaluation, evaluate
    from .extracting import extract, extraction_settings
    from .finetuning import finetune
    from .prompting import prompts

_PLACES = {
    "Evaluation": "evaluating",
    "evaluate": "evaluating",
    "extract": "extracting",
    "extraction_settings": "extracting",
    "finetune": "finetuning",
    "prompts": "prompting",
}
__all__ = ["Evaluation", "evaluate", "extract", "extraction_settings", "finetune", "prompts"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: who extracts cues needs no language model."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
