"""Tables out of annotation files: a row an annotation of a tier of labels, in ELAN (.eaf) or Praat (.TextGrid)."""

from __future__ import annotations

import glob
import mimetypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import MediaError
from ..core.in_time import InTime
from ..core.text import one_line
from ..core.tiers import Annotation, Tier, TierFile, holds_tiers, read_tiers, spoken
from .corpus import SPLITS
from .rows import Row, Table

# What the tier of labels is called unless it is named; `emotion@Clara` is one too.
LABELS = "emotion"

# A text belongs to a label that it overlaps by so much of the shorter of the two.
_SHARED = 0.5


def annotation_files(data: Path, split: str) -> list[Path]:
    """Those of a split: in the folder of its name; without such folders all are there to be tested on."""
    folders = [data / name for name in SPLITS]
    folder = data if split == "test" and not any(map(_annotated, folders)) else data / split
    return _annotated(folder)


def annotation_table(data: Path, split: str, tier: str | None) -> Table:
    """The rows of a split's files, file by file in order of time.

    The recording is the one that the file names, or the one of its name
    beside it.  What is said is taken from the tiers of transcripts, where
    there are any, the speaker from the tier of labels.

    Args:
        tier: what the tier of labels is called, alone or before an `@`.

    Raises:
        MediaError: a file cannot be read, or none has such a tier.
    """
    rows: list[Row] = []
    names: dict[str, None] = {}
    for path in annotation_files(data, split):
        file = read_tiers(path)
        labelled = [each for each in file.tiers if _is_called(each, tier or LABELS)]
        names |= dict.fromkeys(one_line(each.name) for each in file.tiers)
        for annotation, cells in _labelled(path, file, labelled):
            where = f"{path} at {annotation.start_s:g} s"
            rows.append(Row(where, len(rows) + 1, None, cells))
    if not rows:
        raise MediaError(
            f"no annotations of a tier {tier or LABELS!r} in the {split} files in {data}; "
            f"their tiers are: {', '.join(names) or 'none'}; name one with --column label=TIER"
        )
    return Table(data, tuple({column: None for row in rows for column in row.cells}), tuple(rows))


def _annotated(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if holds_tiers(path) and path.is_file())


def _is_called(tier: Tier, name: str) -> bool:
    return name in (tier.name, tier.kind) or tier.name.partition("@")[0].casefold() == name.casefold()


def _labelled(path: Path, file: TierFile, tiers: Sequence[Tier]) -> Iterator[tuple[Annotation, dict[str, Any]]]:
    """The annotations in order of time, each with the cells of its row."""
    said = spoken([tier for tier in file.tiers if tier not in tiers])
    about = {"video": _recording(path, file), "dialogue": path.stem, "source": path.stem}
    # The name of such a tier as a whole is no speaker's.
    speakers = {tier.name: tier.speaker if tier.participant or "@" in tier.name else None for tier in tiers}
    found = [(annotation, speakers[tier.name]) for tier in tiers for annotation in tier.annotations]
    by_speaker: dict[str | None, InTime[Annotation]] = {}
    for annotation, speaker in sorted(found, key=lambda each: (each[0].start_s, each[0].end_s)):
        if speaker not in by_speaker:
            by_speaker[speaker] = _said_in([tier for tier in said if tier.speaker == speaker] or said)
        meanwhile = (each for each in by_speaker[speaker].during(annotation) if _belongs(each, annotation))
        times = {"start_s": annotation.start_s, "end_s": annotation.end_s}
        text = {"text": " ".join(one_line(each.text) for each in meanwhile)} if said else {}
        yield annotation, {**about, **times, **text, "label": annotation.text, "speaker": speaker}


def _said_in(tiers: Sequence[Tier]) -> InTime[Annotation]:
    return InTime(sorted((each for tier in tiers for each in tier.annotations), key=lambda each: each.start_s))


def _belongs(said: Annotation, label: Annotation) -> bool:
    shared_s = min(label.end_s, said.end_s) - max(label.start_s, said.start_s)
    return shared_s > 0 and shared_s >= _SHARED * min(label.end_s - label.start_s, said.end_s - said.start_s)


def _recording(path: Path, file: TierFile) -> str | None:
    """Where the recording is; where it should be, if it is not there; `None` where nothing tells."""
    named = [os.path.normpath(os.path.join(path.parent, location)) for location in file.media]
    beside = (str(each) for each in sorted(path.parent.glob(f"{glob.escape(path.stem)}.*")) if _is_media(each))
    return next((each for each in named if os.path.isfile(each)), None) or next(beside, named[0] if named else None)


def _is_media(path: Path) -> bool:
    return (mimetypes.guess_type(path.name)[0] or "").partition("/")[0] in ("video", "audio", "image")
