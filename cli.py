"""The command line: find the command, and word what goes wrong in one line.

Nothing of ours is imported at module level, so that `--help` is instant; a
command is a file in `commands/`, imported when it is asked for.
"""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress
from typing import Any

import click

# In the order in which help lists them.
COMMANDS = (
    "analyze",
    "prompt",
    "export",
    "corpus",
    "extract",
    "store",
    "finetune",
    "baseline",
    "evaluate",
    "pack",
    "serve",
    "settings",
    "doctor",
)


class _Commands(click.Group):
    """Commands by the name of their file; errors as one line, with exit code 1."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # `--debug` is about the whole line, so it may stand anywhere in it.
        options = args[: args.index("--")] if "--" in args else args
        if "--debug" in options:
            args = ["--debug", *(arg for arg in options if arg != "--debug"), *args[len(options) :]]
        try:
            return super().parse_args(ctx, args)
        except click.ClickException as error:
            raise _shown(error) from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f".commands.{cmd_name}", __package__).command

    def invoke(self, ctx: click.Context) -> Any:
        from .core.errors import EmoscribeError

        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            raise _shown(error) from None
        except (click.exceptions.Exit, click.Abort):
            raise
        except EmoscribeError as error:
            self._end(ctx, str(error), error)
        except OSError as error:
            self._end(ctx, f"{error.filename or 'the system'}: {error.strerror or error}", error)
        except Exception as error:
            self._end(ctx, f"unexpected {type(error).__name__}: {error}; --debug shows where. Please report it", error)

    @staticmethod
    def _end(ctx: click.Context, line: str, error: Exception) -> None:
        from .core.text import printable

        if ctx.params.get("debug"):
            raise error
        # Processes side by side go wrong in the same way: once is enough.
        if os.environ.get("RANK", "0") == "0":
            # Where nobody reads any more, the exit code alone tells.
            with suppress(OSError):
                click.echo(printable(f"emoscribe: {' '.join(line.split())}"), err=True)
        ctx.exit(1)


def _shown(error: click.ClickException) -> click.ClickException:
    """What click says of the command line, which may hold anything."""
    from .core.text import printable

    # click declares it final, for no reason that its own classes keep to.
    error.__dict__["message"] = printable(error.message)
    return error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks, and what libraries have to say; anywhere in the line.")
@click.version_option(package_name="emoscribe")
@click.pass_context
def main(ctx: click.Context, debug: bool) -> None:
    """From a video to a labelled transcript.

    What was said, what the faces did and how the voices sounded is put into
    words; a fine-tuned language model reads them and scores emotions over
    time.  Nothing leaves this machine.
    """
    ctx.obj = debug


def run() -> None:
    """The program: the command line, in a process of its own."""
    from .core.patience import end_without_waiting
    from .core.streams import give_up_output, why

    try:
        main()
    except OSError as error:
        # What is left to go wrong here is to print: `--help` to a full disk.
        give_up_output()
        click.echo(f"emoscribe: {why(error)}", err=True)
        sys.exit(1)
    except SystemExit as ended:
        end_without_waiting(ended)
        raise
