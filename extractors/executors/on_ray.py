"""Work on a Ray cluster, by Ray Data: an actor a core, a GPU, or a fraction of one."""

from __future__ import annotations

import gc
import logging
import os
import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from ...core.errors import EmoscribeError, UnavailableError
from .cores import take_core
from .work import Lost, Make, R, T

# An actor is given so many items at once at most, since each gift costs Ray some milliseconds.  One that ends under
# its last takes them all with it, until they are done again; and of none is told before all are done.
_MOST_AT_ONCE = 4
# It is given no more than this part of its share of what is left: for the last gift all others wait.
_PART = 8
# How long a cluster may take to answer at all.
_KNOCK_S = 5.0
# How often an actor is begun anew for what the one before ended under.
_TRIES = 2


class RayExecutor:
    """Actors on a cluster.

    Args:
        workers: so many; `None` are as many as there is room for.
        gpus: that an actor takes, as in .5; 0 is none.
        address: of a running cluster (`auto`, `ray://head:10001`); without
            one, a cluster of this machine alone that ends with the work.

    Raises:
        UnavailableError: Ray is not here.
    """

    def __init__(self, workers: int | None = None, gpus: float = 0.0, address: str | None = None) -> None:
        self._workers, self._gpus, self._address = workers, gpus, address
        # Nothing leaves the machine, and a worker's warnings are not ours to print.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
            import ray.data  # noqa: F401
        except ImportError:
            raise UnavailableError("--engine ray needs Ray; pip install 'emoscribe[scale]'") from None

    def map(self, make: Make[T, R], items: Iterable[T]) -> Iterator[tuple[T, R | Lost]]:
        """See `Executor.map`."""
        import ray

        given = list(items)
        if not given:
            return
        began = self._join()
        try:
            workers = self._workers or max(1, int(ray.cluster_resources().get("GPU" if self._gpus else "CPU", 1)))
            if self._gpus and not self._workers:
                workers = int(workers / self._gpus)
            yield from self._mapped(make, given, min(workers, len(given)))
        finally:
            if began:
                ray.shutdown()

    def _join(self) -> bool:
        """Be part of a cluster; whether it was not before."""
        import ray

        if ray.is_initialized():
            return False
        try:
            if self._address is not None:
                _knock(self._address)
            ray.init(
                # Or else it would join whatever cluster there is.
                address=self._address or "local",
                num_cpus=None if self._address else self._workers,
                include_dashboard=False if not self._address else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (OSError, ValueError, RuntimeError) as error:
            where = f" at {self._address}" if self._address else ""
            raise EmoscribeError(f"no Ray cluster{where}: {' '.join(str(error).split())}") from None
        return True

    def _mapped(self, make: Make[T, R], given: list[T], workers: int) -> Iterator[tuple[T, R | Lost]]:
        left = dict(enumerate(given))
        # Items whose actors ended are tried again, each by itself and none waiting behind another, so that only the
        # culprit pays.
        for at_once, in_flight in ((_MOST_AT_ONCE, 2), (1, 1)):
            gifts = list(_gifts(list(left.items()), workers, at_once))
            for number, result in _results(make, gifts, workers, in_flight, self._gpus) if gifts else ():
                yield left.pop(number), result
            # Actors hold their cores until nothing refers to them any more, be it in a circle.
            gc.collect()
        for item in left.values():
            yield item, Lost("its worker ended under it, again and again; is there enough memory?")


def _knock(address: str) -> None:
    """Ray by itself tries for minutes to reach who is not there.

    Raises:
        OSError, ValueError: nobody answers, or it is no address.
    """
    place = urlsplit(address if "://" in address else f"ray://{address}")
    if place.port is not None:
        socket.create_connection((place.hostname or "", place.port), timeout=_KNOCK_S).close()


def _gifts(items: list[tuple[int, T]], workers: int, most: int) -> Iterator[list[tuple[int, T]]]:
    """What an actor is given at once: the less, the less is left, so that all end at nearly the same time."""
    begin = 0
    while begin < len(items):
        many = min(max(1, (len(items) - begin) // (workers * _PART)), most)
        yield items[begin : begin + many]
        begin += many


def _results(
    make: Make[T, R], gifts: list[list[tuple[int, T]]], workers: int, in_flight: int, gpus: float
) -> Iterator[tuple[int, R]]:
    """Args:
    in_flight: gifts that an actor has at a time, one to work on and the others to wait.
    """
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    # What comes of each item is told by us; and what is logged of an actor that ended would keep it.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # A block whose actor ended is left out of the result, and known by that.
    context.max_errored_blocks = -1
    context.actor_task_retry_on_errors = False
    # As bytes, since Ray would make columns of what looks like a table.
    rows = [{"gift": pickle.dumps(gift)} for gift in gifts]
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        _Actor,
        fn_constructor_args=(make, not gpus),
        batch_size=1,
        batch_format="numpy",
        compute=ActorPoolStrategy(size=min(workers, len(rows)), max_tasks_in_flight_per_actor=in_flight),
        num_cpus=0 if gpus else 1,
        num_gpus=gpus,
        max_restarts=-1,
        max_task_retries=_TRIES - 1,
    )
    for row in done.iter_rows():
        for number, result, error in pickle.loads(row["done"]):
            if error is not None:
                raise error
            yield number, result


class _Actor:
    """A worker in an actor of Ray's; what it raises comes back as a value, since Ray would try again.

    Args:
        alone: whether it is to have a core of its own; Ray only counts them.
    """

    def __init__(self, make: Make[Any, Any], alone: bool) -> None:
        self._make, self._core = make, take_core() if alone else None
        self._worker: Callable[[Any], Any] | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        return {"done": [pickle.dumps(list(self._done(pickle.loads(gift)))) for gift in batch["gift"]]}

    def _done(self, gift: list[tuple[int, Any]]) -> Iterator[tuple[int, Any, Exception | None]]:
        for number, item in gift:
            try:
                self._worker = self._worker or self._make()
                yield number, self._worker(item), None
            except Exception as error:
                yield number, None, error
                return
