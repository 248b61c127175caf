"""Label sets: which answers there are, in which order, and in which words.

Prompt, scorer, metrics and report read these tuples; nothing spells a label a
second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .blends import blends_of
from .errors import SettingsError


@dataclass(frozen=True)
class LabelSet:
    """A closed set of answers.

    Attributes:
        name: how settings and files refer to it.
        labels: the answers, in the order of scores, confusion matrices and
            checkpoints.
        parts: for labels made of basic emotions, the share of each emotion
            in each label; their scores can be had from the basic ones (see `derived`).
    """

    name: str
    labels: tuple[str, ...]
    parts: Mapping[str, Mapping[str, float]] | None = None

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels) or not self.labels:
            raise SettingsError(f"label set {self.name!r} needs distinct labels, got {list(self.labels)}")


# MELD's order (Poria et al., ACL 2019): Ekman's six and neutral.
BASIC = LabelSet("basic", ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger"))

# C-EXPR-DB's order (Kollias, CVPRW 2023).  Its eighth class, "Other", is
# annotated but not scored, so it is no answer here (see `COMPOUND_OTHER`).
_COMPOUND_PARTS = {
    "fearfully surprised": ("fear", "surprise"),
    "happily surprised": ("joy", "surprise"),
    "sadly surprised": ("sadness", "surprise"),
    "disgustedly surprised": ("disgust", "surprise"),
    "angrily surprised": ("anger", "surprise"),
    "sadly fearful": ("sadness", "fear"),
    "sadly angry": ("sadness", "anger"),
}
COMPOUND = LabelSet(
    "compound",
    tuple(_COMPOUND_PARTS),
    parts={label: dict.fromkeys(pair, 0.5) for label, pair in _COMPOUND_PARTS.items()},
)

# C-EXPR-DB with its eighth class: whatever is none of the seven.
COMPOUND_OTHER = LabelSet("compound-other", (*COMPOUND.labels, "other"))

# How much of which emotion: six and neutral alone, two of the six in three proportions.
_BLENDS = blends_of(BASIC.labels[1:], alone=BASIC.labels[:1])
BLEND = LabelSet("blend", tuple(_BLENDS), parts=_BLENDS)

# MELD's coarser annotation, from worst to best.
SENTIMENT = LabelSet("sentiment", ("negative", "neutral", "positive"))

LABEL_SETS: Mapping[str, LabelSet] = {s.name: s for s in (BASIC, COMPOUND, COMPOUND_OTHER, BLEND, SENTIMENT)}

# From which probability on a label of a set is given, where none was tuned.
THRESHOLD = 0.5


def given(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> tuple[str, ...]:
    """The labels of a set whose score reaches its threshold, the likeliest first; maybe none."""
    reaching = (label for label, score in scores.items() if score >= thresholds.get(label, THRESHOLD))
    return tuple(sorted(reaching, key=lambda label: -scores[label]))


# What corpora call the same emotion, the usual noun first.  Only words for one
# emotion: excitement is not joy, nor frustration anger.
_SYNONYMS = (
    ("neutral", "no emotion"),
    ("surprise", "surprised", "astonishment"),
    ("fear", "fearful", "afraid", "scared"),
    ("sadness", "sad", "unhappy"),
    ("joy", "joyful", "happy", "happiness"),
    ("disgust", "disgusted"),
    ("anger", "angry", "mad"),
    ("calm",),
    ("excitement", "excited"),
    ("frustration", "frustrated"),
    ("peaceful",),
    ("powerful",),
    ("anxiety", "anxious"),
    ("fatigue", "tired"),
    ("relaxed",),
)
_EMOTION_BY_WORD: Mapping[str, str] = {word: words[0] for words in _SYNONYMS for word in words}

# What is published as one emotion and evaluated as another; not the other way round.
_COUNTS_AS: Mapping[str, str] = {"calm": "neutral"}


def as_basic(word: str) -> str | None:
    """The basic emotion that another corpus calls `word`; `None` where there is none."""
    return counterpart(word, BASIC.labels)


def counterpart(label: str, answers: Sequence[str]) -> str | None:
    """Which of the answers stands for what another corpus calls `label`; `None` where none does.

    It is the same word, else a word for the same emotion, else the one that
    the emotion counts as by convention (calm is neutral).
    """
    emotion = _emotion(label)
    by_meaning = {_emotion(answer): answer for answer in reversed(answers)}
    by_word = {_folded(answer): answer for answer in answers}
    return by_word.get(_folded(label)) or by_meaning.get(emotion) or by_meaning.get(_COUNTS_AS.get(emotion, emotion))


def is_emotion(label: str) -> bool:
    """Whether a label is a word for an emotion, as some corpus has it; a misspelt one is not."""
    return _folded(label) in _EMOTION_BY_WORD


def _emotion(label: str) -> str:
    return _EMOTION_BY_WORD.get(_folded(label), _folded(label))


def _folded(label: str) -> str:
    return label.strip().casefold()


def polarity(rating: float) -> str:
    """The label of `SENTIMENT` that a rating from negative to positive has by its sign, as CH-SIMS publishes it."""
    return SENTIMENT.labels[1 + (rating > 0) - (rating < 0)]


# The name of label sets that are taken from data or settings and are none of the known.
CUSTOM = "custom"


def label_set(asked: str | Sequence[str]) -> LabelSet:
    """The label set of that name, or that of labels of one's own.

    Raises:
        SettingsError: there is none of that name, and the message lists those there are; or labels are not distinct.
    """
    if not isinstance(asked, str):
        return LabelSet(CUSTOM, tuple(asked))
    if asked not in LABEL_SETS:
        raise SettingsError(f"unknown label set {asked!r}; there are: {', '.join(LABEL_SETS)}")
    return LABEL_SETS[asked]
