"""`emoscribe extract`: cues ahead of time, into a store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from . import parameters
from .options import (
    MODALITIES,
    OFFLINE,
    PERHAPS_CORPUS,
    SET,
    WithEngines,
    context_of,
    corpus_request,
    executor_of,
    names_corpus,
    run_option,
    workers_options,
)
from .parameters import STORE_PLACE
from .terminal import terminal


@click.command("extract", cls=WithEngines)
@click.argument("source", metavar="SOURCE", shell_complete=parameters.corpora)
@PERHAPS_CORPUS
@click.option("--split", "splits", multiple=True, help="Of a corpus: train, dev or test; repeatable.  [default: all]")
@click.option(
    *("-o", "--out", "store"),
    type=STORE_PLACE,
    required=True,
    metavar="STORE",
    help="The folder, or URL, for the cues; it may hold some.",
)
@click.option(
    "--config",
    metavar="NAME|FILE",
    shell_complete=parameters.configs,
    help="How to perceive.  [default: as for --run]",
)
@run_option("Perceive as this run's data were.  [default: meld-minilm]")
@MODALITIES
@workers_options("one a core, or two a GPU")
@SET
@OFFLINE
@click.pass_obj
def command(debug: bool, source: str, splits: tuple[str, ...], **given: Any) -> None:
    """Perceive SOURCE, a file, a folder or a corpus, and keep the cues in STORE.

    What is there is not perceived again, so an interrupted extraction goes on,
    and several may work on one store.
    """
    with terminal(debug, writes=True) as place:
        from ..experiments import extract, extraction_settings

        of_corpus = names_corpus(source, given["data"])
        asked = corpus_request(source, given, splits=splits or None) if of_corpus else Path(source)
        store = given.pop("store")
        context = context_of(given | {"store": None}, place)
        executor = executor_of(given)
        how = {name: given[name] for name in ("config", "run", "modalities", "assignments")}
        settings, choices = extraction_settings(**how, context=context)
        for choice in choices if given["config"] is not None else ():
            place.note(choice)
        done, failed = 0, []
        for clip, error in extract(asked, settings, store, context, executor=executor):
            if error is not None:
                failed.append(clip.id)
                place.complain(error)
            else:
                done += 1
        place.say(f"{done} of {done + len(failed)} perceived" + (f"; failed: {', '.join(failed)}" if failed else ""))
        place.note(f"→ {store}")
    if failed:
        sys.exit(1)
