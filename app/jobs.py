"""Jobs: what was sent, how far it is, what came out; and the queue in which they wait, one at a time at work."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..core.errors import EmoscribeError
from ..core.pace import Pace
from ..llm.settings import AnalyzeSettings
from .errors import Refused
from .settings import ServeSettings
from .worker import Cancelled, Task, Worker

State = Literal["queued", "running", "done", "failed", "cancelled"]
FINAL = ("done", "failed", "cancelled")

# Who watches a job is told at most so often.
_TOLD_EVERY_S = 0.2
# What a watcher hears of a job of which there is nothing new, so that proxies keep the connection.
_SILENCE_S = 15.0
# Pieces of work beside an analysis, as reading text, that go on at a time.
_AT_A_TIME = 4
# Where nothing tells how long a job will take yet, whoever finds the queue full may ask again then.
_RETRY_S = 30


_RESULT, _CORRECTED = "result.json", "corrected.json"


def current_result(folder: Path) -> Path | None:
    """Of a job's folder, the result as it was corrected, or else as it is, if it is there."""
    return next((path for name in (_CORRECTED, _RESULT) if (path := folder / name).exists()), None)


@dataclass(eq=False)
class Job:
    """Something to be analysed, or analysed.

    Attributes:
        folder: its own; `None` of its files is kept after it.
        media: where the file is that it is about, if it is there.
        asked: what `Models.analyze` is asked for; `None` where there is nothing to analyse.
        used: when it was last asked for, in epoch seconds.
        tasks: what workers do for it, by what comes of it.
    """

    name: str
    folder: Path
    notify: Callable[[], None]
    media: Path | None = None
    asked: dict[str, Any] | None = None
    state: State = "queued"
    error: str | None = None
    created: float = field(default_factory=time.time)
    used: float = field(default_factory=time.time)
    pace: Pace = field(default_factory=Pace)
    tasks: dict[str, Task] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def result(self) -> Path:
        """The JSON of what came out."""
        return self.folder / _RESULT

    @property
    def corrected(self) -> Path:
        """The same, as somebody corrected it; there only once somebody did."""
        return self.folder / _CORRECTED

    @property
    def current(self) -> Path:
        """The corrected one where there is one.

        Raises:
            Refused: there is no result.
        """
        found = current_result(self.folder)
        if found is None:
            why = self.error or "wait until its state is done"
            raise Refused(f"job {self.id} has no result, its state is {self.state}: {why}", 409)
        return found

    def become(self, state: State, error: str | None = None) -> None:
        """What is final stays."""
        if self.state not in FINAL:
            self.state, self.error = state, error
            self.used = time.time()
            self.notify()

    def progress(self, stage: str, done: float) -> None:
        self.pace.tell(stage, done)
        self.notify()

    def cancel(self) -> None:
        self.become("cancelled")
        for task in self.tasks.values():
            task.cancel()


class Jobs:
    """The jobs there are.

    Attributes:
        device: held by whoever analyses or streams: one at a time.
        reading, filing: held by whoever reads text, and by whoever converts or checks: a few at a time.
        loading: what the models' process is loading.
    """

    def __init__(self, folder: Path, models: Worker, files: Worker, settings: ServeSettings) -> None:
        self._folder, self._models, self._files, self._settings = folder, models, files, settings
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._arriving = 0
        self._arrived, self._news = asyncio.Event(), asyncio.Event()
        self._running: Job | None = None
        self._cleaning: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self.device = asyncio.Lock()
        self.reading, self.filing = asyncio.Semaphore(_AT_A_TIME), asyncio.Semaphore(_AT_A_TIME)
        self.loading = Pace()

    # ── coming and going ─────────────────────────────────────────────────────

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue for what is being sent.

        Raises:
            Refused: there is none.
        """
        if self._arriving + len(self._waiting) >= self._settings.queue:
            left_s = self._remaining_s(self._running) if self._running is not None else None
            headers = {"Retry-After": str(round(left_s) if left_s else _RETRY_S)}
            raise Refused(f"{self._settings.queue} jobs wait already, as many as may; try again later", 429, headers)
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    @asynccontextmanager
    async def new(self, name: str = "") -> AsyncIterator[Job]:
        """A job with a folder, which stays if the block ends well."""
        folder = self._folder / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        job = Job(name, folder, self.notify)
        try:
            yield job
        except BaseException:
            self._clean(job)
            raise
        self._jobs[job.id] = job
        self.notify()

    def enqueue(self, job: Job) -> None:
        """Have it analysed when its turn comes."""
        self._waiting.append(job)
        self._arrived.set()

    def get(self, id: str) -> Job:
        """
        Raises:
            Refused: there is none of that name, or no longer.
        """
        if id not in self._jobs:
            raise Refused(f"there is no job {id!r}: it was removed, or its time is over; GET /api/jobs lists all", 404)
        job = self._jobs[id]
        job.used = time.time()
        return job

    def remove(self, job: Job) -> None:
        """Call it off, and let nothing of it stay."""
        self._jobs.pop(job.id, None)
        with suppress(ValueError):
            self._waiting.remove(job)
        job.cancel()
        self._clean(job)
        self.notify()

    def _clean(self, job: Job) -> None:
        """Remove its folder, once nobody writes to it any more."""

        async def clean() -> None:
            await asyncio.gather(*job.tasks.values(), return_exceptions=True)
            await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

        task = asyncio.create_task(clean())
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)

    # ── what is known of them ────────────────────────────────────────────────

    def status(self, job: Job) -> dict[str, Any]:
        """The job as clients see it."""
        kept = job.state in FINAL
        return {
            "id": job.id,
            "name": job.name,
            "state": job.state,
            "place": self._waiting.index(job) + 1 if job in self._waiting else None,
            "stages": {stage: round(done, 3) for stage, done in job.pace.done.items()},
            "remaining_s": self._remaining_s(job),
            "error": job.error,
            "corrected": job.corrected.exists(),
            "has_media": job.media is not None,
            "created": round(job.created, 3),
            "expires": round(job.used + self._settings.keep_s, 3) if kept else None,
        }

    def all(self) -> list[dict[str, Any]]:
        """The status of each, in the order in which they came."""
        return [self.status(job) for job in self._jobs.values()]

    async def watch(self, job: Job) -> AsyncIterator[dict[str, Any] | None]:
        """Its status now and whenever it changes, until it is final; `None` where there was nothing new for a while."""
        told = None
        while True:
            status = self.status(job)
            if status != told:
                told = status
                yield status
            if job.state in FINAL:
                return
            if not await self._news_come():
                yield None

    async def watch_all(self) -> AsyncIterator[dict[str, Any] | None]:
        """The same of all jobs, without an end; one that is removed is cancelled."""
        told: dict[str, dict[str, Any]] = {}
        while True:
            now = {status["id"]: status for status in self.all()}
            gone = [status | {"state": "cancelled", "expires": None} for id, status in told.items() if id not in now]
            for status in (*gone, *(status for id, status in now.items() if status != told.get(id))):
                yield status
            told = now
            if not await self._news_come():
                yield None

    def notify(self) -> None:
        """Tell whoever watches that something is new."""
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _news_come(self) -> bool:
        """Whether something is new before `_SILENCE_S` have passed; at most every `_TOLD_EVERY_S`."""
        news = self._news
        await asyncio.sleep(_TOLD_EVERY_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), _SILENCE_S)
        return news.is_set()

    def _remaining_s(self, job: Job) -> float | None:
        """Of the stages that run side by side, the one that takes longest."""
        if job.state != "running":
            return None
        left = [job.pace.left_s(stage) for stage, done in job.pace.done.items() if done < 1]
        known = [each for each in left if each is not None]
        return round(max(known), 1) if known else None

    # ── at work ──────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Analyse what waits, one after another."""
        while True:
            await self._arrived.wait()
            async with self.device:
                if not self._waiting:
                    self._arrived.clear()
                    continue
                job = self._waiting.popleft()
                self.notify()
                await self.work_on(job)

    @contextmanager
    def running(self, job: Job) -> Iterator[None]:
        """While it is at work; whatever goes wrong is its error."""
        self._running = job
        for stage, done in self.loading.done.items():
            job.pace.tell(stage, done)
        job.become("running")
        try:
            yield
        except Cancelled:
            job.become("cancelled")
        except Exception as error:  # whatever it is, the next job has its turn
            if job.media is not None and job.media.parent == job.folder:
                with suppress(OSError):  # nor can it be removed where the disk has become read-only
                    job.media.unlink(missing_ok=True)
                job.media = None
            ours = isinstance(error, EmoscribeError)
            job.become("failed", str(error) if ours else f"unexpected {type(error).__name__}: {error}")
        else:
            # Who looks at some of the frames ends before the last.
            for stage in job.pace.done:
                job.pace.tell(stage, 1.0)
            job.become("done")
        finally:
            self._running = None

    async def work_on(self, job: Job) -> None:
        """Analyse it."""
        with self.running(job):
            assert job.asked is not None
            limits = {"length_s": self._settings.length_s, "pixels": self._settings.pixels}
            about = {name: job.asked[name] for name in ("media", "name", "start_s", "end_s")}
            await self._do(job, self._files, "inspect", about | limits)
            await self._do(job, self._models, "analyze", job.asked)

    async def _do(self, job: Job, worker: Worker, kind: str, payload: dict[str, Any]) -> Any:
        if job.state in FINAL:
            raise Cancelled("it was called off")

        def progress(stage: str, done: float) -> None:
            self._loop.call_soon_threadsafe(job.progress, stage, done)

        job.tasks[kind] = task = worker.submit(kind, payload, progress)
        return await task

    def tell(self, stage: str, done: float) -> None:
        """What the models' process is loading, said in a thread of its own."""
        self._loop.call_soon_threadsafe(self._told, stage, done)

    def _told(self, stage: str, done: float) -> None:
        """The job that is at work waits for it."""
        if done < 1:
            self.loading.tell(stage, done)
        else:
            self.loading.forget(stage)
        if self._running is not None:
            self._running.progress(stage, done)

    async def converted(self, job: Job, source: Path, format: str, suffix: str) -> Path:
        """A result in another format, made when it is first asked for.

        Raises:
            EmoscribeError: it cannot be made.
        """
        made = job.folder / f"{source.stem}-{source.stat().st_mtime_ns}{suffix}"
        if not made.exists():
            media = str(job.media) if job.media is not None else None
            payload = {"result": str(source), "format": format, "out": str(made), "media": media}
            try:
                async with self.filing:
                    if made.name not in job.tasks:
                        job.tasks[made.name] = self._files.submit("convert", payload)
                    await job.tasks[made.name]
            finally:
                job.tasks.pop(made.name, None)
        return made

    async def expire(self) -> None:
        """Remove what nobody has asked for in a while."""
        keep_s = self._settings.keep_s
        while True:
            await asyncio.sleep(min(10.0, keep_s / 2))
            for job in list(self._jobs.values()):
                if job.state in FINAL and time.time() - job.used > keep_s:
                    self.remove(job)


def payload_of(job: Job, settings: AnalyzeSettings, **more: Any) -> dict[str, Any]:
    """What `Models.analyze` and `Models.live` are asked for."""
    inside = job.media is None or job.media.parent == job.folder
    return {"name": job.name if inside else str(job.media), "out": str(job.result), "settings": settings, **more}
