"""CH-SIMS: stretches of Chinese films and shows, rated from negative to positive, and each modality on its own."""

from __future__ import annotations

import math
from pathlib import Path

from ..core.labels import SENTIMENT, LabelSet, polarity
from ..core.timeline import Clip
from .corpus import Corpus, CorpusRequest, Reader, wanted_splits
from .rows import Row, Table, csv_table, read_utf8

DESCRIPTION = (
    "CH-SIMS: 2,281 stretches of 60 Chinese films, series and shows, each with its Chinese text and a sentiment from "
    "−1 (negative) to 1 (positive): as a whole, and as judged by the text, the voice and the picture alone. CH-SIMS v2 "
    "is read as well. Task moods gives seven parts of that scale the names of moods, as EMVAS shows them."
)

CITATION = (
    "W. Yu, H. Xu, F. Meng, Y. Zhu, Y. Ma, J. Wu, J. Zou, K. Yang: CH-SIMS: A Chinese Multimodal Sentiment Analysis "
    "Dataset with Fine-grained Annotation of Modality. ACL 2020, doi:10.18653/v1/2020.acl-main.343."
)

LICENCE = "For research, from its authors; the videos belong to their makers."

LAYOUT = """\
label.csv, or meta.csv, with video_id, clip_id, text, label, label_T, label_A, label_V and mode
Raw/VIDEO/CLIP.mp4 (optional)"""

OBTAIN = "get label.csv and Raw/ from the authors of CH-SIMS (github.com/thuiar/MMSA)"

# Upper ends of the parts of the scale; the last has none.
_MOOD_BELOW = {"anger": -0.7, "anxiety": -0.4, "fatigue": -0.1, "neutral": 0.1, "relaxed": 0.4, "happy": 0.7}
MOODS = LabelSet("ch-sims-moods", (*_MOOD_BELOW, "excited"))

_COLUMNS = {
    "sentiment": "label",
    "sentiment-text": "label_T",
    "sentiment-voice": "label_A",
    "sentiment-face": "label_V",
    "polarity": "label",
    "moods": "label",
}
_MODES = {"train": "train", "dev": "valid", "test": "test"}


def read(request: CorpusRequest) -> Corpus:
    """The stretches in order of video and clip; see `Reader.read`."""
    data = Path(request.data)
    path = next((path for name in ("label.csv", "meta.csv") if (path := data / name).is_file()), None)
    table = _table(path, _COLUMNS[request.task]) if path is not None else None
    rows = {split: [row for row in table.rows if _mode(row) == mode] for split, mode in _MODES.items()} if table else {}
    splits = wanted_splits(
        request,
        lambda split: bool(rows.get(split)),
        lambda split: f"no rows of mode {_MODES[split]!r} in {path}" if path else f"no label.csv in {data}; {OBTAIN}",
    )
    found = [
        _clip(data, row, split, request.task)
        for split in splits
        for row in sorted(rows[split], key=lambda row: (row.text("video_id") or "", row.integer("clip_id")))
    ]
    labels = READER.tasks[request.task]
    return Corpus(
        name=READER.name,
        clips=tuple(clip for clip, _ in found),
        label_set=labels,
        metric=READER.metric if labels is None else "macro_f1",
        range=READER.range if labels is None else None,
        missing={clip.id: str(video) for clip, video in found if clip.media is None},
        identity={clip.id: f"ch-sims {clip.id}" for clip, _ in found},
    )


def _table(path: Path, column: str) -> Table:
    table = csv_table(path, read_utf8(path))
    table.require("video_id", "clip_id", "text", column, "mode")
    known: dict[tuple[str | None, int], Row] = {}
    for row in table.rows:
        clip = row.text("video_id"), row.integer("clip_id")
        if clip in known:
            raise row.wrong("clip_id", f"{clip[0]} has clip {clip[1]} already in row {known[clip].number}")
        known[clip] = row
    return table


def _mode(row: Row) -> str:
    mode = row.text("mode") or ""
    if mode not in _MODES.values():
        raise row.wrong("mode", f"unknown mode {mode!r}; there are: {', '.join(_MODES.values())}")
    return mode


def _clip(data: Path, row: Row, split: str, task: str) -> tuple[Clip, Path]:
    """The clip, and where its video is or should be."""
    source, number = row.text("video_id") or "", row.text("clip_id") or ""
    # Clips are numbered with leading zeros, four digits or five, which spreadsheets lose.
    named = [data / "Raw" / source / f"{name}.mp4" for name in (number.zfill(4), number.zfill(5), number)]
    video = next((path for path in named if path.is_file()), None)
    clip = Clip(
        id=f"{source}-{int(number):04}",
        media=str(video) if video is not None else None,
        text=row.text("text") or "",
        source=f"ch-sims-{source}",
        split=split,
        target=_target(row, task),
    )
    return clip, named[0]


def _target(row: Row, task: str) -> str | float | None:
    """The rating, or its name; `None` where there is none, as in the part of v2 without annotations."""
    column = _COLUMNS[task]
    rating = row.measure(column)
    if math.isnan(rating):
        return None
    if not -1 <= rating <= 1:
        raise row.wrong(column, f"expected a number from -1 to 1, got {rating:g}")
    if task == "polarity":
        return polarity(rating)
    if task == "moods":
        return next((mood for mood, below in _MOOD_BELOW.items() if rating < below), MOODS.labels[-1])
    return rating


READER = Reader(
    name="ch-sims",
    description=DESCRIPTION,
    citation=CITATION,
    licence=LICENCE,
    layout=LAYOUT,
    obtain=OBTAIN,
    tasks={task: {"polarity": SENTIMENT, "moods": MOODS}.get(task) for task in _COLUMNS},
    metric="mae",
    read=read,
    range=(-1.0, 1.0),
)
