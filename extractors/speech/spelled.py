"""What both Whispers share: which languages there are, and utterances from the words that were decoded."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...core.errors import SettingsError
from ...core.timeline import Utterance, Word
from ..settings import SpeechSettings
from .vad import Stretch

# How many words in a hundred are right that Whisper gives some probability, as
# `recipes/heard_words.py` measures it: probability, share of right words.
RELIABILITY = ((0.0, 0.0), (1.0, 1.0))


@dataclass(frozen=True)
class Spelled:
    """A word as decoded: with the space before it, since not every language has spaces, and its punctuation."""

    start_s: float
    end_s: float
    text: str
    probability: float


def utterance(stretch: Stretch, words: Iterable[Spelled]) -> Utterance:
    """What was said in a stretch: the words inside its bounds, their probability that of being right."""

    def inside(time_s: float) -> float:
        return min(max(round(float(time_s), 3), stretch.start_s), stretch.end_s)

    said = [each for each in words if each.text.strip()]
    return Utterance(
        stretch.start_s,
        stretch.end_s,
        "".join(each.text for each in said).strip(),
        words=tuple(
            Word(inside(each.start_s), inside(each.end_s), each.text.strip(), reliability(each.probability))
            for each in said
        ),
    )


def reliability(probability: float) -> float:
    """How likely a word is right that was given this probability."""
    given, right = zip(*RELIABILITY, strict=True)
    return round(float(np.interp(probability, given, right)), 4)


def in_words(name: str, settings: SpeechSettings) -> str:
    """A Whisper and where it runs, for the line that says who hears."""
    where = "" if settings.device == "auto" else f" on {settings.device}"
    return f"{name} {Path(settings.model).name}{where}"


def check_language(language: str | None, known: Collection[str]) -> None:
    """Raises:
    SettingsError: Whisper does not know it.
    """
    if language is not None and language not in known:
        raise SettingsError(
            f"speech.language: Whisper does not know {language!r}; give a code such as {', '.join(list(known)[:6])}"
        )
