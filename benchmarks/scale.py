"""Cues of many short clips: clips a second and memory, by the number of clips, of workers, and on Ray.

    python benchmarks/scale.py [VIDEO] [--clips 10 100] [--workers 1 2] [--modalities TVA] [--ray] [--out DIR]

Cuts clips of two seconds out of VIDEO (the example clip of twenty seconds
unless told otherwise), each another by a few pixels, and extracts their cues
as `emoscribe extract` does, each number of clips with each number of workers,
into a store of its own; a worker computes on one core.  Told is what the clips
took without the loading of models (from when each worker has done its first),
and the greatest memory of a worker.  With `--ray` also by as many actors of a
Ray cluster of this machine.

What is compared: so many workers, and one.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from emoscribe.core.context import Context
from emoscribe.experiments import extract, extraction_settings
from emoscribe.extractors.executors import LocalExecutor, RayExecutor
from emoscribe.extractors.store import CueStore
from results import device_name, report

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CLIP_S = 2.0


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, default=next(EXAMPLES.glob("*.mp4"), None))
    parser.add_argument("--clips", type=int, nargs="+", default=[10, 100], help="[default: 10 100]")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="[default: 1 2]")
    parser.add_argument("--modalities", default="TVA", help="[default: %(default)s]")
    parser.add_argument("--ray", action="store_true", help="also on Ray, with as many actors as the most workers")
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    rates: dict[tuple[str, int, int], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        clips = made(args.video, max(args.clips), Path(folder) / "all")
        for count in args.clips:
            some = Path(folder) / f"clips{count}"
            some.mkdir()
            for clip in clips[:count]:
                (some / clip.name).hardlink_to(clip)
            ways: list[tuple[str, int, Any]] = [("local", each, LocalExecutor(each)) for each in args.workers]
            ways += [("ray", max(args.workers), RayExecutor(max(args.workers)))] if args.ray else []
            for engine, workers, executor in ways:
                store = Path(folder) / f"{engine}{workers}of{count}"
                told = timed(some, store, args.modalities, executor, workers)
                rates[engine, workers, count] = told["rate"]
                print(
                    f"{engine:5} {workers} workers, {count:5} clips: {told['rate']:6.3f} clips/s once begun, "
                    f"first after {told['first_s']:5.1f} s, all in {told['whole_s']:6.1f} s; "
                    f"at most {told['peak']:,.0f} MB a process; {told['files']} shards"
                )
                shutil.rmtree(store)
    most, least, count = max(args.workers), min(args.workers), max(args.clips)
    ours, plain = rates["local", most, count], rates["local", least, count]
    about = {f"{engine} {workers} workers {clips} clips": rate for (engine, workers, clips), rate in rates.items()}
    report("scale", ours, plain, "clips a second", device_name("cpu"), args.out, **about)


def made(video: Path, count: int, folder: Path) -> list[Path]:
    """So many clips, no two with the same content."""
    import av

    folder.mkdir()
    with av.open(str(video)) as source:
        pictures = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
        rate = float(source.streams.video[0].average_rate or 25)
    with av.open(str(video)) as source:
        resampler = av.AudioResampler("s16", "mono", 16_000)
        sound = np.concatenate(
            [part.to_ndarray()[0] for frame in source.decode(audio=0) for part in resampler.resample(frame)]
        )
    length, samples = round(CLIP_S * rate), round(CLIP_S * 16_000)
    paths = []
    for number in range(count):
        first = (number * 7) % max(1, len(pictures) - length)
        begin = round(first / rate * 16_000)
        paths.append(folder / f"clip{number:05}.mp4")
        write(paths[-1], pictures[first : first + length], rate, sound[begin : begin + samples], number)
    return paths


def write(path: Path, pictures: list[np.ndarray], rate: float, sound: np.ndarray, number: int) -> None:
    from fractions import Fraction

    import av

    with av.open(str(path), "w") as file:
        video = file.add_stream("h264", rate=Fraction(rate).limit_denominator(1001), options={"preset": "ultrafast"})
        audio = file.add_stream("aac", rate=16_000, layout="mono")
        video.height, video.width = (side // 2 * 2 for side in pictures[0].shape[:2])
        video.pix_fmt = "yuv420p"
        for picture in pictures:
            marked = picture[: video.height, : video.width].copy()
            # The number in black and white: another content, the same faces.
            for bit in range(16):
                marked[:4, 4 * bit : 4 * bit + 4] = 255 * (number >> bit & 1)
            file.mux(video.encode(av.VideoFrame.from_ndarray(marked, format="rgb24")))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None]), format="s16", layout="mono")
        frame.rate = 16_000
        file.mux(audio.encode(frame))
        for stream in (video, audio):
            file.mux(stream.encode(None))


def timed(clips: Path, store: Path, modalities: str, executor: Any, workers: int) -> dict[str, float]:
    context = Context(offline=True)
    settings, _ = extraction_settings("embedded", modalities=modalities, context=context)
    with Memory() as memory:
        began = time.perf_counter()
        done = []
        for _, error in extract(clips, settings, store, context, executor=executor):
            if error is not None:
                raise error
            done.append(time.perf_counter() - began)
        whole_s = time.perf_counter() - began
    # On Ray some are told of at once.
    later = [at_s for at_s in done if at_s > done[workers - 1] + 0.05]
    rate = len(later) / (done[-1] - done[workers - 1]) if later else len(done) / whole_s
    files = len(CueStore(store).names)
    return {"rate": rate, "first_s": done[0], "whole_s": whole_s, "peak": memory.peak / 1e6, "files": files}


class Memory:
    """Attributes: `peak`, the greatest resident memory of any process that this one began, in bytes.

    Looked at once a second: a look takes 20 ms, which at five a second was 5 % of two cores.
    """

    def __enter__(self) -> Memory:
        self.peak, self._over = 0, threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            for child in psutil.Process().children(recursive=True):
                try:
                    self.peak = max(self.peak, child.memory_info().rss)
                except psutil.Error:
                    continue


if __name__ == "__main__":
    main()
