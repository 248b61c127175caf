"""Documents: what they show runs, and what they link to is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import emoscribe
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^### (.*?)\n.*?```python\n(.*?)```", ARCHITECTURE, re.M | re.S)


@pytest.mark.parametrize(("title", "code"), SNIPPETS, ids=[title for title, _ in SNIPPETS])
def test_what_is_shown_runs(title: str, code: str, tmp_path: Path) -> None:
    """In a process of its own, since each adds to a table."""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_there_is_a_snippet_for_everything_that_is_added() -> None:
    assert [title for title, _ in SNIPPETS] == ["an engine", "a corpus", "a format", "a fusion", "a label set"]


def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 6
    names: dict[str, object] = {}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"docs/tutorial.md, block {number}", "exec"), names)


def test_the_citation_is_of_this_version_and_has_what_its_format_asks_for() -> None:
    """Of the Citation File Format 1.2.0."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited) and cited["cff-version"] == "1.2.0"
    assert cited["version"] == emoscribe.__version__
    for reference in cited["references"]:
        assert {"type", "title", "authors"} <= set(reference)
    for author in (author for work in (cited, *cited["references"]) for author in work["authors"]):
        assert "name" in author or "family-names" in author


def test_scripts_that_are_named_are_there() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout")
    written = [ROOT / name for name in listed.stdout.splitlines() if name.endswith((".py", ".md", ".yaml", ".toml"))]
    named = {
        name
        for path in written
        if path.parent != ROOT / "tests"
        for name in re.findall(r"\b(?:recipes|benchmarks|tests)/\w+\.py", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 5
    assert not [name for name in sorted(named) if not (ROOT / name).is_file()]


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"
