"""`emoscribe export`: other files from a kept result."""

from __future__ import annotations

from pathlib import Path

import click

from .options import formats_option, out_option, terminal
from .parameters import FILE


@click.command("export")
@click.argument("result", metavar="RESULT.json", type=FILE)
@formats_option("srt,html")
@out_option("DIR", "Write files here.  [default: beside the result]")
@click.pass_obj
def command(debug: bool, result: Path, formats: str, out: Path | None) -> None:
    """Write other files from the JSON that `analyze` wrote, without looking at the video again."""
    with terminal(debug) as place:
        from ..outputs import Writer, read_result

        for path in Writer(out or result.parent, formats.split(",")).write(read_result(result)):
            place.say(str(path))
