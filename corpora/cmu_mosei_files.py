"""The files that CMU-MOSEI's labels and transcripts are published in, as segments."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.errors import EmoscribeError, MediaError
from ..core.files import check_readable
from ..core.labels import LabelSet
from .corpus import SPLITS
from .rows import Row, csv_table, read_utf8

# In the order of the published labels, behind the sentiment.
SIX = LabelSet("cmu-mosei-six", ("happy", "sad", "anger", "surprise", "disgust", "fear"))

CSD, FOLDS, LABEL_CSV = "CMU_MOSEI_Labels.csd", "cmu_mosei_std_folds.py", "label.csv"
TABLE_OF = {"train": "Train", "dev": "Val", "test": "Test"}
_EDITIONS = ("modified", "original_without_neg_time", "original")
_FOLD_OF = {"train": "standard_train_fold", "dev": "standard_valid_fold", "test": "standard_test_fold"}
_MODE_OF = {"train": "train", "dev": "valid", "test": "test"}

# The same segment in labels and transcripts: times are printed to the millisecond or better.
_SAME_S = 0.01


@dataclass(frozen=True)
class Segment:
    """An annotated stretch of a video.

    Attributes:
        index: its number in the transcripts and in the names of videos.
        start_s, end_s: NaN where not published.
        sentiment: NaN in a transcript.
        emotions: intensities by label of `SIX`; `None` where not published.
    """

    video: str
    index: int | None
    start_s: float
    end_s: float
    text: str | None = None
    sentiment: float = math.nan
    emotions: Mapping[str, float] | None = None


def published(data: Path, splits: Sequence[str]) -> dict[str, list[Segment]]:
    """The segments of those of the splits that are there, from whichever of the published labels there are.

    Raises:
        MediaError: a file is not as it should be, or the lists of what is in which split are missing.
    """
    if (labels := _find(data, CSD)) is not None:
        folds, by_video = _folds(data), _from_csd(data, labels)
        found = {split: [one for video in folds[split] for one in by_video.get(video, ())] for split in splits}
    elif (labels := _find(data, LABEL_CSV)) is not None and not any(_edition(data, split) for split in SPLITS):
        found = _from_label_csv(labels)
    else:
        found = {split: _from_table(path) for split in splits if (path := _edition(data, split)) is not None}
    return {split: segments for split, segments in found.items() if segments}


def raw_folder(data: Path) -> Path:
    """Where videos, sounds and transcripts are."""
    return raw if (raw := data / "Raw").is_dir() else data


def _find(data: Path, name: str) -> Path | None:
    folders = (data, data / "Labels", data / "labels", data / "Raw" / "Labels")
    return next((path for folder in folders if (path := folder / name).is_file()), None)


def _edition(data: Path, split: str) -> Path | None:
    names = (f"Data_{TABLE_OF[split]}_{edition}.csv" for edition in _EDITIONS)
    return next((path for name in names if (path := _find(data, name)) is not None), None)


def _folds(data: Path) -> Mapping[str, list[str]]:
    """The videos of each split; some 400 segments are of videos in none of them."""
    path = _find(data, FOLDS)
    if path is None:
        raise MediaError(f"no {FOLDS} in {data}, which says what is train and test; get it from CMU-MultimodalSDK")
    try:
        # It is a Python file, and read as text: nothing in it is run.
        lists = {
            target.id: ast.literal_eval(node.value)
            for node in ast.parse(read_utf8(path)).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name) and target.id in _FOLD_OF.values()
        }
        return {split: [str(video) for video in lists[name]] for split, name in _FOLD_OF.items()}
    except (SyntaxError, ValueError, KeyError, TypeError):
        raise MediaError(f"{path}: expected the lists {', '.join(_FOLD_OF.values())} of video ids") from None


def _from_csd(data: Path, path: Path) -> dict[str, list[Segment]]:
    """The segments by video; text and index are those of the transcript's segment at the same time."""
    try:
        import h5py
    except ModuleNotFoundError:
        raise EmoscribeError(f"{path} takes h5py to read; pip install h5py") from None

    segments = {}
    check_readable(path)
    try:
        with h5py.File(path, "r") as file:
            videos: Any = file["All Labels/data"]
            for video, annotated in videos.items():
                said = _transcript(data, video)
                pairs = zip(annotated["intervals"][:], annotated["features"][:], strict=True)
                segments[video] = [
                    _with_text(_segment(path, video, *map(float, interval), *map(float, ratings)), said)
                    for interval, ratings in pairs
                ]
    except (OSError, KeyError, TypeError, ValueError, AttributeError):
        raise MediaError(
            f"{path} cannot be read as the published labels: it is damaged, or has no All Labels/data with intervals "
            "and seven features a segment"
        ) from None
    return segments


def _transcript(data: Path, video: str) -> list[Segment]:
    """The transcribed segments, a line each: `VIDEO___INDEX___START___END___TEXT`."""
    path = raw_folder(data) / "Transcript" / "Segmented" / "Combined" / f"{video}.txt"
    said = []
    for number, line in enumerate(read_utf8(path).split("\n") if path.is_file() else (), start=1):
        if not line.strip():
            continue
        try:
            # The video's own name may hold underscores.
            index, start, end, text = line.strip().removeprefix(f"{video}___").split("___", 3)
            said.append(Segment(video, int(index), _within(float(start)), _within(float(end)), text.strip()))
        except ValueError:
            raise MediaError(f"{path}, line {number}: expected {video}___INDEX___START___END___TEXT") from None
    return said


def _with_text(segment: Segment, said: Iterable[Segment]) -> Segment:
    def apart_s(one: Segment) -> float:
        return max(abs(one.start_s - segment.start_s), abs(one.end_s - segment.end_s))

    same = min(said, key=apart_s, default=None)
    if same is None or apart_s(same) > _SAME_S:
        return segment
    return replace(segment, index=same.index, text=same.text)


def _from_table(path: Path) -> list[Segment]:
    table = csv_table(path, read_utf8(path))
    table.require("video", "start_time", "end_time", "sentiment", *SIX.labels, "text")
    return [
        replace(
            _segment(
                path,
                row.text("video") or "",
                *(_number(row, column) for column in ("start_time", "end_time", "sentiment", *SIX.labels)),
            ),
            text=row.text("text") or "",
        )
        for row in table.rows
    ]


def _from_label_csv(path: Path) -> dict[str, list[Segment]]:
    table = csv_table(path, read_utf8(path))
    table.require("video_id", "clip_id", "text", "label", "mode")
    segments: dict[str, list[Segment]] = {mode: [] for mode in _MODE_OF.values()}
    for row in table.rows:
        mode, rating = row.text("mode") or "", _number(row, "label")
        if mode not in segments:
            raise row.wrong("mode", f"unknown mode {mode!r}; there are: {', '.join(segments)}")
        if not -3 <= rating <= 3:
            raise row.wrong("label", f"expected a sentiment from -3 to 3, got {rating:g}")
        video, index = row.text("video_id") or "", row.integer("clip_id")
        segments[mode].append(Segment(video, index, math.nan, math.nan, row.text("text") or "", rating))
    return {split: segments[mode] for split, mode in _MODE_OF.items()}


def _number(row: Row, column: str) -> float:
    number = row.measure(column)
    if not math.isfinite(number):
        raise row.wrong(column, "expected a number")
    return number


def _segment(path: Path, video: str, start_s: float, end_s: float, sentiment: float, *emotions: float) -> Segment:
    if len(emotions) != len(SIX.labels) or not -3 <= sentiment <= 3 or not all(0 <= each <= 3 for each in emotions):
        ratings = ", ".join(f"{rating:g}" for rating in (sentiment, *emotions))
        raise MediaError(
            f"{path}: {video} at {start_s:g} s is rated {ratings}; a sentiment from -3 to 3 and six emotions from 0 "
            "to 3 are expected"
        )
    by_label = dict(zip(SIX.labels, emotions, strict=True))
    return Segment(video, None, _within(start_s), _within(end_s), sentiment=sentiment, emotions=by_label)


def _within(time_s: float) -> float:
    """Some segments begin before their video."""
    return max(time_s, 0.0)
