"""`emoscribe serve`: the page and the service."""

from __future__ import annotations

from pathlib import Path

import click

from .options import OFFLINE, SET, config_option, options
from .parameters import FILE
from .terminal import terminal

WHERE = options(
    click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at."),
    click.option("--port", type=int, default=7860, show_default=True, help="0 is any that is free."),
    click.option(
        "--token", envvar="EMOSCRIBE_TOKEN", metavar="TEXT", help="What whoever comes has to show; or EMOSCRIBE_TOKEN."
    ),
    click.option("--insecure", is_flag=True, help="Answer other machines without a token."),
    click.option("--allow", "names", multiple=True, metavar="NAME", help="A further name of this service; repeatable."),
    click.option(
        "--root", "roots", multiple=True, type=FILE, metavar="DIR", help="Files in it may be analysed; repeatable."
    ),
)


@click.command("serve")
@WHERE
@config_option("default")
@SET
@OFFLINE
@click.pass_obj
def command(
    debug: bool, config: str, assignments: tuple[str, ...], offline: bool | None, roots: tuple[Path, ...], **given
) -> None:
    """Open a page on which recordings are analysed, watched and corrected, and answer programs.

    It is for this machine alone, unless --host says otherwise.  Nothing is
    sent anywhere; what comes in is removed at the end, or an hour after it was
    last asked for.  --set serve.KEY=VALUE changes a limit.
    """
    with terminal(debug, writes=True) as place:
        from ..core.settings import load

        try:
            from ..app.server import address, bound, server_of
            from ..app.settings import ServeSettings
        except ModuleNotFoundError as error:
            from ..core.errors import UnavailableError

            raise UnavailableError(
                f"the service needs {error.name}, which is not installed: pip install 'emoscribe[app]'"
            ) from None
        from ..app.requests import Defaults

        own = tuple(each.removeprefix("serve.") for each in assignments if each.startswith("serve."))
        about = tuple(each for each in assignments if not each.startswith("serve."))
        settings = load(ServeSettings, None, own, roots=roots or None, **given)
        defaults = Defaults(config, about, bool(offline))
        with bound(settings) as listening:
            port = listening.getsockname()[1]
            server = server_of(settings, defaults)
            place.say(f"emoscribe listens at {address(settings, port)}")
            server.run(sockets=[listening])
