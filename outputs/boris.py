"""BORIS's table of aggregated events."""

from __future__ import annotations

from pathlib import Path

from ..core.text import one_line
from ..core.timeline import LabelledTranscript, Media, Moment
from .lines import BY_PERSON
from .tables import Cell, Sheet, as_csv, video_of

# As BORIS 8 and 9 export them, in their order.
_COLUMNS = (
    *("Observation id", "Observation date", "Description", "Observation type", "Source", "Time offset (s)"),
    *("Coding duration", "Media duration (s)", "FPS (frame/s)", "Subject"),
    *("Observation duration by subject by observation", "Behavior", "Behavioral category", "Modifier #1"),
    *("Behavior type", "Start (s)", "Stop (s)", "Duration (s)", "Media file name", "Image index start"),
    *("Image index stop", "Image file path start", "Image file path stop", "Comment start", "Comment stop"),
)
_NOBODY = "No focal subject"
_UNKNOWN = "NA"


def boris_csv(transcript: LabelledTranscript, folder: Path) -> str:
    """An event a moment that is read as something and a label that it is given.

    What is said is the comment at its start, how likely the label is (or that
    a person set it) the one at its stop; a rating is the modifier, as numbers are there.
    """
    about = _about(transcript)
    category = transcript.label_set or "rating"
    rows: list[dict[str, Cell]] = []
    for segment in transcript.segments:
        if not segment.judged:
            continue
        by_person: dict[str, Cell] = {"Comment stop": BY_PERSON} if segment.corrected else {}
        event = about | _event(segment.moment, transcript.media) | {"Behavioral category": category}
        if segment.rating is not None:
            rows.append(event | {"Behavior": "rating", "Modifier #1": (segment.rating, 3)} | by_person)
        for label in segment.shown:
            likely: dict[str, Cell] = {"Comment stop": f"{segment.scores[label]:.2f}"}
            rows.append(event | {"Behavior": label} | (by_person or likely))
    return as_csv(Sheet(_COLUMNS, rows))


def _about(transcript: LabelledTranscript) -> dict[str, Cell]:
    media = transcript.media
    duration: Cell = (media.duration_s, 3)
    return {
        "Observation id": Path(media.path).stem,
        "Observation type": "Media file",
        "Source": f"player #1:{video_of(transcript)}",
        "Time offset (s)": (0.0, 3),
        "Coding duration": duration,
        "Media duration (s)": duration,
        "FPS (frame/s)": (media.fps, 3) if media.fps else _UNKNOWN,
        "Observation duration by subject by observation": duration,
        "Media file name": video_of(transcript),
        "Image file path start": _UNKNOWN,
        "Image file path stop": _UNKNOWN,
    }


def _event(moment: Moment, media: Media) -> dict[str, Cell]:
    lasts = moment.end_s > moment.start_s
    start, stop = ((time_s * media.fps, 0) if media.fps else _UNKNOWN for time_s in (moment.start_s, moment.end_s))
    return {
        "Subject": one_line(moment.speaker or "") or _NOBODY,
        "Behavior type": "STATE" if lasts else "POINT",
        "Start (s)": (moment.start_s, 3),
        "Stop (s)": (moment.end_s, 3),
        "Duration (s)": (moment.end_s - moment.start_s, 3) if lasts else _UNKNOWN,
        "Image index start": start,
        "Image index stop": stop,
        "Comment start": moment.text,
    }
