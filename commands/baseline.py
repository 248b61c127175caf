"""`emoscribe baseline`: a feature-based model on a corpus."""

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
    say_what_was_reached,
)
from .terminal import terminal


@click.command("baseline", cls=WithEngines)
@CORPUS
@out_option("RUN", "The run's folder.", required=True)
@config_option("baseline")
@click.option("--fusion", metavar="NAME", help="lfan, can, jmt, bilstm-attention, tfn, ...  [default: the config's]")
@STORE
@MODALITIES
@TASK
@SEED
@RESUME
@SET
@OFFLINE
@click.pass_obj
def command(debug: bool, corpus: str, out: Path, seeds: tuple[int, ...], resume: bool, **given: Any) -> None:
    """Train a feature-based model on CORPUS: train learns, dev chooses the epoch.

    Features over time are fused by a small network of its own, without any
    words between; what fine-tuned language models are compared with.
    """
    with terminal(debug) as place:
        from ..baseline.settings import BaselineSettings
        from ..core.settings import load
        from ..experiments import baseline

        changed = {name: given[name] for name in ("fusion", "modalities", "task")}
        seed = seeds[0] if len(seeds) == 1 else None
        settings = load(BaselineSettings, given["config"], given["assignments"], **changed, seed=seed)
        request, context = corpus_request(corpus, given), context_of(given, place)
        several = seeds if len(seeds) > 1 else ()
        for run in baseline(request, out, settings, seeds=several, resume=resume, report=place.say, context=context):
            say_what_was_reached(run, place)
