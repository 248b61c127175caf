"""Corpora, read as prose: extract their cues, read their prompts, train a run on one, evaluate runs on one.

corpus ─ cues_of ─▶ cues ─ moments_of_clips ─▶ moments ─ render ─▶ prompts ─ predict ─▶ predictions ─▶ report
                    │                                                      └ fit ───▶ run
                    └ frames_of ──▶ features ─ fit ──▶ run of the baseline
                                              └ predict ──▶ predictions
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .baselining import baseline
    from .evaluating import Evaluation, evaluate
    from .extracting import extract, extraction_settings
    from .finetuning import finetune, finetune_seeds
    from .prompting import prompts
    from .request import EvaluationRequest

_PLACES = {
    "baseline": "baselining",
    "Evaluation": "evaluating",
    "EvaluationRequest": "request",
    "evaluate": "evaluating",
    "extract": "extracting",
    "extraction_settings": "extracting",
    "finetune": "finetuning",
    "finetune_seeds": "finetuning",
    "prompts": "prompting",
}
__all__ = [
    "Evaluation",
    "EvaluationRequest",
    "baseline",
    "evaluate",
    "extract",
    "extraction_settings",
    "finetune",
    "finetune_seeds",
    "prompts",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: who extracts cues needs no language model."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
