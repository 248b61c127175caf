"""A transcript in the tiers of an ELAN or Praat file."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...core.errors import MediaError
from ...core.text import one_line
from ...core.tiers import Annotation, Tier, read_tiers, spoken
from ...core.timeline import Utterance, Word
from .vad import MIN_PAUSE_S

# How aligners call a pause.
_PAUSES = {"sp", "sil", "<eps>", "<sil>", "<p:>"}


def read_spoken(path: Path) -> tuple[list[Utterance], None, list[str]]:
    """The utterances, their language, which the files do not tell, and the names of the tiers they are from.

    Words of tiers `words@NAME` give their times to the utterances around
    them.  Where there are only words, a pause ends an utterance.

    Raises:
        MediaError: the file cannot be read, or no tier holds what is said.
    """
    tiers = read_tiers(path).tiers
    chosen = spoken(tiers)
    if not chosen:
        there = ", ".join(one_line(tier.name) for tier in tiers) or "none"
        raise MediaError(
            f"{path} has no tier that holds what is said; its tiers are: {there}; call one transcript@SPEAKER"
        )
    timed = [tier for tier in tiers if tier.kind == "words" and tier not in chosen]
    found = []
    for tier in chosen:
        if tier.is_words:
            found += _joined(tier)
        else:
            words = [word for other in timed if other.speaker == tier.speaker for word in other.annotations]
            words.sort(key=_middle_s)
            found += (_utterance(annotation, tier, words) for annotation in tier.annotations)
    return found, None, [one_line(tier.name) for tier in chosen]


def _utterance(said: Annotation, tier: Tier, words: Sequence[Annotation]) -> Utterance:
    """An annotation as an utterance, with the times of words where they are the same words.

    Args:
        words: in order of their middles.
    """
    first, last = bisect_left(words, said.start_s, key=_middle_s), bisect_right(words, said.end_s, key=_middle_s)
    utterance, spelled = Utterance(said.start_s, said.end_s, said.text, tier.speaker), said.text.split()
    if last - first != len(spelled) or [word.text for word in words[first:last]] != spelled:
        return utterance
    return replace(utterance, words=tuple(map(_word, words[first:last])))


def _middle_s(word: Annotation) -> float:
    return (word.start_s + word.end_s) / 2


def _joined(tier: Tier) -> Iterator[Utterance]:
    """Words up to a pause as one utterance."""
    words = [_word(each) for each in tier.annotations if each.text.casefold() not in _PAUSES]
    begins = [0] + [
        index
        for index, (before, word) in enumerate(itertools.pairwise(words), 1)
        if word.start_s - before.end_s >= MIN_PAUSE_S
    ]
    for first, last in itertools.pairwise([*begins, len(words)]):
        run = words[first:last]
        if run:
            text = " ".join(word.text for word in run)
            yield Utterance(run[0].start_s, run[-1].end_s, text, tier.speaker, tuple(run))


def _word(annotation: Annotation) -> Word:
    return Word(annotation.start_s, annotation.end_s, one_line(annotation.text))
