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
    say_what_was_reached,
)
from .terminal import terminal


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
def command(debug: bool, corpus: str, out: Path, mix: tuple[str, ...], seeds: tuple[int, ...], **given: Any) -> None:
    """Fine-tune a language model on CORPUS: train learns, dev chooses the epoch.

    On several GPUs or processes: accelerate launch -m emoscribe finetune ...
    """
    with terminal(debug) as place:
        from ..core.settings import load
        from ..experiments import finetune, finetune_seeds
        from ..experiments.settings import FinetuneSettings
        from ..experiments.training_data import mixed_in

        changed = {name: given[name] for name in ("modalities", "task", "init")}
        seed = seeds[0] if len(seeds) == 1 else None
        settings = load(FinetuneSettings, given["config"], given["assignments"], **changed, seed=seed)
        settings, request = mixed_in(settings, mix), corpus_request(corpus, given)
        how = {"resume": given["resume"], "report": place.say, "context": context_of(given, place)}
        if len(seeds) > 1:
            runs = finetune_seeds(request, out, settings, seeds, **how)
        else:
            runs = [finetune(request, out, settings, **how)]
        for run in runs:
            say_what_was_reached(run, place)
