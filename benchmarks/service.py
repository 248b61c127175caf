"""What the service costs: how soon it answers, what it remembers of floods, how fast it lets go.

    python benchmarks/service.py [--megabytes 200] [--out DIR]

Begins `emoscribe serve` with the embedded engines and asks for the page at
once; the plain way would answer when models are loaded.  Then ten clients send
MEGABYTES each at the same time, twenty ask for what is refused as fast as they
can, and a job is called off in the middle.  Told is the memory of the process
that answers; models have one of their own.

    python benchmarks/service.py --processes [--rounds 5] [--out DIR]

What those processes cost, in which a codec that crashes takes nobody else
along: the first ten seconds of the example as a job does them, looked at in one
process and analysed in another, and by the same session in this process; in
turns, each once before anything is measured.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx2
from emoscribe.app.files import files
from emoscribe.app.models import models
from emoscribe.app.process import Hand
from emoscribe.app.requests import Defaults
from emoscribe.app.worker import Worker
from emoscribe.core.context import unwatched
from emoscribe.core.files import passing_folder
from results import device_name, report

CLIP = next((Path(__file__).resolve().parents[1] / "examples").glob("*.mp4"))
CLIENTS, FLOODING, FLOOD_S = 10, 20, 10.0
SECONDS = 10.0


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200, help="of each upload  [default: %(default)s]")
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    parser.add_argument("--processes", action="store_true", help="what the processes cost, and nothing else")
    parser.add_argument("--rounds", type=int, default=5, help="of each, in turns  [default: %(default)s]")
    args = parser.parse_args(argv)
    if args.processes:
        own_s, here_s = in_turns(args.rounds)
        print(f"in processes of their own {own_s:.2f} s, in this process {here_s:.2f} s: {own_s / here_s - 1:+.1%}")
        report("service-processes", own_s, here_s, "seconds for ten seconds", device_name("cpu"), args.out)
        return

    began = time.monotonic()
    with service() as (address, pid), httpx2.Client(base_url=address, timeout=300) as client:
        client.get("/").raise_for_status()
        first_s = time.monotonic() - began
        while not client.get("/api/options").json()["ready"]:
            time.sleep(0.05)
        loaded_s = time.monotonic() - began
        print(f"the first page after {first_s:.1f} s, models after {loaded_s:.1f} s")
        print(f"memory at rest {megabytes(pid):.0f} MB")
        sent = os.urandom(1_000_000) * args.megabytes
        uploading_s, most = watched(pid, lambda: upload(address, sent))
        print(
            f"{CLIENTS} uploads of {args.megabytes} MB at once: {uploading_s:.1f} s, "
            f"at most {most:.0f} MB, {megabytes(pid):.0f} MB after"
        )
        forget(client)
        flooding_s, most = watched(pid, lambda: flood(address))
        print(f"a flood of {flooding_s:.0f} s: at most {most:.0f} MB, {megabytes(pid):.0f} MB after")
        answered_s, free_s = call_off(client)
        print(f"a job called off: answered after {answered_s * 1000:.0f} ms, the next one began after {free_s:.1f} s")
    report("service", first_s, loaded_s, "seconds to the first page", device_name("cpu"), args.out)


def in_turns(rounds: int) -> tuple[float, float]:
    """Median seconds of an analysis in the service's processes, and in this one."""
    defaults, own_s, here_s = Defaults("embedded", (), True), [], []
    models_worker, files_worker = Worker(models, defaults, first="prepare"), Worker(files)
    here = models(unwatched, defaults)["analyze"]
    with passing_folder() as folder:
        stretch = {"media": str(CLIP), "name": CLIP.name, "start_s": 0.0, "end_s": SECONDS}
        looked_at = stretch | {"length_s": 3600.0, "pixels": 10**8}
        asked = stretch | {"out": str(folder / "result.json"), "settings": defaults.settings, "transcript": None}

        def as_a_job() -> None:
            files_worker.submit("inspect", looked_at).future.result()
            models_worker.submit("analyze", asked).future.result()

        for number in range(rounds + 1):
            for do, took_s in ((as_a_job, own_s), (lambda: here(Hand(asked, lambda what, value: None)), here_s)):
                began = time.monotonic()
                do()
                if number:
                    took_s.append(time.monotonic() - began)
    for worker in (models_worker, files_worker):
        worker.close()
    return median(own_s), median(here_s)


@contextmanager
def service() -> Iterator[tuple[str, int]]:
    """The address of a service, and its process, as long as the block lasts."""
    command = [sys.executable, "-m", "emoscribe", "serve", "--config", "embedded", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1], process.pid
    finally:
        process.terminate()
        process.wait(10)


def megabytes(pid: int) -> float:
    """The memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def watched(pid: int, do: Callable[[], None]) -> tuple[float, float]:
    """How long something takes, and the most memory that the process has meanwhile, in MB."""
    began, most, over = time.monotonic(), 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.02):
            most = max(most, megabytes(pid))

    watching = threading.Thread(target=watch)
    watching.start()
    do()
    took_s = time.monotonic() - began
    over.set()
    watching.join()
    return took_s, most


def upload(address: str, sent: bytes) -> None:
    """By ten clients at once."""

    def send(number: int) -> None:
        with httpx2.Client(base_url=address, timeout=300) as client:
            client.post("/api/analyze", files={"file": (f"{number}.bin", io.BytesIO(sent))}).raise_for_status()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(send, range(CLIENTS)))


def flood(address: str) -> None:
    """By twenty clients, none of whom waits: rubbish, too large bodies, and the list of jobs."""
    until = time.monotonic() + FLOOD_S
    rubbish = b"[" * 200_000

    def send(number: int) -> None:
        with httpx2.Client(base_url=address, timeout=300) as client:
            while time.monotonic() < until:
                client.post("/api/read", content=rubbish)
                client.post(
                    "/api/analyze", content=rubbish, headers={"Content-Type": "multipart/form-data; boundary=x"}
                )
                client.get("/api/jobs")

    with ThreadPoolExecutor(FLOODING) as pool:
        list(pool.map(send, range(FLOODING)))


def forget(client: httpx2.Client) -> None:
    """All jobs."""
    for job in client.get("/api/jobs").json():
        client.delete(f"/api/jobs/{job['id']}")


def call_off(client: httpx2.Client) -> tuple[float, float]:
    """How long calling a job off takes, and how long after it the next one begins."""
    ids = []
    for _ in range(2):
        with CLIP.open("rb") as file:
            ids.append(client.post("/api/analyze", files={"file": (CLIP.name, file)}).json()["id"])
    while not client.get(f"/api/jobs/{ids[0]}").json()["stages"].get("looking"):
        time.sleep(0.02)
    began = time.monotonic()
    client.delete(f"/api/jobs/{ids[0]}")
    answered_s = time.monotonic() - began
    while not client.get(f"/api/jobs/{ids[1]}").json()["stages"].get("looking"):
        time.sleep(0.02)
    return answered_s, time.monotonic() - began


if __name__ == "__main__":
    main()
