"""Waiting for what may never come: a thread of its own waits, and is left behind where nothing more comes.

Timeouts of sockets do not do: looking up a host's name minds none, and a host
that sends a byte now and then never meets one.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from .unfinished import remove_unfinished

T = TypeVar("T")

# How often it is looked whether something came.
_POLL_S = 0.1

_LEFT_BEHIND: list[threading.Thread] = []


def in_time(ask: Callable[[], T], seconds: float) -> T:
    """What `ask` returns.

    Raises:
        TimeoutError: that takes longer.
    """
    return while_it_comes(ask, lambda: None, seconds)


def while_it_comes(ask: Callable[[], T], pulse: Callable[[], object], quiet_s: float) -> T:
    """What `ask` returns, however long it takes.

    Args:
        pulse: how far it is, in any form; asked several times a second.

    Raises:
        TimeoutError: the pulse stayed the same for so long.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:
            answer.set_exception(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    felt, since = pulse(), time.monotonic()
    while True:
        try:
            return answer.result(timeout=min(_POLL_S, quiet_s))
        except TimeoutError:
            if answer.done():
                return answer.result()  # it is its own
        now = pulse()
        if now != felt:
            felt, since = now, time.monotonic()
        elif time.monotonic() - since >= quiet_s:
            _LEFT_BEHIND[:] = [*(each for each in _LEFT_BEHIND if each.is_alive()), thread]
            raise TimeoutError(f"nothing came for {quiet_s:g} s")


def end_without_waiting(ended: SystemExit) -> None:
    """End the process now if a thread still waits that nobody waits for.

    The interpreter would wait for the threads that it began in turn.
    """
    if any(thread.is_alive() for thread in _LEFT_BEHIND):
        sys.stdout.flush()
        sys.stderr.flush()
        remove_unfinished()
        os._exit(ended.code if isinstance(ended.code, int) else 1 if ended.code else 0)
