"""What reaches the terminal: our lines and bars, not the chatter of libraries."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from .pace import Pace
from .text import printable_line


@contextmanager
def quiet(debug: bool = False) -> Iterator[TextIO]:
    """Turn away what others write to standard error; yields the real one.

    TensorFlow Lite and FFmpeg write straight to file descriptor 2, others to
    `sys.stderr`, by way of `warnings` and `logging` too: all are shut out
    here, at the one door.

    Of processes side by side, those beside the main one are silenced
    altogether: they would only repeat it.

    Args:
        debug: let everything through.
    """
    if os.environ.get("RANK", "0") != "0":
        with open(os.devnull, "w") as nothing, redirect_stdout(nothing), redirect_stderr(nothing):
            yield nothing
        return
    if debug:
        yield sys.stderr
        return
    sys.stderr.flush()
    theirs, kept = sys.stderr, os.dup(2)
    with (
        os.fdopen(os.dup(kept), "w", encoding="utf-8", errors="replace", buffering=1) as console,
        open(os.devnull, "w") as silence,
    ):
        os.dup2(silence.fileno(), 2)
        sys.stderr = silence
        try:
            yield console
        finally:
            sys.stderr = theirs
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def hushed() -> Iterator[None]:
    """Without warnings, and without the bars and the log of `transformers`; what was set before is set again.

    For what loads or changes a model.  Unlike `quiet` it leaves standard
    error to whoever imports emoscribe, and needs it.
    """
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


class Bars:
    """A line on a terminal that says what is running, how far it is, and about how long it will take.

    Does nothing where the output is not a terminal.  Stages run side by
    side, so they share the line; one that is done leaves it.

    Args:
        shown: whether there are to be any.

    Attributes:
        heading: what it is all about, as in `file 2 of 3`; empty for nothing.
    """

    WIDTH = 12

    def __init__(self, console: TextIO, *, shown: bool = True) -> None:
        self._console = console if shown and console.isatty() else None
        self._lock = threading.Lock()
        self._pace = Pace()
        self.heading = ""

    def __call__(self, stage: str, done: float) -> None:
        if self._console is None:
            return
        with self._lock:
            if done >= 1:
                self._pace.forget(stage)
            else:
                self._pace.tell(stage, done)
            running = (f"{name} {self._bar(part)}{self._left(name)}" for name, part in self._pace.done.items())
            line = printable_line("   ".join(part for part in (self.heading, *running) if part))
            # A line that wraps could not be wiped.
            width = os.get_terminal_size(self._console.fileno()).columns - 1
            self._console.write(f"\r\x1b[2K{line[:width] if width > 0 else line}")
            self._console.flush()

    def clear(self) -> None:
        """Wipe the line, before something else is printed."""
        if self._console is not None:
            with self._lock:
                self._pace = Pace()
                self._console.write("\r\x1b[2K")
                self._console.flush()

    def _bar(self, part: float) -> str:
        if part == 0:
            return "…"
        full = round(part * self.WIDTH)
        return f"{'━' * full}{'┈' * (self.WIDTH - full)} {part:4.0%}"

    def _left(self, stage: str) -> str:
        """The time that the rest takes; nothing below a few seconds."""
        left_s = self._pace.left_s(stage)
        return f" {left_s // 60:.0f}:{left_s % 60:02.0f} left" if left_s is not None and left_s >= 5 else ""
