"""Options that several commands share, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import parameters
from .parameters import FILE, STORE_PLACE, FormatsOption, Naming, RenamedOption, Time

if TYPE_CHECKING:
    from ..core.context import Context, Store
    from ..corpora.corpus import CorpusRequest
    from ..extractors.executors import Executor
    from ..llm.plan import Plan
    from ..training.run import Run
    from .terminal import Terminal

SET = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=parameters.assignments,
    help="Change a setting; repeatable.",
)
OFFLINE = click.option("--offline", is_flag=True, default=None, help="Never try the network.")
WINDOW = click.option("--window", type=float, metavar="S", help="Windows of S seconds instead of utterances or clips.")
HOP = click.option("--hop", type=float, metavar="S", help="A window every S seconds.  [default: --window]")
STORE = click.option(
    *("--store", "--cues", "store"),
    cls=RenamedOption,
    type=STORE_PLACE,
    metavar="STORE",
    help="Keep what was perceived here, and reuse it.",
)
TASK = click.option("--task", metavar="NAME", help="Which of the corpus's annotations, where it has several.")
MODALITIES = click.option(
    "--modalities", metavar="TVA", help="T what was said, V the face, A the voice.  [default: the run's or config's]"
)
SEED = click.option(
    "--seed", "seeds", type=int, multiple=True, metavar="N", help="Several give a run each and their spread."
)
RESUME = click.option("--resume", is_flag=True, help="Go on with a training that was stopped.")


def options(*given: Callable) -> Callable:
    """Several options as one decorator, in the order in which help shows them."""

    def add(command: Callable) -> Callable:
        for option in reversed(given):
            command = option(command)
        return command

    return add


def out_option(metavar: str, help: str, *, required: bool = False) -> Callable:
    """Where a command writes."""
    return click.option("-o", "--out", type=FILE, required=required, metavar=metavar, help=help)


def formats_option(default: str | None, shown: str | bool = True) -> Callable:
    """Which files are written.

    Args:
        shown: the default in words, where it is not one.
    """
    return click.option(
        *("-f", "--formats"),
        cls=FormatsOption,
        default=default,
        show_default=shown,
        metavar="NAME[,NAME]",
        shell_complete=parameters.formats,
    )


TABLE = click.option("--table", type=FILE, metavar="FILE.csv", help="Write all moments to one table too.")


def config_option(default: str) -> Callable:
    """The config of a command."""
    return click.option(
        "--config",
        default=default,
        show_default=True,
        metavar="NAME|FILE",
        shell_complete=parameters.configs,
        help="A shipped config or a YAML file.",
    )


def run_option(help: str, *names: str, **more: Any) -> Callable:
    """A run."""
    return click.option(*(names or ("--run",)), metavar="RUN", shell_complete=parameters.runs, help=help, **more)


# A stretch of a recording.
STRETCH = options(
    click.option("--from", "start_s", type=Time(), metavar="TIME", help="Begin here: 83, 1:23 or 1:02:03.5."),
    click.option("--to", "end_s", type=Time(), metavar="TIME", help="End here."),
)


def workers_options(default: str) -> Callable:
    """Who works on many videos; `executor_of` takes them.

    Args:
        default: the number of processes, in words.
    """
    return options(
        click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help=_ENGINE),
        click.option("--workers", type=click.IntRange(1), metavar="N", help=f"Processes.  [default: {default}]"),
        click.option("--address", metavar="ADDRESS", help="Of a running Ray cluster.  [default: one of this machine]"),
        click.option("--gpus", type=click.FloatRange(0), default=0.0, metavar="F", help="GPUs a Ray worker takes."),
    )


_ENGINE = "Work in processes of this machine, or on a cluster."


def executor_of(given: dict[str, Any]) -> Executor | None:
    """Who is to work on many videos, where that is said; takes the options out of `given`.

    Raises:
        SettingsError: options that mean nothing together.
        UnavailableError: Ray is not here.
    """
    from ..core.errors import SettingsError
    from ..extractors.executors import LocalExecutor, RayExecutor

    engine, workers, address, gpus = (given.pop(name) for name in ("engine", "workers", "address", "gpus"))
    if engine == "ray":
        return RayExecutor(workers, gpus, address)
    if address is not None or gpus:
        raise SettingsError(f"{'--address' if address is not None else '--gpus'} is for --engine ray")
    return LocalExecutor(workers) if workers is not None else None


# Who hears: settings that are asked for often.
HEARING = options(
    click.option(
        "--transcript",
        type=FILE,
        help="What is said, instead of hearing it: .srt, .vtt, .ass, .eaf, .TextGrid, .json.",
    ),
    click.option(
        "--speakers",
        metavar="HOW|FILE",
        help="Who says it: voices, seen (whose mouth moves), none, or RTTM or JSON.",
    ),
    click.option(
        "--name", "names", multiple=True, type=Naming(), metavar="WHO=NAME", help="As in 'speaker 1=Ann'; repeatable."
    ),
    click.option("--language", metavar="CODE", help="What is spoken, as in en.  [default: what is heard]"),
    click.option("--model", metavar="SIZE", help="Of Whisper: base, small, turbo, ..., or a folder."),
)

# What shapes the words and their reading: shared by `analyze` and `prompt`.
READING = options(
    config_option("default"),
    run_option("A run folder or a shipped adapter.  [default: meld-minilm]"),
    click.option("--labels", metavar="SET", help="basic, compound, blend, or a run's own.  [default: the run's]"),
    MODALITIES,
    HEARING,
    STRETCH,
    WINDOW,
    HOP,
    STORE,
    click.option(
        "--device", type=click.Choice(["auto", "cpu", "cuda"]), help="Where models run.  [default: the config's]"
    ),
    SET,
    OFFLINE,
)

# How a corpus is cut into splits.
FOLDS = options(
    click.option("--folds", default="published", show_default=True, help="published, or source: none shared."),
    click.option("--fold", default=0, show_default=True, help="Which of the folds."),
    click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="Of tables: text=Utterance."),
)

DATA = (
    "The corpus, laid out as published; of a table also corrected results (.emoscribe.json), or hf:NAME[:CONFIG], a "
    "data set of the hub."
)

# Which corpus: shared by all that work on corpora alone.
CORPUS = options(
    click.argument("corpus", metavar="CORPUS", shell_complete=parameters.corpora),
    click.option("--data", required=True, metavar="DIR", help=DATA),
    FOLDS,
)

# The same where a corpus is only one of the things there may be.
PERHAPS_CORPUS = options(click.option("--data", metavar="DIR", help=f"Of a corpus: {DATA}"), FOLDS)


class WithEngines(click.Command):
    """Its help lists the engines there are."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from ..extractors.registry import ENGINES, names_of

        with formatter.section("Engines, for --set"):
            formatter.write_dl([(f"{kind}.engine", ", ".join(names_of(kind))) for kind in ENGINES])


def corpus_request(name: str, given: dict[str, Any], **more: Any) -> CorpusRequest:
    """The corpus that options ask for; takes theirs out of `given`."""
    from ..corpora.corpus import CorpusRequest
    from ..corpora.table import column_names

    cut = {option: given.pop(option) for option in ("data", "folds", "fold")}
    return CorpusRequest(name, **cut, columns=column_names(given.pop("columns")), **more)


def names_corpus(source: str, data: str | None) -> bool:
    """Whether a source is a corpus rather than a file: where its folder is given."""
    from ..corpora.registry import READERS

    if data is None and source in READERS and not Path(source).exists():
        raise click.UsageError(f"the corpus {source} needs --data DIR")
    return data is not None


def say_what_was_reached(run: Run, place: Terminal) -> None:
    """The line that a training ends with."""
    select, best = run.metrics["selected_on"], run.metrics["best_epoch"]
    place.say(f"→ {run.folder}: epoch {best + 1}, {select} {run.metrics['dev'][select]:.3f}")


def context_of(given: dict[str, Any], place: Terminal, store: str = "store") -> Context:
    """The circumstances that options ask for; takes theirs out of `given`.

    Args:
        store: the option that names the store.
    """
    from ..core.context import Context

    return Context(offline=bool(given.pop("offline")), progress=place.bars, store=store_at(given.pop(store)))


def store_at(place: Path | str | None) -> Store | None:
    """The cue store in a folder or under a URL, if one is given."""
    from ..extractors.store import CueStore

    return CueStore(place) if place is not None else None


# Of the reading options, those that settings have.
_SETTINGS = (
    *("run", "labels", "modalities", "speakers", "names", "language"),
    *("model", "window", "hop", "device", "offline"),
)


def plan_of(given: dict[str, Any], place: Terminal) -> tuple[Plan, Context]:
    """The plan that the reading options ask for, and the circumstances."""
    from ..llm.plan import make_plan
    from ..llm.settings import analyze_settings
    from ..pipeline import context_for

    asked = {name: given[name] for name in _SETTINGS} | {"names": dict(given["names"]) or None}
    settings = analyze_settings(given["config"], given["assignments"], **asked)
    context = context_for(settings, store_at(given["store"]), place.bars)
    return make_plan(settings, context, given["transcript"]), context
