"""Draw the floors and who imports whom, read off the imports: `python recipes/draw_house.py` writes docs/house.svg.

A line goes from a place to each that it imports.  All go downwards, or the
test of the house fails.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH, ROW, BOX = 960, 92, (112, 34)


def floors() -> dict[str, int]:
    """By place (a folder or a module), its floor, as `docs/architecture.md` has it."""
    rows = re.findall(r"^\| (\d) \| (.*?) \|", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.M)
    return {place.strip("/"): int(floor) for floor, places in rows for place in re.findall(r"`(.*?)`", places)}


def imports(places: Mapping[str, int]) -> set[tuple[str, str]]:
    """Pairs of places, the first importing the second."""
    found = set()
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).parts
        mine = parts[0] if parts[0] in places else None
        if mine is None:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # A dot for each folder up to the root.
            if isinstance(node, ast.ImportFrom) and node.level == len(parts):
                for name in [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]:
                    place = name if name in places else f"{name}.py"
                    if place in places and place != mine:
                        found.add((mine, place))
    return found


def drawing(places: Mapping[str, int], pairs: set[tuple[str, str]]) -> str:
    """The picture as SVG: a row a floor, the ground floor lowest."""
    highest = max(places.values())
    at = {}
    for floor in range(highest + 1):
        row = [place for place, its in places.items() if its == floor]
        for i, place in enumerate(row):
            at[place] = ((i + 0.5) * WIDTH / len(row), (highest - floor + 0.5) * ROW)
    height = (highest + 1) * ROW
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fcfbf8"/>',
    ]
    for upper, lower in sorted(pairs):
        (x, y), (to_x, to_y) = at[upper], at[lower]
        start, end = y + BOX[1] / 2, to_y - BOX[1] / 2
        bend = (end - start) / 2
        path = f"M{x:.0f} {start:.0f}C{x:.0f} {start + bend:.0f} {to_x:.0f} {end - bend:.0f} {to_x:.0f} {end:.0f}"
        lines.append(f'<path d="{path}" fill="none" stroke="#8a2b1d" stroke-opacity=".35"/>')
    for place, (x, y) in at.items():
        left, top = x - BOX[0] / 2, y - BOX[1] / 2
        box = f'x="{left:.0f}" y="{top:.0f}" width="{BOX[0]}" height="{BOX[1]}"'
        lines.append(f'<rect {box} rx="4" fill="#f3f0e9" stroke="#dcd6ca"/>')
        lines.append(f'<text x="{x:.0f}" y="{y + 4.5:.1f}" text-anchor="middle" fill="#1c1a17">{place}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


if __name__ == "__main__":
    house = floors()
    (ROOT / "docs" / "house.svg").write_text(drawing(house, imports(house)), encoding="utf-8")
