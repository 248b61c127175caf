"""Live through the service: real sound and pictures over a real WebSocket, and what is refused."""

from __future__ import annotations

import io
import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import numpy as np
import pytest
from emoscribe.app.live import Intake, faces_at
from emoscribe.app.live_record import joined, seen_after, with_more
from emoscribe.app.live_start import arrived
from emoscribe.app.process import Hand
from emoscribe.core.timeline import Cues, Media, Utterance, Word
from emoscribe.extractors import media
from emoscribe.extractors.media import SAMPLE_RATE
from emoscribe.extractors.sources import LiveSource
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

SCHEMA = json.loads((Path(__file__).parents[1] / "outputs" / "transcript.schema.json").read_text(encoding="utf-8"))
SOUND, PICTURE = 1, 2
CHUNK_S = 0.2


@pytest.fixture(scope="module")
def service(serving) -> Iterator[Any]:
    with serving("--config", "embedded") as started:
        yield started


@contextmanager
def line(service: Any, **start: Any) -> Iterator[ClientConnection]:
    """A socket whose stream has begun, if it is told how, and is ready."""
    with connect(f"ws://127.0.0.1:{service.port}/ws/live") as opened:
        if start:
            opened.send(json.dumps({"type": "start", **start}))
            assert heard(opened)["type"] == "loading"
            ready = heard(opened)
            assert ready["type"] == "ready" and ready["limit_s"] == 3600
        yield opened


def heard(opened: ClientConnection) -> dict[str, Any]:
    return json.loads(opened.recv(timeout=60))


def chunk(kind: int, time_s: float, payload: bytes) -> bytes:
    return struct.pack("<Bd", kind, time_s) + payload


def sound_chunk(time_s: float, samples: np.ndarray) -> bytes:
    return chunk(SOUND, time_s, (samples * 32767).astype("<i2").tobytes())


def picture_chunk(time_s: float, image: np.ndarray, format: str = "JPEG") -> bytes:
    written = io.BytesIO()
    Image.fromarray(image).save(written, format)
    return chunk(PICTURE, time_s, written.getvalue())


def chunks_of(path: Path, seconds: float, *, sound: bool = True, picture: bool = True) -> list[bytes]:
    """The beginning of a file, in the order in which a browser has it."""
    pieces: list[tuple[float, bytes]] = []
    if sound:
        with media.sound(path) as whole:
            for start_s, samples in whole.blocks(CHUNK_S):
                pieces.append((start_s + CHUNK_S, sound_chunk(start_s, samples)))
    if picture:
        for number, frame in enumerate(media.frames(path, 5.0)):
            made = picture_chunk(frame.time_s, frame.image, "WEBP" if number % 2 else "JPEG")
            pieces.append((frame.time_s, made))
            if frame.time_s > seconds:
                break
    return [piece for there_s, piece in sorted(pieces, key=lambda each: each[0]) if there_s <= seconds + 1e-6]


def told_until_end(opened: ClientConnection) -> list[dict[str, Any]]:
    told = [heard(opened)]
    while told[-1]["type"] not in ("end", "error"):
        told.append(heard(opened))
    return told


# ── from chunks to a job ─────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def talk(service, example: Path) -> list[dict[str, Any]]:
    """What is told of eight seconds of the example, sent twice as fast as they last."""
    with line(service, signals="TVA", window_s=2, name="Live 14:05") as opened:
        for piece in chunks_of(example, 8.0):
            opened.send(piece)
            time.sleep(0.04)
        opened.send(json.dumps({"type": "stop"}))
        return told_until_end(opened)


def test_windows_come_with_their_words_faces_and_latency(talk: list[dict[str, Any]]) -> None:
    segments = [told for told in talk if told["type"] == "segment"]
    assert [told["segment"]["end_s"] for told in segments] == [2.0, 4.0, 6.0, 8.0]
    assert segments[0]["segment"]["text"] == "I miss him so much."
    assert segments[0]["segment"]["label"] == "sadness"
    assert all(told["segment"]["face"] and told["segment"]["voice"] for told in segments)
    assert all(0 <= told["latency_s"] < 60 for told in segments)
    (face,) = segments[0]["faces"]
    left, top, right, bottom = face["box"]
    assert face["person"] == 1 and 0 <= left < right <= 640 and 0 <= top < bottom <= 360
    assert face["units"] and all(isinstance(unit, str) for unit in face["units"])


def test_what_was_live_is_a_job_like_others(talk: list[dict[str, Any]], service) -> None:
    assert talk[-1]["type"] == "end"
    with httpx2.Client(base_url=service.address, timeout=60) as client:
        job = f"/api/jobs/{talk[-1]['job']}"
        status = client.get(job).json()
        assert status["state"] == "done" and status["name"] == "Live 14:05" and status["has_media"] is False
        result = client.get(f"{job}/result.json").json()
        subtitles = client.get(f"{job}/result.srt").text
    jsonschema.validate(result, SCHEMA)
    assert result["media"]["path"] == "Live 14:05" and result["media"]["duration_s"] == pytest.approx(8.0)
    assert [each["label"] for each in result["segments"]] == [
        told["segment"]["label"] for told in talk if told["type"] == "segment"
    ]
    said = [word["text"] for each in result["transcript"]["utterances"] for word in each["words"]]
    assert said[:5] == ["I", "miss", "him", "so", "much."]
    (person,) = result["tracks"]["faces"]["people"]
    # Where this machine has too much to do, some pictures are left out.
    assert 15 <= len(person["times_s"]) == len(result["tracks"]["faces"]["looked_s"]) <= 41
    assert {"speech", "face", "voice", "model"} <= set(result["provenance"])
    assert "I miss him so much." in subtitles


def test_pictures_alone_and_whoever_leaves_finds_a_job(service, example: Path) -> None:
    with line(service, signals="V", sound=False, name="left") as opened:
        for piece in chunks_of(example, 3.0, sound=False):
            opened.send(piece)
            time.sleep(0.1)
        first = heard(opened)["segment"]
        assert first["text"] is None and first["voice"] is None and first["face"]
    with httpx2.Client(base_url=service.address, timeout=60) as client:
        for _ in range(100):
            left = [job["id"] for job in client.get("/api/jobs").json() if job["name"] == "left"]
            if left:
                break
            time.sleep(0.1)
        result = client.get(f"/api/jobs/{left[0]}/result.json").json()
    assert result["segments"][0]["face"] == first["face"]


def test_text_is_read_as_it_is_typed_also_beside_a_stream(service) -> None:
    with line(service, signals="T", picture=False) as opened:
        opened.send(json.dumps({"type": "text", "text": "I am so happy!"}))
        reading = heard(opened)
        assert reading["type"] == "reading" and reading["label"] == "joy" and reading["label"] in reading["labels"]
        opened.send(json.dumps({"type": "stop"}))
        assert told_until_end(opened)[-1]["type"] == "end"


# ── what is refused ──────────────────────────────────────────────────────────

SILENCE = np.zeros(1600)
GREY = np.full((48, 64, 3), 128, dtype=np.uint8)


def test_one_at_a_time(service) -> None:
    with line(service, signals="T", picture=False) as opened:
        with line(service) as other:
            other.send(json.dumps({"type": "start"}))
            assert "something else is being analysed; wait until it is done" in heard(other)["error"]
        opened.send(json.dumps({"type": "start"}))
        assert "this socket has a stream already" in told_until_end(opened)[-1]["error"]


@pytest.mark.parametrize(
    ("start", "error"),
    [
        ({"sound": False, "picture": False}, "neither sound nor picture is to come"),
        ({"window_s": 0.1}, "window_s"),
        ({"signals": "TX"}, "letters of TVA"),
        ({"labels": "moods"}, "moods"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_start_that_is_wrong_says_why(start: dict[str, Any], error: str, service) -> None:
    with line(service) as opened:
        opened.send(json.dumps({"type": "start", **start}))
        told = told_until_end(opened)[-1]
        assert told["type"] == "error" and error in told["error"] and "\n" not in told["error"]


BOMB = io.BytesIO()
Image.new("L", (9000, 9000)).save(BOMB, "WEBP")


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\x01", "a chunk of 1 bytes"),
        (chunk(7, 0.0, b"??"), "a chunk of kind 7; there are 1, sound, and 2, a picture"),
        (chunk(SOUND, float("nan"), b"??"), "a chunk's time is nan"),
        (chunk(SOUND, -1.0, b"??"), "a chunk's time is -1.0"),
        (chunk(SOUND, 0.0, b"???"), "sound with half a sample"),
        (chunk(SOUND, 0.0, bytes(400_000)), "400,000 bytes; at most 160,000"),
        (chunk(SOUND, 1e9, bytes(3200)), "at most 30 s may be missing"),
        (chunk(PICTURE, 0.0, b"no picture at all"), "cannot be read as JPEG or WebP"),
        (picture_chunk(0.0, GREY)[:200], "cannot be read as JPEG or WebP"),
        (picture_chunk(0.0, GREY, "PNG"), "cannot be read as JPEG or WebP"),
        (chunk(PICTURE, 0.0, BOMB.getvalue()), "9000 × 9000 pixels"),
    ],
)
def test_rubbish_is_told_in_a_line_and_ends_the_connection(sent: bytes, error: str, service) -> None:
    with line(service, signals="V") as opened:
        opened.send(sent)
        told = told_until_end(opened)[-1]
        assert told["type"] == "error" and error in told["error"] and "\n" not in told["error"]
        with pytest.raises(ConnectionClosed):
            while True:
                opened.recv(timeout=30)


def test_a_flood_is_ended_and_the_service_goes_on(service) -> None:
    before = service.rss_bytes
    with line(service, signals="T", picture=False) as opened, pytest.raises(ConnectionClosed):
        for number in range(5000):
            opened.send(sound_chunk(number / 1e4, SILENCE[:8]))
            if number % 100 == 0:
                time.sleep(0)
        while True:
            opened.recv(timeout=30)
    assert service.rss_bytes - before < 30e6
    with line(service, signals="T", picture=False) as opened:
        opened.send(json.dumps({"type": "stop"}))
        assert told_until_end(opened)[-1]["type"] == "end"


# ── in the models' process ───────────────────────────────────────────────────


def taken_in(source: LiveSource, limit_s: float, chunks: list[bytes]) -> tuple[Intake, list[Any]]:
    """What an intake says of chunks, and itself when it has ended."""
    said: list[Any] = []
    hand = Hand({}, lambda what, value: said.append(value))
    intake = Intake(source, hand, limit_s)
    for each in chunks:
        hand.take("chunk", arrived(each))
    thread = threading.Thread(target=intake.run)
    thread.start()
    hand.take("end", None)
    thread.join(10)
    return intake, [each["notice"] for each in said if isinstance(each, dict)]


def test_it_is_told_before_it_ends_by_itself() -> None:
    source = LiveSource(has_video=False)
    source.want(sound=False, frames=False)
    second = [sound_chunk(float(number), np.zeros(SAMPLE_RATE)) for number in range(300)]
    _, said = taken_in(source, 180.0, second)
    assert said == ["it ends by itself in 60 s", "a stream lasts 180 s at most: this one has ended"]
    assert source.media.duration_s == 180.0


def test_nobody_waits_for_who_hears_and_looks_slowly() -> None:
    """Sound that nobody hears is kept up to a bound, of pictures that nobody looks at the first few."""
    source = LiveSource()
    both = [(sound_chunk(float(t), np.zeros(SAMPLE_RATE)), picture_chunk(float(t), GREY)) for t in range(60)]
    _, said = taken_in(source, 3600.0, [each for pair in both for each in pair])
    assert said == ["hearing falls behind on this machine: some of the sound is left out"]
    assert source.unheard_s <= 20.0 and source.unseen == 3


def test_latency_is_told_from_when_the_end_of_a_window_came() -> None:
    source = LiveSource(has_video=False)
    intake, _ = taken_in(source, 3600.0, [sound_chunk(t / 10, SILENCE) for t in range(10)])
    time.sleep(0.2)
    assert 0.2 <= intake.since(0.5) < 5.0
    assert intake.since(99.0) == 0.0  # of what has not come


def test_what_is_kept_of_faces_is_each_row_once(face_track) -> None:
    early = seen_after(face_track, -np.inf)
    parts = [seen_after(early, -np.inf), seen_after(face_track, 1.0)]
    whole = joined([parts[0], seen_after(face_track, parts[0].frame_times_s[-1])])
    assert joined([]) is None and whole is not None
    assert whole.times_s.tolist() == face_track.times_s.tolist() and whole.person.tolist() == face_track.person.tolist()
    assert whole.action_units == pytest.approx(face_track.action_units) and whole.action_units.dtype == np.float32
    assert parts[1].times_s.min() > 1.0 and parts[1].frame_times_s.min() > 1.0
    end_s = 1.3
    shown = faces_at(Cues(Media("live", 3.0, ""), face=face_track), end_s)
    assert {face["person"] for face in shown} == {0, 1}


def test_what_was_said_is_kept_once_and_goes_on_where_it_ended() -> None:
    def said(start_s: float, end_s: float, text: str) -> Utterance:
        return Utterance(start_s, end_s, text, words=(Word(start_s, end_s, text),))

    heard = with_more([], [said(0.0, 2.0, "so"), said(2.0, 3.5, "it")])
    heard = with_more(heard, [said(2.0, 3.5, "it"), said(3.5, 4.0, "goes"), said(5.0, 6.0, "on")])
    assert [(each.start_s, each.end_s, each.text) for each in heard] == [(0.0, 4.0, "so it goes"), (5.0, 6.0, "on")]
    assert [word.text for word in heard[0].words] == ["so", "it", "goes"]


# ── the page's own parts ─────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def page_node(node):
    """As `node`, of modules of the page (`'./live.js'`)."""
    modules = (Path(__file__).parents[1] / "app" / "page").as_uri()
    return lambda script, given=None: node(script.replace("'./", f"'{modules}/"), given)


def test_the_page_frames_chunks_as_the_service_takes_them(page_node) -> None:
    made = page_node(
        """
        import { framed, mayFollow, median } from './live.js';
        import { SoundTimes, sizeOf, loudness, refusal } from './devices.js';
        const times = new SoundTimes();
        answer({
          chunk: [...framed(1, 1.25, Int16Array.from([1, -2]))], picture: [...framed(2, 0, new Uint8Array([9]).buffer)],
          room: [mayFollow(2, 0), mayFollow(2, 1e6), mayFollow(1, 1e5), mayFollow(1, 1e7)],
          times: [0.2, 0.38, 0.6, 2.6, 2.81].map((now_s) => times.next(3200, now_s)),
          sizes: [sizeOf(1280, 720), sizeOf(320, 240)],
          loud: [0, -32768, 1036].map((sample) => loudness(Int16Array.from([sample]))),
          middle: median([3, 1, 2]), refused: refusal({ name: "NotAllowedError" }),
        });
        """
    )
    assert bytes(made["chunk"]) == chunk(SOUND, 1.25, struct.pack("<hh", 1, -2))
    assert bytes(made["picture"]) == chunk(PICTURE, 0.0, b"\x09")
    assert made["room"] == [True, False, True, False]
    # By the count of samples, whatever the clock says of a chunk, until two seconds are missing.
    assert made["times"] == pytest.approx([0.0, 0.2, 0.4, 2.4, 2.6])
    assert made["sizes"] == [[640, 360], [320, 240]]
    assert made["loud"] == pytest.approx([0.0, 1.0, 0.5], abs=0.01) and made["middle"] == 2
    assert made["refused"].startswith("Camera and microphone are not allowed for this page: allow them")


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_the_page_resamples_cleanly(rate: int, page_node) -> None:
    """A tone that 16 kHz can hold is kept to a ten-thousandth, one that it cannot is gone, in blocks of any size."""
    script = """
        import { Chunks } from './microphone.js';
        const wave = (hz) => (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / given);
        const tone = (hz) => Float32Array.from({ length: given }, wave(hz));
        const through = (samples) => {
          const chunks = new Chunks(given);
          const out = [];
          for (let i = 0; i < samples.length; i += 128) out.push(...chunks.push(samples.subarray(i, i + 128)));
          return out.flatMap((chunk) => [...chunk]);
        };
        answer([through(tone(440)), through(tone(given / 2.4))]);
    """
    kept, gone = (np.array(each) / 32768 for each in page_node(script, rate))
    times_s = np.arange(len(kept)) / SAMPLE_RATE
    assert len(kept) % 2400 == 0 and len(kept) >= 12_000
    assert np.abs(kept - 0.5 * np.sin(2 * np.pi * 440 * times_s))[200:].max() < 2e-4
    if rate > SAMPLE_RATE:
        assert np.abs(gone[200:]).max() < 2e-4
