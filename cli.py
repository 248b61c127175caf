"""The command line: parse, call, word the error.

Nothing of ours is imported at module level, so that `--help` is instant.  The
commands on corpora are in `cli_corpora.py`.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path)


class _Commands(click.Group):
    """Words what goes wrong as one line, with exit code 1.

    The commands of `cli_corpora.py` join when they are looked for.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        importlib.import_module(".cli_corpora", __package__)
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        importlib.import_module(".cli_corpora", __package__)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        from .core.errors import EmoscribeError

        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except EmoscribeError as error:
            self._end(ctx, str(error), error)
        except BrokenPipeError:
            raise  # click ends quietly when `| head` has seen enough
        except OSError as error:
            self._end(ctx, f"{error.filename or 'the system'}: {error.strerror or error}", error)
        except Exception as error:
            self._end(ctx, f"unexpected {type(error).__name__}: {error}; --debug shows where. Please report it", error)

    @staticmethod
    def _end(ctx: click.Context, line: str, error: Exception) -> None:
        if ctx.params.get("debug"):
            raise error
        # Processes side by side go wrong in the same way: once is enough.
        if os.environ.get("RANK", "0") == "0":
            click.echo(f"emoscribe: {' '.join(line.split())}", err=True)
        ctx.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks, and what libraries have to say.")
@click.version_option(package_name="emoscribe")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """From a video to a labelled transcript.

    What was said, what the faces did and how the voices sounded is put into
    words; a fine-tuned language model reads them and scores emotions over
    time.  Nothing leaves this machine.
    """
    ctx.obj = debug


def _options(*options: Callable) -> Callable:
    """Several options as one decorator, in the order in which help shows them."""

    def add(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return add


SET = click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a setting; repeatable.")
OFFLINE = click.option("--offline", is_flag=True, default=None, help="Never try the network.")
WINDOW = click.option("--window", type=float, metavar="S", help="Windows of S seconds instead of utterances or clips.")
HOP = click.option("--hop", type=float, metavar="S", help="A window every S seconds.  [default: --window]")

# What shapes the words and their reading: shared by `analyze` and `prompt`.
_reading_options = _options(
    click.option(
        "--config", default="default", show_default=True, metavar="NAME|FILE", help="A shipped config or a YAML file."
    ),
    click.option("--run", metavar="RUN", help="A run folder or a shipped adapter.  [default: meld-minilm]"),
    click.option("--labels", metavar="SET", help="basic, compound, or a run's own.  [default: the run's]"),
    click.option("--transcript", type=FILE, help="Subtitles (.srt, .vtt, .ass) or JSON instead of recognised speech."),
    click.option("--modalities", metavar="TVA", help="T what was said, V the face, A the voice.  [default: the run's]"),
    WINDOW,
    HOP,
    click.option("--store", type=FILE, metavar="DIR", help="Keep what was perceived here, and reuse it."),
    SET,
    OFFLINE,
)

# How a corpus is cut into splits.
_fold_options = _options(
    click.option("--folds", default="published", show_default=True, help="published, or source: none shared."),
    click.option("--fold", default=0, show_default=True, help="Which of the folds."),
    click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="Of tables: text=Utterance."),
)

# Which corpus: shared by all that work on corpora alone.
corpus_options = _options(
    click.argument("corpus", metavar="CORPUS"),
    click.option("--data", type=FILE, required=True, metavar="DIR", help="The corpus, laid out as published."),
    _fold_options,
)

# The same where a corpus is only one of the things there may be.
perhaps_corpus_options = _options(
    click.option("--data", type=FILE, metavar="DIR", help="Of a corpus: its folder, laid out as published."),
    _fold_options,
)


def names_corpus(source: str, data: Path | None) -> bool:
    """Whether a source is a corpus rather than a file: where its folder is given."""
    from .corpora.registry import READERS

    if data is None and source in READERS and not Path(source).exists():
        raise click.UsageError(f"the corpus {source} needs --data DIR")
    return data is not None


def context_of(store: Path | None, offline: bool | None, bars: Any) -> Any:
    """The circumstances that options ask for."""
    from .core.context import Context
    from .extractors.store import CueStore

    return Context(offline=bool(offline), progress=bars, store=CueStore(store) if store is not None else None)


def _plan(given: dict[str, Any], progress: Any) -> Any:
    """The plan that the reading options ask for, and the circumstances."""
    from .core.settings import load
    from .extractors.store import CueStore
    from .llm.settings import AnalyzeSettings
    from .pipeline import context_for, make_plan

    settings = load(
        AnalyzeSettings,
        given["config"],
        given["assignments"],
        model__run=given["run"],
        labels=given["labels"],
        modalities=given["modalities"],
        windows__window_s=given["window"],
        windows__hop_s=given["hop"],
        offline=given["offline"],
    )
    context = context_for(settings, CueStore(given["store"]) if given["store"] is not None else None, progress)
    return make_plan(settings, context), context


@main.command()
@click.argument("videos", nargs=-1, required=True, metavar="VIDEO...", type=FILE)
@click.option("--out", type=FILE, metavar="DIR", help="Write files here.  [default: only print]")
@click.option("--formats", default="json,srt,html", show_default=True, help="Of json, srt, vtt, csv, html.")
@_reading_options
@click.pass_obj
def analyze(debug: bool, videos: tuple[Path, ...], out: Path | None, formats: str, **given: Any) -> None:
    """Label what happens in each VIDEO over time, and print it.

    Sound files and pictures work too.  Without --out and --store nothing is
    written.
    """
    from .core.console import Bars, quiet

    if given["transcript"] is not None and len(videos) > 1:
        raise click.UsageError("--transcript goes with one video")
    with ExitStack() as stack:
        console = stack.enter_context(quiet(debug))
        from .core.errors import EmoscribeError
        from .extractors.speech.diarization import check_several
        from .outputs import Writer, segment_line
        from .pipeline import Session

        bars = Bars(console)
        plan, context = _plan(given, bars)
        check_several(plan.settings.speech.speakers, len(videos))
        writer = Writer(out, formats.split(",")) if out is not None else None
        for choice in plan.choices:
            print(choice, file=console)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        failed = []
        session = stack.enter_context(Session(plan, context))
        for video in videos:
            try:
                result = session.analyze(video, transcript=given["transcript"])
            except EmoscribeError as error:
                if len(videos) == 1:
                    raise
                failed.append(video)
                bars.clear()
                print(f"emoscribe: {' '.join(str(error).split())}", file=console)
                continue
            bars.clear()
            if len(videos) > 1:
                click.echo(f"\n{video}")
            for segment in result.segments:
                click.echo(segment_line(segment, width))
            if writer is not None:
                print("→ " + "  ".join(str(path) for path in writer.write(result)), file=console)
    if failed:
        click.echo(
            f"{len(videos) - len(failed)} of {len(videos)} analysed; failed: {', '.join(map(str, failed))}", err=True
        )
        sys.exit(1)


@main.command()
@click.argument("source", metavar="VIDEO|CORPUS")
@_reading_options
@perhaps_corpus_options
@click.option("--split", default="test", show_default=True, help="Of a corpus: train, dev or test.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Of a corpus: the first N clips.")
@click.pass_context
def prompt(ctx: click.Context, source: str, data: Path | None, split: str, limit: int | None, **given: Any) -> None:
    """Print the exact prompts that the model reads for VIDEO, or for the clips of CORPUS.

    Of a corpus they are those that `evaluate` scores; the run says how they are worded.
    """
    from .core.console import Bars, quiet

    with quiet(ctx.obj) as console:
        bars = Bars(console)
        if names_corpus(source, data):
            for option in ("config", "labels", "transcript", "assignments"):
                if ctx.get_parameter_source(option) is not click.core.ParameterSource.DEFAULT:
                    name = {"assignments": "set"}.get(option, option)
                    raise click.UsageError(f"--{name} goes with a video; how a corpus is read is the run's to say")
            prompts = _prompts_of_corpus(source, data, given, bars, split=split, limit=limit)
        else:
            prompts = _prompts_of_video(source, given, bars)
        bars.clear()
        for each in prompts:
            click.echo(f"── {each.id}\n{each.text}\n")


def _prompts_of_corpus(corpus: str, data: Any, given: dict[str, Any], bars: Any, **more: Any) -> list[Any]:
    from .corpora.table import column_names
    from .experiments import prompts

    return prompts(
        corpus,
        data,
        run=given["run"],
        modalities=given["modalities"],
        folds=given["folds"],
        fold=given["fold"],
        columns=column_names(given["columns"]),
        window_s=given["window"],
        hop_s=given["hop"],
        context=context_of(given["store"], given["offline"], bars),
        **more,
    )


def _prompts_of_video(source: str, given: dict[str, Any], bars: Any) -> list[Any]:
    from .pipeline import Session

    with Session(*_plan(given, bars)) as session:
        return session.prompts(source, transcript=given["transcript"])


@main.command()
@click.argument("config", required=False, metavar="[NAME|FILE]")
@click.option("--fetch", "fetching", is_flag=True, help="Download what that config needs to run offline from then on.")
@click.option("--offline", is_flag=True, help="Do not try the network.")
@click.pass_context
def doctor(ctx: click.Context, config: str | None, fetching: bool, offline: bool) -> None:
    """Say what is installed and reachable, what `auto` would choose, and what each config that ships still needs.

    Of a config that is named, say more; exit code 1 means that it is not ready.
    """
    from .core.console import Bars, quiet

    if fetching and (config is None or offline):
        raise click.UsageError("--fetch goes with a config, and not with --offline")
    with quiet(ctx.obj) as console:
        from .doctor import examine, examine_config, fetch

        if fetching:
            bars = Bars(console)
            for line in fetch(str(config), bars):
                bars.clear()
                click.echo(line)
        elif config is not None:
            lines, ready = examine_config(config)
            click.echo("\n".join(lines))
            ctx.exit(0 if ready else 1)
        else:
            for line in examine(offline=offline):
                click.echo(line)
