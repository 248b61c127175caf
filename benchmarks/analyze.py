"""How long a video takes to become a labelled transcript, and how much memory.

    python benchmarks/analyze.py [VIDEO] [--seconds 60] [--long-seconds 600]

Makes a video of `--seconds` by looping VIDEO (the example clip unless told
otherwise), analyses it with the embedded configuration, and prints the
seconds of each stage, the real-time factor and the peak memory.  The plain
way it is compared with does the same stages one after another.  With
`--long-seconds`, the peak memory of a longer loop is set against that of the
short one.

Every measurement is a process of its own: peak memory never goes down again.
It is that of the analysis itself; PocketSphinx, in a process beside it, takes
another 150 MB whatever the length of the video.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

# Between rounds: packets of a round are decoded a little before they are shown.
SEAM_S = 0.25

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def loop(source: Path, target: Path, seconds: float) -> None:
    """Repeat `source` until it lasts `seconds`; packets are copied, not re-encoded."""
    import av

    with av.open(str(target), "w") as out, av.open(str(source)) as container:
        streams = [out.add_stream_from_template(stream) for stream in container.streams]
        offset_s = 0.0
        while True:
            end_s = offset_s
            container.seek(0)
            for packet in container.demux():
                if packet.dts is None or packet.pts is None or packet.time_base is None:
                    continue
                shown_s = offset_s + float(packet.pts * packet.time_base)
                if shown_s >= seconds:
                    continue
                end_s = max(end_s, shown_s + float((packet.duration or 0) * packet.time_base))
                shift = round(offset_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
            if end_s >= seconds - SEAM_S:
                return
            offset_s = end_s + SEAM_S


def ours(video: Path) -> dict[str, float]:
    """The pipeline as it ships: looking and listening side by side."""
    import emoscribe

    start = time.perf_counter()
    result = emoscribe.analyze(video, "embedded")
    all_s = time.perf_counter() - start
    stages = {"listening": "speech", "measuring voices": "voice", "looking": "face", "reading": "model"}
    return {"all": all_s, **{stage: result.provenance[part]["seconds"] for stage, part in stages.items()}}


def plain(video: Path) -> dict[str, float]:
    """The same stages, one after another."""
    from emoscribe.core.settings import load
    from emoscribe.extractors.engines import Engines
    from emoscribe.extractors.perceive import perceive
    from emoscribe.extractors.sources import FileSource
    from emoscribe.llm.plan import make_plan
    from emoscribe.llm.predictors import Predictors
    from emoscribe.llm.settings import AnalyzeSettings
    from emoscribe.pipeline import context_for, label

    start = time.perf_counter()
    seconds: dict[str, float] = {}

    def timed(stage: str, do: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = do()
        seconds[stage] = time.perf_counter() - began
        return result

    settings = load(AnalyzeSettings, "embedded")
    context = context_for(settings)
    heard_only, seen_only, whole = (
        make_plan(settings.model_copy(update={"modalities": letters}), context) for letters in ("TA", "V", "TVA")
    )
    with Engines(context) as engines:
        heard = timed("listening", lambda: perceive(FileSource(video), heard_only.settings, engines))
        seen = timed("looking", lambda: perceive(FileSource(video), seen_only.settings, engines))
    predictor = timed("loading", lambda: Predictors(context).begin(whole.run).result())
    timed("reading", lambda: label(replace(heard, face=seen.face), whole, predictor, context))
    return {"all": time.perf_counter() - start, **seconds}


def measure(way: str, video: Path) -> dict[str, float]:
    """One way over one video, in a process of its own."""
    command = [sys.executable, __file__, "--measure", way, str(video)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=next(EXAMPLES.glob("*.mp4"), None))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--long-seconds", type=float, help="also: peak memory of a loop this long")
    parser.add_argument("--measure", choices=["ours", "plain"], help=argparse.SUPPRESS)
    args = parser.parse_args()

    if args.measure:
        seconds = {"ours": ours, "plain": plain}[args.measure](args.video)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(seconds | {"peak_mib": peak_mib}))
        return

    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / "short.mp4"
        loop(args.video, short, args.seconds)
        rows = {way: measure(way, short) for way in ("ours", "plain")}
        for way, row in rows.items():
            stages = "  ".join(
                f"{name} {value:.1f} s" for name, value in row.items() if name not in ("all", "peak_mib")
            )
            print(
                f"{way:6} {row['all']:6.1f} s for {args.seconds:.0f} s of video: real-time factor "
                f"{row['all'] / args.seconds:.2f}, peak {row['peak_mib']:.0f} MiB   ({stages})"
            )
        if args.long_seconds:
            long = Path(folder) / "long.mp4"
            loop(args.video, long, args.long_seconds)
            row = measure("ours", long)
            print(
                f"{args.long_seconds:.0f} s: real-time factor {row['all'] / args.long_seconds:.2f}, peak "
                f"{row['peak_mib']:.0f} MiB, {row['peak_mib'] / rows['ours']['peak_mib']:.2f} × the short one's"
            )
    print(
        json.dumps(
            {
                "name": "analyze",
                "ratio": round(rows["plain"]["all"] / rows["ours"]["all"], 3),
                "ours": round(rows["ours"]["all"] / args.seconds, 3),
                "plain": round(rows["plain"]["all"] / args.seconds, 3),
                "unit": "seconds a second of video",
                "device": f"{platform.machine()} CPU, {os.cpu_count()} cores",
            }
        )
    )


if __name__ == "__main__":
    main()
