"""What runs in a worker's process: work comes in by a pipe, each piece in a thread of its own, and answers go back."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any, NoReturn, TypeAlias

from ..core import memory
from ..core.context import StageProgress
from ..core.errors import EmoscribeError
from ..core.unfinished import remove_unfinished
from .errors import status_of

# The page answers at once, however busy the models are.
_NICE = 5

# A task's number (0: it concerns all), what is said about it, and that itself.
Message: TypeAlias = tuple[int, str, Any]
# Makes what does each kind of work; it is told whom to tell what concerns all work.
Work: TypeAlias = Callable[..., Mapping[str, Callable[["Hand"], Any]]]


class Stop(Exception):
    """Raised where work that was called off next says how far it is."""


class Hand:
    """A piece of work, seen by who does it: where to say how far it is, and, of a stream, what comes in.

    Of a stream, iterating gives chunks, bytes or objects, until there is no more to come.

    Attributes:
        payload: what the work is about.
    """

    def __init__(self, payload: Any, say: Callable[[str, Any], None]) -> None:
        self.payload, self._say = payload, say
        self._chunks: queue.SimpleQueue[bytes | dict[str, Any] | None] = queue.SimpleQueue()
        self.stopped = False

    def progress(self, stage: str, done: float) -> None:
        """
        Raises:
            Stop: the work was called off.
        """
        self.check()
        self._say("progress", (stage, done))

    def check(self) -> None:
        """
        Raises:
            Stop: the work was called off.
        """
        if self.stopped:
            raise Stop

    def send(self, reply: dict[str, Any]) -> None:
        """A reply to a stream."""
        self.check()
        self._say("reply", reply)

    def __iter__(self) -> Iterator[bytes | dict[str, Any]]:
        while (chunk := self._chunks.get()) is not None:
            self.check()
            self._say("reply", len(chunk) if isinstance(chunk, bytes) else 1000)
            yield chunk
        self.check()

    def take(self, what: str, value: Any) -> None:
        """What the service says about it."""
        if what == "cancel":
            self.stopped = True
        self._chunks.put(value if what == "chunk" else None)


def serve(connection: Connection, work: Work, arguments: tuple[Any, ...]) -> None:
    """Do what comes, until the service is gone."""
    # Ctrl-C reaches all processes of a terminal; whoever began this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    lock = threading.Lock()

    def say(number: int, what: str, value: Any) -> None:
        try:
            with lock:
                connection.send((number, what, value))
        except OSError:
            _end()

    tell: StageProgress = lambda stage, done: say(0, "told", (stage, done))  # noqa: E731
    kinds = work(tell, *arguments)
    hands: dict[int, Hand] = {}
    while True:
        try:
            number, what, value = connection.recv()
        except (EOFError, OSError):
            _end()
        if what != "begin":
            if number in hands:
                hands[number].take(what, value)
            continue
        kind, payload = value
        hands[number] = hand = Hand(payload, lambda what, value, number=number: say(number, what, value))

        def do(number: int = number, kind: str = kind, hand: Hand = hand) -> None:
            try:
                answer = "done", kinds[kind](hand)
            except Stop:
                answer = "cancelled", None
            except EmoscribeError as error:
                answer = "failed", (str(error), status_of(error))
            except MemoryError:
                answer = "failed", ("this takes more memory than there is for it; give it in smaller parts", 413)
            except Exception as error:
                answer = "failed", (f"unexpected {type(error).__name__}: {error}. Please report it", 500)
            hands.pop(number, None)
            say(number, *answer)
            memory.give_back()

        threading.Thread(target=do, name=kind, daemon=True).start()


def _end() -> NoReturn:
    """Whoever this works for is gone."""
    remove_unfinished()
    os._exit(0)
