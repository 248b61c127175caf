"""A workbook (.xlsx): moments, words, people and provenance, a sheet each."""

from __future__ import annotations

import io
from pathlib import Path

from ..core.cells import is_formula
from ..core.text import one_line
from ..core.timeline import LabelledTranscript, Word
from .people import people_of
from .report import flat
from .tables import Cell, Sheet, moments_of, video_of
from .tiers import utterances_of

# What a cell of Excel holds at most.
_LONGEST = 32_767


def xlsx(transcript: LabelledTranscript, folder: Path) -> bytes:
    """Numbers are numbers, and texts are texts, never formulas."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheets = {
        "moments": moments_of(transcript),
        "words": _words_of(transcript),
        "people": people_of(transcript),
        "provenance": _provenance_of(transcript),
    }
    for title, sheet in sheets.items():
        page = book.create_sheet(title)
        page.freeze_panes = "A2"
        for row in (dict(zip(sheet.columns, sheet.columns, strict=True)), *sheet.rows):
            page.append([_cell(page, row.get(column)) for column in sheet.columns])
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def _words_of(transcript: LabelledTranscript) -> Sheet:
    """A row a word that has a time, or an utterance whose words have none."""
    video = video_of(transcript)
    rows: list[dict[str, Cell]] = []
    for said in utterances_of(transcript):
        for each in said.words or (said,):
            row: dict[str, Cell] = {"video": video, "speaker": said.speaker, "text": each.text}
            row |= {"start_s": (each.start_s, 3), "end_s": (each.end_s, 3)}
            if isinstance(each, Word) and each.probability is not None:
                row["probability"] = (each.probability, 4)
            rows.append(row)
    return Sheet(("video", "start_s", "end_s", "speaker", "text", "probability"), rows)


def _provenance_of(transcript: LabelledTranscript) -> Sheet:
    about = {"video": transcript.media.path, "sha256": transcript.media.sha256, **transcript.provenance}
    return Sheet(("what", "value"), [{"what": name, "value": value} for name, value in flat(about)])


def _cell(page, cell: Cell):
    from openpyxl.cell import WriteOnlyCell

    if isinstance(cell, tuple):
        shown = WriteOnlyCell(page, value=round(*cell))
        shown.number_format = f"0.{'0' * cell[1]}" if cell[1] else "0"
        return shown
    text = one_line(cell or "")[:_LONGEST]
    shown = WriteOnlyCell(page, value=text or None)
    if is_formula(text):
        # openpyxl takes it for one, and so does Excel when somebody edits such a cell.
        shown.data_type, shown.quotePrefix = "s", True
    return shown
