"""Clips that last, on the way through an evaluation: cut into windows, read, put together again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.context import Context
from ..core.errors import MediaError, SettingsError
from ..core.labels import LabelSet
from ..core.prompt import Scored
from ..core.settings import validate
from ..core.timeline import Clip, Cues
from ..corpora import c_expr_db_challenge
from ..corpora.corpus import Corpus
from ..evaluation.deciding import check_decision
from ..evaluation.over_time import FrameScores, scores_by_frame, window_clips, write_frames
from ..extractors.trimming import frame_times_s
from ..textualize.settings import WindowSettings
from .reading import EvaluationData, Windows
from .request import EvaluationRequest

# How the challenge is read unless told otherwise: its expressions last seconds.
_CHALLENGE_WINDOWS = {"window_s": 2.0, "hop_s": 1.0}


@dataclass(frozen=True)
class Pieces:
    """The windows of clips, as clips of their own.

    Attributes:
        corpus: with the published measurements of each window's clip.
        clips: all windows.
        of: each clip with its windows.
        cues: of each window: its clip's.
    """

    corpus: Corpus
    clips: tuple[Clip, ...]
    of: tuple[tuple[Clip, tuple[Clip, ...]], ...]
    cues: Mapping[str, Cues]


def windows_for(request: EvaluationRequest) -> Windows | None:
    """How to read clips over time; `None` for a moment each.

    Raises:
        SettingsError: a window, hop or decision that is none, or that nothing
            is cut for.
    """
    given = {"window_s": request.window_s, "hop_s": request.hop_s}
    asked = {name: value for name, value in given.items() if value is not None}
    decide = tuple(dict.fromkeys(request.decide or ()))
    if request.corpus.name == c_expr_db_challenge.READER.name and request.window_s is None:
        asked = _CHALLENGE_WINDOWS | asked
    settings = validate(WindowSettings, asked, "--window and --hop")
    for decision in decide:
        check_decision(decision)
    if settings.window_s is None:
        if decide:
            raise SettingsError(f"--decide {','.join(decide)} needs --window: without it a clip is one moment")
        return None
    return Windows(settings.window_s, settings.hop_s or settings.window_s, decide or ("vote",))


@dataclass(frozen=True, eq=False)
class FrameTimes:
    """When the frames of clips' files are shown.

    Attributes:
        times_s: by clip id, (F,) seconds from the file's start; of files without a picture nothing.
        failed: by clip id, why its file cannot be decoded.
    """

    times_s: Mapping[str, np.ndarray]
    failed: Mapping[str, str]


def frame_times(clips: Sequence[Clip], context: Context) -> FrameTimes:
    """Every file is gone through once."""
    times_s: dict[str, np.ndarray] = {}
    failed: dict[str, str] = {}
    of_file: dict[str, np.ndarray] = {}
    for done, clip in enumerate(clips, 1):
        if clip.media is not None:
            try:
                if clip.media not in of_file:
                    of_file[clip.media] = frame_times_s(clip.media)
                times_s[clip.id] = of_file[clip.media]
            except MediaError as error:
                failed[clip.id] = str(error)
        context.progress("counting frames", done / len(clips))
    return FrameTimes(times_s, failed)


def cut_into_windows(corpus: Corpus, clips: Sequence[Clip], cues: Mapping[str, Cues], windows: Windows) -> Pieces:
    """Every clip's windows."""
    of = []
    for clip in clips:
        duration_s = cues[clip.id].media.duration_s if clip.id in cues else None
        of.append((clip, tuple(window_clips(clip, duration_s, windows.window_s, windows.hop_s))))
    pairs = [(clip, window) for clip, its in of for window in its]
    voice = {window.id: corpus.voice[clip.id] for clip, window in pairs if clip.id in corpus.voice}
    return Pieces(
        corpus=replace(corpus, voice=voice),
        clips=tuple(window for _, window in pairs),
        of=tuple(of),
        cues={window.id: cues[clip.id] for clip, window in pairs if clip.id in cues},
    )


def read_over_time(
    data: EvaluationData,
    cues: Mapping[str, Cues],
    windows: Windows,
    read: Callable[[Corpus, Sequence[Clip], Mapping[str, Cues]], Sequence[Scored]],
) -> list[FrameScores]:
    """The frames of each clip, from the scores of its windows.

    Args:
        read: scores clips, here the windows.
    """
    assert data.labels is not None
    pieces = cut_into_windows(data.corpus, data.clips, cues, windows)
    by_window = {one.id: one for one in read(pieces.corpus, pieces.clips, pieces.cues)}
    return [
        scores_by_frame(clip, its, by_window, data.labels.labels, data.times_s.get(clip.id)) for clip, its in pieces.of
    ]


def write_over_time(
    out: str | Path, corpus_name: str, frames: Mapping[str, Sequence[FrameScores]], labels: LabelSet
) -> dict[str, Path]:
    """Write `frames.parquet`, and for the challenge the frames' answers in its form.

    The latter is `submission.txt`, or with several readings
    `submission-<reading>.txt` each; a video that cannot be decoded is not in it.

    Returns:
        the path of each file by its name.
    """
    files = {"frames.parquet": Path(out) / "frames.parquet"}
    write_frames(files["frames.parquet"], frames, labels.labels)
    if corpus_name == c_expr_db_challenge.READER.name:
        for reading, clips in frames.items():
            name = "submission.txt" if len(frames) == 1 else f"submission-{reading}.txt"
            files[name] = Path(out) / name
            c_expr_db_challenge.write_submission(
                files[name],
                {
                    one.clip: [labels.labels[best] for best in one.scores.argmax(axis=1)]
                    for one in clips
                    if one.times_s is not None
                },
            )
    return files
