"""Processes side by side, as `accelerate launch` starts them; a single one where nobody did.

Every process runs the same program.  What only one may do, such as writing
files, the main one does; what is slow is shared out.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def count() -> int:
    """How many run side by side."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    return rank() == 0


def by_main(make: Callable[[], T]) -> T:
    """What `make` returns in the main process, in all of them; the others wait for it.

    An error in the main process is raised in all of them too.
    """
    if count() == 1:
        return make()
    _meet()
    from accelerate.utils import broadcast_object_list

    made: list[Any] = [None, None]
    if is_main():
        try:
            made[0] = make()
        except Exception as error:
            made[1] = error
    broadcast_object_list(made)
    if made[1] is not None:
        raise made[1]
    return made[0]


def mapped(work: Callable[[list[T]], list[Any]], items: Sequence[T]) -> list[Any]:
    """`work(items)`, each process doing its share of them; all get the whole result, in order.

    An error in one process is raised in all of them.

    Args:
        work: gives one result an item.
    """
    if count() == 1:
        return work(list(items))
    _meet()
    from accelerate.utils import gather_object

    share: list[Any] | Exception
    try:
        share = work(list(items[rank() :: count()]))
    except Exception as error:
        share = error
    results: list[Any] = [None] * len(items)
    for first, done in enumerate(gather_object([share])):
        if isinstance(done, Exception):
            raise done
        results[first :: count()] = done
    return results


@cache
def _meet() -> None:
    """Join the others, once, and part from them in good order."""
    import torch
    from accelerate import PartialState

    # Unless told, processes without a GPU would each take themselves for the only one.
    state = PartialState(cpu=not torch.cuda.is_available())

    def part() -> None:
        # Who leaves while another still talks to it, or without a word, takes both down.
        state.wait_for_everyone()
        state.destroy_process_group()

    atexit.register(part)
