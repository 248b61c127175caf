"""`emoscribe evaluate`: runs on a split of a corpus, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import (
    CORPUS,
    HOP,
    OFFLINE,
    STORE,
    WINDOW,
    context_of,
    corpus_request,
    options,
    out_option,
    run_option,
)
from .parameters import FILE
from .terminal import terminal

if TYPE_CHECKING:
    from ..llm.by_vllm import Vllm

# Of what is measured, what is printed: of blends, of labels, of sets of labels, of numbers.
_SHOWN = (
    *("presence_accuracy", "salience_accuracy"),
    *("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "micro_f1", "jaccard"),
    *("mae", "pearson", "accuracy_2_non_negative", "accuracy_7", "accuracy_2", "accuracy_5"),
)
_MOST_SHOWN = 4

VLLM = options(
    click.option(
        "--engine",
        type=click.Choice(["local", "vllm"]),
        default="local",
        show_default=True,
        help="Who scores labels' words: this process, or vLLM.",
    ),
    click.option("--gpus", type=click.IntRange(0), metavar="N", help="That hold a model of vLLM.  [default: 1]"),
    click.option(
        "--workers", type=click.IntRange(1), metavar="N", help="Of vLLM, as actors on Ray.  [default: one, without Ray]"
    ),
    click.option(
        "--address", metavar="ADDRESS", help="Of a running Ray cluster; all its GPUs, unless --workers says how many."
    ),
)


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
@VLLM
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
            vllm=_vllm(**{name: given[name] for name in ("engine", "gpus", "workers", "address")}),
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


def _vllm(engine: str, gpus: int | None, workers: int | None, address: str | None) -> Vllm | None:
    from ..core.errors import SettingsError
    from ..extractors.executors import RayExecutor, SerialExecutor
    from ..llm.by_vllm import Vllm

    asked = {"--gpus": gpus, "--workers": workers, "--address": address}
    if engine != "vllm":
        named = next((name for name, value in asked.items() if value is not None), None)
        if named is not None:
            raise SettingsError(f"{named} is for --engine vllm")
        return None
    each = 1 if gpus is None else gpus
    by_ray = workers is not None or address is not None
    return Vllm(RayExecutor(workers, each, address) if by_ray else SerialExecutor(), max(1, each))
