"""The files a labelled transcript becomes: one small function a format."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..core.errors import SettingsError
from ..core.files import dumps, make_folder, write_text
from ..core.text import one_line
from ..core.timeline import LabelledTranscript, Segment
from .lines import reading
from .report import report_page
from .schema import to_json


def write_outputs(
    transcript: LabelledTranscript, out_dir: str | Path, formats: Sequence[str], stem: str | None = None
) -> list[Path]:
    """Write a transcript as `out_dir/<stem>.<format>`, one file a format.

    Args:
        stem: the name without ending; after the video if not given.

    Raises:
        SettingsError: a format is unknown.
        EmoscribeError: a file cannot be written.
    """
    formats = check_formats(formats)
    folder = make_folder(out_dir)
    name = file_stem(stem if stem is not None else Path(transcript.media.path).stem)
    paths = []
    for format_name in formats:
        path = folder / f"{name}.{format_name}"
        write_text(path, FORMATS[format_name](transcript, folder))
        paths.append(path)
    return paths


class Writer:
    """Writes one transcript after another to a folder, each under its own name.

    A second video of the same name gets `-2`, a third `-3`.  Formats and
    folder are checked at once, before anybody waits for an analysis.

    Raises:
        SettingsError: a format is unknown.
        EmoscribeError: the folder cannot be made or written to.
    """

    def __init__(self, out_dir: str | Path, formats: Sequence[str]) -> None:
        self._formats = check_formats(formats)
        self._folder = make_folder(out_dir)
        self._taken: set[str] = set()

    def write(self, transcript: LabelledTranscript) -> list[Path]:
        """Write the files of one transcript; their paths, in the order of the formats."""
        wanted = file_stem(Path(transcript.media.path).stem)
        stem, count = wanted, 1
        # Some file systems do not tell `A` from `a`.
        while stem.casefold() in self._taken:
            count += 1
            stem = f"{wanted}-{count}"
        self._taken.add(stem.casefold())
        return write_outputs(transcript, self._folder, self._formats, stem)


def check_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """The formats, each once.

    Raises:
        SettingsError: one is unknown, or there are none.
    """
    names = tuple(dict.fromkeys(name.strip().lower() for name in formats))
    unknown = [name for name in names if name not in FORMATS]
    if unknown or not names:
        what = f"unknown format {unknown[0]!r}" if unknown else "no format given"
        raise SettingsError(f"{what}; there are: {', '.join(FORMATS)}")
    return names


def file_stem(name: str) -> str:
    """`name` as a file name without ending: letters of every script and spaces
    stay, what would lead elsewhere or hide does not."""
    name = re.sub(r"[/\\\x00-\x1f\x7f]", "_", name).strip(" ")
    # Names end at 255 bytes; an ending and a number have to fit as well.
    if len(encoded := os.fsencode(name)) > 200:
        name = encoded[:200].decode("utf-8", "ignore")
    return name if name.strip(" .") else "video"


# ── the formats ──────────────────────────────────────────────────────────────


def _json(transcript: LabelledTranscript, folder: Path) -> str:
    return dumps(to_json(transcript)) + "\n"


def _srt(transcript: LabelledTranscript, folder: Path) -> str:
    """SubRip.  It has no way to escape: what players would take for markup
    (`<i>`, `{\\an8}`) is written with look-alikes that they leave alone."""
    look_alike = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})
    cues = (
        f"{number}\n{_stamp(start_ms, ',')} --> {_stamp(end_ms, ',')}\n{words.translate(look_alike)}\n\n"
        for number, (start_ms, end_ms, words) in enumerate(_cues(transcript.segments), 1)
    )
    return "".join(cues)


def _vtt(transcript: LabelledTranscript, folder: Path) -> str:
    """WebVTT, with the three escapes that its cue text asks for."""
    escapes = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
    cues = (
        f"{_stamp(start_ms, '.')} --> {_stamp(end_ms, '.')}\n{words.translate(escapes)}\n\n"
        for start_ms, end_ms, words in _cues(transcript.segments)
    )
    return "WEBVTT\n\n" + "".join(cues)


def _csv(transcript: LabelledTranscript, folder: Path) -> str:
    """One row a moment, a column a label with its score, or one with the rating.

    What was read is empty where there is no evidence.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    answer = {"rating": _rating} if transcript.range is not None else {"label": _label}
    if transcript.thresholds:
        answer["labels"] = _labels
    about = ["start_s", "end_s", "speaker", "text", "face", "voice", "evidence"]
    writer.writerow([*about, *answer, *map(_cell, transcript.labels)])
    for segment in transcript.segments:
        moment = segment.moment
        writer.writerow(
            [
                f"{moment.start_s:.3f}",
                f"{moment.end_s:.3f}",
                *map(_cell, (moment.speaker, moment.text, moment.face, moment.voice)),
                moment.evidence,
                *("" if moment.evidence == "none" else cell(segment) for cell in answer.values()),
                *(f"{segment.scores[label]:.6f}" for label in transcript.labels),
            ]
        )
    return table.getvalue()


FORMATS: Mapping[str, Callable[[LabelledTranscript, Path], str]] = {
    "json": _json,
    "srt": _srt,
    "vtt": _vtt,
    "csv": _csv,
    "html": report_page,
}


def _cues(segments: Sequence[Segment]) -> list[tuple[int, int, str]]:
    """Start and end in milliseconds, and the words, of each subtitle.

    A cue has to last: a still picture's gets the shortest time there is.
    """
    cues = []
    for segment in segments:
        moment = segment.moment
        start_ms = round(moment.start_s * 1000)
        said = one_line(moment.text or "")
        if said and moment.speaker:
            said = f"{one_line(moment.speaker)}: {said}"
        words = f"[{one_line(reading(segment))}] {said}".rstrip()
        cues.append((start_ms, max(round(moment.end_s * 1000), start_ms + 1), words))
    return cues


def _stamp(time_ms: int, point: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{milliseconds:03d}"


def _label(segment: Segment) -> str:
    return _cell(segment.label)


def _labels(segment: Segment) -> str:
    """All that are given, as a table of labels has them."""
    return _cell("|".join(map(one_line, segment.given or ())))


def _rating(segment: Segment) -> str:
    return f"{segment.rating:.6f}"


def _cell(text: str | None) -> str:
    """Text for a spreadsheet, which would run `=…` as a formula."""
    text = one_line(text or "")
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
