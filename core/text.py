"""What was said, what a file is called or what a library complains of, made fit to show; and scales in words."""

from __future__ import annotations

import html
import os
import re
from typing import Any

from .errors import EmoscribeError

# Escape sequences that a terminal acts on: CSI (colours, cursor), OSC and its
# kin (titles, links) up to BEL or ST, and two-character ones.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    # It has no other sequence inside: so each is looked through once, however many begin and never end.
    r"|(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
# What is left of controls, and the embeddings and overrides that could make a
# line read in another order than it is stored.  The marks that right-to-left
# and joined scripts need (LRM, RLM, ZWJ, ZWNJ) stay; halves of characters, and what XML forbids, do not.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)

# Of these XML knows not even an escape; halves of characters are escaped where they are written.
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

# What Markdown takes for its own, some of it only where a line begins.
_MARKUP = re.compile(r"([\\`*_{}\[\]|~#!]|^[+-])")

# What a terminal acts on, and what some take for the end of a line: all controls but tabs and line ends.
_ACTED_ON = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]")


def ends(bounds: tuple[float, float]) -> str:
    """A scale by its ends: `-3 to 3`."""
    return f"{bounds[0]:g} to {bounds[1]:g}"


def one_line(text: str) -> str:
    """`text` on one line, without anything that a terminal or a parser acts on."""
    if text.isascii() and text.isprintable():  # as most lines are, of which there may be many
        return " ".join(text.split())
    return " ".join(bare(text).split())


def printable(text: str) -> str:
    """`text` as a terminal may show it: what it would act on is written out, as in `\\u001b`; tabs and line ends stay.

    Nothing is lost, as with `one_line`, and JSON stays the same JSON.
    """
    return _ACTED_ON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def printable_line(text: str) -> str:
    """The same on one line, whose columns stay."""
    return printable(" ".join(text.splitlines()))


def bare(text: str) -> str:
    """`text` without anything that a terminal or a parser acts on; its lines stay."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def bare_value(value: Any) -> Any:
    """For the `finalize` of Jinja: texts from data bare, markup that is known to be safe and all else as it is."""
    return bare(value) if type(value) is str else value


def in_xml(text: str) -> str:
    """A file's name, say, as far as it can stand in XML."""
    return _NOT_IN_XML.sub("", text)


def in_markdown(value: object) -> str:
    """A name from data on one line, which stays a name: no markup, no HTML, no second cell."""
    return _MARKUP.sub(r"\\\1", html.escape(one_line(str(value)), quote=False))


def shortened(value: object) -> str:
    """A value as an error shows it, however long it is."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:60]} ... ({len(shown):,} characters)"


def first_line(error: BaseException) -> str:
    """What a library says went wrong, in a line that is none too long; what we say ourselves stays whole."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if len(line) <= 200 or isinstance(error, EmoscribeError) else f"{line[:200]}…"


def reason_of(error: OSError) -> str:
    """What the system says went wrong, as it stands within a sentence."""
    # Arrow tells it in its own words alone.
    told = re.search(r"\[errno (\d+)\]", str(error))
    return (os.strerror(int(told[1])) if told is not None else error.strerror or str(error)).lower()
