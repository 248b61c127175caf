"""`emoscribe analyze`: videos to labelled transcripts."""

from __future__ import annotations

import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from .options import FILE, READING, TABLE, FormatsOption, WithEngines, plan_of, terminal


@click.command("analyze", cls=WithEngines)
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...", type=FILE)
@click.option("--out", type=FILE, metavar="DIR", help="Write files here.  [default: only print]")
@click.option("--formats", default="json,srt,html", show_default=True, cls=FormatsOption)
@TABLE
@READING
@click.pass_obj
def command(
    debug: bool, videos: tuple[Path, ...], out: Path | None, formats: str, table: Path | None, **given: Any
) -> None:
    """Label what happens in each VIDEO over time, and print it.

    Sound files and pictures work too.  Without --out, --table and --store
    nothing is written.
    """
    if given["transcript"] is not None and len(videos) > 1:
        raise click.UsageError("--transcript goes with one video")
    with terminal(debug) as place:
        from ..core.errors import EmoscribeError
        from ..extractors.speech.diarization import check_several
        from ..outputs import Table, Writer, segment_line
        from ..pipeline import Session

        plan, context = plan_of(given, place)
        check_several(plan.settings.speech.speakers, len(videos))
        writer = Writer(out, formats.split(",")) if out is not None else None
        combined = Table(table) if table is not None else None
        for choice in plan.choices:
            place.note(choice)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        failed = []
        with Session(plan, context) as session, combined or nullcontext():
            for video in videos:
                try:
                    result = session.analyze(video, transcript=given["transcript"])
                    if len(videos) > 1:
                        place.say(f"\n{video}")
                    for segment in result.segments:
                        place.say(segment_line(segment, width))
                    if given["transcript"] is not None and result.transcript is not None:
                        place.note(f"speech: {result.transcript.source}")
                    if combined is not None:
                        combined.add(result)
                    if writer is not None:
                        place.note("→ " + "  ".join(str(path) for path in writer.write(result)))
                except EmoscribeError as error:
                    if len(videos) == 1:
                        raise
                    failed.append(video)
                    place.complain(error)
        if combined is not None:
            place.note(f"→ {table}")
    if failed:
        analysed = len(videos) - len(failed)
        click.echo(f"{analysed} of {len(videos)} analysed; failed: {', '.join(map(str, failed))}", err=True)
        sys.exit(1)
