"""Whether memory and open files stay as they are: many analyses in one session, many jobs through the service.

    python benchmarks/soak.py [VIDEO] [--analyses 50] [--jobs 20] [--out DIR]

Analyses the first seconds of VIDEO (the example clip unless told otherwise)
again and again in one `Session`, and sends it to `emoscribe serve` job after
job, each fetched and deleted.  What is compared: memory after the last, and
after the first fifth, when all that is loaded lazily is loaded.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import emoscribe
import httpx2
import psutil
from results import device_name, report
from service import service

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SECONDS = 3.0


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=next(EXAMPLES.glob("*.mp4"), None))
    parser.add_argument("--analyses", type=int, default=50, help="[default: %(default)s]")
    parser.add_argument("--jobs", type=int, default=20, help="[default: %(default)s]")
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    with emoscribe.open_session("embedded") as session:

        def analyze() -> None:
            with closing(session.opened(args.video, 0.0, SECONDS)) as source:
                assert session.analyze(source).segments

        early, late = repeated("analyses", analyze, args.analyses, psutil.Process())
    with service() as (address, pid), httpx2.Client(base_url=address, timeout=300) as client:
        repeated("jobs", lambda: job(client, args.video), args.jobs, psutil.Process(pid))
    about = {"analyses": args.analyses, "jobs": args.jobs}
    unit = "MB, after a fifth of the analyses and after all: 1 is flat"
    report("soak", early, late, unit, device_name("cpu"), args.out, **about)


def repeated(what: str, work: Callable[[], None], times: int, process: psutil.Process) -> tuple[float, float]:
    """Memory in MB, of a process and those it began, after a fifth of the times, and after all."""
    told = []
    for number in range(1, times + 1):
        work()
        if number % max(1, times // 5) == 0:
            family = [process, *process.children(recursive=True)]
            told.append(sum(each.memory_info().rss for each in family) / 1e6)
            files, threads = sum(each.num_fds() for each in family), sum(each.num_threads() for each in family)
            print(f"{number:4} {what}: {told[-1]:6.0f} MB, {files} open files, {threads} threads", flush=True)
    return told[0], told[-1]


def job(client: httpx2.Client, video: Path) -> None:
    """One job through the service, from its upload to its deletion."""
    while not client.get("/api/options").json()["ready"]:
        time.sleep(0.1)
    with video.open("rb") as file:
        answer = client.post("/api/analyze", files={"file": (video.name, file)}, data={"end_s": str(SECONDS)})
    answer.raise_for_status()
    number = answer.json()["id"]
    while (state := client.get(f"/api/jobs/{number}").json()["state"]) not in ("done", "failed", "cancelled"):
        time.sleep(0.05)
    assert state == "done", state
    client.get(f"/api/jobs/{number}/result.json").raise_for_status()
    client.delete(f"/api/jobs/{number}").raise_for_status()


if __name__ == "__main__":
    main()
