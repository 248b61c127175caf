"""`kill -9`, at any moment: what is run again comes to what it would have come to, and nothing is left lying about.

`EMOSCRIBE_KILLS` says how often each command is killed: so often at a moment
left to chance, and so often right before or after a file gets its name.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

if sys.platform == "win32":
    pytest.skip("processes are killed and forked on POSIX", allow_module_level=True)

KILLS = int(os.environ.get("EMOSCRIBE_KILLS", "1"))

# Begins each command in a process of its own that has imported already what takes seconds.
WARM = """
import json, os, pathlib, signal, sys, time
import emoscribe.commands.analyze, emoscribe.commands.extract, emoscribe.pipeline, emoscribe.experiments.finetuning
import emoscribe.experiments.baselining, emoscribe.experiments.extracting, emoscribe.extractors.face.landmarker
import matplotlib.figure, peft, pyarrow.parquet, sklearn.metrics, torch, transformers, tensorboardX
from emoscribe.__main__ import run


def counting(done, number):
    # Ends with an odd number before the rename; with an even one after it.
    replace = pathlib.Path.replace

    def counted(self, target):
        done.append(target)
        if 2 * len(done) - 1 == number:
            os.kill(os.getpid(), signal.SIGKILL)
        found = replace(self, target)
        if 2 * len(done) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    pathlib.Path.replace = counted


print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    pid = os.fork()
    if pid == 0:
        silence = os.open(os.devnull, os.O_RDWR)
        os.dup2(silence, 1)
        os.dup2(os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        os.environ["TMPDIR"] = asked["tmp"]
        done = []
        counting(done, asked["at"])
        sys.argv = ["emoscribe", *asked["args"]]
        try:
            run()
        finally:
            pathlib.Path(asked["count"]).write_text(str(len(done)))
    until = time.monotonic() + asked["after_s"]
    ended, status = 0, 0
    while not ended:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended and time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


class Warm:
    """A process that begins others; `environment` is theirs too."""

    def __init__(self, environment: dict[str, str]) -> None:
        pipe = subprocess.PIPE
        told = environment | {"TOKENIZERS_PARALLELISM": "false"}
        self.process = subprocess.Popen([sys.executable, "-c", WARM], stdin=pipe, stdout=pipe, text=True, env=told)

        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"

    def run(self, args: list[str], folder: Path, after_s: float = 120, at: int = 0) -> int:
        """A command's exit code; killed after a while, or where files get their names."""
        assert self.process.stdin is not None and self.process.stdout is not None
        where = {"tmp": str(folder / "tmp"), "log": str(folder / "log"), "count": str(folder / "count")}
        asked = {"args": args, "after_s": after_s, "at": at, **where}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def warm(work) -> Iterator[Warm]:
    begun = Warm(work.environment)
    yield begun
    begun.process.kill()
    begun.process.wait()


# ── what it comes to ─────────────────────────────────────────────────────────


def untimed(value: Any) -> Any:
    """JSON without what says how long something took."""
    if isinstance(value, dict):
        return {key: untimed(each) for key, each in value.items() if not key.startswith("seconds")}
    return [untimed(each) for each in value] if isinstance(value, list) else value


def files_of(out: Path) -> dict[str, Any]:
    """What a training or an analysis has written: bytes, but for times."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        name = str(path.relative_to(out))
        if path.suffix == ".json":
            found[name] = untimed(json.loads(path.read_text(encoding="utf-8")))
        elif path.suffix in (".html", ".md"):
            text = path.read_text(encoding="utf-8")
            found[name] = re.sub(r'Trained for \d+ \w+|seconds</th><td dir="auto">[\d.]+|[\d.,]+ ms\b', "", text)
        elif "tfevents" in name:
            found["events"] = [*found.get("events", ()), scalars_of(path)]
        else:
            found[name] = path.read_bytes()
    return found


def scalars_of(events: Path) -> list[tuple[int, str, float]]:
    """What TensorBoard shows: records, each after its length and a checksum, and before another."""
    from tensorboardX.proto.event_pb2 import Event

    content, at, found = events.read_bytes(), 0, []
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        event = Event.FromString(content[at + 12 : at + 12 + length])
        found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        at += length + 16
    return found


def cues_of(store: Path) -> list[str]:
    """What is kept, in an order of its own; a part that is there twice is so here."""
    import pyarrow.parquet as pq

    rows = [row for shard in store.rglob("*.parquet") for row in pq.ParquetFile(shard).read().to_pylist()]
    return sorted(map(repr, rows))


KINDS: dict[str, Callable[[Path], Any]] = {
    "extract": cues_of,
    "finetune": files_of,
    "baseline": files_of,
    "analyze": files_of,
    "evaluate": files_of,
}
# What an older report had that the new one has not, and what is none of theirs.
OLDER = ("report.html", "metrics.json", "frames.parquet", "submission-a.json")
BESIDE = "notes.txt"


@pytest.mark.parametrize("name", list(KINDS))
def test_what_was_killed_comes_to_the_same(work, warm: Warm, name: str, tmp_path: Path) -> None:
    chance = random.Random(name)

    def tried(number: int) -> tuple[Path, list[str]]:
        folder = tmp_path / str(number)
        (folder / "tmp").mkdir(parents=True)
        if name == "evaluate":
            (folder / "out").mkdir()
            for old in (*OLDER, BESIDE):
                (folder / "out" / old).write_text('"old"')
        return folder, [*map(str, work.commands[name]), "--out", str(folder / "out")]

    def come_to(folder: Path) -> Any:
        partial = [path.name for path in folder.rglob("*") if path.name.endswith(".partial")]
        assert partial == [] and list((folder / "tmp").iterdir()) == [], (folder / "log").read_text()
        return KINDS[name](folder / "out")

    folder, args = tried(0)
    began = time.monotonic()
    assert warm.run(args, folder) == 0, (folder / "log").read_text()
    lasts_s = time.monotonic() - began
    whole, renames = come_to(folder), int((folder / "count").read_text())
    assert whole
    if name == "evaluate":
        from emoscribe.experiments.evaluating import REPORT

        assert {"frames.parquet", "submission-a.json"} & whole.keys() == set()
        assert [file for file in whole if not any(fnmatch(file, each) for each in REPORT)] == [BESIDE]

    for number in range(1, 2 * KILLS + 1):
        folder, args = tried(number)
        at, part = (chance.randrange(1, 2 * renames + 1), 9.0) if number % 2 else (0, chance.uniform(0.05, 0.9))
        ended = warm.run(args, folder, part * lasts_s, at)
        assert ended in (-signal.SIGKILL, 0), (folder / "log").read_text()
        again = warm.run([*args, *work.again.get(name, ())], folder)
        assert again == 0, (folder / "log").read_text()
        assert come_to(folder) == whole, (at, part)


# ── the service ──────────────────────────────────────────────────────────────

# Faces and voices: what looks and what listens loads in a moment, and both write where it passes.
SERVED = ("--config", "embedded", "--set", "modalities=VA")


class Slow(io.BytesIO):
    """A file that takes its time to be sent."""

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(0.02)
        return super().read(2000)


def gone_through(client: httpx2.Client, clip: bytes) -> Any:
    """What comes of a job that is sent, waited for and removed."""
    sent = client.post("/api/analyze", files={"file": ("clip.mp4", Slow(clip))})
    job = f"/api/jobs/{sent.raise_for_status().json()['id']}"
    while (status := client.get(job).json())["state"] not in ("done", "failed"):
        time.sleep(0.02)
    assert status["state"] == "done", status
    result = client.get(f"{job}/result.json").raise_for_status().json()
    assert client.delete(job).status_code == 204
    return untimed(result)


def passing(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith("emoscribe-")]


def test_a_service_that_was_killed_comes_to_the_same(serving, make_media, tmp_path: Path) -> None:
    """Whether something was being sent, worked on or removed: nothing of it stays for ever."""
    chance = random.Random("serve")
    sound = 0.3 * np.sin(np.arange(3 * 16_000) / 16_000 * 900)
    clip = make_media(tmp_path / "clip.mp4", frame_times_s=np.arange(30) / 10, sound=sound).read_bytes()
    with serving(*SERVED) as unbroken, httpx2.Client(base_url=unbroken.address, timeout=60) as client:
        gone_through(client, clip)
        began = time.monotonic()
        whole = gone_through(client, clip)
        lasts_s = time.monotonic() - began
    assert whole["segments"] and passing(unbroken.folder) == []

    for _ in range(KILLS):
        after_s = chance.uniform(0.0, 1.3 * lasts_s)
        with (
            serving(*SERVED, folder=unbroken.folder) as first,
            httpx2.Client(base_url=first.address, timeout=60) as client,
        ):
            while not client.get("/api/options").json()["ready"]:
                time.sleep(0.02)
            children = Path(f"/proc/{first.process.pid}/task/{first.process.pid}/children")
            workers = children.read_text().split() if children.exists() else []
            threading.Timer(after_s, first.process.kill).start()
            with suppress(httpx2.TransportError):
                while True:
                    gone_through(client, clip)
            first.process.wait()
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < until, "its processes go on without it"
            time.sleep(0.02)
        left = passing(unbroken.folder)
        assert left
        with (
            serving(*SERVED, folder=unbroken.folder) as second,
            httpx2.Client(base_url=second.address, timeout=60) as client,
        ):
            assert not {*left} & {*passing(unbroken.folder)}
            assert gone_through(client, clip) == whole, after_s
        assert passing(unbroken.folder) == [], after_s
