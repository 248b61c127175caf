"""How long after a window's end its label comes, live: through a real service, as fast as a camera and a microphone go.

    python benchmarks/live.py [VIDEO] [--seconds 60] [--out DIR]

Begins `emoscribe serve` with the embedded engines and sends VIDEO over its
WebSocket, sound in chunks of 150 ms and five JPEG pictures a second, each when
its time has come.  Unless told otherwise it is somebody who hardly pauses: the
lines of the example clip with a quarter of a second between them, which live
hearing finds hardest.  What is told is how far the clock was behind the
window's end when its label arrived.  The plain way, in one process without a
service between, hears a stretch of speech when it has ended, as of a file.
"""

from __future__ import annotations

import argparse
import io
import json
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import emoscribe
import numpy as np
from emoscribe.extractors import media
from emoscribe.extractors.media import SAMPLE_RATE
from emoscribe.extractors.sources import LiveSource
from emoscribe.extractors.speech import vad
from results import device_name, report

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
WINDOW_S, CHUNK_S, FPS, PAUSE_S = 2.0, 0.15, 5.0, 0.25
SOUND, PICTURE = 1, 2


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path, help="[default: the example's lines, without pauses]")
    parser.add_argument("--seconds", type=float, default=60.0, help="of it  [default: %(default)s]")
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    pieces = pieces_of(args.video, args.seconds)
    told = {"ours": through_service(pieces), "plain": in_process(pieces)}
    for way, behind in told.items():
        late = np.quantile(behind, 0.9)
        print(f"{way:6} {median(behind):.2f} s behind a window's end, 90 % within {late:.2f} s; {len(behind)} windows")
    name = device_name("cpu")
    report(
        "live", median(told["ours"]), median(told["plain"]), "seconds behind a window's end", name, args.out,
        windows=len(told["ours"]), late=round(float(np.quantile(told["ours"], 0.9)), 2),
    )  # fmt: skip


# ── both ways ────────────────────────────────────────────────────────────────


def through_service(pieces: Sequence[Piece]) -> list[float]:
    """Seconds behind each window's end, as whoever sent it sees them."""
    from websockets.sync.client import connect

    messages = [struct.pack("<Bd", piece.kind, piece.time_s) + encoded(piece) for piece in pieces]
    with service() as address, connect(f"ws://{address}/ws/live", max_size=None) as connection:
        connection.send(json.dumps({"type": "start", "signals": "TVA", "window_s": WINDOW_S, "name": "benchmark"}))
        received = (json.loads(message) for message in connection)
        next(message for message in received if message["type"] == "ready")
        began = time.monotonic()
        pushes = [partial(connection.send, message) for message in messages]
        with paced(pieces, pushes, partial(connection.send, json.dumps({"type": "stop"}))):
            behind = []
            for message in received:
                if message["type"] == "error":
                    raise SystemExit(message["error"])
                if message["type"] == "end":
                    return behind[:-1]
                if message["type"] == "segment":
                    behind.append(time.monotonic() - began - message["segment"]["end_s"])
    raise SystemExit("the service ended the connection")


def in_process(pieces: Sequence[Piece]) -> list[float]:
    """The same by `Session.stream`, as patiently as a file is heard."""
    source = LiveSource()
    with emoscribe.open_session("embedded", windows__window_s=WINDOW_S) as session:
        session.load()
        push = {SOUND: source.push_sound, PICTURE: source.push_frame}
        pushes = [partial(push[piece.kind], piece.held, piece.time_s) for piece in pieces]
        began = time.monotonic()
        with paced(pieces, pushes, source.close):
            behind = [time.monotonic() - began - segment.moment.end_s for segment in session.stream(source)]
    return behind[:-1]  # the last is over when the stream is


@contextmanager
def paced(pieces: Sequence[Piece], pushes: Sequence[Callable[[], object]], end: Callable[[], object]) -> Iterator[None]:
    """Push each when it would be there, and at last end it; in a thread of its own."""
    began = time.monotonic()

    def work() -> None:
        for piece, push in zip(pieces, pushes, strict=True):
            time.sleep(max(0.0, began + piece.there_s - time.monotonic()))
            push()
        end()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join()


@contextmanager
def service() -> Iterator[str]:
    """Host and port of a service with the embedded engines, as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    port = address.rpartition(":")[2]
    process = subprocess.Popen([sys.executable, "-m", "emoscribe", "serve", "--config", "embedded", "--port", port])
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://{address}/api/options", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


# ── material ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class Piece:
    """Sound (N,) or a picture (H, W, 3).

    Attributes:
        time_s: when it begins.
        there_s: when a microphone or a camera has it.
    """

    kind: int
    time_s: float
    there_s: float
    held: np.ndarray


def pieces_of(video: Path | None, seconds: float) -> list[Piece]:
    """Chunks of sound and pictures, in the order in which they are there."""
    shown = video or next(EXAMPLES.glob("*.mp4"))
    with media.sound(shown) as sound:
        samples = sound.read(0.0, seconds) if video else without_pauses(sound, seconds)
    size = round(CHUNK_S * SAMPLE_RATE)
    chunks = [samples[first : first + size] for first in range(0, len(samples) - size + 1, size)]
    heard = [Piece(SOUND, i * CHUNK_S, (i + 1) * CHUNK_S, chunk) for i, chunk in enumerate(chunks)]
    images = [frame.image for frame in media.frames(shown, FPS)]
    # What is shown starts anew where the sound goes on.
    seen = [Piece(PICTURE, i / FPS, i / FPS, images[i % len(images)]) for i in range(int(len(chunks) * CHUNK_S * FPS))]
    return sorted([*heard, *seen], key=lambda piece: piece.there_s)


def without_pauses(sound: media.Sound, seconds: float) -> np.ndarray:
    """What is spoken, again and again, with `PAUSE_S` between the lines: (N,)."""
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE), dtype=np.float32)
    lines = [sound.read(stretch.start_s, stretch.end_s) for stretch in vad.stretches(sound)]
    if not lines:
        raise SystemExit("nobody is heard to speak in the example")
    once = np.concatenate([part for line in lines for part in (line, pause)])
    return np.resize(once, round(seconds * SAMPLE_RATE))


def encoded(piece: Piece) -> bytes:
    """As the service takes it."""
    if piece.kind == SOUND:
        return (np.clip(piece.held, -1, 1) * 32767).astype("<i2").tobytes()
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(piece.held).save(written, "JPEG", quality=80)
    return written.getvalue()


if __name__ == "__main__":
    main()
