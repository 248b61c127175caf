"""Files with something wrong in them: each is read, or refused in one line, in bounded time and memory.

Everything is drawn from seeds, so that what fails, fails again; `EMOSCRIBE_FUZZ=20` tries twenty times as much.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from emoscribe.app.documents import paragraphs_of
from emoscribe.baseline.run import FusionRun
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.files import CORRECTED_SUFFIX
from emoscribe.core.settings import load
from emoscribe.core.tensors import load_tensors, save_tensors
from emoscribe.core.timeline import LabelledTranscript, Transcript, Utterance, Word
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.corpora.registry import reader
from emoscribe.extractors.speakers.turns import read_turns
from emoscribe.extractors.speech.subtitles import read_transcript
from emoscribe.llm.adapter_config import read_adapter_config
from emoscribe.llm.run import SHIPPED, TextRun
from emoscribe.llm.settings import AnalyzeSettings
from emoscribe.llm.tokens import PromptTokenizer
from emoscribe.outputs.formats import FORMATS
from emoscribe.outputs.schema import load_result
from emoscribe.training.checkpoints import read_checkpoint, write_checkpoint
from emoscribe.training.traces import load_traces

TIMES = int(os.environ.get("EMOSCRIBE_FUZZ", "1"))
# Files of each kind, and seconds of the processor for one: a hundred times what the slowest takes.
FILES, SECONDS = 30 * TIMES, 3.0
MEDIA, MEDIA_SECONDS = 12 * TIMES, 10

SRT = "".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\nAnna: <i>word</i> {n}\n- Ben: No.\n\n" for n in range(1, 5))
VTT = "WEBVTT\n\n" + "".join(f"00:0{n}.000 --> 00:0{n}.900\n<v Anna>word &amp; <b>{n}</b>\n\n" for n in range(1, 5))
ASS = "[Script Info]\nScriptType: v4.00+\n\n[Events]\n" + "".join(
    f"Dialogue: 0,0:00:0{n}.00,0:00:0{n}.90,Default,Anna,0,0,0,,{{\\i1}}word{{\\i0}}\\N{n}\n" for n in range(1, 5)
)
WORDS = [{"word": "so", "start": 1.0, "end": 1.2, "probability": 0.9}, {"word": "it", "start": 1.2, "end": 1.5}]
SAID = {"segments": [{"start": 1.0, "end": 2.0, "text": "so it", "speaker": "Anna", "words": WORDS}], "language": "en"}
CPP = {"result": {"language": "en"}, "transcription": [{"offsets": {"from": 1000, "to": 2000}, "text": "so it goes"}]}
CHUNKS = {"chunks": [{"timestamp": [1.0, 2.0], "text": "so"}, {"timestamp": [2.0, None], "text": "it"}]}
RTTM = "".join(f"SPEAKER talk 1 {n}.0 0.9 <NA> <NA> Anna_{n} <NA> <NA>\n" for n in range(4))
TURNS = {"recordings": {"talk": [{"start": 0.0, "end": 1.0, "speaker": "Anna"}], "b": []}}
GRID = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 9\ntiers? <exists>\nsize = 1\nitem []:\n'
    '    item [1]:\n        class = "IntervalTier"\n        name = "Anna"\n        xmin = 0\n        xmax = 9\n'
    "        intervals: size = 1\n        intervals [1]:\n            xmin = 1\n            xmax = 2\n"
    '            text = "so ""it"" goes"\n'
)
EAF = (
    '<ANNOTATION_DOCUMENT><HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="file:///v.mp4"/>'
    '</HEADER><TIME_ORDER><TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="900"/>'
    '</TIME_ORDER><TIER TIER_ID="Anna"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="c" TIME_SLOT_REF1="a" '
    'TIME_SLOT_REF2="b"><ANNOTATION_VALUE>so it goes</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>'
    '<TIER TIER_ID="x" PARENT_REF="Anna"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="d" ANNOTATION_REF="c">'
    "<ANNOTATION_VALUE>joy</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>"
)
TABLE = "text;label;start_s;end_s;speaker\n" + "".join(f'"word; {n}";joy;{n},5;{n + 1};Anna\n' for n in range(4))
ROWS = [{"text": f"word {n}", "label": "joy", "start_s": n, "end_s": n + 1} for n in range(4)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    b"4 0 obj<</Length 40>>stream\nBT /F 12 Tf 9 9 Td (so it goes) Tj ET    \nendstream endobj\n"
    b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R/Size 6>>\n%%EOF\n"
)
CONFIG = {"run": "meld-minilm", "modalities": "TVA", "windows": {"window_s": 2.0}, "face": {"sampling_fps": 5.0}}

# What does harm somewhere.
ABSURD: list[Any] = [
    *(None, True, -1, 0, 1, 2**31, 2**63, 10**30, -0.0, 1e-308, 1e308, float("nan"), float("inf"), 3.5),
    *("", "a", "0", "-->", "\x00", "\ud800", "\x1b[2J", "a" * 3000, "../../etc/passwd", "nan", "1e999"),
    *([], {}, [None], [[]], {"": None}, [1] * 50),
]
TOKENS = [
    *(b"-1", b"1e999", b"NaN", b"99999999999999999999", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\n", b"\r", b"\t"),
    *(b"<", b">", b"{", b"}", b"[", b"]", b'"', b"'", b":", b",", b"&", b"-->", b"<v ", b"{\\", b"\x1b]", b"&#1;"),
    *(b"\xed\xa0\x80", b"null", b"true", b"[[[[[[[[", b"*a", b"&a", b"!!python/name:os.system", b"<!DOCTYPE a>"),
    *(b" " * 99, b"0" * 400, b"\xc3\x28"),
]


def bent(content: bytes, rng: random.Random) -> bytes:
    """The bytes with some of them changed, taken away, repeated or cut off."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 9))):
        at, length = rng.randrange(len(data) + 1), rng.choice((1, 1, 2, 4, 8, 40))
        match rng.randrange(6):
            case 0:
                del data[at : at + length]
            case 1:
                data[at:at] = data[at : at + length] * rng.choice((1, 3, 200))
            case 2:
                data[at : at + length] = rng.choice(TOKENS)
            case 3:
                data[at:at] = rng.choice(TOKENS)
            case 4 if at < len(data):
                data[at] ^= 1 << rng.randrange(8)
            case _ if rng.random() < 0.3:
                del data[at:]
    return bytes(data)


def bent_value(value: Any, rng: random.Random) -> Any:
    """A JSON value with something in it replaced, taken away, or there twice."""
    value = json.loads(json.dumps(value))
    places: list[tuple[Any, Any]] = []

    def walk(inner: Any) -> None:
        for key in list(inner) if isinstance(inner, dict) else range(len(inner)):
            places.append((inner, key))
            if isinstance(inner[key], dict | list):
                walk(inner[key])

    walk(value)
    for inner, key in rng.sample(places, min(len(places), rng.choice((1, 1, 2, 3)))):
        if isinstance(inner, list):
            if key < len(inner):
                inner[key : key + 1] = rng.choice(([], [rng.choice(ABSURD)], [inner[key]] * 3))
        elif rng.random() < 0.2:
            inner.pop(key, None)
        else:
            inner[key] = rng.choice(ABSURD)
    return value


def as_json(value: Any) -> Callable[[random.Random], bytes]:
    def made(rng: random.Random) -> bytes:
        if rng.random() < 0.3:
            return bent(json.dumps(value).encode(), rng)
        return json.dumps(bent_value(value, rng)).encode("utf-8", "surrogatepass")

    return made


def as_bytes(content: str | bytes) -> Callable[[random.Random], bytes]:
    raw = content.encode() if isinstance(content, str) else content
    return lambda rng: bent(raw, rng)


def transcript_of(name: str) -> Callable[[Path], object]:
    return lambda folder: read_transcript(folder / name, 20.0)


def document(name: str) -> Callable[[Path], object]:
    return lambda folder: paragraphs_of(folder / name, name)


def of_run(name: str) -> Any:
    return json.loads((SHIPPED / "meld-minilm" / name).read_text(encoding="utf-8"))


def corpus(folder: Path) -> object:
    return reader("table").read(CorpusRequest("table", folder))


def written_as(name: str) -> Callable[[Path], object]:
    """What a kept result is read for: to be written anew in all forms that take little time."""

    def read(folder: Path) -> None:
        result = load_result(folder / name)
        for each in sorted(FORMATS.keys() - {"video", "video-burnt", "xlsx"}):
            FORMATS[each].write(result, folder)

    return read


@pytest.fixture(scope="module")
def kept(labelled: LabelledTranscript) -> dict[str, Any]:
    """A result as it is kept, of which a moment was corrected."""
    value = labelled.to_dict()
    value["segments"][0]["corrected"] = True
    words = (Word(0.1, 0.5, "I", 0.9),)
    value["transcript"] = Transcript((Utterance(0.1, 3.0, "I", "Clara", words),), "en", "whisper").to_dict()
    value["tracks"]["sound"] = {"per_s": 10, "peaks": [0, 50, 100]}
    return value


@pytest.fixture(scope="module")
def docx() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
        packed.writestr("word/document.xml", f"<w:document {space}><w:p><w:t>so it goes</w:t></w:p></w:document>")
    return content.getvalue()


@pytest.fixture(scope="module")
def tokenizer(tiny_bert: Path) -> Any:
    return json.loads((tiny_bert / "tokenizer.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def base(tiny_bert: Path) -> Any:
    return json.loads((tiny_bert / "config.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import torch

    path = tmp_path_factory.mktemp("tensors") / "a.safetensors"
    save_tensors({"weight": torch.ones(4, 3), "bias": torch.zeros(4)}, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import torch

    path = tmp_path_factory.mktemp("checkpoint") / "a.pt"
    write_checkpoint(path, {"progress": {"step": 1}, "weights": {"a": torch.ones(4, 3)}})
    return path.read_bytes()


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import pandas

    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    pandas.DataFrame({"text": ["a", "b"], "label": ["joy", "anger"]}).to_parquet(path)
    return path.read_bytes()


# By kind, the file's name, what it is made of, and what reads it; of a fixture the name.
TEXTS: dict[str, tuple[str, Any, Callable[[Path], object]]] = {
    "document": ("a.txt", as_bytes("Anna: so it\ngoes-\non.\n\nBen: No.\n" * 9), document("a.txt")),
    "docx": ("a.docx", "docx", document("a.docx")),
    "pdf": ("a.pdf", as_bytes(PDF), document("a.pdf")),
    "traces": ("traces.json", as_json({"meld train": {"text": ["0f", "1e"], "clip": []}}), load_traces),
    "tokenizer": ("tokenizer.json", "tokenizer", lambda folder: PromptTokenizer(folder)),
    "base": ("config.json", "base", lambda folder: PromptTokenizer(folder)),
    "srt": ("a.srt", as_bytes(SRT), transcript_of("a.srt")),
    "vtt": ("a.vtt", as_bytes(VTT), transcript_of("a.vtt")),
    "ass": ("a.ass", as_bytes(ASS), transcript_of("a.ass")),
    "whisper": ("a.json", as_json(SAID), transcript_of("a.json")),
    "whisper.cpp": ("a.json", as_json(CPP), transcript_of("a.json")),
    "transformers": ("a.json", as_json(CHUNKS), transcript_of("a.json")),
    "textgrid": ("a.TextGrid", as_bytes(GRID), transcript_of("a.TextGrid")),
    "eaf": ("a.eaf", as_bytes(EAF), transcript_of("a.eaf")),
    "rttm": ("a.rttm", as_bytes(RTTM), lambda folder: read_turns(folder / "a.rttm", "talk", 20.0)),
    "turns": ("a.json", as_json(TURNS), lambda folder: read_turns(folder / "a.json", "talk", 20.0)),
    "csv": ("train.csv", as_bytes(TABLE), corpus),
    "jsonl": ("train.jsonl", as_bytes(LINES), corpus),
    "parquet": ("train.parquet", "parquet", corpus),
    "labels in tiers": ("a.eaf", as_bytes(EAF.replace('"x"', '"emotion"')), corpus),
    "config": (
        "a.yaml",
        lambda rng: bent(yaml.safe_dump(bent_value(CONFIG, rng), allow_unicode=True).encode("utf-8", "replace"), rng),
        lambda folder: load(AnalyzeSettings, folder / "a.yaml"),
    ),
    "run": ("run.json", as_json(of_run("run.json")), TextRun.load),
    "norms": ("norms.json", as_json(of_run("norms.json")), TextRun.load),
    "baseline": ("baseline.json", as_json({"settings": {"fusion": "lfan"}, "streams": {"egemaps": 5}}), FusionRun.load),
    "adapter": ("adapter_config.json", as_json(of_run("adapter_config.json")), read_adapter_config),
    "safetensors": ("a.safetensors", "tensors", lambda folder: load_tensors(folder / "a.safetensors")),
    "checkpoint": ("a.pt", "checkpoint", lambda folder: read_checkpoint(folder / "a.pt", dict)),
    "result": (f"a{CORRECTED_SUFFIX}", "kept", written_as(f"a{CORRECTED_SUFFIX}")),
    "corrected": (f"a{CORRECTED_SUFFIX}", "kept", corpus),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_with_something_wrong_is_read_or_refused(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name, made, read = TEXTS[kind]
    if isinstance(made, str):
        given = request.getfixturevalue(made)
        made = as_bytes(given) if isinstance(given, bytes) else as_json(given)
    if kind in ("tokenizer", "base"):
        shutil.copytree(request.getfixturevalue("tiny_bert"), tmp_path, dirs_exist_ok=True)
    if kind == "norms":
        (tmp_path / "run.json").write_text(json.dumps(of_run("run.json")))
    wrong = []
    for number in range(FILES):
        (tmp_path / name).write_bytes(made(random.Random(f"{kind} {number}")))
        began = time.process_time()
        try:
            read(tmp_path)
        except EmoscribeError as error:
            if "\n" in str(error) or len(str(error)) > 1500:
                wrong.append(f"{number}: no line: {str(error)[:200]!r}")
        except Exception as error:
            wrong.append(f"{number}: {type(error).__name__}: {error}"[:300])
        if (took_s := time.process_time() - began) > SECONDS:
            wrong.append(f"{number}: took {took_s:.1f} s")
    assert not wrong, f"{len(wrong)} of {FILES} files, by their numbers"


# ── media ────────────────────────────────────────────────────────────────────

# Reads files one after another, and says of each what came of it; a file that ends the process is the last it names.
CHILD = """
import json, resource, signal, sys, time
from emoscribe.core.errors import EmoscribeError
from emoscribe.extractors.media import decode_sound, frames, probe

class TooLong(BaseException):
    pass

def ring(*_):
    raise TooLong

signal.signal(signal.SIGALRM, ring)
limit = int(sys.argv[1])
here = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
resource.setrlimit(resource.RLIMIT_AS, (here + (2 << 30), resource.RLIM_INFINITY))
for line in sys.stdin:
    path = line.rstrip("\\n")
    print(path, end=" ", flush=True)
    began, what = time.process_time(), "read"
    signal.alarm(limit)
    try:
        media = probe(path)
        for frame in frames(path, 5.0):
            what = f"{frame.image.shape}"
        sound = decode_sound(path)
        sound.read(0.0, 5.0)
        sound.close()
    except EmoscribeError as error:
        what = "refused" if "\\n" not in str(error) and len(str(error)) < 1000 else f"WRONG {str(error)!r}"
    except TooLong:
        what = "WRONG took too long"
    except Exception as error:
        what = f"WRONG {type(error).__name__}: {' '.join(str(error).split())}"
    signal.alarm(0)
    print(json.dumps([what, round(time.process_time() - began, 2)]), flush=True)
"""


# Where containers keep sizes, rates, channels and durations.
HEADS = [
    *(
        b"mvhd",
        b"tkhd",
        b"mdhd",
        b"stts",
        b"stsd",
        b"avc1",
        b"mp4a",
        b"stsz",
        b"stsc",
        b"stco",
        b"elst",
        b"fmt ",
        b"data",
    ),
    *(
        b"avih",
        b"strh",
        b"strf",
        b"\x15\x49\xa9\x66",
        b"\x16\x54\xae\x6b",
        b"\x44\x89",
        b"\xb0\x81",
        b"GIF89a",
        b"\xff\xc0",
    ),
]


def absurd(content: bytes, rng: random.Random) -> bytes:
    """Numbers of a container, of four or two bytes, made larger than anything is."""
    data = bytearray(content)
    heads = [content.find(head) for head in HEADS if head in content]
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.choice(heads) + 4 + 2 * rng.randrange(45) if heads and rng.random() < 0.8 else rng.randrange(len(data))
        number = rng.choice((b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\1\0\0"))
        data[at : at + 4] = number[: rng.choice((1, 2, 4))] if rng.random() < 0.5 else number
    return bytes(data)


@pytest.mark.parametrize("suffix", [".mp4", ".wav", ".avi", ".mkv", ".gif", ".mp3", ".jpg"])
@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are set otherwise there")
def test_media_with_something_wrong_are_read_or_refused(suffix: str, tmp_path: Path) -> None:
    good = sample(tmp_path / f"good{suffix}").read_bytes()
    paths = []
    for number in range(MEDIA):
        rng = random.Random(f"{suffix} {number}")
        content = rng.choice((absurd, absurd, bent, lambda data, rng: data[: rng.randrange(len(data))]))(good, rng)
        paths.append(tmp_path / f"{number}{suffix}")
        paths[-1].write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(MEDIA_SECONDS)],
        input="".join(f"{path}\n" for path in paths),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=MEDIA_SECONDS * MEDIA,
    )
    told = done.stdout.splitlines()
    assert len(told) == len(paths) and not done.returncode, f"{told[-1:]} ended the process: {done.stderr[-500:]}"
    assert not [line for line in told if "WRONG" in line]


def sample(path: Path) -> Path:
    """Half a second of a grey that grows and of a tone, as far as the format has them."""
    import av
    from PIL import Image

    if path.suffix == ".jpg":
        Image.new("RGB", (64, 48), "grey").save(path)
        return path
    codecs = {".mp4": ("h264", "aac"), ".mkv": ("h264", "aac"), ".avi": ("mpeg4", "pcm_s16le"), ".gif": ("gif", None)}
    video, audio = codecs.get(path.suffix, (None, {".wav": "pcm_s16le", ".mp3": "mp3"}.get(path.suffix)))
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(video, rate=10) if video else None
        sound = container.add_stream(audio, rate=16_000, layout="mono") if audio else None
        if pictures is not None:
            pictures.width, pictures.height = 64, 48
            pictures.pix_fmt = "rgb8" if video == "gif" else "yuv420p"
            for number in range(5):
                grey = np.full((48, 64, 3), 40 * number, dtype=np.uint8)
                container.mux(pictures.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
            container.mux(pictures.encode())
        if sound is not None:
            tone = (8000 * np.sin(np.arange(8000) / 9)).astype(np.int16)
            for first in range(0, len(tone), 1000):
                frame = av.AudioFrame.from_ndarray(tone[None, first : first + 1000], format="s16", layout="mono")
                frame.sample_rate, frame.pts = 16_000, first
                container.mux(sound.encode(frame))
            container.mux(sound.encode())
    return path
