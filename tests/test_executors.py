"""The same work in processes of this machine and on a cluster; a worker that is killed loses nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, MediaError
from emoscribe.experiments import extract, extraction_settings
from emoscribe.extractors.executors import Executor, LocalExecutor, Lost, RayExecutor, SerialExecutor
from emoscribe.extractors.store import CueStore

from .test_cli import emoscribe

OFFLINE = Context(device="cpu", offline=True)


@dataclass(frozen=True)
class Number:
    value: int


@dataclass(frozen=True)
class Squares:
    """Makes a worker that ends its own process at numbers, the first or every time."""

    folder: Path
    once: tuple[int, ...] = ()
    always: tuple[int, ...] = ()

    def __call__(self):
        return partial(self._square, made_by=os.getpid())

    def _square(self, number: Number, made_by: int) -> tuple[int, int]:
        mark = self.folder / str(number.value)
        if number.value in self.always or (number.value in self.once and not mark.exists()):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number.value < 0:
            raise MediaError(f"{number.value} is negative")
        assert made_by == os.getpid()
        return number.value**2, made_by


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A Ray cluster of two nodes of a core each; its address."""
    from ray.cluster_utils import Cluster

    RayExecutor()  # nothing is reported to anybody, the cluster's start included
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    yield nodes.address
    import ray

    ray.shutdown()
    nodes.shutdown()


EXECUTORS = ["serial", "local", "ray"]


@pytest.fixture(params=EXECUTORS)
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "ray":
        return RayExecutor(2, address=request.getfixturevalue("cluster"))
    return LocalExecutor(2) if request.param == "local" else SerialExecutor()


def test_every_item_is_done_once_with_a_worker_a_process(executor: Executor, tmp_path: Path) -> None:
    # On Ray so many are given out several at once, and one at a time at the end.
    done = list(executor.map(Squares(tmp_path), map(Number, range(70))))
    assert sorted((number.value, square) for number, (square, _) in done) == [(n, n * n) for n in range(70)]
    assert len({pid for _, (_, pid) in done}) <= (1 if isinstance(executor, SerialExecutor) else 2)


def test_what_a_worker_raises_ends_it_all(executor: Executor, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="-1 is negative"):
        list(executor.map(Squares(tmp_path), [Number(1), Number(-1)]))


@pytest.mark.parametrize("executor", ["local", "ray"], indirect=True)
def test_a_killed_worker_loses_nothing(executor: Executor, tmp_path: Path) -> None:
    done = list(executor.map(Squares(tmp_path, once=(2,), always=(5,)), map(Number, range(40))))
    squares = {number.value: outcome for number, outcome in done}
    assert len(done) == 40 and isinstance(lost := squares.pop(5), Lost) and "its worker ended under it" in lost.reason
    assert {number: square for number, (square, _) in squares.items()} == {n: n * n for n in range(40) if n != 5}


def test_without_an_address_a_cluster_that_there_is_stays_alone(cluster: str) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1].parent)!r})
import ray
from emoscribe.extractors.executors import RayExecutor
for one in RayExecutor(1).map(lambda: str, [3]):
    print(one, len(ray.nodes()), ray.get_runtime_context().gcs_address == {cluster!r})
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert told.stdout == "(3, '3') 1 False\n", told.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="where processes can be kept on cores")
def test_who_takes_a_core_has_it_alone(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    program = f"""
import os, sys
from emoscribe.extractors.executors.cores import take_core
os.sched_setaffinity(0, {cores})
taken = take_core()
print(taken and sorted(os.sched_getaffinity(0)), flush=True)
sys.stdin.read()
"""
    command, environment = [sys.executable, "-c", program], os.environ | {"TMPDIR": str(tmp_path)}
    with ExitStack() as begun:
        told = []
        for _ in range(len(cores) + 1):
            pipe = subprocess.PIPE
            one = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
            begun.enter_context(one)
            assert one.stdout is not None
            told.append(one.stdout.readline())
    assert told == [*(f"[{core}]\n" for core in cores), "None\n"]


def test_workers_end_with_the_process_that_began_them(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parents[1].parent)!r})
from emoscribe.extractors.executors import LocalExecutor
def make():
    def work(number):
        print(os.getpid(), flush=True)
        time.sleep(60)
    return work
if __name__ == "__main__":
    list(LocalExecutor(2).map(make, range(2)))
"""
    (tmp_path / "program.py").write_text(program)
    with subprocess.Popen([sys.executable, tmp_path / "program.py"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = [int(process.stdout.readline()) for _ in range(2)]
        process.kill()
    until = time.monotonic() + 10
    while (there := [pid for pid in workers if Path(f"/proc/{pid}").exists()]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not there


# ── cues ─────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory, make_media) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for number in range(5):
        make_media(folder / f"tone{number}.wav", sound=np.sin(np.arange(8_000 + number) / 5))
    (folder / "bad.mp4").write_text("no video")
    return folder


def cues_in(store: Path) -> dict[str, object]:
    found = CueStore(store)
    return {str(key): found.shards and found.get(key.sha256, key.part, key.settings, key[1:3]) for key in found}


def test_a_cluster_finds_the_cues_that_this_machine_finds(recordings: Path, cluster: str, tmp_path: Path) -> None:
    settings, _ = extraction_settings(modalities="A", assignments=["speech.engine=none"], context=OFFLINE)
    stores = {}
    for name, executor in (("ray", RayExecutor(2, address=cluster)), ("serial", SerialExecutor())):
        stores[name] = tmp_path / name
        outcomes = dict(
            (clip.id, error) for clip, error in extract(recordings, settings, stores[name], OFFLINE, executor=executor)
        )
        assert isinstance(outcomes.pop("bad.mp4"), EmoscribeError), "an error is a row with its reason"
        assert outcomes == {f"tone{number}.wav": None for number in range(5)}
    assert cues_in(stores["ray"]).keys() == cues_in(stores["serial"]).keys() != set()


def test_two_extractions_share_the_work(recordings: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emoscribe", "extract", recordings, "--out", tmp_path / "store"]
    command += ["--modalities", "V", "--offline", "--workers", "1"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert said == ["5 of 6 perceived; failed: bad.mp4\n"] * 2
    assert len(CueStore(tmp_path / "store")) == 5


def test_options_of_one_engine_are_refused_with_the_other(recordings: Path, tmp_path: Path) -> None:
    told = emoscribe("extract", recordings, "--out", tmp_path, "--address", "auto")
    assert (told.returncode, told.stderr) == (1, "emoscribe: --address is for --engine ray\n")
    told = emoscribe("extract", recordings, "--out", tmp_path, "--engine", "ray", "--address", "127.0.0.1:1")
    assert told.returncode == 1 and told.stderr.startswith("emoscribe: no Ray cluster at 127.0.0.1:1: ")
    assert told.stderr.count("\n") == 1


# ── videos ───────────────────────────────────────────────────────────────────


def test_workers_analyse_as_a_session_does(recordings: Path, tmp_path: Path) -> None:
    command = ("analyze", recordings, "--config", "embedded", "--offline", "--modalities", "V", "--formats", "json")
    results = {}
    for name, more in (("session", ()), ("workers", ("--workers", "2"))):
        told = emoscribe(*command, "--out", tmp_path / name, *more)
        assert told.returncode == 1 and "5 of 6 analysed; failed: " in told.stderr
        written = {path.name: json.loads(path.read_text()) for path in sorted((tmp_path / name).iterdir())}
        results[name] = {file: [each["scores"] for each in result["segments"]] for file, result in written.items()}
    assert results["workers"] == results["session"] and len(results["session"]) == 5
