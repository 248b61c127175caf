"""What a large cue store costs: to open it, and to look something up.

    python benchmarks/store.py [--rows 100000] [--plain 1000] [--out DIR]

Fills a store with so many rows, each a face followed for two seconds, opens it
and takes rows out at random.  The plain way keeps each row in a file of its
own, and reads what it is found by from all of them; so many as `--plain` says
are enough to tell what one costs.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from emoscribe.core.measures import FACE
from emoscribe.core.timeline import FaceTrack
from emoscribe.extractors.store import CueStore, Key
from emoscribe.extractors.store.rows import KEY_COLUMNS, schema, to_row
from results import device_name, report

FRAMES, LOOK_UPS = 10, 500


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="[default: %(default)s]")
    parser.add_argument("--plain", type=int, default=1_000, help="files of the plain way  [default: %(default)s]")
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    with tempfile.TemporaryDirectory() as name:
        ours, plain = Path(name) / "ours", Path(name) / "plain"
        CueStore(ours).replace([], rows(args.rows), "face")
        began = time.perf_counter()
        store = CueStore(ours)
        open_s = time.perf_counter() - began
        took = sorted(looked_up(store, number) for number in random.Random(0).sample(range(args.rows), LOOK_UPS))
        size = sum(path.stat().st_size for path in ours.iterdir())
        print(
            f"{args.rows} rows in {len(store.names)} shards, {size / 1e6:.0f} MB: opened in {open_s:.2f} s, "
            f"a look-up {median(took) * 1000:.2f} ms (9 of 10 within {took[9 * len(took) // 10] * 1000:.2f})"
        )
        plain.mkdir()
        for number, row in enumerate(rows(args.plain)):
            pq.write_table(pa.Table.from_pylist([row], schema=schema()), plain / f"{number}.parquet")
        began = time.perf_counter()
        for path in plain.iterdir():
            pq.read_table(path, columns=KEY_COLUMNS).to_pylist()
        plain_s = time.perf_counter() - began
    thousands = args.rows / 1000, args.plain / 1000
    unit = "seconds to open a thousand rows"
    about = {"rows": args.rows, "open_s": round(open_s, 3), "look_up_ms": round(median(took) * 1000, 3)}
    report("store", open_s / thousands[0], plain_s / thousands[1], unit, device_name("cpu"), args.out, **about)


def key(number: int) -> Key:
    return Key(f"{number:064x}", 0.0, float("inf"), "face", "0123456789abcdef")


def rows(count: int) -> Iterator[dict]:
    rng, names, times_s = np.random.default_rng(0), tuple(FACE)[:20], np.arange(FRAMES) / 5
    for number in range(count):
        yield to_row(
            key(number),
            FaceTrack(
                "landmarker",
                names,
                times_s=times_s,
                person=np.ones(FRAMES, dtype=int),
                boxes=rng.random((FRAMES, 4)),
                action_units=rng.random((FRAMES, len(names)), dtype=np.float32),
                frame_times_s=times_s,
                pose=np.zeros((FRAMES, 3)),
            ),
        )


def looked_up(store: CueStore, number: int) -> float:
    wanted = key(number)
    began = time.perf_counter()
    found = store.get(wanted.sha256, wanted.part, wanted.settings)
    took = time.perf_counter() - began
    assert isinstance(found, FaceTrack)
    return took


if __name__ == "__main__":
    main()
