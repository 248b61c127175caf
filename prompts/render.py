"""The one renderer: the same words make the same prompt in training and in use.

A template decides the order and the frame; what the video says goes into the
frame as data.  It cannot break out: line breaks and control characters become
spaces, double quotes become single ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import SettingsError
from ..core.prompt import PrecedingTurn, Prompt
from ..core.timeline import Moment
from .settings import PromptSettings

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"

# Curly quotes become straight ones, as the corpora spell them either way; the
# double ones become single, as the frame quotes with double ones.
_QUOTES = str.maketrans('‘’‚‛′“”„‟″＂"', "'''''''''''" + "'")

# Shapes of letters in Persian and Indic scripts hang on these two.
_JOINERS = "\u200c\u200d"

# Set around a span while a template is filled; cleaned text holds neither.
_OPEN, _CLOSE = "\x0e", "\x0f"
_MARKS = re.compile(f"{_OPEN}(?P<name>[a-z]+){_OPEN}|{_CLOSE}")


@dataclass(frozen=True)
class Turn:
    """Something said before the moment to be judged.

    `same_speaker` is `None` where either speaker is unknown.
    """

    text: str
    speaker: str | None
    same_speaker: bool | None


def shipped_templates() -> list[str]:
    """Names of the templates in the package."""
    return sorted(path.stem for path in TEMPLATES.glob("*.j2"))


def render(
    moments: Sequence[Moment], index: int, settings: PromptSettings, *, id: str, labels: Sequence[str] = ()
) -> Prompt:
    """The prompt for `moments[index]`.

    Causal: of the other moments only those before it are read, and of these
    the last `context_turns` (in the prompt's text) and `history_turns` (in its
    history) in which somebody spoke and had finished by the time the moment
    ends.

    Args:
        moments: of one video or dialogue, in order of time.
        id: what the prompt is called.
        labels: the answers there are, for templates that name them.

    Raises:
        SettingsError: no such template.
    """
    target = moments[index]
    turns = _turns(moments[:index], target, settings.turns_before)
    answers = tuple(clean(label) for label in labels)

    def filled(moment: Moment, context: Sequence[Moment]) -> Prompt:
        said = tuple(Turn(clean(turn.text or ""), _speaker(turn), _same_speaker(turn, target)) for turn in context)
        return replace(_filled(settings.template, _words(moment), said, answers), signals=moment.signals)

    history = tuple(
        PrecedingTurn(filled(turn, ()), _same_speaker(turn, target)) for turn in _last(turns, settings.history_turns)
    )
    return replace(filled(target, _last(turns, settings.context_turns)), id=id, history=history)


@lru_cache(maxsize=4096)
def clean(text: str) -> str:
    """What was said, as one line that cannot close the quotes around it."""
    spaced = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in _JOINERS else char
        for char in text
    )
    return " ".join(spaced.translate(_QUOTES).split())


class _Words(NamedTuple):
    """What templates are filled with of the moment to be judged; each is `None` where it was not looked for."""

    speaker: str | None
    text: str | None
    face: str | None
    voice: str | None


def _words(moment: Moment) -> _Words:
    given = (moment.speaker, moment.text, moment.face, moment.voice)
    return _Words(*(None if each is None else clean(each) for each in given))


def was_spoken(moment: Moment) -> bool:
    """Whether somebody spoke, so that it is a turn to those after it."""
    return bool(clean(moment.text or ""))


def _turns(before: Sequence[Moment], target: Moment, count: int) -> list[Moment]:
    """The last `count` in which somebody spoke and had finished, in order of time."""
    spoken = (each for each in reversed(before) if each.end_s <= target.end_s and was_spoken(each))
    return list(islice(spoken, count))[::-1]


def _last(turns: Sequence[Moment], count: int) -> Sequence[Moment]:
    return turns[-count:] if count else ()


def _speaker(moment: Moment) -> str | None:
    return None if moment.speaker is None else clean(moment.speaker)


def _same_speaker(one: Moment, other: Moment) -> bool | None:
    known = one.speaker is not None and other.speaker is not None
    return _speaker(one) == _speaker(other) if known else None


# A turn that is remembered was a moment to be judged shortly before, and had the same prompt then.
@lru_cache(maxsize=256)
def _filled(template: str, moment: _Words, turns: tuple[Turn, ...], labels: tuple[str, ...]) -> Prompt:
    return _with_spans("", _template(template).render(moment=moment, turns=turns, labels=labels))


def _template(name: str):
    from jinja2 import TemplateNotFound

    try:
        return _environment().get_template(f"{name}.j2")
    except TemplateNotFound:
        raise SettingsError(f"unknown prompt template {name!r}; there are: {', '.join(shipped_templates())}") from None


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # A prompt is not HTML: nothing to escape.
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, autoescape=False)
    environment.globals["span"] = _span
    environment.filters["in_pair"] = _in_pair
    return environment


def _span(name: str, caller: Callable[[], str]) -> str:
    """`{% call span("target") %}…{% endcall %}` in a template marks a span."""
    return f"{_OPEN}{name}{_OPEN}{caller()}{_CLOSE}"


def _in_pair(text: str) -> str:
    """A value of a "key : value;" pair, which must not end the pair."""
    return text.replace(";", ",")


def _with_spans(id: str, marked: str) -> Prompt:
    """The text without its marks, and where they were."""
    text, spans, opened = "", {}, []
    end = 0
    for mark in _MARKS.finditer(marked):
        text += marked[end : mark.start()]
        end = mark.end()
        if mark["name"]:
            opened.append((mark["name"], len(text)))
        else:
            name, start = opened.pop()
            spans[name] = (start, len(text))
    return Prompt(id, text + marked[end:], spans)
