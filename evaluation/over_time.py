"""Clips that last: read in windows, scored by the frame, decided once.

A window of a clip is a clip of its own, so that it is read like any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.files import atomic_path
from ..core.prompt import Scored
from ..core.timeline import Clip
from .deciding import DECISIONS, check_decision
from .predictions import SCORE_PREFIX


@dataclass(frozen=True, eq=False)
class FrameScores:
    """A clip's scores over time.

    Attributes:
        clip: its id.
        times_s: (F,) seconds from the start of its file at which each frame
            is shown; `None` where there is no picture: a row is a window then.
        scores: (F, L) probabilities.
    """

    clip: str
    times_s: np.ndarray | None
    scores: np.ndarray


def window_clips(clip: Clip, duration_s: float | None, window_s: float, hop_s: float) -> list[Clip]:
    """The windows of a clip, in order of time; at least one.

    They are turns of one dialogue, so that what comes before a window is its
    context.  What was said in each is left to the words' times.

    Args:
        duration_s: of the clip's file; `None` where there is none that can be
            read: the clip is then one window.
    """
    if duration_s is None:
        return [replace(clip, dialogue=clip.id)]
    first_s = clip.start_s or 0.0
    last_s = clip.end_s if clip.end_s is not None else duration_s
    windows = []
    for index in range(max(1, math.ceil((last_s - first_s) / hop_s - 1e-9))):
        start_s = first_s + index * hop_s
        end_s = min(start_s + window_s, last_s)
        id = f"{clip.id} {start_s:.2f}–{end_s:.2f}"
        windows.append(replace(clip, id=id, start_s=start_s, end_s=end_s, text=None, dialogue=clip.id))
    return windows


def scores_by_frame(
    clip: Clip, windows: Sequence[Clip], scored: Mapping[str, Scored], labels: Sequence[str], times_s: np.ndarray | None
) -> FrameScores:
    """The scores of a clip's frames, from those of its windows.

    Args:
        scored: by window id.
        times_s: (F,) seconds at which the frames of the clip's file are
            shown, those outside of the clip too; `None` without a picture.
    """
    scores = np.array([[scored[window.id].scores[label] for label in labels] for window in windows])
    if times_s is not None:
        times_s = times_s[
            (times_s >= (clip.start_s or 0.0)) & (times_s < (math.inf if clip.end_s is None else clip.end_s))
        ]
    if times_s is None or not len(times_s):
        return FrameScores(clip.id, None, scores)
    start_s = np.array([window.start_s or 0.0 for window in windows])
    end_s = np.array([math.inf if window.end_s is None else window.end_s for window in windows])
    return FrameScores(clip.id, times_s, frame_scores(times_s, start_s, end_s, scores))


def decided(frames: Sequence[FrameScores], labels: Sequence[str], decision: str) -> list[Scored]:
    """The scores of each clip, decided from its frames.

    Raises:
        SettingsError: no such decision.
    """
    ids = [one.clip for one in frames for _ in one.scores]
    clips, scores = clip_scores(ids, np.concatenate([one.scores for one in frames]), decision)
    return [Scored(clip, dict(zip(labels, row, strict=True))) for clip, row in zip(clips, scores.tolist(), strict=True)]


def write_frames(path: str | Path, read: Mapping[str, Iterable[FrameScores]], labels: Sequence[str]) -> None:
    """A Parquet table, one row a frame: `run`, `clip`, `frame` from 0, `time_s`, `predicted`, `p_<label>` ….

    Args:
        read: the frames by the run (and set of modalities) that they come from.

    Raises:
        EmoscribeError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [
            ("run", pa.string()),
            ("clip", pa.string()),
            ("frame", pa.int32()),
            ("time_s", pa.float64()),
            ("predicted", pa.string()),
            *((SCORE_PREFIX + label, pa.float32()) for label in labels),
        ]
    )
    with atomic_path(path) as partial, pq.ParquetWriter(partial, schema) as table:
        for run, clips in read.items():
            for one in clips:
                if one.times_s is None:
                    continue
                frames = len(one.times_s)
                answers = [labels[best] for best in one.scores.argmax(axis=1)]
                columns = [[run] * frames, [one.clip] * frames, range(frames), one.times_s, answers]
                table.write_table(
                    pa.table([pa.array(column) for column in (*columns, *one.scores.T)], schema.names).cast(schema)
                )


def frame_scores(times_s: np.ndarray, start_s: np.ndarray, end_s: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """(F, L) scores of each frame: the mean over the windows it lies in.

    A frame in no window takes the scores of the nearest one, since a
    prediction is wanted for every frame.

    Args:
        times_s: (F,) seconds.
        start_s, end_s: (W,) seconds, W ≥ 1; a window holds its start and not
            its end.
        scores: (W, L) probabilities.
    """
    distance_s = np.maximum(np.maximum(start_s - times_s[:, None], times_s[:, None] - end_s), 0)
    inside = (start_s <= times_s[:, None]) & (times_s[:, None] < end_s)
    alone = ~inside.any(axis=1)
    inside[alone, distance_s[alone].argmin(axis=1)] = True
    return inside @ scores / inside.sum(axis=1, keepdims=True)


def clip_scores(clip_ids: Sequence[str], scores: np.ndarray, decision: str) -> tuple[tuple[str, ...], np.ndarray]:
    """One row of scores a clip, from those of its frames or windows.

    Args:
        clip_ids: the clip of each of the F rows.
        scores: (F, L) probabilities.
        decision: a name in `DECISIONS`.

    Returns:
        the C clips in order of first appearance, and their (C, L) scores.

    Raises:
        SettingsError: no such decision.
    """
    check_decision(decision)
    rows: dict[str, list[int]] = {}
    for row, clip in enumerate(clip_ids):
        rows.setdefault(clip, []).append(row)
    return tuple(rows), np.array([DECISIONS[decision](scores[of_clip]) for of_clip in rows.values()])
