"""`emoscribe finetune`: a language model on a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import (
    CORPUS,
    MODALITIES,
    OFFLINE,
    RESUME,
    SEED,
    SET,
    STORE,
    TASK,
    WithEngines,
    config_option,
    context_of,
    corpus_request,
    out_option,
    run_option,
    terminal,
)


@click.command("finetune", cls=WithEngines)
@CORPUS
@out_option("RUN", "The run's folder.", required=True)
@config_option("minilm")
@click.option(
    "--mix",
    multiple=True,
    metavar="NAME=DIR",
    help="Another corpus to learn from, or where the config's lies; repeatable.",
)
@run_option("A run or adapter to start from.  [default: the config's]", "--from", "init")
@STORE
@MODALITIES
@TASK
@SEED
@RESUME
@SET
@OFFLINE
@click.pass_obj
def command(debug: bool, corpus: str, out: Path, mix: tuple[str, ...], resume: bool, **given: Any) -> None:
    """Fine-tune a language model on CORPUS: train learns, dev chooses the epoch.

    On several GPUs or processes: accelerate launch -m emoscribe finetune ...
    """
    with terminal(debug) as place:
        from ..core.settings import load
        from ..experiments import finetune
        from ..experiments.settings import FinetuneSettings
        from ..experiments.training_data import mixed_in

        changed = {name: given[name] for name in ("modalities", "task", "seed", "init")}
        settings = load(FinetuneSettings, given["config"], given["assignments"], **changed)
        request, context = corpus_request(corpus, given), context_of(given, place)
        run = finetune(request, out, mixed_in(settings, mix), resume=resume, report=place.say, context=context)
        select, best = run.metrics["selected_on"], run.metrics["best_epoch"]
        place.say(f"→ {run.folder}: epoch {best + 1}, {select} {run.metrics['dev'][select]:.3f}")
