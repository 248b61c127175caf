"""Where a piece of work is done for each of many clips: in processes of this machine, or on a Ray cluster.

    executor.map(make, items) ─▶ (item, what came of it), as each is done

`make` gives a worker, a function of one item that has its models loaded; it is
called once in each process, and so has to be picklable.  Everywhere it is the
same function.
"""

from __future__ import annotations

from .local import LocalExecutor, SerialExecutor, workers_for
from .on_ray import RayExecutor
from .work import Executor, Lost, Make

__all__ = ["Executor", "LocalExecutor", "Lost", "Make", "RayExecutor", "SerialExecutor", "executor_for", "workers_for"]


def executor_for(items: int) -> Executor:
    """What suits this machine and so many items."""
    workers = workers_for(items)
    return LocalExecutor(workers) if workers > 1 else SerialExecutor()
