"""A moment as a line of text: on the terminal, and in subtitles."""

from __future__ import annotations

import textwrap

from ..core.text import one_line
from ..core.timeline import Segment

# In place of a score, where no model gave the label.
BY_PERSON = "set by a person"


def clock(time_s: float) -> str:
    """`00:06.2`, or `1:02:03.4` from an hour on; never 60.0 seconds."""
    tenths = round(time_s * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:" if hours else "") + f"{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"


def reading(segment: Segment) -> str:
    """`surprise 0.71`, several labels with commas between, or `rating -0.40`.

    Or `no evidence`: a score for nothing is no confidence.  Nor is the model's
    score how sure a person was who set the label: `surprise (set by a person)`.
    """
    if not segment.judged:
        return "no evidence"
    rating = f"rating {segment.rating:.2f}" if segment.rating is not None else ""
    if segment.corrected:
        return f"{rating or ', '.join(segment.shown)} ({BY_PERSON})"
    if rating:
        return rating
    return ", ".join(f"{label} {segment.scores[label]:.2f}" for label in segment.shown)


def segment_line(segment: Segment, width: int | None = None) -> str:
    """The line the terminal shows for a moment.

    >>> print(segment_line(segment))
    [00:06.2 → 00:09.8] surprise 0.71  "wait, what?"  face: jaw drop, brows raised · voice: loud, high

    Args:
        width: columns to wrap at, further lines being indented; `None` keeps
            it one line.
    """
    moment = segment.moment
    # A picture has no time.
    times = f"[{clock(moment.start_s)} → {clock(moment.end_s)}]" if moment.end_s > 0 else "[picture]"
    # As wide as the longest label, so that what is said stands in a column.
    judged = reading(segment).ljust(max(map(len, map(one_line, segment.scores or ("rating -",)))) + len(" 0.00"))
    said = None if moment.text is None else f'"{one_line(moment.text)}"' if moment.text else "(no words)"
    if said is not None and moment.speaker:
        said = f"{one_line(moment.speaker)}: {said}"
    cues = [f"{name}: {one_line(words)}" for name, words in (("face", moment.face), ("voice", moment.voice)) if words]
    weak = moment.evidence == "weak" and not segment.corrected
    parts = [f"{times} {judged}", said, " · ".join(cues), "(weak evidence)" if weak else None]
    line = "  ".join(part for part in parts if part).rstrip()
    if width is None:
        return line
    return "\n".join(textwrap.wrap(line, max(width, 40), subsequent_indent=" " * (len(times) + 1)))
