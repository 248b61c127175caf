"""`emoscribe evaluate`: runs on a split of a corpus, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import (
    CORPUS,
    HOP,
    OFFLINE,
    STORE,
    WINDOW,
    context_of,
    corpus_request,
    out_option,
    run_option,
)
from .parameters import FILE
from .terminal import terminal

# Of what is measured, what is printed: of blends, of labels, of sets of labels, of numbers.
_SHOWN = (
    *("presence_accuracy", "salience_accuracy"),
    *("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "micro_f1", "jaccard"),
    *("mae", "pearson", "accuracy_2_non_negative", "accuracy_7", "accuracy_2", "accuracy_5"),
)
_MOST_SHOWN = 4


@click.command("evaluate")
@CORPUS
@click.option("--split", default="test", show_default=True, help="train, dev or test.")
@run_option("A run folder or a shipped adapter; repeatable.", "--run", "runs", multiple=True, required=True)
@out_option("REPORT", "The folder for the report.", required=True)
@STORE
@click.option("--modalities", metavar="TVA[,T,...]", help="Several sets for an ablation.  [default: the run's]")
@WINDOW
@HOP
@click.option(
    "--decide", metavar="HOW[,HOW]", help="With windows: vote, mean-probability, mean-logit.  [default: vote]"
)
@click.option("--blends", type=FILE, help="Thresholds of blends: the blends.json of a report on dev.")
@OFFLINE
@click.pass_obj
def command(debug: bool, corpus: str, split: str, runs: tuple[str, ...], out: Path, **given: Any) -> None:
    """Score runs on a split of CORPUS, and write the report.

    With --window, clips that last are read in windows, and their frames decide.
    """
    with terminal(debug) as place:
        from ..core.files import read_json
        from ..experiments import EvaluationRequest, evaluate

        modalities, decide = (given[name].split(",") if given[name] else None for name in ("modalities", "decide"))
        context = context_of(given, place)
        request = EvaluationRequest(
            corpus_request(corpus, given),
            split,
            runs,
            modalities=modalities,
            window_s=given["window"],
            hop_s=given["hop"],
            decide=decide,
            blends=given["blends"],
        )
        found = evaluate(request, out, context)
        measures = read_json(found.files["metrics.json"]) if "metrics.json" in found.files else {}
        for run, measured in measures.items():
            shown = [name for name in _SHOWN if measured.get(name) is not None]
            figures = "  ".join(f"{name.replace('_', ' ')} {measured[name]:.3f}" for name in shown[:_MOST_SHOWN])
            place.say(f"{run}  {figures}  ({measured['n']} clips)")
        if not measures:
            place.say(f"no clip of the {split} split has a label: answers were written, and nothing was measured")
        place.note(f"→ {found.files['report.html']}")
        if "blends.json" in found.files:
            place.note(f"→ {found.files['blends.json']}: where blends begin, fitted on dev; --blends takes it for test")
        if found.train_overlap:
            names = ", ".join(found.train_overlap)
            place.note(f"the {split} split and what {names} was trained with overlap: the report says in what")
