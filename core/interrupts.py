"""Ctrl-C, and being asked to end: the process ends at once, whatever it is in the middle of."""

from __future__ import annotations

import atexit
import mmap
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from multiprocessing.process import BaseProcess
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
# After this a process that has not ended by itself is ended.
_PATIENCE_S = 1.0

_ending = threading.Event()


def end_on_interrupt() -> None:
    """From now on, each of `ENDS` ends this process with its exit code and one line; called by the main thread, once.

    Python by itself would raise `KeyboardInterrupt` where the main thread is,
    as soon as that is back from what it does in C, and then wait for all
    other threads: a chapter of speech to be decoded, a film to be looked at.
    Here a thread of its own waits for the signal.  To end hard loses nothing:
    files appear whole, trainings go on from their last checkpoint.  Where even
    that thread cannot run, since a library that loads from a slow disk holds
    the interpreter, another process ends this one.
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
    last_words = _LastWords(os.dup(2))
    # The socket itself comes second: where that process was killed, there is nobody else to read it.
    hears = [*_insisted_on(told, tells, last_words), told]
    threading.Thread(target=_wait, args=(hears, tells, last_words), name="interrupts", daemon=True).start()


@contextmanager
def ended_with_us(process: subprocess.Popen) -> Iterator[None]:
    """While this lasts, whatever ends this process at once ends the other one too."""
    BEFORE_THE_END.append(process.kill)
    try:
        yield
    finally:
        BEFORE_THE_END.remove(process.kill)


def go_on() -> None:
    """For whoever sees a process of theirs end and would begin another: does not return where this one is ending."""
    if _ending.is_set():
        threading.Event().wait()


def _let_end() -> None:
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)


class _LastWords:
    """What is said at the end, by whichever of two processes comes to it."""

    def __init__(self, console: int) -> None:
        self._console, self._said = console, mmap.mmap(-1, 1)
        self._wiped = "\r\x1b[2K" if os.isatty(console) else ""

    def say(self, number: int) -> None:
        if not self._said[0] and os.environ.get("RANK", "0") == "0":
            self._said[0] = 1
            with suppress(OSError):
                os.write(self._console, f"{self._wiped}emoscribe: {ENDS[signal.Signals(number)][1]}\n".encode())


def _insisted_on(told: socket.socket, tells: socket.socket, last_words: _LastWords) -> list[socket.socket]:
    """Where to hear what is told: from a process that heard it first, and sees to it that this one ends."""
    if not hasattr(os, "fork"):
        return []
    pid, (heard, passes_on) = os.getpid(), socket.socketpair()
    try:
        if os.fork():
            passes_on.close()
            return [heard]
    except OSError:  # there may be no more processes
        return []
    try:
        signal.set_wakeup_fd(-1)
        # What a terminal has to say is for the other one.
        os.setsid()
        tells.close()
        heard.close()
        os.closerange(0, 3)
        _insist(pid, told, passes_on, last_words)
    finally:
        os._exit(0)


def _insist(pid: int, told: socket.socket, passes_on: socket.socket, last_words: _LastWords) -> None:
    while (byte := told.recv(1)) and byte[0] not in ENDS:
        passes_on.send(byte)
    if not byte:
        return  # the other process has ended
    passes_on.send(byte)
    if not select.select([passes_on], [], [], _PATIENCE_S)[0] and os.getppid() == pid:
        last_words.say(byte[0])
        os.kill(pid, signal.SIGKILL)


def _wait(hears: Sequence[socket.socket], tells: socket.socket, last_words: _LastWords) -> None:
    """Args:
    tells: kept here, since nobody else holds it open.
    """
    number = next(byte for hear in hears for byte in _bytes(hear) if byte in ENDS)  # others handle other signals
    try:
        # From now on whoever computes gives way at once.
        sys.setswitchinterval(1e-5)
        # Whoever has written has imported that; to import it now would take time, and it may be in the middle of it.
        unfinished = sys.modules.get(f"{__package__}.unfinished")
        is_anything = getattr(unfinished, "is_anything_unfinished", None)
        if BEFORE_THE_END or _begun() or (is_anything is not None and is_anything()):
            # A disk that does not answer is not waited for.
            clearing = threading.Thread(target=_clear, args=(unfinished,), name="clearing", daemon=True)
            clearing.start()
            clearing.join(_CLEARING_S)
        last_words.say(number)
    finally:
        os._exit(ENDS[signal.Signals(number)][0])


def _bytes(hear: socket.socket) -> Iterator[int]:
    while byte := hear.recv(1):
        yield byte[0]


def _begun() -> list[BaseProcess]:
    """Python's own processes, which would end by themselves, but only once they have loaded what they load."""
    processes = sys.modules.get("multiprocessing.process")
    return getattr(processes, "active_children", list)()


def _clear(unfinished: ModuleType | None) -> None:
    _ending.set()
    for call in list(BEFORE_THE_END):
        with suppress(Exception):
            call()
    for process in (begun := _begun()):
        process.kill()
    remove_unfinished = getattr(unfinished, "remove_unfinished", None)
    if remove_unfinished is not None:
        remove_unfinished()
    for process in begun:
        process.join()
    if begun and unfinished is not None:
        unfinished.sweep_passing_again()
