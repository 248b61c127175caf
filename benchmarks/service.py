"""What the service costs: how soon it answers, what it remembers of floods, how fast it lets go.

    python benchmarks/service.py [--megabytes 200] [--out DIR]

Begins `emoscribe serve` with the embedded engines and asks for the page at
once; the plain way would answer when models are loaded.  Then ten clients send
MEGABYTES each at the same time, twenty ask for what is refused as fast as they
can, and a job is called off in the middle.  Told is the memory of the process
that answers; models have one of their own.
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

import httpx2
from results import device_name, report

CLIP = next((Path(__file__).resolve().parents[1] / "examples").glob("*.mp4"))
CLIENTS, FLOODING, FLOOD_S = 10, 20, 10.0


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200, help="of each upload  [default: %(default)s]")
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

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
