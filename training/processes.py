"""Processes side by side, as `accelerate launch` starts them; a single one where nobody did.

Every process runs the same program.  What only one may do, such as writing
files, the main one does; what is slow is shared out.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


def count() -> int:
    """How many run side by side."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def is_main() -> bool:
    return rank() == 0


def is_sharded() -> bool:
    """Whether they were asked to hold a model between them (`accelerate launch --use_fsdp`), not one each."""
    return count() > 1 and os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


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

    # What stands together stays together: turns of a dialogue are read once.
    bounds = [len(items) * number // count() for number in range(count() + 1)]
    shares = [slice(first, last) for first, last in pairwise(bounds)]
    share: list[Any] | Exception
    try:
        share = work(list(items[shares[rank()]]))
    except Exception as error:
        share = error
    results: list[Any] = []
    for done in gather_object([share]):
        if isinstance(done, Exception):
            raise done
        results += done
    return results


def average(tensors: Sequence[Tensor]) -> None:
    """Put the mean over all processes in the place of tensors of one type, in a single message."""
    if count() == 1 or not tensors:
        return
    import torch
    from torch import distributed

    _meet()
    together = torch.cat([tensor.reshape(-1) for tensor in tensors])
    # Not the operation AVG, which gloo lacks.
    distributed.all_reduce(together)
    together /= count()
    for tensor, mean in zip(tensors, together.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def wait() -> None:
    """Until all have come this far."""
    if count() > 1:
        _meet()
        from accelerate import PartialState

        PartialState().wait_for_everyone()


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
