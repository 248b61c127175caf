"""Ctrl-C, and being asked to end: the process ends at once, whatever it is in the middle of."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from types import ModuleType

# By signal, the exit code, which is a shell's, and what is said.
ENDS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
# The terminal is gone; whoever began the program with `nohup` wants it to go on.
if hasattr(signal, "SIGHUP"):
    ENDS[signal.SIGHUP] = (129, "hung up")

# Called before the process ends, by who has begun other processes.
BEFORE_THE_END: list[Callable[[], None]] = []

# Clearing away may wait for a disk; whoever wants to end does not.
_CLEARING_S = 0.7


def end_on_interrupt() -> None:
    """From now on, each of `ENDS` ends this process with its exit code and one line; called by the main thread, once.

    Python by itself would raise `KeyboardInterrupt` where the main thread is,
    as soon as that is back from what it does in C, and then wait for all
    other threads: a chapter of speech to be decoded, a film to be looked at.
    Here a thread of its own waits for the signal.  To end hard loses nothing:
    files appear whole, trainings go on from their last checkpoint.
    """
    told, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
    for number in ENDS:
        if number == signal.SIGINT or signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, frame: None)
    # The first that is registered is called last: by then all is done, and Python would let the signal have its way.
    atexit.register(_let_end)
    # Standard error as it is now: later it may be shut to the chatter of libraries.
    console = os.dup(2)
    threading.Thread(target=_wait, args=(told, tells, console), name="interrupts", daemon=True).start()


@contextmanager
def ended_with_us(process: subprocess.Popen) -> Iterator[None]:
    """While this lasts, whatever ends this process at once ends the other one too."""
    BEFORE_THE_END.append(process.kill)
    try:
        yield
    finally:
        BEFORE_THE_END.remove(process.kill)


def _let_end() -> None:
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)


def _wait(told: socket.socket, tells: socket.socket, console: int) -> None:
    """Args:
    tells: kept here, since nobody else holds it open.
    """
    while (number := told.recv(1)[0]) not in ENDS:
        pass  # another signal that somebody handles
    # From now on whoever computes gives way at once.
    sys.setswitchinterval(1e-5)
    code, what = ENDS[signal.Signals(number)]
    # Whoever has written has imported that; to import it now would take time.
    unfinished = sys.modules.get(f"{__package__}.unfinished")
    if BEFORE_THE_END or (unfinished is not None and unfinished.is_anything_unfinished()):
        # A disk that does not answer is not waited for.
        clearing = threading.Thread(target=_clear, args=(unfinished,), name="clearing", daemon=True)
        clearing.start()
        clearing.join(_CLEARING_S)
    if os.environ.get("RANK", "0") == "0":
        wiped = "\r\x1b[2K" if os.isatty(console) else ""
        with suppress(OSError):
            os.write(console, f"{wiped}emoscribe: {what}\n".encode())
    os._exit(code)


def _clear(unfinished: ModuleType | None) -> None:
    for call in list(BEFORE_THE_END):
        with suppress(Exception):
            call()
    if unfinished is not None:
        unfinished.remove_unfinished()
