"""What a run remembers of the clips it learnt from: hashes, which tell later whether others overlap with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..core.errors import MediaError
from ..core.files import make_folder, plain, read_mapping, write_text

TRACES = "traces.json"


def save_traces(folder: Path, traces: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Write what the run in a folder remembers of the clips it learnt from: hashes by kind, by corpus and split."""
    # Nobody reads hashes: a line each would only be long.
    write_text(make_folder(folder) / TRACES, json.dumps(plain(traces)) + "\n")


def load_traces(folder: Path) -> dict[str, dict[str, list[str]]]:
    """What `save_traces` wrote; nothing where the run remembers nothing.

    Raises:
        MediaError: the file is damaged.
    """
    path = folder / TRACES
    traces = read_mapping(path) if path.is_file() else {}
    kinds = [kind for kinds in traces.values() for kind in (kinds.values() if isinstance(kinds, dict) else (None,))]
    if not all(isinstance(hashes, list) and all(isinstance(each, str) for each in hashes) for hashes in kinds):
        raise MediaError(f"{path} must map corpora to kinds of hashes and lists of them; remove it to go on without")
    return traces
