"""C-EXPR-DB: compound expressions in videos from the web, annotated over time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import MediaError
from ..core.labels import COMPOUND, COMPOUND_OTHER, LabelSet
from ..core.timeline import Clip
from .corpus import Corpus, CorpusRequest, Reader, wanted_splits
from .rows import Row, csv_table, read_utf8

DESCRIPTION = (
    "C-EXPR-DB, the part annotated for textualized models: 125 stretches of 56 videos, each with one of seven compound "
    "expressions or none of them (Other, not scored). In every published fold most of the validation videos have other "
    "stretches in training: compare with folds grouped by source video."
)

CITATION = (
    "D. Kollias: Multi-Label Compound Expression Recognition: C-EXPR Database & Network. CVPR 2023. "
    "Annotations and folds: N. Richet et al.: Textualized and Feature-based Models for Compound Multimodal Emotion "
    "Recognition in the Wild, arXiv 2407.12927."
)

LICENCE = "Videos on request from their owners, for research; annotations as published with arXiv 2407.12927."

# Files that are taken for videos.
SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v")

LAYOUT = """\
annotation/NN.csv with begin, end and eight one-hot columns
folds/split-{0..4}/{train,val,test}.txt; test is val in all of them
trimmed_videos/LABEL/NN_LABEL_K.mp4, or videos/NN.mp4 to be trimmed or read in part"""

OBTAIN = "get annotation/ and folds/ as published with arXiv 2407.12927, and the videos from the makers of C-EXPR-DB"

# Our names of the splits, and those of the files.
_LISTS = {"train": "train.txt", "dev": "val.txt", "test": "test.txt"}

_BEGIN, _END = "Begin Time - hh:mm:ss.ms", "End Time - hh:mm:ss.ms"
# Eight columns, and the dashed names of files: “Sadly Angry”, “Sadly-Angry”.
_COLUMNS = {label.title(): label for label in COMPOUND_OTHER.labels}
_DASHED = {label.title().replace(" ", "-"): label for label in COMPOUND_OTHER.labels}


@dataclass(frozen=True)
class Stretch:
    """An annotated interval of a source video; `index` counts those of its label there."""

    video: str
    label: str
    index: int
    start_s: float | None = None
    end_s: float | None = None

    @property
    def dashed(self) -> str:
        return self.label.title().replace(" ", "-")

    @property
    def id(self) -> str:
        return f"{self.video}_{self.dashed}_{self.index}"


@dataclass(frozen=True)
class Cut:
    """A stretch of a source video that is to be a video of its own."""

    id: str
    source: Path
    start_s: float
    end_s: float
    target: Path


def read(request: CorpusRequest) -> Corpus:
    """The clips of a published fold, or all of them as `train` where folds are made anew."""
    data = Path(request.data)
    known = {stretch.id: stretch for stretch in annotated(data)}
    if request.folds == "source":
        listed = {(stretch.id, text): stretch for stretch, text in _all_listed(data)}
        pool = {stretch.id: stretch for stretch in listed.values()} | known
        if not pool:
            raise MediaError(f"neither annotation/01.csv … nor folds/split-0/train.txt in {data}; {OBTAIN}")
        texts = {id: text for id, text in listed if text is not None}
        drawn = [(stretch, texts.get(id), "train") for id, stretch in sorted(pool.items())]
    else:
        folder = data / "folds" / f"split-{request.fold}"
        splits = wanted_splits(
            request,
            lambda split: (folder / _LISTS[split]).is_file(),
            lambda split: f"no {folder / _LISTS[split]}; {OBTAIN}",
        )
        drawn = [
            (known.get(stretch.id, stretch), text, split)
            for split in splits
            for stretch, text in _listed(folder / _LISTS[split])
        ]
    labels, sources = READER.tasks[request.task], videos(data)
    found = [_clip(data, sources, *each, labels) for each in drawn]
    clips = tuple(clip for clip, _ in found)
    return Corpus(
        name=READER.name,
        clips=clips,
        label_set=labels,
        metric=READER.metric,
        missing={clip.id: str(expected) for clip, expected in found if clip.media is None},
        identity={clip.id: f"c-expr-db {clip.id}" for clip in clips},
    )


def cuts(data: str | Path) -> list[Cut]:
    """What has to be cut out of the source videos so that every annotated stretch has one of its own.

    Raises:
        MediaError: there are no annotations, or they cannot be read.
    """
    data = Path(data)
    stretches = list(annotated(data))
    if not stretches:
        raise MediaError(f"no annotation/01.csv … in {data}; {OBTAIN}")
    sources = videos(data)
    return [
        Cut(
            stretch.id,
            sources.get(stretch.video, data / "videos" / f"{stretch.video}.mp4"),
            stretch.start_s or 0.0,
            stretch.end_s or 0.0,
            trimmed_path(data, stretch),
        )
        for stretch in stretches
    ]


def trimmed_path(data: Path, stretch: Stretch) -> Path:
    """Where a stretch's own video is, or would be."""
    return data / "trimmed_videos" / stretch.dashed / f"{stretch.id}.mp4"


def videos(data: Path) -> dict[str, Path]:
    """The source videos by their number as written in file names."""
    files = sorted((data / "videos").glob("*"), key=lambda path: path.suffix.lower() != ".mp4")
    return {path.stem: path for path in reversed(files) if path.suffix.lower() in SUFFIXES}


def _clip(
    data: Path, sources: Mapping[str, Path], stretch: Stretch, text: str | None, split: str, labels: LabelSet | None
) -> tuple[Clip, Path]:
    """The clip, and the file that it is best read from."""
    trimmed = trimmed_path(data, stretch)
    source = sources.get(stretch.video) if stretch.start_s is not None else None
    whole = trimmed.is_file()
    media = trimmed if whole else source
    clip = Clip(
        id=stretch.id,
        media=str(media) if media is not None else None,
        start_s=None if whole or media is None else stretch.start_s,
        end_s=None if whole or media is None else stretch.end_s,
        text=text,
        source=f"c-expr-db-{stretch.video}",
        split=split,
        target=stretch.label if labels is not None and stretch.label in labels.labels else None,
    )
    return clip, trimmed


# ── the published files ──────────────────────────────────────────────────────


def annotated(data: Path) -> Iterator[Stretch]:
    """The annotated stretches, video by video, in order of time as published."""
    for path in sorted((data / "annotation").glob("*.csv")):
        table = csv_table(path, read_utf8(path))
        table.require(_BEGIN, _END, *_COLUMNS)
        counts = dict.fromkeys(_COLUMNS.values(), 0)
        for row in table.rows:
            start_s, end_s = _seconds(row, _BEGIN), _seconds(row, _END)
            if end_s <= start_s:
                raise row.wrong(_END, f"{row.text(_END)} is not after the begin, {row.text(_BEGIN)}")
            label = _one_hot(row)
            yield Stretch(path.stem, label, counts[label], start_s, end_s)
            counts[label] += 1


def _seconds(row: Row, column: str) -> float:
    text = row.text(column) or ""
    match = re.fullmatch(r"(\d+):([0-5]?\d):([0-5]?\d(?:\.\d+)?)", text)
    if match is None:
        raise row.wrong(column, f"expected hh:mm:ss.ms, got {text!r}")
    return 3600 * int(match[1]) + 60 * int(match[2]) + float(match[3])


def _one_hot(row: Row) -> str:
    marked = [column for column in _COLUMNS if (row.text(column) or "0") != "0"]
    if len(marked) != 1:
        raise row.wrong(marked[0] if marked else next(iter(_COLUMNS)), f"expected one label a row, got {len(marked)}")
    return _COLUMNS[marked[0]]


def _all_listed(data: Path) -> Iterator[tuple[Stretch, str | None]]:
    for path in sorted((data / "folds").glob("split-*/*.txt")):
        yield from _listed(path)


def _listed(path: Path) -> Iterator[tuple[Stretch, str | None]]:
    """The clips of a fold's file, each with its transcript where there is one.

    A line is `Sadly-Angry/07_Sadly-Angry_0,6`, perhaps followed by the
    transcript: unquoted, with commas of its own.  The number of the class
    says nothing that the name does not.
    """
    for number, line in enumerate(read_utf8(path).split("\n"), start=1):
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(",")
        match = re.fullmatch(r"([A-Za-z-]+)/([^/]+)_\1_(\d+)", name)
        if match is None or match[1] not in _DASHED:
            raise MediaError(
                f"{path}, line {number}: expected LABEL/NN_LABEL_K as in Sadly-Angry/07_Sadly-Angry_0, got {name!r}"
            )
        text = rest.partition(",")[2].strip()
        yield Stretch(match[2], _DASHED[match[1]], int(match[3])), text or None


READER = Reader(
    name="c-expr-db",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    # “Other” has no target, and so is not scored, unless it is asked for.
    tasks={"compound": COMPOUND, "compound-other": COMPOUND_OTHER},
    metric="macro_f1",
    read=read,
    published_folds=5,
)
