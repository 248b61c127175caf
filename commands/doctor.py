"""`emoscribe doctor`: what is installed, and what configs need."""

from __future__ import annotations

import click

from .terminal import terminal


@click.command("doctor")
@click.argument("config", required=False, metavar="[NAME|FILE]")
@click.option("--fetch", "fetching", is_flag=True, help="Download what that config needs to run offline from then on.")
@click.option("--offline", is_flag=True, help="Do not try the network.")
@click.pass_context
def command(ctx: click.Context, config: str | None, fetching: bool, offline: bool) -> None:
    """Say what is installed and reachable, what `auto` would choose, and what each config that ships still needs.

    Of a config that is named, say more; exit code 1 means that it is not ready.
    """
    if fetching and (config is None or offline):
        raise click.UsageError("--fetch goes with a config, and not with --offline")
    with terminal(ctx.obj, writes=fetching) as place:
        from ..doctor import examine, examine_config, fetch

        if fetching:
            for line in fetch(str(config), place.bars):
                place.say(line)
        elif config is not None:
            lines, ready = examine_config(config)
            place.show("\n".join(lines))
            ctx.exit(0 if ready else 1)
        else:
            for line in examine(offline=offline):
                place.say(line)
