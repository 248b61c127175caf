"""`emoscribe store`: what is in a cue store, whether it is whole, and putting it in order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import out_option
from .parameters import STORE_PLACE
from .terminal import terminal

if TYPE_CHECKING:
    from ..extractors.store.upkeep import Compacted

# So many hashes of settings are listed.
_FEW = 3

_PLACE = click.argument("store", metavar="STORE", type=STORE_PLACE)


@click.group("store")
def command() -> None:
    """Look after a cue store: a folder, or a URL such as s3://bucket/cues."""


@command.command("ls")
@_PLACE
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def ls(debug: bool, store: Path | str, as_json: bool) -> None:
    """List what STORE holds: rows, files, size and hashes of settings by part; --json lists all hashes."""
    with terminal(debug) as place:
        from ..core.files import dumps
        from ..extractors.store import upkeep

        cues, damaged = upkeep.opened(store)
        found = upkeep.contents(cues)
        if as_json:
            place.show(dumps({"shards": len(cues.names), "contents": found, "damaged": damaged}))
            return
        width = max((len(each.part) for each in found), default=0)
        place.say(f"{'part':{width}}  {'rows':>8}  {'files':>8}  {'MB':>9}  settings")
        for each in found:
            settings = ", ".join(each.settings) if len(each.settings) <= _FEW else f"{len(each.settings)} different"
            place.say(f"{each.part:{width}}  {each.rows:8}  {each.files:8}  {each.bytes / 1e6:9.1f}  {settings}")
        place.say(f"{len(cues)} rows in {len(cues.names)} shards")
        for damage in damaged:
            place.note(f"damaged: {damage}; `emoscribe store compact {store}` drops it")


@command.command("verify")
@_PLACE
@click.pass_obj
def verify(debug: bool, store: Path | str) -> None:
    """Read every row of STORE and compare it with its checksum; the exit code is 1 where one does not fit."""
    with terminal(debug) as place:
        from ..core.context import Context
        from ..extractors.store import upkeep

        cues, damaged = upkeep.opened(store)
        for damage in upkeep.verify(cues, Context(progress=place.bars)):
            damaged.append(damage)
        for damage in damaged:
            place.say(f"damaged: {damage}")
        if not damaged:
            place.say(f"{len(cues)} rows in {len(cues.names)} shards are as they were written")
            return
        place.say(f"`emoscribe store compact {store}` drops what is damaged, and it is extracted again")
    sys.exit(1)


@command.command("compact")
@_PLACE
@click.pass_obj
def compact(debug: bool, store: Path | str) -> None:
    """Join the small shards of STORE, drop what is damaged, and give old rows a checksum.

    Others may read and write it meanwhile.
    """
    with terminal(debug, writes=True) as place:
        from ..core.context import Context
        from ..extractors.store import upkeep

        place.say(_told(upkeep.compact(store, Context(progress=place.bars))))


@command.command("gc")
@_PLACE
@click.option("--part", "parts", multiple=True, metavar="PART", help="Drop this part; repeatable.")
@click.option("--settings", "hashes", multiple=True, metavar="HASH", help="Drop what has these, as `ls` lists them.")
@click.option("--missing-media", is_flag=True, help="Drop what is of files that are no longer where they were.")
@click.option("--dry-run", is_flag=True, help="Only tell how many rows would go.")
@click.pass_obj
def gc(
    debug: bool, store: Path | str, parts: tuple[str, ...], hashes: tuple[str, ...], missing_media: bool, dry_run: bool
) -> None:
    """Drop rows of STORE that nobody wants any more.

    With --part and --settings, those that are of both; without any option, what is there twice.
    """
    with terminal(debug, writes=not dry_run) as place:
        from ..core.context import Context
        from ..extractors.store import upkeep

        cues, _ = upkeep.opened(store)
        unwanted = upkeep.unwanted(cues, parts, hashes, missing_media=missing_media)
        if dry_run:
            place.say(f"{len(unwanted)} of {len(cues)} rows would be dropped")
            return
        done = upkeep.compact(store, Context(progress=place.bars), wanted=lambda key: key not in unwanted)
        place.say(_told(done))


@command.command("export")
@_PLACE
@out_option("DIR", "Write tables here.", required=True)
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.pass_obj
def export(debug: bool, store: Path | str, out: Path, form: str) -> None:
    """Write the cues of STORE as plain tables, one for each part: a row an utterance, a face in a frame, a window."""
    with terminal(debug) as place:
        from ..core.context import Context
        from ..extractors.store import tables, upkeep

        cues, _ = upkeep.opened(store)
        for path in tables.export(cues, out, form, Context(progress=place.bars)):
            place.say(str(path))


def _told(done: Compacted) -> str:
    lost = [f"{count} {what}" for count, what in ((done.dropped, "dropped"), (done.repeated, "there twice")) if count]
    lost += [f"damaged: {damage}" for damage in done.damaged]
    return "; ".join([f"{done.rows} rows in {done.shards_after} shards (were {done.shards_before})", *lost])
