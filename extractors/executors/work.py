"""What executors have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Makes a worker, once a process.
Make = Callable[[], Callable[[T], R]]


@dataclass(frozen=True)
class Lost:
    """What came of an item whose worker ended under it, twice: nothing.

    Attributes:
        reason: in words.
    """

    reason: str


class Executor(Protocol):
    def map(self, make: Make[T, R], items: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        """Each item with what a worker made of it, in the order in which they are done.

        A worker that is killed is replaced, and what it was at is done again;
        an item under which two have ended is `Lost`.

        Raises:
            Exception: what a worker raises ends it all.
        """
        ...
