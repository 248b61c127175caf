"""Ctrl-C: one line, exit code 130, within a second, and nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

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


def interrupted(process: subprocess.Popen[str], after_s: float = 0.0) -> tuple[str, float]:
    """What a process says on standard error when it is interrupted, and how long that took."""
    time.sleep(after_s)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    return said, time.monotonic() - began


def started(*args: str, cwd: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, *args], cwd=cwd, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")


def test_threads_do_not_hold_it_up_and_nothing_half_written_stays(tmp_path: Path) -> None:
    process = started("-c", BUSY, cwd=tmp_path)
    assert process.stdout is not None and process.stdout.readline() == "busy\n"
    assert len(list(tmp_path.iterdir())) == 2
    said, took_s = interrupted(process)
    assert said == "emoscribe: interrupted\n"
    assert took_s < 1
    assert list(tmp_path.iterdir()) == []


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
