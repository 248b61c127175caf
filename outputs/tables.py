"""Tables that spreadsheets and statistics programs open."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ..core.text import one_line
from ..core.timeline import LabelledTranscript, Segment


def moments_csv(transcript: LabelledTranscript, folder: Path) -> str:
    """One row a moment, a column a label with its score, or one with the rating.

    What was read is empty where there is no evidence.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    answer = {"rating": _rating} if transcript.range is not None else {"label": _label}
    if transcript.thresholds:
        answer["labels"] = _labels
    about = ["start_s", "end_s", "speaker", "text", "face", "voice", "evidence"]
    writer.writerow([*about, *answer, *map(cell, transcript.labels)])
    for segment in transcript.segments:
        moment = segment.moment
        writer.writerow(
            [
                f"{moment.start_s:.3f}",
                f"{moment.end_s:.3f}",
                *map(cell, (moment.speaker, moment.text, moment.face, moment.voice)),
                moment.evidence,
                *("" if moment.evidence == "none" else said(segment) for said in answer.values()),
                *(f"{segment.scores[label]:.6f}" for label in transcript.labels),
            ]
        )
    return table.getvalue()


def _label(segment: Segment) -> str:
    return cell(segment.label)


def _labels(segment: Segment) -> str:
    """All that are given, as a table of labels has them."""
    return cell("|".join(map(one_line, segment.given or ())))


def _rating(segment: Segment) -> str:
    return f"{segment.rating:.6f}"


def cell(text: str | None) -> str:
    """Text for a spreadsheet, which would run `=…` as a formula."""
    text = one_line(text or "")
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
