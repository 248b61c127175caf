"""What each further clip costs in one process: a session that stays, or everything loaded anew.

    python benchmarks/session.py [VIDEO] [--clips 4] [--out DIR]

Analyses VIDEO (the example clip of twenty seconds unless told otherwise) with
the embedded configuration, once to warm up and then so many times: in one
`Session`, and the plain way, by `analyze()`, which loads engines and model for
every file.  Both in the same process, in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import emoscribe
from results import device_name, report

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=next(EXAMPLES.glob("*.mp4"), None))
    parser.add_argument("--clips", type=int, default=4, help="after the first  [default: %(default)s]")
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    ours: list[float] = []
    plain: list[float] = []
    with emoscribe.open_session("embedded") as session:
        length_s = session.analyze(args.video).media.duration_s
        for _ in range(args.clips):
            began = time.perf_counter()
            session.analyze(args.video)
            ours.append(time.perf_counter() - began)
            began = time.perf_counter()
            emoscribe.analyze(args.video, "embedded")
            plain.append(time.perf_counter() - began)
        loads = ", ".join(f"{name} {count}" for (_, name), count in session.engines.loads.items())
    for name, seconds in (("ours", ours), ("plain", plain)):
        factors = [each / length_s for each in seconds]
        print(
            f"{name:6} real-time factor {median(factors):.3f} a further clip ({min(factors):.3f} to {max(factors):.3f})"
        )
    print(f"loaded in the session: {loads}")
    name = device_name("cpu")
    report(
        "session", median(ours) / length_s, median(plain) / length_s, "seconds a second of video", name, args.out,
        clips=args.clips, length_s=round(length_s, 2),
    )  # fmt: skip


if __name__ == "__main__":
    main()
