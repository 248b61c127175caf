"""The command line: parse, call, word the error.

Nothing of ours is imported at module level, so that `--help` is instant.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


class _Commands(click.Group):
    """Turns what goes wrong into one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            from .core.errors import EmoscribeError

            if ctx.params.get("debug"):
                raise
            if isinstance(error, EmoscribeError):
                line = str(error)
            elif isinstance(error, OSError):
                line = f"{error.filename or 'the system'}: {error.strerror or error}"
            else:
                line = f"unexpected {type(error).__name__}: {error}; run again with --debug to see where, and please report it"
            _fail(line)


def _fail(line: str) -> None:
    click.echo(f"emoscribe: {' '.join(line.split())}", err=True)
    sys.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Let the chatter of libraries through, and tracebacks.")
@click.version_option(package_name="emoscribe")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """From a video to a labelled transcript.

    Extractors put into words what was said, what the faces did and how the
    voices sounded; a fine-tuned language model reads those words and scores
    emotions over time.  Everything happens on this machine.
    """
    ctx.obj = debug


def _reading_options(command: Callable) -> Callable:
    """What `analyze` and `prompt` share: all that shapes the words."""
    options = [
        click.option("--config", metavar="NAME|FILE", help="A shipped config (default, embedded) or a YAML file."),
        click.option("--run", metavar="RUN", help="A run folder or a shipped adapter (meld-minilm)."),
        click.option("--labels", metavar="SET", help="basic, compound, or the run's own set.  [default: the run's]"),
        click.option(
            "--transcript",
            type=click.Path(path_type=Path),
            help="A subtitle (.srt, .vtt, .ass) or JSON file to use instead of speech recognition.",
        ),
        click.option("--modalities", metavar="TVA", help="T what was said, V the face, A the voice.  [default: TVA]"),
        click.option("--window", "window_s", type=float, metavar="S", help="Label windows of S seconds, not utterances."),
        click.option("--hop", "hop_s", type=float, metavar="S", help="Start a window every S seconds."),
        click.option("--store", type=click.Path(path_type=Path), help="Keep cues in this folder and reuse them."),
        click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change one setting."),
        click.option("--offline", is_flag=True, default=None, help="Never try the network."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write files to this folder.  [default: only print]")
@click.option("--formats", default="json,srt,html", show_default=True, help="Of json, srt, vtt, csv, html.")
@_reading_options
@click.pass_obj
def analyze(debug: bool, videos: tuple[Path, ...], out: Path | None, formats: str, **given: Any) -> None:
    """Label what happens in each VIDEO over time, and print it.

    A sound file or a picture works too.  Nothing is written without --out or
    --store.
    """
    if given["transcript"] is not None and len(videos) > 1:
        raise click.UsageError("--transcript goes with one video")
    with _console(debug) as console:
        from .core.errors import EmoscribeError
        from .outputs.formats import Writer
        from .outputs.lines import segment_line
        from .pipeline import Analyst

        settings, transcript, store = _settings(given)
        writer = Writer(out, formats.split(",")) if out is not None else None
        analyst = Analyst(settings, store=store, bars=_bars(console))
        print(analyst.choices, file=console)
        failed = []
        for video in videos:
            try:
                result = analyst.analyze(video, transcript=transcript)
                if len(videos) > 1:
                    click.echo(f"\n{video}")
                for segment in result.segments:
                    click.echo(segment_line(segment))
                if writer is not None:
                    print("wrote " + ", ".join(map(str, writer.write(result))), file=console)
            except EmoscribeError as error:
                if len(videos) == 1:
                    raise
                failed.append(video)
                print(f"emoscribe: {' '.join(str(error).split())}", file=console)
        if failed:
            print(f"{len(videos) - len(failed)} of {len(videos)} analysed; failed: {', '.join(map(str, failed))}", file=console)
    if failed:
        sys.exit(1)
