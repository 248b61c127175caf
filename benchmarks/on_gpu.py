"""All that a GPU has to show, in one sitting: speeds at full size, and a small model trained in full.

    python benchmarks/on_gpu.py --out FILE [--parts scoring,training,…] [--data MELD] [--tiny] [--again]

Parts are programs of their own, each with a time limit, so that none takes
another's memory and none that fails stops the next:

- scoring: prompts a second on an 8B model, against the padded loop and `generate()`;
- scoring-nf4, scoring-compiled: the same on a base in four bits, or with every layer through `torch.compile`;
- training: LoRA on an 8B model in bfloat16, batches by length, 4,096 tokens at once;
- compiled: the same with every layer through `torch.compile`;
- nf4: the same on a base in four bits (bitsandbytes);
- cross-entropy: of a vocabulary of 128,256, fused with the layer before it, against that layer and then the loss;
- face: frames a second to action units by py-feat;
- speech: Whisper `turbo`, speech in batches against `transcribe()`;
- recognisers: Whisper `turbo` as faster-whisper (CTranslate2) and openai-whisper run it, real-time factors of both;
- smollm2: `meld-smollm2` trained on MELD with each head, side by side, and what it reaches on dev.

What a part found is in FILE as soon as it is done; what is there already is
not measured again, and what failed is one line there and tried again the next
time.  Runs of `smollm2` lie beside FILE as `RUN.tar`, adapters in float16.
A part whose package is missing says so there.  On an H100 the parts that were
measured take about seven minutes; `--tiny` takes sizes that
measure nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from emoscribe.core.context import resolve_device
from emoscribe.core.files import atomic_path, make_folder, read_json, write_json
from results import device_name, report, versions

HERE = Path(__file__).resolve().parent

# Where MELD's lines lie in a checkout with its corpora beside it.
MELD = Path(os.environ.get("MELD", HERE.parents[1] / "shared" / "data" / "meld"))


class Failed(Exception):
    """Why a part found nothing, in one line."""


@dataclass(frozen=True)
class Part:
    """A benchmark of this folder, at full size and tiny.

    Attributes:
        limit_s: it is stopped after.
    """

    script: str
    full: str
    tiny: str
    limit_s: float


SCORING = "--shape 8b --prompts 512 --rounds 1"
TINY_SCORING = "--shape tiny --prompts 12 --rounds 1"
TRAINING = "--shape 8b --prompts 128 --rounds 2 --micro-batch-tokens 4096"
TINY_TRAINING = "--shape tiny --prompts 8 --rounds 1"

PARTS: dict[str, Part] = {
    "scoring": Part("scoring", SCORING, TINY_SCORING, 120),
    "scoring-nf4": Part("scoring", f"{SCORING} --quantization nf4", f"{TINY_SCORING} --quantization nf4", 240),
    "scoring-compiled": Part("scoring", f"{SCORING} --compile", f"{TINY_SCORING} --compile", 300),
    "training": Part("training", TRAINING, TINY_TRAINING, 120),
    "compiled": Part("training", f"{TRAINING} --compile", f"{TINY_TRAINING} --compile", 300),
    "nf4": Part("training", f"{TRAINING} --quantization nf4", f"{TINY_TRAINING} --quantization nf4", 120),
    "cross-entropy": Part("cross_entropy", "", "--rows 4 --width 8 --vocabulary 32 --rounds 1", 60),
    "face": Part(
        "face",
        "--frames 320 --rounds 1",
        "--frames 3 --size 160x128 --faces 2 --batch-size 2 --rounds 1 --backbone convnextv2_atto",
        90,
    ),
    "speech": Part(
        "speech",
        "--model turbo --minutes 5 --rounds 1 --batch-size 16",
        "--model nano --minutes 0.75 --tokens 8 --batch-size 2 --rounds 1",
        90,
    ),
    "recognisers": Part("ctranslate2_speech", "--model turbo", "--model nano --windows 2 --tokens 8 --rounds 1", 120),
}

# By the run's name, what is set over the config.
SMOLLM2 = {
    f"smollm2-{head}-{seed}": (f"head.kind={head}", f"seed={seed}")
    for seed in (0, 1)
    for head in ("label-words", "classification")
}
SMOLLM2_LIMIT_S = 240.0


def main(argv: Sequence[str] | None = None) -> None:
    names = [*PARTS, "smollm2"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the file of what was found")
    parser.add_argument("--parts", default=",".join(names), help="in this order  [default: %(default)s]")
    parser.add_argument("--data", type=Path, default=MELD, help="MELD's lines  [default: %(default)s]")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="over the config of smollm2")
    parser.add_argument("--tiny", action="store_true", help="sizes that measure nothing")
    parser.add_argument("--again", action="store_true", help="also what is in the file already")
    args = parser.parse_args(argv)
    if unknown := [part for part in args.parts.split(",") if part not in names]:
        parser.error(f"no part {unknown[0]!r}; there are {', '.join(names)}")

    device = resolve_device("auto")
    found = read_json(args.out) if args.out.is_file() else {}
    kept = {"device": device_name(device), "date": date.today().isoformat(), "versions": versions(), **found}
    make_folder(args.out.parent)
    for name in args.parts.split(","):
        parts = kept.setdefault("parts", {})
        if "result" in parts.get(name, {}) and not args.again:
            continue
        began = time.perf_counter()
        try:
            outcome = {"result": way_of(name, args, device)()}
        except Exception as error:  # whatever it is, the parts after it are measured
            reason = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
            outcome = {"error": reason}
            print(f"{name}: {reason}", file=sys.stderr, flush=True)
        parts[name] = outcome | {"seconds": round(time.perf_counter() - began, 1)}
        write_json(args.out, kept)


def way_of(name: str, args: argparse.Namespace, device: str) -> Callable[[], Any]:
    """What a part does; it returns what it found, or raises `Failed`."""
    if name == "smollm2":
        return partial(smollm2, args.data, args.out.parent.resolve(), args.settings, args.tiny, device)
    return partial(measured, PARTS[name], args.tiny, device)


def measured(part: Part, tiny: bool, device: str) -> dict[str, Any]:
    """What a benchmark keeps of itself; what it prints is printed."""
    sizes = part.tiny if tiny else part.full
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE / f"{part.script}.py"), *sizes.split(), "--device", device, "--out", folder]
        with (Path(folder) / "log").open("w+", encoding="utf-8") as log:
            try:
                code = subprocess.run(command, stderr=log, timeout=part.limit_s).returncode
            except subprocess.TimeoutExpired:
                raise Failed(f"stopped after {part.limit_s:.0f} s") from None
            if code:
                log.seek(0)
                raise Failed(last_line(log.read()) or f"ended with {code}")
        (path,) = Path(folder).glob("*.json")
        (result,) = read_json(path).values()
    return {key: value for key, value in result.items() if key not in ("device", "date", "versions")}


# ── a small model in full ────────────────────────────────────────────────────


def smollm2(data: Path, beside: Path, settings: Sequence[str], tiny: bool, device: str) -> dict[str, Any]:
    """What each run reached on dev; their trainings share the device, which none of them fills."""
    from emoscribe.core.errors import EmoscribeError
    from emoscribe.core.weights import find_base

    if not data.is_dir():
        raise Failed(f"MELD is not in {data}; say where with --data")
    try:
        # Written out once, not by all of them at a time.
        find_base("HuggingFaceTB/SmolLM2-135M-Instruct")
    except EmoscribeError as error:
        raise Failed(str(error)) from None
    with tempfile.TemporaryDirectory() as folder:
        if tiny:
            data = few_lines(data, Path(folder) / "few")
            settings = [*settings, "epochs=1", "batch_size=4", "lora.rank=2", "prompt.context_turns=1"]
        variants = dict(list(SMOLLM2.items())[:1]) if tiny else SMOLLM2
        began = time.perf_counter()
        trainings = {name: training(Path(folder), name, data, [*settings, *own]) for name, own in variants.items()}
        runs = {}
        for name, process in trainings.items():
            try:
                code = process.wait(timeout=max(1.0, began + SMOLLM2_LIMIT_S - time.perf_counter()))
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            runs[name] = reached(Path(folder) / name, code)
            if "dev" in runs[name]:
                pack(Path(folder) / name, beside / f"{name}.tar")
    measured = [run["dev"]["weighted_f1"] for run in runs.values() if "dev" in run]
    if not measured:
        raise Failed(next(run["error"] for run in runs.values()))
    least = always_the_same(data) if not tiny else 1.0
    report("meld-smollm2", max(measured), least, "weighted F1 on MELD's dev split", device_name(device))
    return {"runs": runs, "most_frequent_label": least}


def training(folder: Path, name: str, data: Path, settings: Sequence[str]) -> subprocess.Popen[bytes]:
    """A `finetune` that has begun; what it says is in a file of its name."""
    command = [sys.executable, "-m", "emoscribe", "finetune", "meld", "--config", "meld-smollm2"]
    command += ["--data", str(data.resolve()), "--out", str(folder / name)]
    command += [word for setting in settings for word in ("--set", setting)]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)


def reached(run: Path, code: int) -> dict[str, Any]:
    """What is known of a run that came to its end, or to that of its time."""
    log = run.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
    described = read_json(run / "run.json") if (run / "run.json").is_file() else {}
    measures = described.get("metrics", {})
    found = {key: measures[key] for key in ("dev", "best_epoch", "epochs") if key in measures}
    found |= {"seconds": described.get("training", {}).get("seconds"), "temperature": described.get("temperature")}
    return found if code == 0 else found | {"error": last_line(log) or f"ended with {code}"}


def pack(run: Path, tar: Path) -> None:
    """A run in one file, the numbers of its adapter in float16, without a checkpoint or curves."""
    import torch
    from safetensors.torch import load_file, save_file

    for path in run.glob("*.safetensors"):
        save_file({name: each.to(torch.float16) for name, each in load_file(path).items()}, path)
    with atomic_path(tar) as partial, tarfile.open(partial, "w") as packed:
        for path in sorted(run.iterdir()):
            if path.is_file() and not path.name.startswith("checkpoint"):
                packed.add(path, arcname=f"{run.name}/{path.name}")


def always_the_same(data: Path) -> float:
    """Weighted F1 on dev of answering every line with the label that is most frequent there."""
    from emoscribe.corpora.corpus import CorpusRequest
    from emoscribe.corpora.registry import read_corpus
    from emoscribe.experiments.dev_metrics import label_measures

    corpus = read_corpus(CorpusRequest("meld", data))
    true = [str(clip.target) for clip in corpus.split("dev") if clip.target]
    assert corpus.label_set is not None
    most = max(true, key=true.count)
    return label_measures(true, [most] * len(true), corpus.label_set.labels)["weighted_f1"]


def few_lines(data: Path, folder: Path) -> Path:
    """The first lines of MELD's train and dev."""
    make_folder(folder)
    for split, count in (("train", 8), ("dev", 4)):
        lines = (data / f"{split}_sent_emo.csv").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{split}_sent_emo.csv").write_text("".join(lines[: 1 + count]), encoding="utf-8")
    return folder


def last_line(text: str) -> str:
    """Of a traceback, what went wrong, though it be told in many lines; else what was said last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return next(iter([*raised[-1:], *lines[-1:]]), "")[:300]


if __name__ == "__main__":
    main()
