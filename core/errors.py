"""What emoscribe says when it cannot go on.

Every message is one line a person can act on: what went wrong, which value,
what is allowed, what to do next.  `cli.py` prints it and exits with 1;
whoever imports emoscribe catches `EmoscribeError`.
"""


class EmoscribeError(Exception):
    """An input, a setting or the machine is not as it has to be."""


class MediaError(EmoscribeError):
    """A file that was given cannot be read as what it should be."""


class SettingsError(EmoscribeError):
    """A setting is unknown, out of range, or conflicts with another."""


class UnavailableError(EmoscribeError):
    """A package, weights or a device that was asked for is not here.

    `auto` catches this one and takes the next best; nothing else does.
    """
