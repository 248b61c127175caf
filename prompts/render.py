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
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import SettingsError
from ..core.timeline import Moment, Prompt
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
    the last `context_turns` in which somebody spoke and had finished by the
    time the moment ends.

    Args:
        moments: of one video or dialogue, in order of time.
        id: what the prompt is called.
        labels: the answers there are, for templates that name them.

    Raises:
        SettingsError: no such template.
    """
    moment = _cleaned(moments[index])
    text = _template(settings.template).render(
        moment=moment,
        turns=_turns(moments[:index], moment, settings.context_turns),
        labels=[clean(label) for label in labels],
    )
    return replace(_with_spans(id, text), signals=moment.signals)


def clean(text: str) -> str:
    """What was said, as one line that cannot close the quotes around it."""
    spaced = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in _JOINERS else char
        for char in text
    )
    return " ".join(spaced.translate(_QUOTES).split())


def _cleaned(moment: Moment) -> Moment:
    return replace(
        moment,
        speaker=None if moment.speaker is None else clean(moment.speaker),
        text=None if moment.text is None else clean(moment.text),
        face=None if moment.face is None else clean(moment.face),
        voice=None if moment.voice is None else clean(moment.voice),
    )


def _turns(before: Sequence[Moment], target: Moment, count: int) -> list[Turn]:
    """The last `count` turns, in order of time."""
    turns: list[Turn] = []
    for moment in reversed(before):
        if len(turns) == count:
            break
        if moment.end_s > target.end_s or not (text := clean(moment.text or "")):
            continue
        speaker = None if moment.speaker is None else clean(moment.speaker)
        known = speaker is not None and target.speaker is not None
        turns.append(Turn(text, speaker, speaker == target.speaker if known else None))
    return turns[::-1]


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
