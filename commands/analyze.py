"""`emoscribe analyze`: videos to labelled transcripts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import (
    READING,
    TABLE,
    WithEngines,
    executor_of,
    formats_option,
    options,
    out_option,
    plan_of,
    workers_options,
)
from .parameters import FILE
from .terminal import Terminal, terminal

if TYPE_CHECKING:
    from ..core.timeline import LabelledTranscript
    from ..extractors.executors import Lost
    from ..outputs import Table, Writer
    from ..pipeline import Session

FILES = options(
    out_option("DIR", "Write files here.  [default: only print]"),
    formats_option("json,srt,html"),
    TABLE,
    click.option("-r", "--recursive", is_flag=True, help="Of a folder, also what is in the folders in it."),
    click.option("--skip-existing", is_flag=True, help="Leave out videos whose files are all in --out already."),
)


@click.command("analyze", cls=WithEngines)
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...", type=FILE)
@FILES
@READING
@workers_options("all in this one")
@click.option("-q", "--quiet", is_flag=True, help="Only results and errors.")
@click.pass_context
def command(ctx: click.Context, videos: tuple[Path, ...], quiet: bool, **given: Any) -> None:
    """Label what happens in each VIDEO over time, and print it.

    A VIDEO is a file, a folder or a pattern like 'clips/*.mp4'; sound files
    and pictures work too.  Without --out, --table and --store
    nothing is written.
    """
    with terminal(ctx.obj, quiet) as place:
        from ..extractors.finding import media_files
        from ..extractors.speakers.turns import check_several
        from ..pipeline import Analysis, Session

        _check_together(ctx)
        executor = executor_of(given)
        found = media_files(videos, recursive=given["recursive"])
        if given["transcript"] is not None and len(found) > 1:
            raise click.UsageError("--transcript goes with one video")
        batch = Batch(found, place, _writer(given), given)
        table = _table(given)
        todo = batch.readable(batch.not_there_yet(found))
        if todo:
            plan, context = plan_of(given, place)
            batch.choices += plan.choices
            check_several(plan.settings.speech.speakers, len(todo))
            if executor is not None and given["transcript"] is None:
                store = str(given["store"]) if given["store"] is not None else None
                stretch = given["start_s"] or 0.0, given["end_s"]
                analysis = Analysis(plan, store, context.device, context.offline, *stretch)
                with table or nullcontext():
                    batch.take(executor.map(analysis, todo), table)
            else:
                with Session(plan, context) as session, table or nullcontext():
                    batch.take(batch.analyzed(todo, session), table)
        if batch.failed:
            analysed = len(found) - len(batch.failed)
            names = ", ".join(map(str, batch.failed))
            place.summarize(f"{analysed} of {len(found)} analysed; failed: {names}")
    if batch.failed:
        sys.exit(1)


def _check_together(ctx: click.Context) -> None:
    """Raises:
    SettingsError: options that mean nothing without each other.
    """
    from ..core.errors import SettingsError

    given = ctx.params
    about_files = {
        "--formats": ctx.get_parameter_source("formats") is not click.core.ParameterSource.DEFAULT,
        "--skip-existing": given["skip_existing"],
    }
    for option in (option for option, chosen in about_files.items() if chosen and given["out"] is None):
        raise SettingsError(f"{option} is about files, and without --out none are written; give --out DIR too")
    if given["table"] is not None and given["skip_existing"]:
        raise SettingsError(
            "--table would lack the videos that --skip-existing leaves out; make it afterwards of the kept results: "
            f"emoscribe export {given['out']}/*.json --table {given['table']}"
        )
    begin_s, end_s = given["start_s"], given["end_s"]
    if end_s is not None and end_s <= (begin_s or 0.0):
        raise SettingsError(f"--to {end_s:g} s is not after --from {begin_s or 0:g} s; give a later time")


def _writer(given: dict[str, Any]) -> Writer | None:
    from ..outputs import Writer

    return Writer(given["out"], given["formats"].split(",")) if given["out"] is not None else None


def _table(given: dict[str, Any]) -> Table | None:
    from ..outputs import Table

    return Table(given["table"]) if given["table"] is not None else None


def _why(video: Path, result: Exception | Lost) -> Exception:
    from ..core.errors import EmoscribeError

    return result if isinstance(result, Exception) else EmoscribeError(f"{video}: {result.reason}")


class Batch:
    """Videos that are analysed one after another; of several, one that is bad does not stop the others.

    Attributes:
        failed: those that could not be analysed.
        choices: what was chosen, and is not told yet.
    """

    def __init__(self, videos: list[Path], place: Terminal, writer: Writer | None, given: dict[str, Any]) -> None:
        self._place, self._writer, self._given = place, writer, given
        self._alone = len(videos) == 1
        # Of all, also of those that fail or are left out: the next time each has the same.
        self._names = {video: writer.name_for(video) for video in videos} if writer is not None else {}
        self.failed: list[Path] = []
        self.choices: list[str] = []

    def not_there_yet(self, videos: list[Path]) -> list[Path]:
        """The videos to analyse: with --skip-existing, those that lack one of their files."""
        writer = self._writer
        if writer is None or not self._given["skip_existing"]:
            return videos
        there = {video: all(path.is_file() for path in writer.paths(self._names[video])) for video in videos}
        for video in (video for video in videos if there[video]):
            self._place.note(f"{video}: its files are there already, {writer.paths(self._names[video])[0]} …")
        return [video for video in videos if not there[video]]

    def readable(self, videos: list[Path]) -> list[Path]:
        """Those that are media, as far as can be told before anything is decoded."""
        from ..extractors.media.recording import recorded

        found = []
        for video in videos:
            with self._tried(video), recorded(video):
                found.append(video)
        return found

    def analyzed(self, videos: list[Path], session: Session) -> Iterator[tuple[Path, LabelledTranscript | Exception]]:
        """Each with what a session makes of it, or why it makes nothing."""
        from ..core.errors import EmoscribeError

        for number, video in enumerate(videos, 1):
            if len(videos) > 1:
                self._place.bars.heading = f"file {number} of {len(videos)}"
            try:
                yield video, self._result(video, session)
            except EmoscribeError as error:
                yield video, error

    def take(self, results: Iterable[tuple[Path, LabelledTranscript | Exception | Lost]], table: Table | None) -> None:
        """Print each as it comes, and write its files; all moments go into the table."""
        from ..core.timeline import LabelledTranscript

        for video, result in results:
            with self._tried(video):
                if not isinstance(result, LabelledTranscript):
                    raise _why(video, result)
                self._tell_choices()
                self._show(video, result)
                if table is not None:
                    table.add(result)
                if self._writer is not None:
                    written = self._writer.write(result, self._names[video])
                    self._place.note("→ " + "  ".join(map(str, written)))
        if table is not None:
            self._place.note(f"→ {self._given['table']}")

    @contextmanager
    def _tried(self, video: Path) -> Iterator[None]:
        """What goes wrong with one of several is said, and remembered."""
        from ..core.errors import EmoscribeError

        try:
            yield
        except EmoscribeError as error:
            if self._alone:
                raise
            self.failed.append(video)
            self._place.complain(error)

    def _result(self, video: Path, session: Session) -> LabelledTranscript:
        """What the session makes of a video."""
        from ..extractors.perceive import check_given

        transcript = self._given["transcript"]
        with closing(session.opened(video, self._given["start_s"] or 0.0, self._given["end_s"])) as source:
            check_given(source, session.plan.settings, transcript)
            self._tell_choices()
            return session.analyze(source, transcript=transcript)

    def _tell_choices(self) -> None:
        """Once something is known to be analysed, and once."""
        while self.choices:
            self._place.note(self.choices.pop(0))

    def _show(self, video: Path, result: LabelledTranscript) -> None:
        from ..outputs import segment_line

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        if not self._alone:
            self._place.say("")
            self._place.say(str(video))
        for segment in result.segments:
            self._place.say(segment_line(segment, width))
        if self._given["transcript"] is not None and result.transcript is not None:
            self._place.note(f"transcript: {result.transcript.source}")
