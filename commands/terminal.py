"""Where a command talks: its result, what is beside it, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

import click

from ..core import streams
from ..core.text import printable, printable_line

if TYPE_CHECKING:
    from ..core.console import Bars

# Options and arguments that name what a command writes to.
_WRITTEN = ("out", "table")


class Terminal:
    """Lines for the terminal, in which nothing is left that it would act on, wherever they come from.

    Where standard output is closed, or whoever reads it has seen enough, a
    command that writes files goes on with them, and says so once; one that
    only prints is at its end.

    Args:
        console: standard error, for what is not the result.
        bars: how far each stage is.
        quiet: say the result, and what went wrong, and nothing else.
        writes: whether there is more to the command than what it prints.
    """

    def __init__(self, console: TextIO, bars: Bars, *, quiet: bool = False, writes: bool = False) -> None:
        self.bars = bars
        self._console, self._quiet, self._writes = console, quiet, writes
        self._lost: OSError | None = None

    def say(self, line: str) -> None:
        """A line of the result."""
        self.show(printable_line(line))

    def show(self, text: str) -> None:
        """Lines of the result, as they are to be read by a program or a model.

        Raises:
            EmoscribeError: they cannot be printed, and nothing else is to be had of the command.
        """
        from ..core.errors import EmoscribeError

        self.bars.clear()
        if self._lost is not None:
            return
        try:
            if not streams.has_output():
                raise BrokenPipeError
            click.echo(printable(text))
        except OSError as error:
            streams.give_up_output()
            if not self._writes:
                raise EmoscribeError(streams.why(error)) from None
            self._lost = error
            self._print(f"emoscribe: {streams.why(error)}: nothing more is printed, and the work goes on")

    def note(self, line: str) -> None:
        """A line beside it."""
        if not self._quiet:
            self._print(line)

    def complain(self, error: Exception) -> None:
        """What went wrong with one of several things."""
        self.summarize(f"emoscribe: {' '.join(str(error).split())}")

    def summarize(self, line: str) -> None:
        """What several things came to, of which not all went well."""
        if streams.has_error():
            self._print(line)
        else:
            self.say(line)

    def check_printed(self) -> None:
        """
        Raises:
            EmoscribeError: whoever wanted to keep what was printed has not all of it.
        """
        from ..core.errors import EmoscribeError

        if self._lost is not None and not isinstance(self._lost, BrokenPipeError):
            raise EmoscribeError(f"{streams.why(self._lost)}; what was to be written elsewhere is written")

    def _print(self, line: str) -> None:
        with suppress(OSError):  # nobody reads it
            self.bars.clear()
            print(printable_line(line), file=self._console, flush=True)


@contextmanager
def terminal(debug: bool, quiet: bool = False, writes: bool | None = None) -> Iterator[Terminal]:
    """A terminal on which libraries are silent; with `debug` they have their say too.

    Args:
        writes: see `Terminal`; by default whether there is an option that says where to.
    """
    from ..core import console
    from ..core.files import sweep_temporary

    if writes is None:
        context = click.get_current_context(silent=True)
        writes = context is not None and any(context.params.get(name) is not None for name in _WRITTEN)
    if writes:
        sweep_temporary()
    with console.quiet(debug) as stderr:
        bars = console.Bars(stderr, shown=not quiet)
        place = Terminal(stderr, bars, quiet=quiet, writes=writes)
        yield place
        bars.clear()
        place.check_printed()
