"""Options that several commands share, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from ..core.console import Bars
    from ..core.context import Context, Store
    from ..corpora.corpus import CorpusRequest
    from ..llm.plan import Plan

FILE = click.Path(path_type=Path)

SET = click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Change a setting; repeatable.")
OFFLINE = click.option("--offline", is_flag=True, default=None, help="Never try the network.")
WINDOW = click.option("--window", type=float, metavar="S", help="Windows of S seconds instead of utterances or clips.")
HOP = click.option("--hop", type=float, metavar="S", help="A window every S seconds.  [default: --window]")
RUN = click.option("--run", metavar="RUN", help="A run folder or a shipped adapter.  [default: meld-minilm]")
CUES = click.option("--cues", type=FILE, metavar="STORE", help="Keep what was perceived here, and reuse it.")
TASK = click.option("--task", metavar="NAME", help="Which of the corpus's annotations, where it has several.")
MODALITIES = click.option(
    "--modalities", metavar="TVA", help="T what was said, V the face, A the voice.  [default: the run's or config's]"
)


def options(*given: Callable) -> Callable:
    """Several options as one decorator, in the order in which help shows them."""

    def add(command: Callable) -> Callable:
        for option in reversed(given):
            command = option(command)
        return command

    return add


def config_option(default: str) -> Callable:
    """The config of a command."""
    return click.option(
        "--config", default=default, show_default=True, metavar="NAME|FILE", help="A shipped config or a YAML file."
    )


# What shapes the words and their reading: shared by `analyze` and `prompt`.
READING = options(
    config_option("default"),
    RUN,
    click.option("--labels", metavar="SET", help="basic, compound, blend, or a run's own.  [default: the run's]"),
    click.option("--transcript", type=FILE, help="Subtitles (.srt, .vtt, .ass), .eaf, .TextGrid or JSON."),
    MODALITIES,
    WINDOW,
    HOP,
    click.option("--store", type=FILE, metavar="DIR", help="Keep what was perceived here, and reuse it."),
    SET,
    OFFLINE,
)

# How a corpus is cut into splits.
FOLDS = options(
    click.option("--folds", default="published", show_default=True, help="published, or source: none shared."),
    click.option("--fold", default=0, show_default=True, help="Which of the folds."),
    click.option("--column", "columns", multiple=True, metavar="ROLE=NAME", help="Of tables: text=Utterance."),
)

DATA = "The corpus, laid out as published; of a table also hf:NAME[:CONFIG], a data set of the hub."

# Which corpus: shared by all that work on corpora alone.
CORPUS = options(
    click.argument("corpus", metavar="CORPUS"),
    click.option("--data", required=True, metavar="DIR", help=DATA),
    FOLDS,
)

# The same where a corpus is only one of the things there may be.
PERHAPS_CORPUS = options(click.option("--data", metavar="DIR", help=f"Of a corpus: {DATA}"), FOLDS)


class FormatsOption(click.Option):
    """Its help lists the formats there are."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from ..outputs.formats import FORMATS

        self.help = f"Of {', '.join(FORMATS)}."
        return super().get_help_record(ctx)


TABLE = click.option("--table", type=FILE, metavar="FILE.csv", help="Write all moments to one table too.")


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


@dataclass(frozen=True)
class Terminal:
    """Where a command talks.

    Attributes:
        console: standard error, for what is not the result.
        bars: how far each stage is.
    """

    console: TextIO
    bars: Bars

    def say(self, line: str) -> None:
        """A line of the result."""
        self.bars.clear()
        click.echo(line)

    def note(self, line: str) -> None:
        """A line beside it."""
        self.bars.clear()
        print(line, file=self.console)

    def complain(self, error: Exception) -> None:
        """What went wrong with one of several things."""
        self.note(f"emoscribe: {' '.join(str(error).split())}")


@contextmanager
def terminal(debug: bool) -> Iterator[Terminal]:
    """A quiet terminal; with `debug` libraries have their say too."""
    from ..core.console import Bars, quiet

    with quiet(debug) as console:
        bars = Bars(console)
        yield Terminal(console, bars)
        bars.clear()


def context_of(given: dict[str, Any], place: Terminal, store: str = "cues") -> Context:
    """The circumstances that options ask for; takes theirs out of `given`.

    Args:
        store: the option that names the store.
    """
    from ..core.context import Context

    return Context(offline=bool(given.pop("offline")), progress=place.bars, store=store_at(given.pop(store)))


def store_at(folder: Path | None) -> Store | None:
    """The cue store in a folder, if one is given."""
    from ..extractors.store import CueStore

    return CueStore(folder) if folder is not None else None


def plan_of(given: dict[str, Any], place: Terminal) -> tuple[Plan, Context]:
    """The plan that the reading options ask for, and the circumstances."""
    from ..core.settings import load
    from ..llm.plan import make_plan
    from ..llm.settings import AnalyzeSettings
    from ..pipeline import context_for

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
    context = context_for(settings, store_at(given["store"]), place.bars)
    return make_plan(settings, context), context
