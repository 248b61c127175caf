"""`emoscribe corpus`: what a reader sees of a corpus."""

from __future__ import annotations

import sys
from typing import Any

import click

from .options import CORPUS, TASK, corpus_request
from .terminal import terminal


@click.command("corpus")
@CORPUS
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--trim", is_flag=True, help="Of c-expr-db: cut the videos by annotation, instead of describing them.")
@TASK
@click.pass_obj
def command(debug: bool, corpus: str, as_json: bool, trim: bool, task: str | None, **given: Any) -> None:
    """Describe CORPUS: splits, labels, what is missing, what the splits share.

    CORPUS is meld, c-expr-db, c-expr-db-challenge, iemocap, cmu-mosei,
    ch-sims, emorynlp, ravdess or table.
    """
    if trim:
        _trim(debug, corpus, given["data"])
        return
    with terminal(debug) as place:
        from ..core.files import dumps
        from ..corpora.describe import describe

        found = describe(corpus_request(corpus, given, task=task))
        place.show(dumps(found.as_json()) if as_json else found.as_text())


def _trim(debug: bool, corpus: str, data: str) -> None:
    with terminal(debug, writes=True) as place:
        from ..experiments.trimming import trim

        done = trim(corpus, data, lambda part: place.bars("trimming", part))
        for reason in dict.fromkeys(done.failed.values()):
            place.note(f"emoscribe: {reason}")
        place.say(f"{len(done.written)} clips cut, {len(done.kept)} kept, {len(done.failed)} failed")
    if done.failed:
        sys.exit(1)
