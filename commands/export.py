"""`emoscribe export`: other files from kept results."""

from __future__ import annotations

from pathlib import Path

import click

from .options import TABLE, formats_option, out_option
from .parameters import FILE
from .terminal import terminal


@click.command("export")
@click.argument("results", nargs=-1, required=True, metavar="RESULT.json...", type=FILE)
@formats_option(None, shown="srt,html; with --table none")
@out_option("DIR", "Write files here.  [default: beside the result]")
@TABLE
@click.pass_obj
def command(debug: bool, results: tuple[Path, ...], formats: str | None, out: Path | None, table: Path | None) -> None:
    """Write other files from the JSON that `analyze` wrote, without looking at the videos again."""
    with terminal(debug, writes=True) as place:
        from ..core.files import CORRECTED_SUFFIX
        from ..outputs import Table, Writer, load_result

        wanted = formats.split(",") if formats is not None else [] if table is not None else ["srt", "html"]
        folders = {path: out or path.parent for path in results}
        writers = {folder: Writer(folder, wanted) for folder in dict.fromkeys(folders.values()) if wanted}
        combined = Table(table) if table is not None else None
        transcripts = {path: load_result(path) for path in results}
        if combined is not None:
            for transcript in transcripts.values():
                combined.add(transcript)
            combined.write()
            place.say(str(table))
        for path, folder in folders.items() if wanted else ():
            writer = writers[folder]
            # Of two videos with one name, the results have two.
            for written in writer.write(transcripts[path], writer.name_for(path.name.removesuffix(CORRECTED_SUFFIX))):
                place.say(str(written))
