"""The annotated stretches of a corpus as videos of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import MediaError, SettingsError
from ..core.files import make_folder
from ..corpora import c_expr_db
from ..extractors.trimming import cut


@dataclass(frozen=True)
class Trimmed:
    """What `trim` did, by clip id.

    Attributes:
        written, kept: clips cut now, and clips that were there.
        failed: why others are not.
    """

    written: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def trim(corpus: str, data: str | Path, progress: Callable[[float], None] = lambda done: None) -> Trimmed:
    """Cut every annotated stretch out of its source video, into `trimmed_videos/`.

    Clips that are there are kept, so that an interrupted trimming goes on
    where it stopped.

    Args:
        progress: told how much is done, in 0–1.

    Raises:
        SettingsError: the corpus has nothing to be cut.
        MediaError: there are no annotations, or they cannot be read.
        EmoscribeError: the folder cannot be written.
    """
    if corpus != c_expr_db.READER.name:
        raise SettingsError(f"--trim goes with {c_expr_db.READER.name}: the clips of {corpus} are read as they are")
    written, kept, failed = [], [], {}
    asked = c_expr_db.cuts(data)
    for done, one in enumerate(asked, start=1):
        if one.target.exists():
            kept.append(one.id)
        elif not one.source.exists():
            failed[one.id] = f"no source video {one.source}"
        else:
            make_folder(one.target.parent)
            try:
                cut(one.source, one.start_s, one.end_s, one.target)
                written.append(one.id)
            except MediaError as error:
                failed[one.id] = str(error)
        progress(done / len(asked))
    return Trimmed(tuple(written), tuple(kept), failed)
