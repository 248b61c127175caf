"""What options take, and what a shell completes them to, for which no library is imported that takes seconds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

# Whether it can be read, whoever reads it says, and of several goes on with the others.
FILE = click.Path(path_type=Path, readable=False)


class StorePlace(click.ParamType):
    """A folder, or a URL, which is left as it is."""

    name = "store"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        return value if "://" in str(value) else FILE.convert(value, param, ctx)


STORE_PLACE = StorePlace()

# Hours and minutes, each with a colon, and seconds.
_CLOCK = re.compile(r"(?:\d+:){0,2}\d+(?:\.\d+)?")


def seconds(text: str) -> float:
    """A time in a recording: seconds, minutes and seconds, or hours too; `83`, `1:23`, `1:02:03.5`.

    Raises:
        ValueError: another form.
    """
    parts = [float(part) for part in text.split(":")] if _CLOCK.fullmatch(text) else []
    if not parts or any(part >= 60 for part in parts[1:]):
        raise ValueError(f"{text!r} is not a time; give seconds, or as in 1:23 and 1:02:03.5")
    return sum(part * 60**place for place, part in enumerate(reversed(parts)))


class Time(click.ParamType):
    """See `seconds`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return value if isinstance(value, float) else seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Naming(click.ParamType):
    """`speaker 1=Ann`: who, and what they are called."""

    name = "naming"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        who, equals, called = (part.strip() for part in value.partition("="))
        if not (who and equals and called):
            self.fail(f"{value!r} names nobody; give it as in 'speaker 1=Ann'", param, ctx)
        return who, called


class FormatsOption(click.Option):
    """Its help lists the formats there are."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        from ..outputs.formats import FORMATS

        self.help = f"Of {', '.join(FORMATS)}."
        return super().get_help_record(ctx)


class RenamedOption(click.Option):
    """An option that had other names: all are taken, the first is shown."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        names = self.opts
        self.opts = names[:1]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = names


# ── what a shell completes to ────────────────────────────────────────────────


def configs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Configs that ship, and files."""
    from ..core.settings import shipped_configs

    return _or_files(shipped_configs(), incomplete, "file")


def runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Adapters that ship, and folders."""
    from ..llm.run import shipped_runs

    return _or_files(shipped_runs(), incomplete, "dir")


def corpora(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Corpora, and of commands that take others too, files."""
    from ..corpora.registry import READERS

    return _or_files(READERS, incomplete, "file") if param.name == "source" else _that_begin(READERS, incomplete)


def formats(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The last of several formats with commas between."""
    from ..outputs.formats import FORMATS

    before, comma, last = incomplete.rpartition(",")
    there = before.split(",")
    return _that_begin((f"{before}{comma}{name}" for name in FORMATS if name not in there), before + comma + last)


def assignments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Keys of settings, and behind `speech.engine=` the engines there are."""
    from ..extractors.registry import ENGINES, names_of
    from .settings import settings_reference

    name, equals, _ = incomplete.partition("=")
    if equals:
        engines = {f"{kind}.engine": names_of(kind) for kind in ENGINES}
        return _that_begin((f"{name}={engine}" for engine in engines.get(name, ())), incomplete)
    reference = settings_reference()
    keys = reference.get(ctx.info_name or "", reference["analyze"])
    return _that_begin((f"{key.name}=" for key in keys if not key.section), incomplete)


def _that_begin(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _or_files(names: Iterable[str], incomplete: str, kind: str) -> list[CompletionItem]:
    """Names that ship, or where none begins so, what the shell finds on disk."""
    return _that_begin(names, incomplete) or [CompletionItem(incomplete, type=kind)]
