"""The folder that a training writes into: free, or begun by the very same training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..baseline.run import BASELINE, SEARCH, TRIALS
from ..core.errors import SettingsError
from ..core.files import check_folder, make_folder, read_mapping, write_json
from ..corpora.corpus import Corpus
from ..corpora.identity import traces
from ..llm.run import DESCRIPTION
from ..training.checkpoints import CHECKPOINT
from ..training.traces import save_traces

SETTINGS = "settings.json"
SEEDS = "seeds.json"
TEACHERS = "teachers"

# Where nothing was learnt yet, a training may begin with other settings.
_LEARNT = (DESCRIPTION, BASELINE, CHECKPOINT, SEARCH, TRIALS, SEEDS, TEACHERS)


def check_free(folder: Path, resume: bool) -> None:
    """Raises:
    SettingsError: the folder can be none, or it holds a run and nobody means to resume it.
    """
    check_folder(folder)
    places = (folder, *folder.glob("seed-*"))
    if not resume and any((place / name).exists() for place in places for name in _LEARNT):
        raise SettingsError(f"{folder} holds a run already; --resume goes on with it, or choose another folder")


def is_begun(folder: Path, noted: Mapping[str, Any]) -> bool:
    """Whether this training was begun in the folder.

    Args:
        noted: what `note` writes of it.

    Raises:
        SettingsError: it is another one that was begun there.
    """
    path = folder / SETTINGS
    if not path.is_file():
        return False
    for what, then in read_mapping(path).items():
        if then != noted.get(what):
            difference = _first_difference(then, noted.get(what), what)
            raise SettingsError(f"{folder} cannot be resumed: {what} differ from when it was begun ({difference})")
    return True


def note(
    folder: Path,
    noted: Mapping[str, Any],
    corpora: Iterable[tuple[str, Corpus]],
    before: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
) -> None:
    """Write down what is trained: with what settings and on what data, in JSON's types, and what of corpora by name.

    Args:
        before: the traces of the run that training starts from, which are its own from now on.
    """
    write_json(make_folder(folder) / SETTINGS, noted)
    learnt = ((name, corpus, split) for name, corpus in corpora for split in ("train", "dev"))
    remembered = {name: dict(kinds) for name, kinds in (before or {}).items()}
    for name, corpus, split in learnt:
        known = remembered.setdefault(f"{name} {split}", {})
        for kind, hashes in traces(corpus, split).items():
            known[kind] = sorted({*known.get(kind, ()), *hashes})
    save_traces(folder, remembered)


def _first_difference(then: Any, now: Any, where: str) -> str:
    """Where two JSON values begin to differ, in words."""
    if isinstance(then, dict) and isinstance(now, dict):
        key = next(key for key in {**then, **now} if then.get(key) != now.get(key))
        return _first_difference(then.get(key), now.get(key), f"{where}.{key}")
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        index = next(i for i, (a, b) in enumerate(zip(then, now, strict=True)) if a != b)
        return _first_difference(then[index], now[index], f"{where}[{index}]")
    return f"{where}: {then!r}, now {now!r}"
