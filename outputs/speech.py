"""Who speaks when (RTTM), and which words were said (CTM), as tools for speech read them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import SettingsError
from ..core.text import one_line
from ..core.timeline import LabelledTranscript, Utterance, timed_words
from .tiers import utterances_of


def rttm(transcript: LabelledTranscript, folder: Path) -> str:
    """A line a turn of a known speaker (NIST, 2009).

    Raises:
        SettingsError: nobody listened, or of all that was said no speaker is known.
    """
    said = _listened(transcript, "rttm")
    if said and not any(utterance.speaker for utterance in said):
        raise SettingsError(
            f"rttm tells who speaks when, and in {transcript.media.path} no speaker is known; "
            "set speech.speakers, or give a transcript that names them"
        )
    turns = (
        f"SPEAKER {_file(transcript)} 1 {_times(each.start_s, each.end_s)} <NA> <NA> {_field(each.speaker)} <NA> <NA>\n"
        for each in said
        if each.speaker
    )
    return "".join(turns)


def ctm(transcript: LabelledTranscript, folder: Path) -> str:
    """A line a word, with the recogniser's confidence where there is one (NIST).

    Where the words have no times, as those of subtitles, they are spread over the utterance.

    Raises:
        SettingsError: nobody listened, or the words were kept by windows that overlap.
    """
    said = _listened(transcript, "ctm")
    if transcript.transcript is None and _overlapping(said):
        raise SettingsError(
            f"ctm needs each word once, and of {transcript.media.path} only windows that overlap are kept; "
            "analyze it again, which keeps the words"
        )
    words = (word for utterance in said for word in timed_words(utterance) if one_line(word.text))
    return "".join(
        f"{_file(transcript)} 1 {_times(word.start_s, word.end_s)} {_field(word.text)}"
        + (f" {word.probability:.3f}\n" if word.probability is not None else "\n")
        for word in sorted(words, key=lambda word: word.start_s)
    )


def _listened(transcript: LabelledTranscript, what: str) -> Sequence[Utterance]:
    if transcript.transcript is None and all(segment.moment.text is None for segment in transcript.segments):
        raise SettingsError(
            f"{what} is about speech, and in {transcript.media.path} nobody listened for it; leave {what} out, "
            "or analyze with T among the modalities"
        )
    return utterances_of(transcript)


def _overlapping(said: Sequence[Utterance]) -> bool:
    return any(
        before.end_s > after.start_s and before.speaker == after.speaker for before, after in itertools.pairwise(said)
    )


def _file(transcript: LabelledTranscript) -> str:
    """The recording's name; two semicolons at the beginning of a line are a comment."""
    return re.sub(r"\s+|^;+", "_", one_line(Path(transcript.media.path).stem)) or "video"


def _field(text: str | None) -> str:
    """A name or word, of which the spaces do not end the field.

    Readers that split at spaces and tabs keep one with no-break spaces whole; ours makes them spaces again.
    """
    return one_line(text or "").replace(" ", "\N{NO-BREAK SPACE}")


def _times(start_s: float, end_s: float) -> str:
    return f"{start_s:.3f} {max(end_s - start_s, 0.0):.3f}"
