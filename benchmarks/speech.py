"""Seconds that Whisper takes for a sound file: what is spoken, in batches, and the file as a whole.

    python benchmarks/speech.py [--model base] [--minutes 4] [--tokens 80] [--device auto] [--out DIR]

The plain way is `whisper.transcribe()` on the whole file, with word times as
ours have them and the same language given.  The file is made of the lines
spoken in the example clip: turns of 25 seconds, silence after each, two
fifths of the file in all.  Weights are Whisper's own where they are on disk,
else random in the shape of the model; every window is decoded to the same
number of the same tokens, since how much random weights say, and how often
they try again, is no matter of speed.  Loading is not timed.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import numpy as np
from emoscribe.core.context import Context, resolve_device
from emoscribe.extractors import media
from emoscribe.extractors.settings import SpeechSettings
from emoscribe.extractors.speech import vad
from emoscribe.extractors.speech import whisper as speech_whisper
from emoscribe.extractors.speech.spelled import preferred
from results import device_name, report

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
TURN_S = 25.0
SILENT_SHARE = 0.4
PAUSE_S = 0.7

# n_mels, n_audio_state, heads, layers; n_vocab, n_text_state, heads, layers (openai/whisper, model card).
SHAPES = {
    "nano": (80, 64, 2, 1, 51865, 64, 2, 1),
    "tiny": (80, 384, 6, 4, 51865, 384, 6, 4),
    "base": (80, 512, 8, 6, 51865, 512, 8, 6),
    "small": (80, 768, 12, 12, 51865, 768, 12, 12),
    "large-v3": (128, 1280, 20, 32, 51866, 1280, 20, 32),
    "turbo": (128, 1280, 20, 32, 51866, 1280, 20, 4),
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(SHAPES), help="[default: turbo on a GPU, base on a CPU]")
    parser.add_argument("--minutes", type=float, help="of sound  [default: 20 on a GPU, 4 on a CPU]")
    parser.add_argument("--tokens", type=int, default=80, help="a window is decoded to  [default: %(default)s]")
    parser.add_argument("--batch-size", type=int, default=8, help="windows at a time  [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=3, help="of both ways in turn  [default: %(default)s]")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    import torch
    import whisper

    device = resolve_device(args.device)
    size = args.model or preferred(device)
    minutes = args.minutes or (20.0 if device == "cuda" else 4.0)
    half = device == "cuda"
    with tempfile.TemporaryDirectory() as folder:
        sound_file = write_sound(Path(folder) / "turns.wav", minutes * 60)
        here = size != "nano" and speech_whisper.on_disk(size)
        weights = size if here else str(save_random_weights(Path(folder) / f"{size}.pt", size))
        settings = SpeechSettings(
            engine="whisper",
            model=weights,
            device=device,
            language="en",
            precision="float16" if half else "float32",
            batch_size=args.batch_size,
        )
        recogniser = speech_whisper.Whisper(settings, Context(offline=True))
        model = whisper.load_model(weights, device=device)

        def ours() -> None:
            with media.sound(sound_file) as sound:
                for _ in recogniser.hear(sound, vad.stretches(sound)):
                    pass

        def plain() -> None:
            with media.sound(sound_file) as sound:
                samples = sound.read(0.0, sound.duration_s)
            model.transcribe(samples, language="en", word_timestamps=True, condition_on_previous_text=False, fp16=half)

        with decoded_to(args.tokens) as windows:
            seconds, counts = compare(ours, plain, args.rounds, windows)
    name = device_name(device)
    whose = "its own" if here else "random"
    print(f"{minutes:g} minutes of sound, {SILENT_SHARE:.0%} of it silence; Whisper {size}, {whose} weights, {name}")
    for way, what in (("ours", f"speech in batches of {args.batch_size} windows"), ("plain", "transcribe() on all")):
        print(f"{way:6} {seconds[way]:7.2f} s: {what}; {counts[way]} windows of {args.tokens} tokens")
    report(
        "speech", seconds["ours"] / minutes, seconds["plain"] / minutes, "seconds a minute of sound", name, args.out,
        model=size, weights=whose, minutes=minutes, tokens=args.tokens, batch_size=args.batch_size,
        windows=counts, threads=torch.get_num_threads(),
    )  # fmt: skip


def compare(
    ours: Callable[[], None], plain: Callable[[], None], rounds: int, windows: list[int]
) -> tuple[dict[str, float], dict[str, int]]:
    """Median seconds of both ways, and how many windows each decodes; the first round warms up."""
    seconds: dict[str, list[float]] = {"ours": [], "plain": []}
    counts = {}
    for _ in range(rounds + 1):
        for name, way in (("ours", ours), ("plain", plain)):
            windows.clear()
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
            counts[name] = sum(windows)
    return {name: median(each[1:]) for name, each in seconds.items()}, counts


# ── the same tokens in every window ──────────────────────────────────────────


@contextmanager
def decoded_to(tokens: int) -> Iterator[list[int]]:
    """Every window is `tokens` tokens, English words between its first and last moment.

    They are certain and do not repeat, so that none is decoded again at a
    higher temperature, and end with the window, so that the next begins there.

    Yields the numbers of windows that are decoded at a time.
    """
    import torch
    from whisper.decoding import DecodingTask, LogitFilter
    from whisper.tokenizer import get_tokenizer

    tokenizer = get_tokenizer(True, language="en")
    words = [token for token in range(tokenizer.eot) if re.fullmatch(r" [a-z]{3,9}", tokenizer.decode([token]))]
    said = random.Random(0).sample(words, tokens - 2)
    windows: list[int] = []

    class Fixed(LogitFilter):
        def __init__(self, task: DecodingTask) -> None:
            begin = task.tokenizer.timestamp_begin
            self.first = task.sample_begin
            self.tokens = [begin, *said, begin + 1500, task.tokenizer.eot]

        def apply(self, logits: Any, tokens: Any) -> None:
            step = tokens.shape[1] - self.first
            if step == 0:
                windows.append(len(tokens))
            logits.fill_(-torch.inf)
            logits[:, self.tokens[min(step, len(self.tokens) - 1)]] = 0.0

    prepare = DecodingTask.__init__

    def prepared(self: DecodingTask, *given: Any) -> None:
        prepare(self, *given)
        self.logit_filters = [Fixed(self)]

    with patch.object(DecodingTask, "__init__", prepared):
        yield windows


# ── material ─────────────────────────────────────────────────────────────────


def write_sound(path: Path, seconds: float) -> Path:
    """Lines of the example clip in turns, with silence after each."""
    import av

    clip = next(EXAMPLES.glob("*.mp4"))
    with media.sound(clip) as sound:
        lines = [sound.read(stretch.start_s, stretch.end_s) for stretch in vad.stretches(sound)]
    if not lines:
        raise SystemExit(f"nobody is heard to speak in {clip}")
    pause = np.zeros(round(PAUSE_S * media.SAMPLE_RATE), dtype=np.float32)
    parts: list[np.ndarray] = []
    turn_s = min(TURN_S, (1 - SILENT_SHARE) * seconds)
    number = 0
    while sum(map(len, parts)) < seconds * media.SAMPLE_RATE:
        turn: list[np.ndarray] = []
        while sum(map(len, turn)) < turn_s * media.SAMPLE_RATE:
            turn += [lines[number % len(lines)], pause]
            number += 1
        spoken = np.concatenate(turn)[: round(turn_s * media.SAMPLE_RATE)]
        parts += [spoken, np.zeros(round(len(spoken) * SILENT_SHARE / (1 - SILENT_SHARE)), dtype=np.float32)]
    samples = (np.concatenate(parts)[: round(seconds * media.SAMPLE_RATE)] * 32767).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=media.SAMPLE_RATE, layout="mono")
        for first in range(0, len(samples), media.SAMPLE_RATE):
            piece = np.ascontiguousarray(samples[None, first : first + media.SAMPLE_RATE])
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            frame.sample_rate, frame.pts = media.SAMPLE_RATE, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def save_random_weights(path: Path, size: str) -> Path:
    """A checkpoint of that shape, as openai-whisper stores its models."""
    import torch
    import whisper

    torch.manual_seed(0)
    mels, audio, audio_heads, audio_layers, vocabulary, text, text_heads, text_layers = SHAPES[size]
    dims = whisper.ModelDimensions(
        n_mels=mels, n_audio_ctx=1500, n_audio_state=audio, n_audio_head=audio_heads, n_audio_layer=audio_layers,
        n_vocab=vocabulary, n_text_ctx=448, n_text_state=text, n_text_head=text_heads, n_text_layer=text_layers,
    )  # fmt: skip
    model = whisper.model.Whisper(dims)
    with torch.no_grad():  # what is not initialised
        model.decoder.positional_embedding.normal_(0, 0.01)
    torch.save({"dims": vars(dims), "model_state_dict": model.state_dict()}, path)
    return path


if __name__ == "__main__":
    main()
