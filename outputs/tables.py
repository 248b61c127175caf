"""Tables that spreadsheets and statistics programs open: a row a moment, and one table of many videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..core.cells import as_cell, csv_text
from ..core.errors import SettingsError
from ..core.files import make_folder, write_text
from ..core.text import ends, one_line
from ..core.timeline import LabelledTranscript, Segment

# A number and how many places behind the point are told of it, a text, or nothing.
Cell = tuple[float, int] | str | None


@dataclass(frozen=True)
class Sheet:
    """A table, a mapping from its columns a row; a column that a row lacks is empty."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Cell]]


def moments_csv(transcript: LabelledTranscript, folder: Path) -> str:
    """One row a moment."""
    return as_csv(moments_of(transcript))


def moments_of(transcript: LabelledTranscript) -> Sheet:
    """One row a moment, a column a label with its score, or one with the rating.

    What was read is empty where there is no evidence; `corrected` says `yes` where a person set or confirmed it, and
    the scores are what the model had thought.
    """
    answers = ["rating"] if transcript.range is not None else ["label"]
    if transcript.thresholds:
        answers.append("labels")
    about = ["video", "start_s", "end_s", "speaker", "text", "face", "voice", "evidence", *answers, "corrected"]
    scores = {label: f"score_{label}" if label in about else label for label in transcript.labels}
    video = video_of(transcript)
    rows = [{"video": video, **_row(segment, scores)} for segment in transcript.segments]
    return Sheet([*about, *scores.values()], rows)


def video_of(transcript: LabelledTranscript) -> str:
    """The file's name, by which a table says what it is about."""
    return Path(transcript.media.path).name


def as_csv(sheet: Sheet) -> str:
    """With a header; no cell is a formula."""
    rows = ([_shown(row.get(column)) for column in sheet.columns] for row in sheet.rows)
    return csv_text([list(map(_shown, sheet.columns)), *rows])


def _row(segment: Segment, scores: Mapping[str, str]) -> dict[str, Cell]:
    """
    Args:
        scores: by label, the column of its score.
    """
    moment = segment.moment
    answer: dict[str, Cell] = {}
    if segment.judged:
        answer = {"label": segment.label, "labels": "|".join(map(one_line, segment.given or ()))}
        if segment.rating is not None:
            answer = {"rating": (segment.rating, 6)}
    return {
        "start_s": (moment.start_s, 3),
        "end_s": (moment.end_s, 3),
        "speaker": moment.speaker,
        "text": moment.text,
        "face": moment.face,
        "voice": moment.voice,
        "evidence": moment.evidence,
        **answer,
        "corrected": "yes" if segment.corrected else None,
        **{column: (segment.scores[label], 6) for label, column in scores.items()},
    }


def _shown(cell: Cell) -> str:
    """A cell as text."""
    if isinstance(cell, tuple):
        value, places = cell
        return f"{value:.{places}f}"
    return as_cell(one_line(cell or ""))


# ── one table of many videos ─────────────────────────────────────────────────


class Table:
    """The moments of many videos in one CSV file, which is written whole when all are added.

    As a context manager it is written at the end of the block, however that ends.
    A video is called by its file's name; where two have the same, by its path.

    Raises:
        SettingsError: the file is to be none of CSV.
        EmoscribeError: its folder cannot be made or written to.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        if self._path.suffix.lower() != ".csv" or self._path.is_dir():
            raise SettingsError(f"--table {path} must be a file that ends in .csv")
        make_folder(self._path.parent)
        self._transcripts: list[LabelledTranscript] = []

    def add(self, transcript: LabelledTranscript) -> None:
        """
        Raises:
            SettingsError: it is judged by other labels, or on another scale, than those before it; probabilities
                among other answers are not to be compared.
        """
        first = self._transcripts[0] if self._transcripts else transcript
        if _answers(first) != _answers(transcript):
            raise SettingsError(
                f"{self._path} is one table with one set of answers: of {first.media.path} they are "
                f"{_answers(first)}, of {transcript.media.path} {_answers(transcript)}; write a table of each"
            )
        self._transcripts.append(transcript)

    def write(self) -> None:
        """Write the file; where nothing was added there is none."""
        if self._transcripts:
            write_text(self._path, as_csv(_together(self._transcripts)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.write()


def _together(transcripts: Sequence[LabelledTranscript]) -> Sheet:
    paths: dict[str, set[str]] = {}
    for transcript in transcripts:
        paths.setdefault(video_of(transcript), set()).add(transcript.media.path)
    rows: list[Mapping[str, Cell]] = []
    for transcript in transcripts:
        name = video_of(transcript)
        video = name if len(paths[name]) == 1 else transcript.media.path
        rows += ({**row, "video": video} for row in moments_of(transcript).rows)
    return Sheet(moments_of(transcripts[0]).columns, rows)


def _answers(transcript: LabelledTranscript) -> str:
    if transcript.range is not None:
        return f"ratings from {ends(transcript.range)}"
    return ", ".join(sorted(transcript.labels)) + (" (any number a moment)" if transcript.thresholds else "")
