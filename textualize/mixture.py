"""Labelled moments of several corpora, put together into moments with all three signals.

Hardly any corpus has labelled words, faces and voices together.  Here a line
is given the face and the voice of somebody with the same label, and now and
then of another one: that teaches how far each can be trusted.  Every signal
is left out often enough that none is relied upon.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import Field, model_validator

from ..core.settings import Settings
from ..core.timeline import Moment, Target
from .expressions import EXPRESSED, expression
from .face import AT_REST, NO_FACE, NOT_LOOKED
from .heard import bare, misheard, punctuated
from .moments import UNCLEAR
from .voice import EVEN, NO_SPEECH, NOT_LISTENED, NOTHING_TO_COMPARE, TOO_SHORT

Signal = Literal["T", "V", "A"]

# A signal of a moment in words.
_Words = Callable[["Labelled", random.Random], str]

# A label with fewer faces than this is drawn less often, and shown more often
# as the textbook has it: so few would be learnt by heart.
_ENOUGH_FACES = 50

_NO_FACE = (NO_FACE, NO_FACE, NOT_LOOKED, AT_REST)
_NO_VOICE = (TOO_SHORT, NOTHING_TO_COMPARE, NOT_LISTENED, NO_SPEECH, EVEN)


class MixtureSettings(Settings):
    """How an example comes by signals that its corpus lacks, or whose labels are not about them.

    Each is lent by a clip whose labels are: one with the same label, which
    teaches to read the signals together, or with another, which teaches how
    far to trust each.
    """

    alone: float = Field(default=0.55, ge=0, le=1)
    """Share of the examples with nothing but what the label is about."""
    unknown: float = Field(default=0.2, ge=0, le=1)
    """Of the others' signals, the share that nobody looked at or listened to."""
    own: float = Field(default=0.55, ge=0)
    """Weight of a signal from the example's own clip, against `same`, `other` and `absent`."""
    same: float = Field(default=0.25, ge=0)
    """Weight of a signal lent by a clip with the same label."""
    other: float = Field(default=0.1, ge=0)
    """Weight of a signal lent by a clip with any label."""
    absent: float = Field(default=0.2, ge=0)
    """Weight of a signal that is not there (“no face seen”)."""
    population: float = Field(default=0.4, ge=0, le=1)
    """Share of voices graded by everybody's norms where there are the speaker's own."""
    phrases_dropped: float = Field(default=0.1, ge=0, lt=1)
    """Share of the phrases about faces and voices that are left out."""
    punctuated: float = Field(default=0.35, ge=0, le=1)
    """Share of the lines as Whisper spells them: whole sentences, and hardly ever an exclamation mark."""
    unpunctuated: float = Field(default=0.1, ge=0, le=1)
    """Share of the lines as weaker recognisers spell them: in lower case, without a question mark."""
    misheard: float = Field(default=0.15, ge=0, le=1)
    """Share of the lines with words misheard, spelled one way or the other."""
    unnamed: float = Field(default=0.0, ge=0, le=1)
    """Share of the moments of which nobody knows who spoke."""
    expressions: float = Field(default=0.2, ge=0, le=1)
    """Share of the faces as the textbook has them (`textualize/expressions.py`)."""
    nothing: float = Field(default=0.013, ge=0, le=1)
    """Share of an epoch with nothing to judge by."""

    @model_validator(mode="after")
    def _lines_as_written(self) -> MixtureSettings:
        if self.punctuated + self.unpunctuated + self.misheard > 1:
            raise ValueError(
                "punctuated, unpunctuated and misheard are shares of the same lines and cannot exceed 1 together"
            )
        return self


@dataclass(frozen=True)
class Labelled:
    """A moment and its label, or what else is to be learnt of it: only labels are mixed.

    Attributes:
        teaches: the signal that the label is about.
        voice: the moment's voice by the population's norms, where `moment`
            has it by the speaker's own.
    """

    moment: Moment
    label: Target
    teaches: Signal
    voice: str | None = None


class Mixture:
    """Moments to learn from, drawn at random from labelled ones; the same seed draws the same."""

    def __init__(self, labelled: Sequence[Labelled], settings: MixtureSettings) -> None:
        self._settings = settings
        self._lines = [each for each in labelled if each.teaches == "T" and each.moment.text]
        self._teaching: dict[str, Mapping[Target, list[Labelled]]] = {
            signal: _by_label([each for each in labelled if each.teaches == signal]) for signal in "TVA"
        }

    def draw(self, teaches: Signal, count: int, rng: random.Random) -> list[Labelled]:
        """Moments that teach a signal, as many of each label but for those with few."""
        having = self._teaching[teaches]
        labels = sorted(having, key=str)
        weights = [min(1.0, len(having[label]) / _ENOUGH_FACES) for label in labels]
        return [rng.choice(having[label]) for label in rng.choices(labels, weights, k=count)]

    def mixed(self, labelled: Labelled, rng: random.Random) -> Moment:
        """The moment with what its label is about, and the other signals from wherever."""
        alone = rng.random() < self._settings.alone
        moment, unnamed = labelled.moment, self._settings.unnamed
        return replace(
            moment,
            # Nothing is drawn where nothing is asked for: the same seed mixes the same.
            speaker=None if unnamed and rng.random() < unnamed else moment.speaker,
            text=self._text(labelled, alone, rng),
            face=self._face(labelled, alone, rng),
            voice=self._voice(labelled, alone, rng),
        )

    def nothing(self, rng: random.Random) -> Labelled:
        """A moment with nothing to judge by: the labels as often as they are given."""
        text = rng.choice((None, "", UNCLEAR))
        face = rng.choice((None, NO_FACE, NO_FACE, NOT_LOOKED))
        voice = rng.choice((None, TOO_SHORT, NOTHING_TO_COMPARE, NOT_LISTENED, NO_SPEECH))
        label = rng.choice([each for by_label in self._teaching.values() for ls in by_label.values() for each in ls])
        return replace(label, moment=replace(label.moment, text=text, face=face, voice=voice))

    # ── each signal ──────────────────────────────────────────────────────────

    def _text(self, labelled: Labelled, alone: bool, rng: random.Random) -> str | None:
        text = labelled.moment.text
        if labelled.teaches == "T":
            return text and self._as_heard(text, rng)
        unclear = " ".join([UNCLEAR] * rng.randint(1, 2))
        # Words that the label is not about, or that nobody understood.
        said = text if text and not alone else ""
        return rng.choices((None, said, unclear, ""), (45, 30, 15, 10))[0]

    def _face(self, labelled: Labelled, alone: bool, rng: random.Random) -> str | None:
        if labelled.teaches == "V":
            return self._shown(labelled, rng)
        if alone:
            return rng.choice((None, None, NO_FACE, NOT_LOOKED)) if labelled.teaches == "A" else None
        has_own = labelled.moment.face is not None
        return self._from_somewhere("V", labelled, has_own, self._as_seen, self._shown, _NO_FACE, rng)

    def _voice(self, labelled: Labelled, alone: bool, rng: random.Random) -> str | None:
        if labelled.teaches == "A":
            return self._heard(labelled, rng)
        if alone:
            return rng.choice((None, None, NO_SPEECH, NOT_LISTENED)) if labelled.teaches == "V" else None
        has_own = labelled.moment.voice is not None
        return self._from_somewhere("A", labelled, has_own, self._heard, self._heard, _NO_VOICE, rng)

    def _from_somewhere(
        self,
        signal: Signal,
        labelled: Labelled,
        has_own: bool,
        own: _Words,
        lent: _Words,
        nowhere: Sequence[str],
        rng: random.Random,
    ) -> str | None:
        """A signal that the label is not about: one's own, lent by somebody, absent, or not looked for."""
        source = self._source(has_own, signal, rng)
        if source == "unknown":
            return None
        if source == "own":
            return own(labelled, rng)
        lender = None
        if source != "absent":
            lender = self._lender(signal, labelled.label if source == "same" else None, rng)
        return lent(lender, rng) if lender is not None else rng.choice(nowhere)

    def _source(self, has_own: bool, signal: Signal, rng: random.Random) -> str:
        """Where a signal comes from."""
        if rng.random() < self._settings.unknown:
            return "unknown"
        settings = self._settings
        lent = {"same": settings.same, "other": settings.other} if self._teaching[signal] else {}
        # What a moment has of its own is what it would be lent otherwise.
        own = {"own": settings.own} if has_own else {"same": settings.own + settings.same} if lent else {}
        weights = {**lent, **own, "absent": settings.absent}
        return rng.choices(list(weights), list(weights.values()))[0] if any(weights.values()) else "unknown"

    def _lender(self, signal: Signal, label: Target | None, rng: random.Random) -> Labelled | None:
        """Somebody with that label; of any, where `None`."""
        if label is None:
            return self.draw(signal, 1, rng)[0]
        having = self._teaching[signal].get(label)
        return rng.choice(having) if having else None

    def _as_seen(self, labelled: Labelled, rng: random.Random) -> str:
        return self._fewer(labelled.moment.face or "", rng)

    def _shown(self, labelled: Labelled, rng: random.Random) -> str:
        """A face that teaches, or the textbook's: more often where there are few."""
        faces = len(self._teaching["V"].get(labelled.label, ()))
        share = max(self._settings.expressions, 1 - faces / _ENOUGH_FACES) if self._settings.expressions else 0.0
        if labelled.label in EXPRESSED and rng.random() < share:
            return expression(str(labelled.label), rng)
        return self._fewer(labelled.moment.face or NO_FACE, rng)

    def _heard(self, labelled: Labelled, rng: random.Random) -> str:
        by_population = labelled.voice is not None and rng.random() < self._settings.population
        return self._fewer((labelled.voice if by_population else labelled.moment.voice) or NO_SPEECH, rng)

    def _fewer(self, words: str, rng: random.Random) -> str:
        """Now and then without one of the phrases, so that none is needed."""
        phrases = words.split(", ")
        kept = [phrase for phrase in phrases if rng.random() >= self._settings.phrases_dropped]
        return ", ".join(kept or phrases)

    def _as_heard(self, text: str, rng: random.Random) -> str:
        """As it is written, or as a recogniser gives it."""
        settings = self._settings
        weights = (settings.punctuated, settings.unpunctuated, settings.misheard)
        fate = rng.choices(("punctuated", "unpunctuated", "misheard", "written"), (*weights, 1 - sum(weights)))[0]
        if fate == "written":
            return text
        by_whisper = fate == "punctuated" or (fate == "misheard" and rng.random() < 0.5)
        spelled = punctuated(text, rng) if by_whisper else bare(text)
        if fate == "misheard":
            return misheard(spelled, lambda: bare(rng.choice(self._lines).moment.text or "").split(), rng)
        return spelled


def _by_label(labelled: Sequence[Labelled]) -> Mapping[Target, list[Labelled]]:
    by_label = defaultdict(list)
    for each in labelled:
        by_label[each.label].append(each)
    return dict(by_label)
