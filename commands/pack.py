"""`emoscribe pack`: a run in the form in which it is deployed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import OFFLINE, PERHAPS_CORPUS, STORE, out_option
from .parameters import runs
from .terminal import terminal


@click.command("pack")
@click.argument("run", metavar="RUN", shell_complete=runs)
@out_option("DIR", "The pack's folder, new or empty.", required=True)
@click.option("--corpus", metavar="NAME", help="Whose clips --data has.  [default: the run's own corpus]")
@PERHAPS_CORPUS
@click.option("--split", default="dev", show_default=True, help="train, dev or test.")
@click.option("--modalities", metavar="TVA[,T,...]", help="What of the clips is read.  [default: the run's]")
@STORE
@click.option(
    "--precision",
    type=click.Choice(["int8", "int8-embeddings", "float32"]),
    help="Of the weights.  [default: the smallest at which 99 % of the labels stay]",
)
@OFFLINE
@click.pass_obj
def command(debug: bool, run: str, out: Path, **given: Any) -> None:
    """Write RUN out for onnxruntime: base and adapter merged, read without PyTorch.

    The folder is a run for --run, with tokenizer, prompt, norms, licences and
    a SHA-256 of each file.  With --data, labels are compared with the run's,
    and weights kept in eight bits if they stay; without, in float32.
    """
    with terminal(debug) as place:
        from ..corpora.table import column_names
        from ..experiments.by_name import pack

        sets = given.pop("modalities")
        given["modalities"] = sets.split(",") if sets else None
        given |= {"columns": column_names(given["columns"]), "offline": bool(given["offline"]), "progress": place.bars}
        made = pack(run, out, **given)
        assert made.pack is not None
        size = sum(file.bytes for file in made.pack.files.values())
        place.say(f"→ {out}: {made.pack.precision}, {size / 1e6:.0f} MB; read it with --run {out}")
        agreement = made.pack.agreement
        if agreement is None:
            place.note("weights stay in float32: with --data, labels could be seen to stay in eight bits")
            return
        place.say(f"{agreement.answers:.2%} of {agreement.texts:,} answers as the run's ({agreement.data})")
        for tried, share in agreement.tried.items():
            if tried != made.pack.precision:
                place.note(f"in {tried} only {share:.2%} were")
