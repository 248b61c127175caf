"""What emoscribe says when it cannot go on.

Every message is one line a person can act on: what went wrong, which value,
what is allowed, what to do next.  `cli.py` prints it and exits with 1;
whoever imports emoscribe catches `EmoscribeError`.
"""

import re

# What ends a line, in a file's name, say.
_BREAKS = re.compile(r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
# A longer message shows its beginning and its end: what is wrong is not told better by all of a value.
_MOST, _HEAD, _TAIL = 1_200, 800, 300


class EmoscribeError(Exception):
    """An input, a setting or the machine is not as it has to be: in one line."""

    def __init__(self, message: str = "") -> None:
        line = _BREAKS.sub(" ", str(message))
        super().__init__(line if len(line) <= _MOST else f"{line[:_HEAD]} ... {line[-_TAIL:]}")


class MediaError(EmoscribeError):
    """A file that was given cannot be read as what it should be."""


class SettingsError(EmoscribeError):
    """A setting is unknown, out of range, or conflicts with another."""


class WriteError(EmoscribeError):
    """A file or a folder cannot be written: the disk is full, read-only, or not there."""


class UnavailableError(EmoscribeError):
    """A package, weights or a device that was asked for is not here.

    `auto` catches this one and takes the next best; nothing else does.
    """
