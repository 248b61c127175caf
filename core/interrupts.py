"""Ctrl-C: the process ends at once, whatever it is in the middle of."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable

# A shell's, of who ended by signal 2.
EXIT_CODE = 130

# Called before the process ends, by who has begun other processes.
BEFORE_THE_END: list[Callable[[], None]] = []


def end_on_interrupt() -> None:
    """From now on, Ctrl-C ends this process with exit code 130 and one line; called by the main thread, once.

    Python by itself would raise `KeyboardInterrupt` where the main thread is,
    as soon as that is back from what it does in C, and then wait for all
    other threads: a chapter of speech to be decoded, a film to be looked at.
    Here a thread of its own waits for the signal.  To end hard loses nothing:
    files appear whole, trainings go on from their last checkpoint.
    """
    told, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, lambda number, frame: None)
    # Standard error as it is now: later it may be shut to the chatter of libraries.
    console = os.dup(2)
    threading.Thread(target=_wait, args=(told, tells, console), name="interrupts", daemon=True).start()


def _wait(told: socket.socket, tells: socket.socket, console: int) -> None:
    """Args:
    tells: kept here, since nobody else holds it open.
    """
    while told.recv(1)[0] != signal.SIGINT:
        pass  # another signal that somebody handles
    from .unfinished import remove_unfinished

    for call in BEFORE_THE_END:
        call()
    remove_unfinished()
    if os.environ.get("RANK", "0") == "0":
        wiped = "\r\x1b[2K" if os.isatty(console) else ""
        os.write(console, f"{wiped}emoscribe: interrupted\n".encode())
    os._exit(EXIT_CODE)
