"""Whether a vulnerability is known of any package that is pinned, as `pip-audit` is told by the index.

    python recipes/audit.py [constraints.txt]

Exit code 0: all of them were looked up, and nothing is known.  1: something
is.  2: not all could be looked up, which is not the same as nothing known,
and is said so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TOOL = "pip-audit==2.10.1"


def verdict(code: int, told: str, complained: str) -> tuple[int, list[str]]:
    """The exit code and what to say, from what `pip-audit --format json` came to."""
    try:
        packages = json.loads(told)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (complained.strip().splitlines() or [f"exit code {code}"])[-1]
        return 2, [f"NOT AUDITED: {TOOL} came to nothing ({last})"]
    known = [
        f"{each['name']} {each['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'no version'}"
        for each in packages
        for found in each.get("vulns", ())
    ]
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    if skipped or not packages:
        some = f"{', '.join(skipped[:5])}{', …' if len(skipped) > 5 else ''}"
        known.append(f"NOT AUDITED: {len(skipped)} of {len(packages)} packages could not be looked up ({some})")
        return (1 if len(known) > 1 else 2), known
    return (1 if known else 0), known or [f"nothing is known of any of {len(packages)} packages"]


def pinned(path: Path) -> Iterator[str]:
    """The lines of a file of constraints that pin a version; which are for this machine is pip-audit's to tell."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if "==" in line and not line.startswith("#"):
            yield line


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "constraints.txt")
    tool = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", TOOL, "pip-audit"]
    how = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "10", "--format", "json"]
    pins = "\n".join(pinned(path))
    done = subprocess.run([*tool, *how, "-r", "/dev/stdin"], input=pins, capture_output=True, text=True)
    code, said = verdict(done.returncode, done.stdout, done.stderr)
    print("\n".join(said), file=sys.stderr if code else sys.stdout)
    sys.exit(code)


if __name__ == "__main__":
    main()
