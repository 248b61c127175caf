"""The container's recipe: what can be checked of it without an engine, and that the service needs no home."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.doctor.needs import read_config

RECIPE = Path(__file__).resolve().parents[1] / "Containerfile"


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """Its instructions and what they say, lines joined."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", RECIPE.read_text(encoding="utf-8"), flags=re.M))
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in text.splitlines() if line.strip()]


def test_it_runs_as_an_ordinary_user_and_names_no_index(steps: list[tuple[str, str]]) -> None:
    runtime = steps[max(at for at, (what, _) in enumerate(steps) if what == "FROM") :]
    (user,) = (said for what, said in runtime if what == "USER")
    assert user.split(":")[0] not in ("root", "0")
    assert not any("://" in said or "index-url" in said for _, said in steps)
    (installing,) = (said for what, said in steps if what == "RUN" and "pip install" in said)
    assert "--constraint constraints.txt" in installing and "doctor --fetch embedded" in installing


def test_what_it_runs_is_a_command_with_these_options(steps: list[tuple[str, str]]) -> None:
    """Without a token it says that one is missing, and nothing of an option that is not there."""
    last = {what: said for what, said in steps}
    assert json.loads(last["ENTRYPOINT"]) == ["emoscribe"]
    command = json.loads(last["CMD"])
    refused = CliRunner().invoke(main, command, env={"EMOSCRIBE_TOKEN": None})
    assert refused.exit_code == 1 and "lets other machines in: give --token" in refused.stderr
    assert read_config(command[command.index("--config") + 1])[0] == "analyze"


def test_the_service_needs_no_home(serving, monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is of it is below TMPDIR, and gone at the end."""
    monkeypatch.setenv("HOME", "/nonexistent")
    with serving("--config", "embedded", "--offline") as server:
        assert httpx2.get(server.address, timeout=30).status_code == 200
    assert not server.left
