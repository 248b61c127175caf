"""The rooms and their doors: who may import whom, read off the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("extractors", "textualize", "prompts", "llm", "corpora", "baseline", "outputs", "evaluation")
ROOMS = ("core", *STAGES)
MODULES = sorted(p for p in ROOT.glob("*.py")) + sorted(
    p for room in (*ROOMS, "experiments") for p in (ROOT / room).rglob("*.py")
)


def imported_rooms(path: Path) -> set[str]:
    """The folders and modules of ours that a file imports, at any depth."""
    found = set()
    depth = len(path.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            # One dot is the file's own folder, one more for each above it.
            if node.level == depth:
                found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not any(str(name).split(".")[0] == "emoscribe" for name in names), f"{path}: import ours relatively"
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_stage_imports_only_the_ground_floor(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    if room in ROOMS:
        assert imported_rooms(path) <= ({"core"} if room != "core" else set())


def test_every_room_is_packaged() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(project["tool"]["setuptools"]["packages"])
    there = {
        ".".join(("emoscribe", *path.parent.relative_to(ROOT).parts))
        for path in ROOT.rglob("__init__.py")
        if not {".venv", "build"} & set(path.relative_to(ROOT).parts)
    }
    assert packages == there


def test_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, emoscribe.cli; print(*sorted(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "pydantic", "yaml", "av", "transformers", "pyarrow"} & set(loaded)
    tree = ast.parse((ROOT / "cli.py").read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in tree.body)


def test_no_module_outgrows_a_head() -> None:
    lengths = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in MODULES}
    assert {name: n for name, n in lengths.items() if n > 400} == {}
