"""The files a labelled transcript becomes: one table, a writer a format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..core.errors import SettingsError
from ..core.files import CORRECTED_SUFFIX, dumps
from ..core.timeline import LabelledTranscript
from .boris import boris_csv
from .elan import eaf
from .emotionml import emotionml
from .frames import openface_csv, pyfeat_csv
from .people import people_csv
from .praat import textgrid
from .report import report_page
from .speech import ctm, rttm
from .spreadsheet import xlsx
from .subtitles import ass, srt, vtt
from .tables import moments_csv
from .video import burnt, subtitled

Content: TypeAlias = str | bytes | Callable[[Path], None]


@dataclass(frozen=True)
class Format:
    """What a file is called behind its video's name, and what stands in it.

    Attributes:
        suffix: with its dot; `.boris.csv`.
        write: the content, as text or as bytes; of what is too long to hold, what writes it to a path.  It is
            given the folder that the file will lie in, since some formats refer to the video by a path from there.
    """

    suffix: str
    write: Callable[[LabelledTranscript, Path], Content]


# In the order in which help and errors list them.
FORMATS: dict[str, Format] = {
    "json": Format(".json", lambda transcript, folder: dumps(transcript.to_dict()) + "\n"),
    # The same, beside that one: what a person has corrected.
    "emoscribe": Format(CORRECTED_SUFFIX, lambda transcript, folder: dumps(transcript.to_dict()) + "\n"),
    "srt": Format(".srt", srt),
    "vtt": Format(".vtt", vtt),
    "csv": Format(".csv", moments_csv),
    "html": Format(".html", report_page),
    "ass": Format(".ass", ass),
    "eaf": Format(".eaf", eaf),
    "textgrid": Format(".TextGrid", textgrid),
    "rttm": Format(".rttm", rttm),
    "ctm": Format(".ctm", ctm),
    "emotionml": Format(".emotionml", emotionml),
    "xlsx": Format(".xlsx", xlsx),
    "boris": Format(".boris.csv", boris_csv),
    "people": Format(".people.csv", people_csv),
    "frames": Format(".frames.csv", pyfeat_csv),
    "openface": Format(".openface.csv", openface_csv),
    "video": Format(".labelled.mp4", subtitled),
    "video-burnt": Format(".burnt.mp4", burnt),
}


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
