"""Work in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait as wait_for
from typing import Any

from ...core.context import cores_here, gpu_is_here
from ...core.interrupts import go_on
from ...core.unfinished import remove_unfinished
from .cores import stay_on
from .work import Lost, Make, R, T

# What the models of a worker take, with room for what they work on.
WORKER_BYTES = 2 * 2**30
# On a GPU one decodes while another computes.
WORKERS_A_GPU = 2
# Items that wait at each worker, so that none has to wait for the next.
_AHEAD = 2


def workers_for(items: int) -> int:
    """How many workers suit this machine: one a core, or two a GPU, as far as there is memory and work for them."""
    if gpu_is_here():
        import torch

        most = min(WORKERS_A_GPU * torch.cuda.device_count(), len(cores_here()))
    else:
        most = len(cores_here())
    return max(1, min(most, _memory_bytes() // WORKER_BYTES, items))


class SerialExecutor:
    """One item after another, in this process, on all its cores."""

    def map(self, make: Make[T, R], items: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        """See `Executor.map`."""
        worker: Callable[[T], R] | None = None
        for item in items:
            worker = worker or make()
            yield item, worker(item)


class LocalExecutor:
    """Processes side by side, each on its share of the cores and with a GPU of its own, where there are several.

    Args:
        workers: so many; a worker computes on one core unless there are more cores than workers times `cores`.
        cores: each may compute on.
    """

    def __init__(self, workers: int, cores: int = 1) -> None:
        self.workers, self._cores = workers, cores

    def map(self, make: Make[T, R], items: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        """See `Executor.map`."""
        waiting, suspects = iter(items), deque[T]()
        struck: set[int] = set()
        while True:
            go_on()
            with _Pool(self.workers, self._cores, make) as pool:
                # Whoever was being worked on when a worker ended is tried again alone, so that only the culprit pays.
                for item in tuple(suspects):
                    try:
                        done = pool.submit(item).result()
                    except BrokenProcessPool:
                        suspects.remove(item)
                        if id(item) in struck:
                            yield item, Lost("its worker ended under it, twice; is there enough memory?")
                        else:
                            struck.add(id(item))
                            suspects.append(item)
                        break
                    suspects.remove(item)
                    yield item, done
                else:
                    broken: list[T] = []
                    yield from pool.run(waiting, broken)
                    if not broken:
                        return
                    suspects.extend(broken)
                    struck.update(map(id, broken))


class _Pool:
    def __init__(self, workers: int, cores: int, make: Make[Any, Any]) -> None:
        self._ahead = _AHEAD * workers
        context = multiprocessing.get_context("spawn")
        turns = context.Value("i", 0)
        self._pool = ProcessPoolExecutor(workers, context, _begin, (make, turns, cores, _threads(cores)))

    def submit(self, item: object) -> Future[Any]:
        return self._pool.submit(_work, item)

    def run(self, waiting: Iterator[T], broken: list[T]) -> Iterator[tuple[T, Any]]:
        """
        Args:
            broken: where items are left that were begun when a worker ended.
        """
        begun: dict[Future[Any], T] = {}
        try:
            while True:
                for item in islice(waiting, self._ahead - len(begun)):
                    begun[self.submit(item)] = item
                if not begun:
                    return
                for future in wait(begun, return_when=FIRST_COMPLETED).done:
                    yield begun[future], future.result()
                    del begun[future]
        except BrokenProcessPool:
            broken.extend(begun.values())

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


# ── in a worker ──────────────────────────────────────────────────────────────

_make: Make[Any, Any] | None = None
_worker: Callable[[Any], Any] | None = None


def _begin(make: Make[Any, Any], turns: Any, cores: int, threads: dict[str, str]) -> None:
    global _make
    os.environ.update(threads)
    # Ctrl-C reaches all processes of a terminal; whoever began this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with turns.get_lock():
        number, turns.value = turns.value, turns.value + 1
    stay_on(_share(cores_here(), number, cores))
    if gpu_is_here():
        import torch

        torch.cuda.set_device(number % torch.cuda.device_count())
    _make = make


def _work(item: Any) -> Any:
    # Made here, not as the process begins: what goes wrong is told to whoever waits for an item.
    global _worker
    if _worker is None:
        assert _make is not None
        _worker = _make()
    return _worker(item)


def _end_with_parent() -> None:
    """A pool whose owner was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        remove_unfinished()
        os._exit(1)


def _share(cores: Sequence[int], number: int, each: int) -> set[int]:
    return {cores[(number * each + core) % len(cores)] for core in range(each)}


def _threads(cores: int) -> dict[str, str]:
    """Libraries ask their own variables how many threads to begin."""
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(cores))


def _memory_bytes() -> int:
    """Of the machine; where it does not tell, more than counts."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 2**62
