"""What both Whispers share: sizes and languages, their provenance, and utterances from the words that were decoded."""

from __future__ import annotations

import string
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import Any

from ...core.errors import SettingsError
from ...core.timeline import Utterance, Word
from ..settings import SpeechSettings
from .vad import Stretch


@dataclass(frozen=True)
class Spelled:
    """A word as decoded: with the space before it, since not every language has spaces, and its punctuation."""

    start_s: float
    end_s: float
    text: str
    probability: float


def utterance(stretch: Stretch, words: Iterable[Spelled]) -> Utterance:
    """What was said in a stretch: the words inside its bounds, with the probability that they were decoded with."""

    def inside(time_s: float) -> float:
        return min(max(round(float(time_s), 3), stretch.start_s), stretch.end_s)

    said = whole(each for each in words if each.text.strip())
    return Utterance(
        stretch.start_s,
        stretch.end_s,
        "".join(each.text for each in said).strip(),
        words=tuple(
            Word(inside(each.start_s), inside(each.end_s), each.text.strip(), round(each.probability, 4))
            for each in said
        ),
    )


def whole(words: Iterable[Spelled]) -> list[Spelled]:
    """The words, those as one that a sign joins without a space, as in `see-saw` or `50%`."""
    parts: list[list[Spelled]] = []
    for word in words:
        if parts and word.text[0] in string.punctuation:
            parts[-1].append(word)
        else:
            parts.append([word])
    return [
        Spelled(
            each[0].start_s, each[-1].end_s, "".join(part.text for part in each), fmean(p.probability for p in each)
        )
        for each in parts
    ]


def preferred(device: str) -> str:
    """The size that `auto` means on a device, wherever it is to be had."""
    return "turbo" if device == "cuda" else "base"


def described(settings: SpeechSettings, package: str, sha256: str | None) -> dict[str, Any]:
    """All of a Whisper that changes what is heard, besides the sound."""
    return {
        "language": settings.language,
        "version": version(package),
        "device": settings.device,
        "model": settings.model,
        "sha256": sha256,
        "precision": settings.precision,
    }


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
