"""Standard input, output and error: what of them there is, and what is done without.

Nothing is imported that takes time: it is the first that the program runs.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress

_NAMES = ("stdin", "stdout", "stderr")

# Descriptors, of the three, that the process was begun without.
_missing: set[int] = set()


def stand_in() -> None:
    """Put nothing in the place of what of the three was closed.

    The next file opened would have its number, and whoever prints would write
    into that.  A character that a terminal cannot show does not end the
    program but is written out.
    """
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            _missing.add(number)
            try:
                os.fstat(number)
            except OSError:
                _put_nothing(number)
            _speak_to_nobody(number)
    # What went wrong is then said where there is anybody to hear it.
    if 2 in _missing and 1 not in _missing:
        sys.stderr = sys.stdout
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def has_output() -> bool:
    """Whether there is a standard output."""
    return 1 not in _missing


def has_error() -> bool:
    """Whether there is a standard error."""
    return 2 not in _missing


def give_up_output() -> None:
    """From now on what is printed goes nowhere; to be called where printing has failed."""
    _missing.add(1)
    _put_nothing(1)
    printed = sys.stdout
    _speak_to_nobody(1)
    with suppress(OSError):
        printed.flush()  # what was on its way goes there too, and not wrong again when the program ends


def why(error: OSError) -> str:
    """What is wrong with standard output, in words."""
    if isinstance(error, BrokenPipeError) or error.errno == errno.EBADF:
        return "standard output is closed"
    return f"cannot write to standard output: {(error.strerror or str(error)).lower()}"


def _put_nothing(number: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing != number:
        os.dup2(nothing, number)
        os.close(nothing)


def _speak_to_nobody(number: int) -> None:
    setattr(sys, _NAMES[number], open(os.devnull, "r" if number == 0 else "w", encoding="utf-8"))  # noqa: SIM115
