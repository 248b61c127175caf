"""`emoscribe settings`: every key, its default, what it may be and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from .terminal import terminal

if TYPE_CHECKING:
    from ..core.settings import Key

TITLE = """\
# Settings

Every key of the configs, as `emoscribe settings --markdown` prints them.  A
config is a YAML file, or one that ships (`configs/`); `--set KEY=VALUE`
changes a single key, as `--set serve.KEY=VALUE` does one of the service.
Lengths of time are in seconds (`_s`), rates in frames a second (`_fps`, `_hz`).
"""


def _sections(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    reference = settings_reference()
    names = dict.fromkeys([*reference, *(key.name for keys in reference.values() for key in keys)])
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@click.command("settings")
@click.argument("section", required=False, metavar="[SECTION]", shell_complete=_sections)
@click.option("--markdown", is_flag=True, help="As tables, which is how docs/settings.md is made.")
@click.pass_obj
def command(debug: bool, section: str | None, markdown: bool) -> None:
    """Print every setting with its default, what it may be, its unit and one line on it.

    SECTION is a command (analyze, finetune, baseline, serve), a part of its
    settings, as in `face` or `finetune.optimizer`, or a single key, as in
    `face.sampling_fps` or `sampling_fps`.
    """
    with terminal(debug) as place:
        reference = settings_reference(section)
        place.show(markdown_page(reference).removesuffix("\n") if markdown else "\n".join(_to_read(reference)))


def settings_reference(section: str | None = None) -> dict[str, list[Key]]:
    """By command, the keys of its config, or those of a section alone, or a single one.

    Raises:
        SettingsError: no command has such a section.
    """
    from ..app.settings import ServeSettings
    from ..baseline.settings import BaselineSettings
    from ..core.errors import SettingsError
    from ..core.settings import keys_of
    from ..experiments.settings import FinetuneSettings
    from ..llm.settings import AnalyzeSettings

    models = {
        "analyze": AnalyzeSettings,
        "finetune": FinetuneSettings,
        "baseline": BaselineSettings,
        "serve": ServeSettings,
    }
    reference = {name: list(keys_of(model)) for name, model in models.items()}
    if section is None:
        return reference
    first, _, rest = section.partition(".")
    if first in models:
        reference, section = {first: reference[first]}, rest
    found = {name: [key for key in keys if _within(key, section)] for name, keys in reference.items()}
    if not any(found.values()):
        sections = dict.fromkeys(key.name for keys in reference.values() for key in keys if key.section)
        raise SettingsError(f"no settings {section!r}; there are: {', '.join([*models, *sections])}")
    return {name: keys for name, keys in found.items() if keys}


def _to_read(reference: dict[str, list[Key]]) -> Iterator[str]:
    for name, keys in reference.items():
        yield f"── {name}"
        for key in keys:
            value = f" = {key.default}" if key.default else "" if key.section else " (required)"
            allowed = f"{key.allowed}; {key.unit}" if key.unit else key.allowed
            yield f"{key.name}{value}  [{allowed}]\n    {key.text}"
        yield ""


def markdown_page(reference: dict[str, list[Key]]) -> str:
    """The reference as a page, a table a section."""
    return "\n".join([TITLE, *_tables(reference)])


def _within(key: Key, section: str) -> bool:
    return not section or f".{key.name}.".startswith(f".{section}.") or key.name.endswith(f".{section}")


def _tables(reference: dict[str, list[Key]]) -> Iterator[str]:
    for name, keys in reference.items():
        sections = {key.name: key for key in keys if key.section}
        for part in ("", *sections):
            title = f"### `{part}`\n\n{sections[part].text}" if part else f"## `{name}`"
            rows = [key for key in keys if not key.section and key.name.rpartition(".")[0] == part]
            if part and sections[part].default:
                title += f" By default {sections[part].default}."
            yield f"{title}\n"
            if rows:
                yield "| key | default | allowed | what it is |\n| --- | --- | --- | --- |"
                yield "\n".join(_row(key) for key in rows) + "\n"


def _row(key: Key) -> str:
    default = f"`{key.default}`" if key.default else "required"
    return f"| `{key.name}` | {default} | {key.allowed} | {key.text} |"
