"""`emoscribe export`: other files from kept results."""

from __future__ import annotations

from pathlib import Path

import click

from .options import TABLE, formats_option, out_option, terminal
from .parameters import FILE


@click.command("export")
@click.argument("results", nargs=-1, required=True, metavar="RESULT.json...", type=FILE)
@formats_option("srt,html")
@out_option("DIR", "Write files here.  [default: beside the result]")
@TABLE
@click.pass_context
def command(ctx: click.Context, results: tuple[Path, ...], formats: str, out: Path | None, table: Path | None) -> None:
    """Write other files from the JSON that `analyze` wrote, without looking at the videos again.

    With --table and without --formats, only the table.
    """
    with terminal(ctx.obj) as place:
        from ..outputs import Table, Writer, read_result

        chosen = ctx.get_parameter_source("formats") is not click.core.ParameterSource.DEFAULT
        wanted = formats.split(",") if chosen or table is None else []
        folders = {path: out or path.parent for path in results}
        writers = {folder: Writer(folder, wanted) for folder in dict.fromkeys(folders.values()) if wanted}
        combined = Table(table) if table is not None else None
        transcripts = {path: read_result(path) for path in results}
        if combined is not None:
            for transcript in transcripts.values():
                combined.add(transcript)
            combined.write()
            place.say(str(table))
        for path, folder in folders.items() if wanted else ():
            writer = writers[folder]
            # Of two videos with one name, the results have two.
            for written in writer.write(transcripts[path], writer.name_for(path)):
                place.say(str(written))
