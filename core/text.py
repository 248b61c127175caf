"""What was said, or what a file is called, made safe to show; and scales in words."""

from __future__ import annotations

import re

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


def ends(bounds: tuple[float, float]) -> str:
    """A scale by its ends: `-3 to 3`."""
    return f"{bounds[0]:g} to {bounds[1]:g}"


def one_line(text: str) -> str:
    """`text` on one line, without anything that a terminal or a parser acts on."""
    if text.isascii() and text.isprintable():  # as most lines are, of which there may be many
        return " ".join(text.split())
    return " ".join(_CONTROLS.sub("", _ESCAPES.sub("", text)).split())


def in_xml(text: str) -> str:
    """A file's name, say, as far as it can stand in XML."""
    return _NOT_IN_XML.sub("", text)


def shortened(value: object) -> str:
    """A value as an error shows it, however long it is."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:60]} ... ({len(shown):,} characters)"
