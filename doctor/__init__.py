"""What is installed and reachable, what `auto` would choose, and what configs still need.

Every engine is asked for by name, through the same door as an analysis
would, so what stands here is what would happen.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..core.context import Context, cores_here
from ..core.errors import EmoscribeError, UnavailableError
from ..core.settings import shipped_configs
from ..core.text import ends
from ..core.weights import find_base
from ..extractors.registry import AUTOMATIC, ENGINES, Kind, Need, choose
from ..extractors.settings import SETTINGS
from ..llm.run import find_run, shipped_runs
from ..llm.vllm_process import vllm_python, vllm_version
from .needs import COMMANDS, needs_of, read_config

READY, MISSING = "✓", "✗"


def examine(offline: bool = False) -> Iterator[str]:
    """The lines of the report, in order.

    Args:
        offline: do not try the network.
    """
    context = Context(offline=offline)
    yield _machine()
    yield ""
    for kind, engines in ENGINES.items():
        for name in engines:
            yield _asked(kind, name, lambda k=kind, n=name: choose(k, _settings(k, n), context)[1])
    for name in shipped_runs():
        yield _asked("model", name, lambda n=name: _run(n, offline))
    yield _asked("scoring", "vllm", _vllm)
    yield ""
    yield "config default would choose:"
    for kind in ("speech", "face", "speakers"):
        yield _asked(kind, "auto", lambda k=kind: choose(k, _settings(k, AUTOMATIC), context)[1])
    yield ""
    for command, configs in _configs().items():
        yield f"configs of {command}:"
        yield from (_summary(name, needs_of(name)) for name in configs)


def examine_config(config: str) -> tuple[list[str], bool]:
    """What one config needs, a line each and how to get it, and whether it is ready.

    Raises:
        SettingsError: it is no config, or names a run that is not there.
    """
    needs = needs_of(config)
    lines = [_need(need) for need in needs]
    if commands := _commands(config, needs):
        lines += ["", "get what is missing with:", *(f"  {command}" for command in commands)]
    return lines, not any(need.stops for need in needs)


def fetch(config: str, progress: Callable[[str, float], None]) -> Iterator[str]:
    """Download what a config needs and is not here; yields a line before and after each, and what no download gets.

    Args:
        progress: told what is being downloaded, and how much of it is done.

    Raises:
        SettingsError: it is no config, or names a run that is not there.
        EmoscribeError: something could not be fetched; whatever could be is here.
    """
    needs, refused = needs_of(config), []
    for need in needs:
        if need.fetch is not None:
            if need.missing:
                yield f"… {need.name}: fetching"
            try:
                need.fetch(partial(progress, need.name))
            except UnavailableError as error:
                refused.append(str(error))
            else:
                yield f"{READY} {need.name}: {'fetched' if need.missing else 'here'}"
    yield from (_need(need) for need in needs if need.fetch is None)
    if commands := _commands(config, [need for need in needs if need.fetch is None]):
        yield f"still to do: {'; '.join(commands)}"
    if refused:
        raise UnavailableError("; ".join(refused))


# ── the machine ──────────────────────────────────────────────────────────────


def _machine() -> str:
    import torch

    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    versions = f"emoscribe {importlib.metadata.version('emoscribe')}, Python {platform.python_version()}"
    return f"{versions}, PyTorch {torch.__version__}, {device}, {len(cores_here())} cores"


def _settings(kind: Kind, engine: str) -> Any:
    """The settings that ask for an engine and leave all else to it."""
    return SETTINGS[kind](engine=engine)


def _run(name: str, offline: bool) -> str:
    run = find_run(name)
    find_base(run.base.id, run.base.sha256, Context(offline=offline))
    answers = f"ratings from {ends(run.range)}" if run.range is not None else f"{run.label_set} labels"
    return f"{answers}, on {run.base.id}; {run.licence}"


def _vllm() -> str:
    python = vllm_python()
    return f"scores labels' words (evaluate --engine vllm): {vllm_version(python)}, by {python}"


def _asked(signal: str, name: str, ask: Callable[[], Any]) -> str:
    """One line: whether it is here, and what is to be said of it."""
    try:
        mark, answer = READY, ask()
    except EmoscribeError as error:
        mark, answer = MISSING, error
    said = " ".join(str(answer).split()).removesuffix(" (as asked)")
    return f"{mark} {signal:8} {name:18} {said}"


# ── configs ──────────────────────────────────────────────────────────────────


def _configs() -> dict[str, list[str]]:
    """The configs that ship, by the command that takes them."""
    by_command: dict[str, list[str]] = {command: [] for command in COMMANDS}
    for name in shipped_configs():
        command, _ = read_config(name)
        by_command[command].append(name)
    return by_command


def _summary(config: str, needs: Sequence[Need]) -> str:
    """One line: whether a config is ready, or what it lacks and the commands that get it."""
    stops = [need for need in needs if need.stops]
    better = [need for need in needs if need.missing and not need.stops]
    if stops:
        said = "; ".join(["lacks " + ", ".join(need.name for need in stops), *_commands(config, stops)])
    else:
        settled = "".join(f", with {need.instead} for want of {need.name}" for need in better)
        said = "; ".join([f"ready{settled}", *_commands(config, better)])
    return f"{MISSING if stops else READY} {config:22} {said}"


def _need(need: Need) -> str:
    mark, said = (MISSING, f": {need.missing}") if need.missing else (READY, "")
    instead = f"; until then {need.instead}" if need.missing and need.instead else ""
    return f"{mark} {need.name}{said}{instead}"


def _commands(config: str, needs: Sequence[Need]) -> list[str]:
    """What gets all of this that is missing, each command once."""
    missing = [need for need in needs if need.missing]
    commands = [need.command for need in missing if need.command]
    if any(need.fetch for need in missing):
        commands.append(f"emoscribe doctor --fetch {shlex.quote(str(Path(config)))}")
    return list(dict.fromkeys(commands))
