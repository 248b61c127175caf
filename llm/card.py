"""The model card of a run: what it is, what it was made of, what it may not be used for.

`card.md.j2` says what the run knows and nothing else; what is not known is left out.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..core.text import bare, in_markdown, one_line
from ..training.curves import FIGURE
from .run import TextRun

# What the hub calls licences, of those that adapters and their data have; the rest are "other".
HUB_LICENCES = (
    "apache-2.0",
    "mit",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "gpl-3.0",
    "llama3",
)
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")

SIGNALS = {"T": "what was said", "V": "how the face looked", "A": "how the voice sounded"}

# A label with a smaller share of the training data is named as rare.
RARE = 0.05


def model_card(run: TextRun) -> str:
    """The card in Markdown, with the hub's YAML in front, of a run as `finetune` leaves it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "md": in_markdown,
        "code": lambda value: _line(value).replace("`", "'"),
        "shell": lambda value: shlex.quote(_line(value)),
        "yaml": _yaml,
        "measure": _measure,
        "number": _number,
        "duration": _duration,
        "listed": _listed,
    }
    data, learnt = run.training.get("data", ()), _learnt(run)
    return environment.get_template("card.md.j2").render(
        run=run,
        front=_front(run),
        hub_id=HUB_ID.fullmatch(run.base.id),
        signals=[SIGNALS[letter] for letter in run.training.get("modalities", "")],
        lora=_lora(run.training.get("settings", {}).get("lora")),
        data=data,
        training={"settings": None, "seconds": None, "init": None, **run.training},
        metrics=run.metrics,
        figure=FIGURE if (run.folder / FIGURE).is_file() else None,
        engines=_engines(run),
        learnt=sum(learnt.values()),
        rare={label: count for label, count in learnt.items() if count < RARE * sum(learnt.values())},
    )


def _front(run: TextRun) -> dict[str, Any]:
    """The hub's own fields."""
    front: dict[str, Any] = {"base_model": run.base.id} if HUB_ID.fullmatch(run.base.id) else {}
    front |= {"library_name": "peft", "pipeline_tag": "text-classification"}
    licence = run.licence.strip().casefold()
    if licence in HUB_LICENCES:
        front["license"] = licence
    elif licence:
        front |= {"license": "other", "license_name": _line(run.licence)}
    return front | {"tags": ["emoscribe", "lora", "emotion-recognition", "affective-computing"]}


def _lora(lora: Mapping[str, Any] | None) -> list[str]:
    if lora is None:
        return []
    targets = lora["target_modules"]
    return [
        f"rank {lora['rank']}",
        f"α {lora['alpha']}",
        *(["rank-stabilised"] if lora["rank_stabilized"] else []),
        "on every linear layer" if targets == "all-linear" else f"on {_listed(targets)}",
    ]


def _engines(run: TextRun) -> list[str]:
    """The extractors of the signals that it reads."""
    engines = {"T": run.extractors.speech, "V": run.extractors.face, "A": run.extractors.voice}
    return [
        f"{each.engine} ({SIGNALS[letter]})" for letter, each in engines.items() if each and letter in run.modalities
    ]


def _learnt(run: TextRun) -> dict[str, int]:
    """How often each label of the run occurs in the training data."""
    counts: Counter[str] = Counter()
    for part in run.training.get("data", ()):
        if part["split"] == "train":
            counts.update(part["labels"])
    return {label: counts[label] for label in run.labels}


# ── in Markdown ──────────────────────────────────────────────────────────────


def _line(value: object) -> str:
    return one_line(str(value))


def _measure(name: str) -> str:
    """`weighted_f1` as people write it."""
    if name == "mean":
        return "the mean over the corpora, each read by what its labels are about"
    return in_markdown(re.sub(r"\bf1\b", "F1", name.replace("_", " ")))


def _number(value: float | None) -> str:
    """Counts with commas, shares to three places, and a dash for what was not finite."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} second{'' if round(seconds) == 1 else 's'}"


def _listed(values: Sequence[object]) -> str:
    names = [str(value) for value in values]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _yaml(value: object) -> str:
    # Strings in YAML keep their line breaks escaped, so none of them ends a block.
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10**6)
    # What would make a line read in another order than it is stored is escaped with all that is not ASCII.
    return text if bare(text) == text else yaml.safe_dump(value, sort_keys=False, width=10**6)
