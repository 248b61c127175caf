"""Ctrl-C and being asked to end: one line, a shell's exit code, within a second, and nothing half-written."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx2
import psutil
import pytest

# Threads that nobody could stop, a file and a folder that are being written, and a main thread that waits for all.
BUSY = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from emoscribe.core.files import atomic_path, passing_folder
from emoscribe.core.interrupts import end_on_interrupt

end_on_interrupt()
with passing_folder(beside=".") as folder, atomic_path("result.json") as partial, ThreadPoolExecutor(2) as pool:
    for _ in range(2):
        pool.submit(lambda: [sum(range(1000)) for _ in iter(int, 1)])
    (folder / "weights").write_text("half")
    partial.write_text("half")
    print("busy", flush=True)
"""


# From here on a process is ours, before it is the interpreter's; and how long each command takes at least.
ARMED_S = 0.3
LASTS_S = {"extract": 1.0, "finetune": 6.0, "baseline": 6.0, "analyze": 3.0, "evaluate": 4.0}
TRIES = int(os.environ.get("EMOSCRIBE_INTERRUPTS", "1"))


def interrupted(
    process: subprocess.Popen[str], after_s: float = 0.0, by: signal.Signals = signal.SIGINT
) -> tuple[str, float]:
    """What a process says on standard error when it is interrupted, and how long that took."""
    time.sleep(after_s)
    began = time.monotonic()
    process.send_signal(by)
    try:
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    # Where it had done all there was to do, it ends as it would have; where it could not end by itself, it was ended.
    assert process.returncode in (128 + by, -signal.SIGKILL, 0), said
    return said, time.monotonic() - began


def started(*args: str, cwd: Path, env: Mapping[str, str] = os.environ) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *args], cwd=cwd, env=env, stdout=pipe, stderr=pipe, text=True, encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("by", "word"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated"), (signal.SIGHUP, "hung up")],
    ids=lambda value: str(value),
)
def test_threads_do_not_hold_it_up_and_nothing_half_written_stays(
    by: signal.Signals, word: str, tmp_path: Path
) -> None:
    # Whoever runs the tests may have begun them with `nohup`.
    process = started("-c", f"import signal; signal.signal({by.value}, signal.SIG_DFL)\n{BUSY}", cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "busy\n"
    assert len(list(tmp_path.iterdir())) == 2
    said, took_s = interrupted(process, by=by)
    assert (process.returncode, said) == (128 + by, f"emoscribe: {word}\n")
    assert took_s < 1
    assert list(tmp_path.iterdir()) == []


def test_it_ends_though_what_insists_on_it_was_killed(tmp_path: Path) -> None:
    process = started("-c", BUSY, cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "busy\n"
    (other,) = psutil.Process(process.pid).children()
    other.kill()
    said, took_s = interrupted(process)
    assert (process.returncode, said) == (130, "emoscribe: interrupted\n")
    assert took_s < 1


def test_who_is_to_outlive_the_terminal_does(tmp_path: Path) -> None:
    process = started("-c", f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{BUSY}", cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "busy\n"
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    interrupted(process)


def test_a_disk_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    slow = "from emoscribe.core.interrupts import BEFORE_THE_END\nBEFORE_THE_END.append(lambda: time.sleep(9))"
    process = started("-c", f"import time\n{slow}\n{BUSY}", cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "busy\n"
    said, took_s = interrupted(process)
    assert said == "emoscribe: interrupted\n"
    assert took_s < 5


def test_who_does_not_let_go_of_the_interpreter_is_ended(tmp_path: Path) -> None:
    """As a library does that is loaded from a slow disk: no line of Python runs meanwhile, in no thread."""
    holds = "from emoscribe.core.interrupts import end_on_interrupt\nend_on_interrupt()\nprint('busy', flush=True)"
    process = started("-c", f"{holds}\nsum(range(10**11))", cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "busy\n"
    said, took_s = interrupted(process, after_s=0.3, by=signal.SIGTERM)
    assert (process.returncode, said) == (-signal.SIGKILL, "emoscribe: terminated\n")
    assert took_s < 2


def test_it_ends_while_what_clears_away_is_being_imported(tmp_path: Path) -> None:
    begins = """
import sys, types, time
from emoscribe.core.interrupts import end_on_interrupt
end_on_interrupt()
sys.modules["emoscribe.core.unfinished"] = types.ModuleType("emoscribe.core.unfinished")
print("busy", flush=True)
time.sleep(60)
"""
    process = started("-c", begins, cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "busy\n"
    said, _ = interrupted(process)
    assert (process.returncode, said) == (130, "emoscribe: interrupted\n")


def test_processes_that_were_begun_end_too(tmp_path: Path) -> None:
    begins = """
import subprocess, sys, time
from emoscribe.core.interrupts import end_on_interrupt, ended_with_us
end_on_interrupt()
with subprocess.Popen(["sleep", "60"]) as process, ended_with_us(process):
    print(process.pid, flush=True)
    process.wait()
"""
    process = started("-c", begins, cwd=tmp_path)
    assert process.stdout is not None
    other = int(process.stdout.readline())
    interrupted(process, by=signal.SIGTERM)
    for _ in range(100):
        if not _runs(other):
            return
        time.sleep(0.02)
    pytest.fail("it goes on")


def test_workers_that_cannot_hear_of_it_end_too(tmp_path: Path) -> None:
    """One that loads something holds on to the terminal, and to what it has begun to write."""
    (tmp_path / "held.py").write_text("""
from emoscribe.core.files import passing_folder
def make():
    return hold
def hold(item):
    with passing_folder():
        print("busy", flush=True)
        sum(range(10**11))
""")
    begins = """
import held
from emoscribe.core.interrupts import end_on_interrupt
from emoscribe.extractors.executors.local import LocalExecutor
end_on_interrupt()
list(LocalExecutor(1).map(held.make, [1]))
"""
    (tmp_path / "tmp").mkdir()
    # Semaphores that nobody has taken away yet are Python's to warn of.
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp"), "PYTHONWARNINGS": "ignore"}
    process = started("-c", begins, cwd=tmp_path, env=environment)
    assert process.stdout is not None and process.stdout.readline() == "busy\n"
    said, took_s = interrupted(process, after_s=0.3)
    assert (process.returncode, said) == (130, "emoscribe: interrupted\n")
    assert took_s < 2
    assert list((tmp_path / "tmp").iterdir()) == []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@pytest.mark.parametrize("name", list(LASTS_S))
def test_every_command_ends_at_once_whenever(work, name: str, tmp_path: Path) -> None:
    """`EMOSCRIBE_INTERRUPTS` says how often; how long it took is printed."""
    chance, took = random.Random(name), []
    for number in range(TRIES):
        temporary, out = tmp_path / f"tmp{number}", tmp_path / f"out{number}"
        temporary.mkdir()
        process = work.begin(name, out, env=work.environment | {"TMPDIR": str(temporary)})
        by = (signal.SIGINT, signal.SIGTERM)[number % 2]
        said, took_s = interrupted(process, chance.uniform(ARMED_S, LASTS_S[name]), by)
        assert said.splitlines()[-1].startswith("emoscribe: ") or process.returncode == 0
        assert not [path for path in temporary.iterdir() if path.name.startswith("emoscribe-")]
        assert not [path for path in out.rglob("*") if path.name.endswith(".partial")]
        took.append(took_s)
    took.sort()
    print(f"{name}: median {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s of {TRIES}")
    # A second; and another where all cores are busy with other work.
    assert took[-1] < 2


@pytest.mark.parametrize("after_s", [0.2, 2.5], ids=["loading", "decoding"])
def test_an_analysis_ends_at_once(after_s: float, example: Path, tmp_path: Path) -> None:
    process = started(
        *("-m", "emoscribe", "analyze", str(example), "--config", "embedded", "--out", "out"), cwd=tmp_path
    )
    assert process.stderr is not None
    process.stderr.readline(), process.stderr.readline()  # who hears and who looks: from now on they do
    said, took_s = interrupted(process, after_s)
    assert said.splitlines()[-1] == "emoscribe: interrupted"
    assert took_s < 1
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["store", "pack"])
def test_what_tidies_and_packs_ends_at_once(name: str, work, tmp_path: Path) -> None:
    if name == "store":
        assert work.done("extract", tmp_path / "store").returncode == 0
        (shard,) = [path for path in (tmp_path / "store").rglob("*.parquet") if path.stat().st_size > 1000][:1]
        for number in range(300):
            shutil.copy(shard, shard.with_name(f"{number}-{shard.name}"))
    command = {"store": ("store", "compact", "store"), "pack": ("pack", "meld-minilm", "--out", "pack", "--offline")}
    for after_s in (0.4, 1.5, 3.0)[: 3 if TRIES > 1 else 1]:
        process = started("-m", "emoscribe", *command[name], cwd=tmp_path)
        said, took_s = interrupted(process, after_s)
        assert process.returncode == 0 or said.splitlines()[-1] == "emoscribe: interrupted"
        assert took_s < 2
        assert not list(tmp_path.rglob("*.partial"))
        shutil.rmtree(tmp_path / "pack", ignore_errors=True)


@pytest.mark.parametrize(
    ("when", "by"), [("loading", signal.SIGTERM), ("idle", signal.SIGINT), ("working", signal.SIGTERM)]
)
def test_the_service_ends_at_once(when: str, by: signal.Signals, serving, example: Path) -> None:
    """With its processes, and with what they were writing."""
    with (
        serving("--config", "embedded", "--set", "modalities=VA") as service,
        httpx2.Client(base_url=service.address, timeout=60) as client,
    ):
        while when != "loading" and not client.get("/api/options").json()["ready"]:
            time.sleep(0.05)
        if when == "working":
            id = client.post("/api/analyze", files={"file": example.open("rb")}).json()["id"]
            while not client.get(f"/api/jobs/{id}").json()["stages"].get("looking"):
                time.sleep(0.02)
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        begun = children.read_text().split() if children.exists() else []
        began = time.monotonic()
        service.process.send_signal(by)
        assert service.process.wait(20) == 128 + by
        took_s = time.monotonic() - began
        until = began + 5
        while any(map(_runs, map(int, begun))):
            assert time.monotonic() < until, "its processes go on"
            time.sleep(0.02)
        assert [path.name for path in service.folder.iterdir() if path.name.startswith("emoscribe-")] == []
    assert took_s < 2
