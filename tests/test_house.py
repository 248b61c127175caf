"""The floors of the house, as `docs/architecture.md` lists them: a place imports from below its own floor alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Of the table: `| 1 | `extractors/`, `prompts/` | its one job |`.
_ROW = re.compile(r"^\| (\d+) \| (`[^|]*`) \|", re.MULTILINE)


def floors() -> dict[str, int]:
    """The floor of each place, a folder or a root module."""
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    return {
        place.rstrip("/").removesuffix(".py"): int(floor)
        for floor, places in _ROW.findall(table)
        for place in re.findall(r"`([^`]+)`", places)
    }


FLOORS = floors()
MODULES = sorted(
    path
    for path in (*ROOT.glob("*.py"), *(path for place in FLOORS for path in (ROOT / place).rglob("*.py")))
    if path.name not in ("__init__.py", "__main__.py") or path.parent != ROOT
)


def name_of(path: Path) -> str:
    """`llm.run` of `llm/run.py`, `doctor` of `doctor/__init__.py`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    """All of ours that a file imports, lazily, for types, or by a name in a string."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - node.level + 1]
            module = ".".join((*above, *([node.module] if node.module else [])))
            for alias in node.names:
                inner = f"{module}.{alias.name}".lstrip(".")
                yield inner if is_module(inner) else module
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not any(str(name).split(".")[0] == "emoscribe" for name in names), f"{path}: import ours relatively"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module") and node.args:
            given = node.args[0]
            if isinstance(given, ast.Constant) and str(given.value).startswith("."):
                yield ".".join((*package, str(given.value).lstrip(".")))


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def place_of(module: str) -> str:
    return module.split(".")[0]


def test_the_table_lists_every_place() -> None:
    there = {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__"}
    there |= {path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in ("build", "tests")}
    assert there == set(FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_place_imports_from_below_its_own_floor(path: Path) -> None:
    place = place_of(name_of(path))
    for module in imports_of(path):
        other = place_of(module)
        assert other == place or FLOORS[other] < FLOORS[place], f"{path.relative_to(ROOT)} imports {module}"


def test_no_circle_of_imports() -> None:
    """A module waits for those that it imports; whoever waits for himself is in a circle."""
    known = {name_of(path): set(imports_of(path)) for path in MODULES}
    waiting = {name: {other for other in others if other in known and other != name} for name, others in known.items()}
    while ready := {name for name, others in waiting.items() if not others}:
        waiting = {name: others - ready for name, others in waiting.items() if name not in ready}
    assert waiting == {}


def test_the_ground_floor_says_where_what_is() -> None:
    listed = re.findall(r"`(\w+)`", (ROOT / "core" / "__init__.py").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "core").glob("*.py") if path.stem != "__init__")


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


def test_help_needs_no_torch() -> None:
    """Of every command: what it needs is imported when it runs."""
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom emoscribe.cli import COMMANDS, main\n"
        "for name in COMMANDS: assert CliRunner().invoke(main, [name, '--help']).exit_code == 0, name\n"
        "print(*sorted(m for m in sys.modules if '.' not in m))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "av", "transformers", "pyarrow", "sklearn"} & set(loaded)


def test_no_module_outgrows_a_head() -> None:
    lengths = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in MODULES}
    assert {name: n for name, n in lengths.items() if n > 400} == {}
