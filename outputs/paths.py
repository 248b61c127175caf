"""Where the recording is, seen from the folder that a file about it lies in."""

from __future__ import annotations

import os
from pathlib import Path


def path_from(folder: str | Path, path: str | Path) -> str | None:
    """The path with `/` between, relative to the folder; `None` where no way leads there, as to another drive."""
    try:
        return Path(os.path.relpath(Path(path).resolve(), Path(folder).resolve())).as_posix()
    except ValueError:
        return None
