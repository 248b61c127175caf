"""What a pack saves: the seconds from a command to its first label, and how many prompts a second are read.

    python benchmarks/pack.py [--run RUN] [--data MELD] [--prompts 600] [--rounds 3] [--out DIR]

Packs RUN (goemotions-minilm unless told otherwise), and reads with the pack
and, the plain way, with the run: `emoscribe analyze` of a second of silence
with a subtitle, in a process of its own each time, and generated lines as long
as MELD's, in this process, in turn.  With `--data`, the pack is compared with
the run on MELD's dev lines, and so perhaps in eight bits; without, in float32.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from emoscribe.core.context import Context
from emoscribe.core.prompt import Prompt
from emoscribe.core.timeline import Moment
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.experiments.deploying import pack
from emoscribe.experiments.request import EvaluationRequest
from emoscribe.llm.predictors import load
from emoscribe.llm.run import TextRun, find_run
from emoscribe.prompts.render import render
from results import device_name, report

# Of MELD's lines: half have seven words or fewer, one in twenty more than 18.
_WORDS = ("I", "you", "the", "what", "oh", "no", "really", "know", "think", "did", "come", "back", "right", "wait")
_MEAN_WORDS, _MOST_WORDS = 8, 40

OFFLINE = Context(device="cpu", offline=True)


def lines(run: TextRun, count: int) -> list[Prompt]:
    """Prompts of lines that nobody said."""
    rng = random.Random(0)
    lengths = [min(1 + int(rng.expovariate(1 / (_MEAN_WORDS - 1))), _MOST_WORDS) for _ in range(count)]
    said = [" ".join(rng.choice(_WORDS) for _ in range(length)) + f" {number}" for number, length in enumerate(lengths)]
    return [
        render([Moment(0, 1, None, text)], 0, run.prompt, id=str(number), labels=run.labels)
        for number, text in enumerate(said)
    ]


def first_label_s(run: str, folder: Path) -> float:
    """From the command to its end, which is the label of one line."""
    sound, said = folder / "talk.wav", folder / "talk.srt"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    said.write_text("1\n00:00:00,000 --> 00:00:01,000\nOh no!\n")
    command = [sys.executable, "-m", "emoscribe", "analyze", str(sound), "--transcript", str(said), "--run", run]
    began = time.perf_counter()
    subprocess.run(
        [*command, "--modalities", "T", "--speakers", "none", "--config", "embedded", "--device", "cpu", "--offline"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True, env=os.environ,
    )  # fmt: skip
    return time.perf_counter() - began


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="goemotions-minilm", help="[default: %(default)s]")
    parser.add_argument("--data", type=Path, help="MELD, to compare on and to read")
    parser.add_argument("--prompts", type=int, default=600, help="[default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=3, help="[default: %(default)s]")
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    run = find_run(args.run)
    compared = None
    if args.data is not None:
        compared = EvaluationRequest(CorpusRequest("meld", args.data), "dev", [args.run], modalities=["T"])
    starts: dict[str, list[float]] = {"ours": [], "plain": []}
    rates: dict[str, list[float]] = {"ours": [], "plain": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = pack(args.run, folder / "pack", compared, context=OFFLINE)
        runs = {"ours": made, "plain": run}
        readers = {way: load(each, OFFLINE) for way, each in runs.items()}
        prompts = lines(run, args.prompts)
        for way in runs:
            readers[way].predict(prompts[:20])
        for _ in range(args.rounds):
            for way in runs:
                starts[way].append(first_label_s(str(made.folder) if way == "ours" else args.run, folder))
                began = time.perf_counter()
                readers[way].predict(prompts)
                rates[way].append(len(prompts) / (time.perf_counter() - began))
        sizes = {way: reader.sizes["bytes"] for way, reader in readers.items()}
    for way in runs:
        print(
            f"{way:6} {median(starts[way]):5.2f} s to the first label ({min(starts[way]):.2f} to "
            f"{max(starts[way]):.2f}), {median(rates[way]):.0f} prompts/s, {sizes[way] / 1e6:.0f} MB"
        )
    assert made.pack is not None
    agreement = made.pack.agreement
    print(
        f"{made.pack.precision}; exported to {made.pack.export_difference:.1e}"
        + (f"; {agreement.answers:.2%} of {agreement.texts} answers stay, tried {agreement.tried}" if agreement else "")
    )
    report(
        "pack", median(starts["ours"]), median(starts["plain"]), "seconds to the first label", device_name("cpu"),
        args.out, run=args.run, precision=made.pack.precision,
        prompts_per_s={way: round(median(rates[way]), 1) for way in runs}, bytes=sizes,
    )  # fmt: skip


if __name__ == "__main__":
    main()
