"""Tiers of annotations over time, as ELAN and Praat keep them: what ours are called, and the reading of anybody's.

Both formats are read by their own rules: libraries for them take what people
type (`intervals [1]` in a text) for the file's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np

from .errors import MediaError
from .limits import MOST_TIERS, check_size, check_times
from .text import one_line, reason_of, shortened

# What a tier of ours holds; it is the first part of the tier's name.
Kind = Literal["transcript", "words", "emotion", "face", "voice"]

# The files that hold tiers, in any case.
SUFFIXES = (".eaf", ".TextGrid")

_OURS = re.compile(rf"({'|'.join(get_args(Kind))})(?:-\d+)?(?:@.+)?", re.DOTALL)


# Of a tier's name: it is about what is said, but does not hold it.
_ABOUT_SPEECH = re.compile(
    r"phon|syll|gloss|translat|transliter|morph|(?:\b|_)(?:pos|notes?|comments?|gestures?|gaze|emotions?|labels?)(?:\b|_)",
    re.IGNORECASE,
)
# Aligners call the tier of words so, `Clara - words`.
_WORDS = re.compile(r"(?:^|(?<![\s_.:@-])[\s_.:@-]+)words?$", re.IGNORECASE)


@dataclass(frozen=True)
class Annotation:
    """A text about a stretch of time."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Tier:
    """Annotations in order of time.

    Attributes:
        participant: whom it is about, where the file says so apart from the name.
        parent: the tier whose annotations it divides or comments on.
    """

    name: str
    annotations: tuple[Annotation, ...]
    participant: str | None = None
    parent: str | None = None

    @property
    def kind(self) -> str | None:
        """Of a tier that is called as ours are, what it holds."""
        ours = _OURS.fullmatch(self.name)
        return ours[1] if ours else None

    @property
    def speaker(self) -> str | None:
        """Whom it is about: the participant, who stands behind an `@`, or else the name itself."""
        if self.participant:
            return self.participant
        _, at, after = self.name.partition("@")
        if not at and self.kind:
            return None
        return one_line(after if at else _WORDS.sub("", self.name)) or None

    @property
    def is_words(self) -> bool:
        """Whether each annotation is a word."""
        return self.kind == "words" or _WORDS.search(self.name) is not None


@dataclass(frozen=True)
class TierFile:
    """What an annotation file holds.

    Attributes:
        media: where the recording may be, best guess first; relative to the file, if not absolute.
    """

    tiers: tuple[Tier, ...]
    media: tuple[str, ...] = ()


def tier_name(kind: Kind, speaker: str | None, layer: int = 1) -> str:
    """`emotion@Clara`; `emotion-2@Clara` for what lies over it at the same time; `emotion` of nobody in particular."""
    return kind + (f"-{layer}" if layer > 1 else "") + (f"@{speaker}" if speaker else "")


def holds_tiers(path: Path) -> bool:
    """Whether the file is called as those are that do."""
    return path.suffix.lower() in map(str.lower, SUFFIXES)


def read_tiers(path: str | Path) -> TierFile:
    """The tiers in an ELAN (.eaf) or Praat (.TextGrid) file; annotations without text are left out.

    Raises:
        MediaError: the file is missing, of another kind, or malformed.
    """
    path = Path(path)
    if not holds_tiers(path):
        raise MediaError(f"{path} is no file of tiers; give one of {', '.join(SUFFIXES)}")
    try:
        check_size(path, "annotation file")
        content = path.read_bytes()
    except FileNotFoundError:
        raise MediaError(f"no file {path}") from None
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {reason_of(error)}") from None
    file = _read_eaf(path, content) if path.suffix.lower() == ".eaf" else _read_textgrid(path, content)
    if len(file.tiers) > MOST_TIERS:
        raise MediaError(f"{path} has {len(file.tiers):,} tiers, and at most {MOST_TIERS:,} are read; divide it")
    for tier in file.tiers:
        check_times(f"{path}, tier {shortened(tier.name)}", tier.annotations, "annotations", None)
    return file


def spoken(tiers: Sequence[Tier]) -> list[Tier]:
    """Those that hold what is said, one way: ours, or else all that divide no other and are called nothing else,
    sentences rather than words."""
    filled = [tier for tier in tiers if tier.annotations]
    ours = [tier for tier in filled if tier.kind == "transcript"]
    said = [tier for tier in filled if tier.parent is None and not _ABOUT_SPEECH.search(tier.name)]
    sentences = [tier for tier in said if tier.kind is None and not tier.is_words]
    return ours or sentences or [tier for tier in said if tier.is_words]


# ── ELAN ─────────────────────────────────────────────────────────────────────


def _read_eaf(path: Path, content: bytes) -> TierFile:
    """The annotation format of ELAN 2.7 to 3.0.

    An annotation that comments on another has that one's time; time slots
    without a time lie evenly between their neighbours.
    """
    try:
        root = ElementTree.fromstring(content)
        if root.tag != "ANNOTATION_DOCUMENT":
            raise ValueError(f"it begins with {root.tag}")
        units = root.find("HEADER").get("TIME_UNITS", "milliseconds")  # type: ignore[union-attr]
        if units != "milliseconds":
            raise ValueError(f"its times are in {units}")
        media = root.find("HEADER/MEDIA_DESCRIPTOR")
        # Where the recording is cut at its beginning, the file's times count from there.
        origin_s = int(media.get("TIME_ORIGIN", 0)) / 1000 if media is not None else 0.0
        spans = _spans(root, origin_s)
        tiers = tuple(_tier(element, spans) for element in root.iter("TIER"))
    except (ElementTree.ParseError, AttributeError, KeyError, ValueError) as error:
        raise MediaError(f"{path} is not an ELAN file that can be read: {one_line(str(error))[:200]}") from None
    return TierFile(tiers, tuple(_locations(media)) if media is not None else ())


def _spans(root: ElementTree.Element, origin_s: float) -> dict[str, tuple[float, float]]:
    """Start and end in seconds of each annotation, by its id."""
    slots = [(slot.attrib["TIME_SLOT_ID"], slot.get("TIME_VALUE")) for slot in root.iter("TIME_SLOT")]
    known = [index for index, (_, time) in enumerate(slots) if time is not None]
    known_s = [int(slots[index][1] or 0) / 1000 + origin_s for index in known]
    times_s = np.interp(range(len(slots)), known, known_s) if known else np.zeros(len(slots))
    at_s = {id: float(time_s) for (id, _), time_s in zip(slots, times_s, strict=True)}
    spans = {
        each.attrib["ANNOTATION_ID"]: (at_s[each.attrib["TIME_SLOT_REF1"]], at_s[each.attrib["TIME_SLOT_REF2"]])
        for each in root.iter("ALIGNABLE_ANNOTATION")
    }
    pending = {each.attrib["ANNOTATION_ID"]: each.attrib["ANNOTATION_REF"] for each in root.iter("REF_ANNOTATION")}
    for id in pending:
        # Along what each is about, to one whose time is known; in a circle there is none.
        chain: dict[str, None] = {}
        while id not in spans and id in pending and id not in chain:
            chain[id] = None
            id = pending[id]
        if id in spans:
            spans |= dict.fromkeys(chain, spans[id])
    return spans


def _tier(element: ElementTree.Element, spans: dict[str, tuple[float, float]]) -> Tier:
    found = [
        Annotation(*spans[each.attrib["ANNOTATION_ID"]], text.strip())
        for wrapper in element.iter("ANNOTATION")
        for each in wrapper
        if (text := each.findtext("ANNOTATION_VALUE") or "").strip()
    ]
    found.sort(key=lambda annotation: (annotation.start_s, annotation.end_s))
    participant = one_line(element.get("PARTICIPANT", "")) or None
    return Tier(element.attrib["TIER_ID"], tuple(found), participant, element.get("PARENT_REF"))


def _locations(media: ElementTree.Element) -> Iterator[str]:
    for name in ("RELATIVE_MEDIA_URL", "MEDIA_URL"):
        if url := media.get(name):
            location = re.sub(r"^file:(?://)?(?:/(?=[A-Za-z]:))?", "", url)
            # Most files spell a space as it is, some as in a web address.
            yield from dict.fromkeys((location, unquote(location)))
            # Another machine's folders are not here; the file may have come along.
            yield re.split(r"[/\\]", location)[-1]


# ── Praat ────────────────────────────────────────────────────────────────────

# In Praat's text files whatever stands free is data, that is texts in quotation marks, numbers and flags; the words
# between, the brackets and the equals signs of the long form are for the reader, and `!` begins a comment.
_TOKEN = re.compile(r'"([^"]*(?:""[^"]*)*)"|(?<!\S)([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)(?!\S)|!.*')


def _read_textgrid(path: Path, content: bytes) -> TierFile:
    """Long and short text files alike; tiers of points, which last no time, are left out."""
    try:
        text = content.decode("utf-16" if content.startswith((b"\xfe\xff", b"\xff\xfe")) else "utf-8-sig")
    except UnicodeDecodeError:
        raise MediaError(f"{path} is neither in UTF-8 nor in UTF-16; save it with Praat again") from None
    tokens = (
        found[1].replace('""', '"') if found[1] is not None else float(found[2])
        for found in _TOKEN.finditer(text)
        if found[1] is not None or found[2] is not None
    )
    try:
        if not str(next(tokens)).startswith("ooTextFile") or next(tokens) != "TextGrid":
            raise ValueError("it does not begin as a TextGrid does")
        _, _, count = [float(next(tokens)) for _ in range(3)]
        tiers = [_praat_tier(tokens) for _ in range(int(count))]
    except (StopIteration, ValueError, OverflowError) as error:
        reason = "it ends too early" if isinstance(error, StopIteration) else one_line(str(error))[:200]
        raise MediaError(f"{path} is not a TextGrid that can be read: {reason}") from None
    return TierFile(tuple(tier for tier in tiers if tier is not None))


def _praat_tier(tokens: Iterator[str | float]) -> Tier | None:
    of_class, name = str(next(tokens)), str(next(tokens))
    _, _, count = [float(next(tokens)) for _ in range(3)]
    if of_class != "IntervalTier":
        for _ in range(2 * int(count)):
            next(tokens)
        return None
    entries = [(float(next(tokens)), float(next(tokens)), str(next(tokens)).strip()) for _ in range(int(count))]
    return Tier(name, tuple(Annotation(*entry) for entry in entries if entry[2]))
