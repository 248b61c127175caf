"""A process that works for the service: models live there, and a codec that crashes takes nobody else along.

    Worker.submit(kind, payload) ─▶ Task        a future that can be cancelled
    Worker.live(start)           ─▶ LiveChannel chunks in, replies out

Whoever cancels asks first; what does not stop is ended with its process, and
another one begins.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import Any

from ..core.context import StageProgress, unwatched
from ..core.errors import EmoscribeError
from .errors import Refused
from .process import Message, Work, serve

# How long who is asked to stop may take.
GRACE_S = 0.7
# The same while something is being loaded: whoever comes next needs it too, and would wait longer for a new process.
LOADING_GRACE_S = 30.0
# Bytes of a stream that may wait in the process.
BACKLOG_BYTES = 4_000_000
# Work that is done once more where its process ended: it leaves nothing behind, and takes no long time.
_REPEATABLE = ("read", "convert", "document", "inspect", "check")
_CALLED_OFF = "it was called off"
# A process that ends sooner cannot do its work at all.
_SHORTEST_LIFE_S = 5.0


class Cancelled(EmoscribeError):
    """The work was called off."""


class Task:
    """Work that was handed over.

    Attributes:
        future: its result; done only when the process has let go of it.
    """

    def __init__(self, worker: Worker, number: int, kind: str, payload: Any, progress: StageProgress) -> None:
        self.number, self.kind, self.payload, self.progress = number, kind, payload, progress
        self.future: Future[Any] = Future()
        self.replied: Callable[[Any], None] = lambda reply: None
        self.cancelled = self.repeated = False
        self._worker = worker

    def cancel(self) -> None:
        """Call it off: asked first, then made to stop; at once."""
        self._worker.call_off(self)

    async def within(self, seconds: float) -> Any:
        """Its result, if it takes no longer; else it is called off.

        Raises:
            Refused: it takes longer.
        """
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(self.future)), seconds)
        except TimeoutError:
            self.cancel()
            raise Refused(f"this takes longer than {seconds:g} s; give less at a time", 413) from None

    def finish(self, result: Any = None, error: EmoscribeError | None = None) -> None:
        """Told by the worker, once; of two who tell, the first counts."""
        with suppress(InvalidStateError):
            self.future.set_exception(error) if error is not None else self.future.set_result(result)

    def __await__(self) -> Generator[Any, None, Any]:
        # Whoever waits may be called off; the process goes on, and what comes of it is told to the others.
        return asyncio.shield(asyncio.wrap_future(self.future)).__await__()


class Worker:
    """One process, begun anew whenever it ends.

    Args:
        work: makes, in the process, what does each kind of work; with `arguments`, all of it to be pickled.
        first: the kind of work that each process begins with.
        told: hears what concerns all work, as that something is being loaded; called in a thread.
    """

    def __init__(self, work: Work, *arguments: Any, first: str | None = None, told: StageProgress = unwatched) -> None:
        self._work, self._arguments, self._first, self._told = work, arguments, first, told
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._tasks: dict[int, Task] = {}
        self._process: BaseProcess | None = None
        self._prepared: Task | None = None
        self._outgoing: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._loading: set[str] = set()
        self._closed = False

    @property
    def prepared(self) -> Future[Any] | None:
        """What the first work of the process comes to."""
        return self._prepared.future if self._prepared is not None else None

    def start(self) -> None:
        """Begin the process, if there is none."""
        with self._lock:
            if self._process is not None or self._closed:
                return
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            self._outgoing, self._loading = queue.SimpleQueue(), set()
            process = context.Process(target=serve, args=(theirs, self._work, self._arguments), daemon=True)
            process.start()
            theirs.close()
            self._process = process
            threading.Thread(target=_write, args=(ours, self._outgoing), name="to worker", daemon=True).start()
            threading.Thread(target=self._read, args=(ours, process), name="from worker", daemon=True).start()
            if self._first is not None:
                self._prepared = self.submit(self._first, None)

    def submit(self, kind: str, payload: Any, progress: StageProgress = unwatched) -> Task:
        """Hand work over.

        Args:
            progress: told of its stages; called in a thread.
        """
        with self._lock:
            task = Task(self, next(self._numbers), kind, payload, progress)
            if self._closed:
                task.finish(error=Refused("the service is ending", 503))
                return task
            self.start()
            self._tasks[task.number] = task
            self._outgoing.put((task.number, "begin", (kind, payload)))
            return task

    def live(self, start: dict[str, Any]) -> LiveChannel:
        """A stream: `app/live.py` gets its chunks in the process."""
        return LiveChannel(self, start)

    def send(self, task: Task, what: str, value: Any = None) -> None:
        """Tell the process something about a task."""
        self._outgoing.put((task.number, what, value))

    def call_off(self, task: Task) -> None:
        """See `Task.cancel`."""
        with self._lock:
            if task.number not in self._tasks or task.cancelled:
                return
            task.cancelled = True
            self.send(task, "cancel")
        threading.Thread(target=self._insist, args=(task,), name="cancelling", daemon=True).start()

    def close(self) -> None:
        """End the process, and all its work with it."""
        # Without the lock: whoever ends the whole service waits for nobody.
        self._closed = True
        if (process := self._process) is not None:
            process.kill()

    def _insist(self, task: Task) -> None:
        """End the process where a task does not stop."""
        began = time.monotonic()
        while not task.future.done():
            grace_s = LOADING_GRACE_S if self._loading else GRACE_S
            if time.monotonic() - began >= grace_s:
                break
            time.sleep(0.02)
        with self._lock:
            if task.number in self._tasks and self._process is not None:
                self._process.kill()

    def _read(self, connection: Any, process: BaseProcess) -> None:
        """What the process says, until it ends."""
        began = time.monotonic()
        with suppress(EOFError, OSError):
            while True:
                self._hear(*connection.recv())
        process.join()
        connection.close()
        self._restart(process, lived_s=time.monotonic() - began)

    def _hear(self, number: int, what: str, value: Any) -> None:
        if what == "told":
            stage, done = value
            with self._lock:
                self._loading.add(stage) if done < 1 else self._loading.discard(stage)
            self._told(stage, done)
            return
        task = self._tasks.get(number)
        if task is None:
            return
        if what == "progress":
            task.progress(*value)
        elif what == "reply":
            task.replied(value)
        else:
            with self._lock:
                del self._tasks[number]
            if what == "done":
                task.finish(value)
            else:
                task.finish(error=Refused(*value) if what == "failed" else Cancelled(_CALLED_OFF))

    def _restart(self, process: BaseProcess, lived_s: float) -> None:
        """Another process; what the last was asked to stop is over, and what can be done again is."""
        with self._lock:
            self._outgoing.put(None)
            self._process = None
            for stage in self._loading:
                self._told(stage, 1.0)
            left, self._tasks = list(self._tasks.values()), {}
            killed = any(task.cancelled for task in left)
            for task in left:
                again = not task.cancelled and not task.repeated and task.kind in _REPEATABLE and not self._closed
                if task.cancelled:
                    task.finish(error=Cancelled(_CALLED_OFF))
                elif not again:
                    task.finish(error=Refused(_why(process), 500))
            if killed or lived_s > _SHORTEST_LIFE_S:
                self.start()
            for task in (task for task in left if not task.future.done()):
                task.repeated = True
                self.start()
                self._tasks[task.number] = task
                self._outgoing.put((task.number, "begin", (task.kind, task.payload)))


def _why(process: BaseProcess) -> str:
    code = process.exitcode
    how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
    return f"the process that worked on this ended {how}; the file may be damaged, or memory short: try it again"


def _write(connection: Any, outgoing: queue.SimpleQueue[Message | None]) -> None:
    """In a thread of its own, since a pipe that is full makes whoever writes wait."""
    with suppress(OSError, ValueError):
        while (message := outgoing.get()) is not None:
            connection.send(message)


# ── live ─────────────────────────────────────────────────────────────────────


class LiveChannel(AsyncIterator[dict[str, Any]]):
    """The service's end of a stream: what is sent reaches `app.live.run_live`, its replies are iterated over.

    Made in the event loop that iterates; `send` and `close` may be called from any thread.
    """

    def __init__(self, worker: Worker, start: dict[str, Any]) -> None:
        self._worker, self._loop = worker, asyncio.get_running_loop()
        self._replies: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._room = asyncio.Event()
        self._room.set()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self.task = worker.submit("live", start)
        self.task.replied = self._replied
        self.task.future.add_done_callback(lambda future: self._later(self._over))

    def send(self, message: bytes | dict[str, Any]) -> None:
        """The next chunk; whoever sends many waits for `room` before each."""
        with self._lock:
            self._waiting_bytes += _size(message)
            full = self._waiting_bytes > BACKLOG_BYTES
        if full:
            self._later(self._fill)
        self._worker.send(self.task, "chunk", message)

    async def room(self) -> None:
        """Wait until little of what was sent waits to be read."""
        await self._room.wait()

    def close(self) -> None:
        """There is no more to come; replies go on until all is answered."""
        self._worker.send(self.task, "end")

    def cancel(self) -> None:
        """End it as it is."""
        self.task.cancel()

    async def __anext__(self) -> dict[str, Any]:
        """
        Raises:
            EmoscribeError: the stream failed.
        """
        reply = await self._replies.get()
        if reply is not None:
            return reply
        self._replies.put_nowait(None)
        self.task.future.result()
        raise StopAsyncIteration

    def _replied(self, reply: Any) -> None:
        """A reply, or how many bytes were read."""
        if isinstance(reply, int):
            with self._lock:
                self._waiting_bytes -= reply
                roomy = self._waiting_bytes <= BACKLOG_BYTES / 2
            if roomy:
                self._later(self._room.set)
        else:
            self._later(self._replies.put_nowait, reply)

    def _fill(self) -> None:
        if not self.task.future.done():
            self._room.clear()

    def _over(self) -> None:
        self._replies.put_nowait(None)
        # What is sent now is not read any more.
        self._room.set()

    def _later(self, call: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(call, *arguments)


def _size(message: bytes | dict[str, Any]) -> int:
    return len(message) if isinstance(message, bytes) else 1000
