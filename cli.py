"""The command line: parse, call, word the error.

Nothing of ours is imported at module level, so that `--help` is instant.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

FILE = click.Path(path_type=Path)


class _Commands(click.Group):
    """Words what goes wrong as one line, with exit code 1."""

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


def _reading_options(command: Callable) -> Callable:
    """What shapes the words and their reading: shared by `analyze` and `prompt`."""
    for option in reversed(
        [
            click.option(
                "--config",
                default="default",
                show_default=True,
                metavar="NAME|FILE",
                help="A shipped config or a YAML file.",
            ),
            click.option("--run", metavar="RUN", help="A run folder or a shipped adapter.  [default: meld-minilm]"),
            click.option("--labels", metavar="SET", help="basic, compound, or a run's own.  [default: the run's]"),
            click.option(
                "--transcript", type=FILE, help="Subtitles (.srt, .vtt, .ass) or JSON instead of recognised speech."
            ),
            click.option(
                "--modalities", metavar="TVA", help="T what was said, V the face, A the voice.  [default: TVA]"
            ),
            click.option("--window", type=float, metavar="S", help="Windows of S seconds instead of utterances."),
            click.option("--hop", type=float, metavar="S", help="A window every S seconds.  [default: --window]"),
            click.option("--store", type=FILE, metavar="DIR", help="Keep what was perceived here, and reuse it."),
            click.option(
                "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a setting; repeatable."
            ),
            click.option("--offline", is_flag=True, default=None, help="Never try the network."),
        ]
    ):
        command = option(command)
    return command


def _plan(given: dict[str, Any]) -> Any:
    """The plan that the reading options ask for."""
    from .core.settings import AnalyzeSettings, load
    from .pipeline import make_plan

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
    return make_plan(settings)


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
    with quiet(debug) as console:
        from .core.errors import EmoscribeError
        from .outputs import Writer, segment_line
        from .pipeline import analyze_each

        plan, bars = _plan(given), Bars(console)
        writer = Writer(out, formats.split(",")) if out is not None else None
        for choice in plan.choices:
            print(choice, file=console)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        failed = []
        for video, result in analyze_each(
            videos, plan, transcript=given["transcript"], store=given["store"], progress=bars
        ):
            bars.clear()
            if isinstance(result, EmoscribeError):
                if len(videos) == 1:
                    raise result
                failed.append(video)
                print(f"emoscribe: {' '.join(str(result).split())}", file=console)
                continue
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
@click.argument("video", type=FILE)
@_reading_options
@click.pass_obj
def prompt(debug: bool, video: Path, **given: Any) -> None:
    """Print the exact prompts that the model reads for VIDEO."""
    from .core.console import Bars, quiet

    with quiet(debug) as console:
        from .extractors.perceive import identify, perceive
        from .extractors.store import CueStore
        from .pipeline import moments_from, prompts_from

        plan, bars = _plan(given), Bars(console)
        store = CueStore(given["store"]) if given["store"] is not None else None
        clip = identify(video, store)
        cues = perceive(clip, plan.settings, transcript=given["transcript"], store=store, progress=bars)
        bars.clear()
        for each in prompts_from(moments_from(cues, plan), plan):
            click.echo(f"── {each.id}\n{each.text}\n")


def _corpus_options(command: Callable) -> Callable:
    """Which corpus, and how it is cut: shared by all that work on corpora."""
    for option in reversed(
        [
            click.argument("corpus", metavar="CORPUS"),
            click.option("--data", type=FILE, required=True, metavar="DIR", help="The corpus, laid out as published."),
            click.option("--folds", default="published", show_default=True, help="published, or source: none shared."),
            click.option("--fold", default=0, show_default=True, help="Which of the folds."),
            click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="Of tables: text=Utterance."),
        ]
    ):
        command = option(command)
    return command


@main.command()
@_corpus_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def corpus(corpus: str, data: Path, folds: str, fold: int, columns: tuple[str, ...], as_json: bool) -> None:
    """Describe CORPUS: splits, labels, what is missing, what the splits share.

    CORPUS is meld, c-expr-db, c-expr-db-challenge, ravdess or table.
    """
    from .core.files import dumps
    from .corpora.describe import describe
    from .corpora.table import column_names

    found = describe(corpus, data, folds=folds, fold=fold, columns=column_names(columns))
    click.echo(dumps(found.as_json()) if as_json else found.as_text())


@main.command()
@_corpus_options
@click.option("--split", default="test", show_default=True, help="train, dev or test.")
@click.option(
    "--run", "runs", multiple=True, required=True, metavar="RUN", help="A run folder or a shipped adapter; repeatable."
)
@click.option("--out", type=FILE, required=True, metavar="REPORT", help="The folder for the report.")
@click.option("--cues", type=FILE, metavar="STORE", help="Keep what was perceived here, and reuse it.")
@click.option(
    "--modalities", default="TVA", show_default=True, metavar="TVA[,T,...]", help="Several sets for an ablation."
)
@click.option("--offline", is_flag=True, help="Never try the network.")
@click.pass_obj
def evaluate(
    debug: bool,
    corpus: str,
    data: Path,
    split: str,
    runs: tuple[str, ...],
    out: Path,
    modalities: str,
    columns: tuple[str, ...],
    **given: Any,
) -> None:
    """Score runs on a split of CORPUS, and write the report."""
    from .core.console import Bars, quiet

    with quiet(debug) as console:
        from .core.files import read_json
        from .corpora.table import column_names
        from .experiments import evaluate as evaluate_runs

        bars = Bars(console)
        paths = evaluate_runs(
            corpus,
            data,
            split,
            runs,
            out,
            modalities=modalities.split(","),
            columns=column_names(columns),
            progress=bars,
            **given,
        )
        bars.clear()
        for run, measured in read_json(paths["metrics.json"]).items():
            figures = "  ".join(
                f"{name.replace('_', ' ')} {measured[name]:.3f}"
                for name in ("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1")
            )
            click.echo(f"{run}  {figures}  ({measured['n']} clips)")
        print(f"→ {paths['report.html']}", file=console)


@main.command()
@click.option("--offline", is_flag=True, help="Do not try the network.")
@click.pass_obj
def doctor(debug: bool, offline: bool) -> None:
    """Say what is installed and reachable, and what `auto` would choose."""
    from .core.console import quiet

    with quiet(debug):
        from .doctor import examine

        for line in examine(offline=offline):
            click.echo(line)
