"""How fluid the viewer of a long result is, in Chromium.

    python benchmarks/page.py [--hours 2] [--frames 200] [--out FOLDER]

Makes a result of that length, as `emoscribe serve` gives it to its page: 1,200
moments, 50,000 rows of faces and 20,000 peaks of sound an hour, two speakers.
Mounts the viewer in headless Chromium, and measures what a person waits for:
showing it, showing it again after one moment was corrected, and the frames
while it plays, while lanes are panned and zoomed, and while the list scrolls.

The plain way that showing it again is compared with draws everything anew.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import platform
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import emoscribe
import numpy as np
from results import report

ROOT = Path(emoscribe.__file__).parent
LABELS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
WORDS = ("well", "you", "know", "that", "really", "thought", "we", "would", "never", "come", "back", "again")
UNITS = {
    "AU01": "inner brow raiser",
    "AU02": "outer brow raiser",
    "AU04": "brow lowerer",
    "AU05": "upper lid raiser",
    "AU06": "cheek raiser",
    "AU07": "lid tightener",
    "AU09": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU12": "lip corner puller",
    "AU15": "lip corner depressor",
    "AU17": "chin raiser",
    "AU20": "lip stretcher",
    "AU25": "lips part",
    "AU26": "jaw drop",
    "AU43": "eyes closed",
}
PAGE = """<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="/outputs/page/report.css">
<body><main><div id="viewer"></div></main></body>"""


def long_result(hours: float, seed: int = 0) -> dict[str, Any]:
    """A result in its JSON form, of a conversation of two people who both are seen."""
    rng = np.random.default_rng(seed)
    duration_s = 3600 * hours
    count = round(1200 * hours)
    bounds = np.sort(rng.uniform(0, duration_s, 2 * count))
    moods = np.cumsum(rng.normal(0, 0.4, (count, len(LABELS))), axis=0)
    scores = np.exp(moods - moods.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    segments = []
    for i in range(count):
        face = ", ".join(rng.choice(list(UNITS.values()), 3, replace=False))
        row = dict(zip(LABELS, scores[i].tolist(), strict=True))
        segments.append(
            {
                "start_s": round(float(bounds[2 * i]), 3),
                "end_s": round(float(bounds[2 * i + 1]), 3),
                "speaker": ("Ann", "Ben")[int(rng.integers(2))],
                "text": " ".join(rng.choice(WORDS, rng.integers(3, 18))),
                "face": face,
                "voice": "loud, very high pitch, fast",
                "faces": {"1": face, "2": "lips part"},
                "evidence": "none" if rng.random() < 0.03 else "enough",
                "label": max(row, key=row.__getitem__),
                "scores": row,
            }
        )
    rows = round(25_000 * hours)
    people = [_face(number, rows, duration_s, rng) for number in (1, 2)]
    people[0]["speaker"] = "Ann"
    peaks = rng.beta(1, 3, min(round(20_000 * hours), 40_000)) * 100
    return {
        "version": 1,
        "media": {
            "path": "long.mp4",
            "duration_s": duration_s,
            "fps": 25.0,
            "width": 1280,
            "height": 720,
            "sha256": "0" * 64,
        },
        "labels": list(LABELS),
        "segments": segments,
        "tracks": {
            "sound": {"per_s": len(peaks) / duration_s, "peaks": np.round(peaks).astype(int).tolist()},
            "faces": {
                "source": "made",
                "units": list(UNITS),
                "names": UNITS,
                "grades": [0.4, 0.5, 0.8],
                "emotions": list(LABELS),
                "people": people,
            },
        },
        "provenance": {},
    }


def _face(number: int, rows: int, duration_s: float, rng: np.random.Generator) -> dict[str, Any]:
    times_s = np.linspace(0, duration_s, rows, endpoint=False)
    waves = np.sin(times_s[:, None] / rng.uniform(2, 40, len(UNITS)) + rng.uniform(0, 6, len(UNITS)))
    units = np.clip(waves * rng.uniform(0.2, 1, len(UNITS)) + rng.normal(0, 0.05, waves.shape), 0, 1)
    box = np.array([[300, 150, 520, 430], [720, 170, 940, 440]][number - 1]) + rng.normal(0, 3, (rows, 4))
    emotions = np.exp(2 * np.sin(times_s[:, None] / rng.uniform(20, 90, len(LABELS))))
    return {
        "person": number,
        "times_s": np.round(times_s, 3).tolist(),
        "boxes": np.round(box).astype(int).tolist(),
        "action_units": np.round(units, 2).tolist(),
        "pose": np.round(20 * np.sin(times_s[:, None] / (7, 11, 23)), 1).tolist(),
        "emotions": np.round(emotions / emotions.sum(axis=1, keepdims=True), 3).tolist(),
        "blinks_s": np.round(np.sort(rng.uniform(0, duration_s, round(duration_s / 4))), 2).tolist(),
        "valence": np.round(0.7 * np.sin(times_s / 31) + rng.normal(0, 0.03, rows), 2).tolist(),
        "arousal": np.round(0.6 * np.sin(times_s / 19) + rng.normal(0, 0.03, rows), 2).tolist(),
    }


MOUNT = """async () => {
  const { createViewer } = await import("/outputs/page/viewer.js");
  const media = { kind: null, sources: [], name: "long" };
  const mount = () => createViewer(document.getElementById("viewer"), { media });
  const result = await (await fetch("/result.json")).json();
  const settled = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const timed = async (run) => {
    const began = performance.now();
    run();
    document.body.getBoundingClientRect();
    const shown = performance.now() - began;
    await settled();
    return [shown, performance.now() - began];
  };
  window.viewer = mount();
  window.result = result;
  const [first] = await timed(() => viewer.show(result));
  await settled();
  const corrected = (at) => {
    const segments = result.segments.map((one, i) => (i === at ? { ...one, label: "joy", corrected: true } : one));
    return { ...result, segments };
  };
  const again = [];
  const anew = [];
  for (let i = 0; i < 5; i++) {
    again.push((await timed(() => viewer.show(corrected(100 + i))))[1]);
  }
  for (let i = 0; i < 3; i++) {
    viewer.destroy();
    window.viewer = mount();
    anew.push((await timed(() => viewer.show(corrected(100 + i))))[1]);
  }
  const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  return { first, again: middle(again), anew: middle(anew) };
}"""

FRAMES = """async ([what, count]) => {
  const { clock } = viewer;
  const node = document.querySelector(".viewer .chart .plot");
  const list = document.querySelector(".transcript");
  const wheel = (deltaX, deltaY, ctrlKey) => {
    const how = { deltaX, deltaY, ctrlKey, clientX: 700, bubbles: true, cancelable: true };
    node.dispatchEvent(new WheelEvent("wheel", how));
  };
  if (what === "zooming") for (const _ of [1, 2, 3]) wheel(0, -400, true);
  node.scrollIntoView({ block: "start" });
  await new Promise((done) => setTimeout(done, 400));
  if (what === "playing") clock.play(1);
  const times = [];
  let last = performance.now();
  for (let i = 0; i < count; i++) {
    if (what === "panning") wheel(i % 100 < 50 ? 40 : -40, 0, false);
    if (what === "zooming") wheel(0, i % 50 < 25 ? -60 : 60, true);
    if (what === "scrolling") list.scrollTop += 400;
    if (what === "seeking") clock.seek(Math.random() * clock.duration_s);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  clock.pause();
  return times;
}"""


@contextmanager
def served(result: dict[str, Any]) -> Iterator[str]:
    """The package's own pages, and the result, on a free port of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "outputs" / "page", Path(folder) / "outputs" / "page")
        (Path(folder) / "index.html").write_text(PAGE, encoding="utf-8")
        (Path(folder) / "result.json").write_text(json.dumps(result), encoding="utf-8")
        handler = functools.partial(_Quiet, directory=folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/index.html"
            server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def measure(address: str, frames: int) -> tuple[dict[str, float], dict[str, list[float]], str]:
    """Milliseconds of showing, and of each frame while something moves; and which browser."""
    from playwright.sync_api import sync_playwright

    program = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        shown = page.evaluate(MOUNT)
        moving = {}
        for what in ("playing", "zooming", "panning", "seeking", "scrolling"):
            moving[what] = page.evaluate(FRAMES, [what, frames])
        version = browser.version
        browser.close()
    if errors:
        raise SystemExit(f"the page failed: {errors[0]}")
    return shown, moving, version


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--out", type=Path, help="a folder that keeps the result of this device")
    args = parser.parse_args(arguments)

    result = long_result(args.hours)
    rows = sum(len(person["times_s"]) for person in result["tracks"]["faces"]["people"])
    peaks = len(result["tracks"]["sound"]["peaks"])
    print(f"{args.hours:g} hours: {len(result['segments']):,} moments, {rows:,} rows of faces, {peaks:,} peaks")
    with served(result) as address:
        shown, moving, version = measure(address, args.frames)
    print(f"shown in {shown['first']:.0f} ms; again after a correction in {shown['again']:.0f} ms")
    for what, times in moving.items():
        middle, most = np.percentile(times, [50, 95])
        print(f"{what:10} a frame in {middle:5.1f} ms, 95 % within {most:5.1f} ms, the longest {max(times):5.1f} ms")
    device = f"{platform.machine()} CPU, Chromium {version.split('.')[0]}"
    report(
        "page", shown["again"] / 1000, shown["anew"] / 1000, "seconds a correction", device, args.out, hours=args.hours
    )


if __name__ == "__main__":
    main()
