"""A table of one's own: a file a split, a row a clip; or annotation files, or corrected results (see there)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..core.errors import MediaError, SettingsError
from ..core.timeline import Clip
from .annotations import annotation_files, annotation_table
from .corpus import SPLITS, Corpus, CorpusRequest, Reader, wanted_splits
from .corrected import corrected_files, read_corrected
from .rows import Row, Table, csv_table, jsonl_table, parquet_table, read_utf8
from .table_targets import TASKS, Targets, targets_in

DESCRIPTION = (
    "Your own data: a label, several labels or a rating a row, for what was said, or for a video, a sound file or a "
    "picture, or a stretch of one."
)

CITATION = "your own"

LICENCE = "your own"

LAYOUT = """\
{train,dev,test}.{csv,jsonl,parquet}, with the columns
label (one, several with | or ; between them, or a rating), and text or video or both; relative paths are relative to
the folder
or annotation files (.eaf, .TextGrid) in folders train, dev and test, beside their media; without these folders, all
are the test split; labels are the tier emotion, or emotion@SPEAKER, or the one named by --column label=TIER
or results as corrected on the page of emoscribe serve (.emoscribe.json): the file, or a folder of them
or hf:NAME[:CONFIG], a data set of the Hugging Face hub, or a folder that `datasets` reads
speaker, dialogue, source, start_s, end_s (optional)"""

OBTAIN = "write one with the columns label, and text or video"

ROLES = ("label", "text", "video", "speaker", "dialogue", "source", "start_s", "end_s")

SUFFIXES = (".csv", ".jsonl", ".parquet")


def column_names(assignments: Sequence[str]) -> dict[str, str]:
    """`ROLE=COLUMN` each, as in `text=Utterance`, as a mapping.

    Raises:
        SettingsError: another form, or an unknown role.
    """
    names = {}
    for assignment in assignments:
        role, equals, column = assignment.partition("=")
        if not equals or not column.strip():
            raise SettingsError(f"--column takes ROLE=COLUMN (as in text=Utterance), got {assignment!r}")
        if role.strip() not in ROLES:
            raise SettingsError(f"--column {assignment}: unknown role {role.strip()!r}; there are: {', '.join(ROLES)}")
        names[role.strip()] = column.strip()
    return names


def read(request: CorpusRequest) -> Corpus:
    """The rows in order; see `Reader.read`."""
    data = Path(request.data)
    if not any(_files(data, split) or annotation_files(data, split) for split in SPLITS) and corrected_files(data):
        return read_corrected(request)
    splits = wanted_splits(
        request,
        lambda split: bool(_files(data, split) or annotation_files(data, split)),
        lambda split: f"no {split}.csv, {split}.jsonl or {split}.parquet in {data}{_what_there_is(data)}; {OBTAIN}",
    )
    annotated = [split for split in splits if not _files(data, split)]
    if not annotated:
        return corpus_of({split: _table(data, split) for split in splits}, request, data)
    if len(annotated) < len(splits):
        raise MediaError(f"{data} holds tables and annotation files as splits; keep one kind")
    if others := request.columns.keys() - {"label"}:
        raise SettingsError(f"--column {min(others)}: of annotation files only the tier of labels is named, label=TIER")
    tables = {split: annotation_table(data, split, request.columns.get("label")) for split in splits}
    return corpus_of(tables, replace(request, columns={}), data)


def corpus_of(tables: Mapping[str, Table], request: CorpusRequest, folder: Path) -> Corpus:
    """The clips of a table a split.

    Args:
        folder: what paths in them are relative to.

    Raises:
        MediaError: a column is missing, or a cell is not as it should be.
    """
    roles = {split: _roles(table, request.columns) for split, table in tables.items()}
    cells = [(row, roles[split]["label"]) for split, table in tables.items() for row in table.rows]
    targets = targets_in(cells, request)
    clips = []
    missing = {}
    for split, table in tables.items():
        for row in table.rows:
            clip, video = _clip(folder, row, roles[split], split, targets)
            clips.append(clip)
            if video is not None and clip.media is None:
                missing[clip.id] = video
    return Corpus(
        name=READER.name,
        clips=tuple(clips),
        label_set=targets.labels,
        metric=READER.metric if targets.labels is not None else "mae",
        range=targets.range,
        recognised=targets.recognised,
        missing=missing,
    )


# ── files and columns ────────────────────────────────────────────────────────


def _files(data: Path, split: str) -> list[Path]:
    return [path for suffix in SUFFIXES if (path := data / f"{split}{suffix}").is_file()]


def _what_there_is(data: Path) -> str:
    names = sorted(path.name for path in data.iterdir() if path.suffix in SUFFIXES)
    return f" (there is {', '.join(names[:6])})" if names else ""


def _table(data: Path, split: str) -> Table:
    path, *others = _files(data, split)
    if others:
        raise MediaError(f"{path} and {others[0].name} both hold the {split} split; keep one")
    if path.suffix == ".parquet":
        return parquet_table(path)
    text = read_utf8(path)
    return csv_table(path, text) if path.suffix == ".csv" else jsonl_table(path, text)


def _roles(table: Table, given: Mapping[str, str]) -> dict[str, str]:
    """The column of each role that the table has."""
    if not table.rows:
        raise MediaError(f"{table.file} has no rows")
    there = ", ".join(table.columns)
    for role, column in given.items():
        if column not in table.columns:
            raise MediaError(f"{table.file} has no column {column!r} for {role}; there are: {there}")
    roles = {role: given.get(role, role) for role in ROLES if given.get(role, role) in table.columns}
    if "label" not in roles:
        raise MediaError(f"{table.file} has no column 'label'; there are: {there}; name it with --column label=…")
    if "text" not in roles and "video" not in roles:
        raise MediaError(
            f"{table.file} has neither a column 'text' nor one 'video'; there are: {there}; "
            "name one with --column text=… or --column video=…"
        )
    return roles


# ── rows ─────────────────────────────────────────────────────────────────────


def _clip(folder: Path, row: Row, roles: Mapping[str, str], split: str, targets: Targets) -> tuple[Clip, str | None]:
    """The clip, and the file that the row names."""

    def cell(role: str) -> str | None:
        return row.text(roles[role]) if role in roles else None

    start_s, end_s = (row.seconds(roles[role]) if role in roles else None for role in ("start_s", "end_s"))
    if end_s is not None and end_s <= (start_s or 0.0):
        raise row.wrong(roles["end_s"], f"{end_s:g} s is not after the start, {start_s or 0.0:g} s")
    named = cell("video")
    video = os.path.join(folder, named) if named is not None else None
    clip = Clip(
        id=f"{split}-{row.number}",
        media=video if video is not None and os.path.isfile(video) else None,
        start_s=start_s,
        end_s=end_s,
        text=(cell("text") or "") if "text" in roles else None,
        speaker=cell("speaker"),
        dialogue=cell("dialogue"),
        source=cell("source"),
        split=split,
        target=targets.of(row, roles["label"]),
    )
    return clip, video


READER = Reader(
    name="table",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    tasks=dict.fromkeys(TASKS),
    metric="macro_f1",
    read=read,
)
