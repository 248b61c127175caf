"""Clips that last, on the way through an evaluation: cut into windows, read, put together again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..core.context import Context
from ..core.errors import MediaError, SettingsError
from ..core.labels import LabelSet
from ..core.settings import validate
from ..core.timeline import Clip, Cues, Scored
from ..corpora import c_expr_db_challenge
from ..corpora.corpus import Corpus
from ..evaluation.deciding import check_decision
from ..evaluation.over_time import Frames, frames_of, windows_of, write_frames
from ..extractors.trimming import frame_times_s
from ..textualize.settings import WindowSettings

# How the challenge is read unless told otherwise: its expressions last seconds.
_CHALLENGE_WINDOWS = {"window_s": 2.0, "hop_s": 1.0}


@dataclass(frozen=True)
class Windows:
    """How clips are cut, and how their frames decide."""

    window_s: float
    hop_s: float
    decisions: tuple[str, ...]

    @property
    def in_words(self) -> str:
        """For the report."""
        return (
            f"Clips were read in windows of {self.window_s:g} s every {self.hop_s:g} s; a frame's scores are the mean "
            f"over the windows it lies in, and frames decide a clip by {', '.join(self.decisions)}"
        )


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


def windows_for(
    corpus_name: str, window_s: float | None, hop_s: float | None, decide: Sequence[str] | None
) -> Windows | None:
    """How to read clips over time; `None` for a moment each.

    Raises:
        SettingsError: a window, hop or decision that is none, or that nothing
            is cut for.
    """
    asked = {name: value for name, value in (("window_s", window_s), ("hop_s", hop_s)) if value is not None}
    if corpus_name == c_expr_db_challenge.READER.name and window_s is None:
        asked = _CHALLENGE_WINDOWS | asked
    settings = validate(WindowSettings, asked, "--window and --hop")
    for decision in decide or ():
        check_decision(decision)
    if settings.window_s is None:
        if decide:
            raise SettingsError(f"--decide {','.join(decide)} needs --window: without it a clip is one moment")
        return None
    return Windows(settings.window_s, settings.hop_s or settings.window_s, tuple(dict.fromkeys(decide or ("vote",))))


def frame_times(clips: Sequence[Clip], failed: dict[str, str], context: Context) -> dict[str, np.ndarray]:
    """(F,) seconds at which the frames of each clip's file are shown, by clip id; not of files without picture.

    Args:
        failed: told which files cannot be decoded, and why.
    """
    times_s: dict[str, np.ndarray] = {}
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
    return times_s


def cut_into_windows(corpus: Corpus, clips: Sequence[Clip], cues: Mapping[str, Cues], windows: Windows) -> Pieces:
    """Every clip's windows."""
    of = []
    for clip in clips:
        duration_s = cues[clip.id].media.duration_s if clip.id in cues else None
        of.append((clip, tuple(windows_of(clip, duration_s, windows.window_s, windows.hop_s))))
    pairs = [(clip, window) for clip, its in of for window in its]
    voice = {window.id: corpus.voice[clip.id] for clip, window in pairs if clip.id in corpus.voice}
    return Pieces(
        corpus=replace(corpus, voice=voice),
        clips=tuple(window for _, window in pairs),
        of=tuple(of),
        cues={window.id: cues[clip.id] for clip, window in pairs if clip.id in cues},
    )


def read_over_time(
    corpus: Corpus,
    clips: Sequence[Clip],
    cues: Mapping[str, Cues],
    windows: Windows,
    read: Callable[[Corpus, Sequence[Clip], Mapping[str, Cues]], Sequence[Scored]],
    labels: LabelSet,
    times_s: Mapping[str, np.ndarray],
) -> list[Frames]:
    """The frames of each clip, from the scores of its windows.

    Args:
        read: scores clips, here the windows.
        times_s: as `frame_times` gives them.
    """
    pieces = cut_into_windows(corpus, clips, cues, windows)
    by_window = {one.id: one for one in read(pieces.corpus, pieces.clips, pieces.cues)}
    return [frames_of(clip, its, by_window, labels.labels, times_s.get(clip.id)) for clip, its in pieces.of]


def write_over_time(
    out: str | Path, corpus_name: str, frames: Mapping[str, Sequence[Frames]], labels: LabelSet
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
