"""What runs answered where no labels tell how well: predictions, and how often each answer was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.files import make_folder, together, write_text
from .over_time import FrameScores
from .pages import TEMPLATES, environment
from .predictions import Predictions, to_csv


@dataclass(frozen=True)
class Row:
    """How often a label is the answer; `share` of all frames, in 0–1."""

    label: str
    clips: int
    frames: int
    share: float


@dataclass(frozen=True)
class Answers:
    """One table of the page, and a line on its run."""

    key: str
    about: str
    has_frames: bool
    rows: tuple[Row, ...]


@together()
def write_answers(
    folder: str | Path,
    predictions: Sequence[Predictions],
    *,
    corpus: str,
    split: str,
    frames: Mapping[str, Sequence[FrameScores]],
    notes: Sequence[str] = (),
    about: Mapping[str, str] | None = None,
) -> dict[str, Path]:
    """Write `predictions.csv`, `report.html` and `report.md`, which say that there is nothing to measure by.

    Args:
        predictions: as for `report.write_report`.
        frames: by `Predictions.reading`, where clips were read over time.
        notes, about: likewise.

    Returns:
        the path of each file by its name.

    Raises:
        EmoscribeError: the folder cannot be written to.
    """
    shown = {
        "corpus": corpus,
        "split": split,
        "first": predictions[0],
        "notes": notes,
        "tables": [_answers(one, frames.get(one.reading, ()), (about or {}).get(one.run, "")) for one in predictions],
    }
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    files = {
        "predictions.csv": to_csv(predictions),
        "report.html": environment(autoescape=True).get_template("answers.html.j2").render(**shown, style=style),
        "report.md": environment(autoescape=False).get_template("answers.md.j2").render(**shown),
    }
    folder = make_folder(folder)
    for name, text in files.items():
        write_text(folder / name, text)
    return {name: folder / name for name in files}


def _answers(one: Predictions, frames: Sequence[FrameScores], about: str) -> Answers:
    size = len(one.labels)
    clips = np.bincount(one.answers, minlength=size)
    shown = np.zeros(size, dtype=int)
    for clip in frames:
        if clip.times_s is not None:
            shown += np.bincount(clip.scores.argmax(axis=1), minlength=size)
    total = max(1, shown.sum())
    return Answers(
        key=one.key,
        about=about,
        has_frames=bool(shown.any()),
        rows=tuple(
            Row(label, int(clips[row]), int(shown[row]), float(shown[row] / total))
            for row, label in enumerate(one.labels)
        ),
    )
