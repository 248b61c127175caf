"""Seconds that Whisper takes as faster-whisper runs it, beside openai-whisper on the same windows.

    python benchmarks/ctranslate2_speech.py [--model base] [--windows 16] [--tokens 80] [--device auto] [--out DIR]

The weights are random in the shape of the model, brought into CTranslate2's
form by its own converter; windows are noise, each decoded greedily to the same
number of tokens, in batches of 16 and one at a time.  What is timed is encoder
and decoder: neither decoding of files nor loading, nor finding who speaks.
The real-time factor is the seconds taken for a second of sound.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import speech
from emoscribe.core.context import resolve_device
from results import device_name, report
from speech import SHAPES

WINDOW_S = 30.0

# Ids of openai-whisper's multilingual vocabulary; those after languages move with how many there are.
END, START, ENGLISH, LANGUAGES_AFTER_99 = 50257, 50258, 50259, 50358


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(SHAPES), help="[default: turbo on a GPU, base on a CPU]")
    parser.add_argument("--windows", type=int, help="of half a minute  [default: 32 on a GPU, 4 on a CPU]")
    parser.add_argument("--tokens", type=int, default=80, help="a window is decoded to  [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=3, help="of both ways in turn  [default: %(default)s]")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    import ctranslate2
    import torch
    import whisper

    device = resolve_device(args.device)
    size = args.model or ("turbo" if device == "cuda" else "base")
    windows = args.windows or (32 if device == "cuda" else 4)
    precision = "float16" if device == "cuda" else "int8"
    with tempfile.TemporaryDirectory() as folder:
        begin = save_random_weights(Path(folder) / "model", size)
        model = ctranslate2.models.Whisper(str(Path(folder) / "model"), device=device, compute_type=precision)
        other = whisper.load_model(str(speech.save_random_weights(Path(folder) / f"{size}.pt", size)), device=device)
    sound = np.random.default_rng(0).normal(size=(windows, SHAPES[size][0], 3000)).astype(np.float32)

    def by_openai(together: int) -> None:
        options = whisper.DecodingOptions(language="en", fp16=device == "cuda")
        with speech.decoded_to(args.tokens):
            for first in range(0, windows, together):
                whisper.decode(other, torch.from_numpy(sound[first : first + together]).to(device), options)

    def by_ctranslate2(together: int) -> None:
        for first in range(0, windows, together):
            part = np.ascontiguousarray(sound[first : first + together])
            found = model.generate(
                ctranslate2.StorageView.from_array(part),
                [begin] * len(part),
                beam_size=1,
                # Half of this may be answered, and nothing is to end before.
                max_length=2 * args.tokens,
                suppress_tokens=[END],
            )
            if any(len(each.sequences_ids[0]) != args.tokens for each in found):
                raise SystemExit(f"windows are not all decoded to {args.tokens} tokens: nothing to compare")

    together = min(windows, 16)
    ways = {"ctranslate2": by_ctranslate2, "openai-whisper": by_openai}
    seconds: dict[tuple[str, int], list[float]] = {(way, count): [] for count in (together, 1) for way in ways}
    for _ in range(args.rounds + 1):
        for (way, count), took in seconds.items():
            began = time.perf_counter()
            ways[way](count)
            took.append(time.perf_counter() - began)
    # The first round warms up.
    factors = {each: median(took[1:]) / (windows * WINDOW_S) for each, took in seconds.items()}
    name = device_name(device)
    print(f"{windows} windows of {args.tokens} tokens; Whisper {size}, random weights in {precision}, {name}")
    for (way, count), factor in factors.items():
        print(f"{way:14} {count:3} at a time: real-time factor {factor:.5f}")
    a_minute = {way: 60 * factors[way, together] for way in ways}
    report(
        "ctranslate2 speech", a_minute["ctranslate2"], a_minute["openai-whisper"], "seconds a minute of sound", name,
        args.out, model=size, weights="random", precision=precision, windows=windows, tokens=args.tokens,
        batch_size=together,
        real_time_factors={f"{way}, {count} at a time": float(f"{each:.3g}") for (way, count), each in factors.items()},
    )  # fmt: skip


def save_random_weights(folder: Path, size: str) -> list[int]:
    """A model of that shape as CTranslate2 stores it; what a window's answer begins with."""
    import torch
    from ctranslate2.converters.transformers import WhisperLoader
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    mels, audio, audio_heads, audio_layers, vocabulary, text, text_heads, text_layers = SHAPES[size]
    assert audio == text
    torch.manual_seed(0)
    with torch.device(resolve_device("auto")):
        model = WhisperForConditionalGeneration(
            WhisperConfig(
                vocab_size=vocabulary, num_mel_bins=mels, d_model=audio, encoder_layers=audio_layers,
                encoder_attention_heads=audio_heads, encoder_ffn_dim=4 * audio, decoder_layers=text_layers,
                decoder_attention_heads=text_heads, decoder_ffn_dim=4 * text,
            )
        ).cpu()  # fmt: skip
    loader: Any = WhisperLoader()
    spec = loader.get_model_spec(model)
    transcribe = LANGUAGES_AFTER_99 + 1 + (vocabulary - 51865)
    named = {END: "<|endoftext|>", START: "<|startoftranscript|>", ENGLISH: "<|en|>", transcribe: "<|transcribe|>"}
    named |= {transcribe + 3: "<|nospeech|>", transcribe + 4: "<|notimestamps|>"}
    spec.register_vocabulary([named.get(id, f"t{id}") for id in range(vocabulary)])
    spec.config.suppress_ids, spec.config.suppress_ids_begin, spec.config.lang_ids = [], [], [ENGLISH]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize(quantization="float16")
    folder.mkdir()
    spec.save(str(folder))
    return [START, ENGLISH, transcribe, transcribe + 4]


if __name__ == "__main__":
    main()
