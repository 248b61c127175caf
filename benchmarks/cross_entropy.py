"""Updates a second of the last layer of a language model: its loss fused with it, and the one after the other.

    python benchmarks/cross_entropy.py [--rows 4096] [--width 4096] [--vocabulary 128256] [--device auto] [--out DIR]

The plain way makes logits of the whole vocabulary in float32 and then their
cross-entropy, as loops do; PyTorch's own `linear_cross_entropy` makes them a
chunk at a time.  Both give the same loss, and gradients of what goes in.
Label words are scored at a handful of positions a prompt, which is why
`finetune` does without: this says from how many rows on it would be worth it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch
from emoscribe.core.context import resolve_device
from results import device_name, report
from torch import Tensor, nn
from torch.nn import functional


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="positions with a target  [default: 4096 on a GPU, 64 on a CPU]")
    parser.add_argument("--width", type=int, default=4096, help="of the model  [default: %(default)s]")
    parser.add_argument("--vocabulary", type=int, help="[default: 128256 on a GPU, 8192 on a CPU]")
    parser.add_argument("--rounds", type=int, default=5, help="of both ways in turn  [default: %(default)s]")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--out", type=Path, help="keep the result in this folder")
    args = parser.parse_args(argv)

    options = getattr(nn, "LinearCrossEntropyOptions", None)
    if options is None:
        raise SystemExit(f"torch {torch.__version__} has no linear_cross_entropy in chunks")
    device = resolve_device(args.device)
    on_gpu = device == "cuda"
    rows, size = args.rows or (4096 if on_gpu else 64), args.vocabulary or (128_256 if on_gpu else 8192)
    torch.manual_seed(0)
    made = {"device": device, "dtype": torch.bfloat16 if on_gpu else torch.float32}
    hidden = torch.randn(rows, args.width, **made).requires_grad_()
    weight = torch.randn(size, args.width, **made) / args.width**0.5
    targets = torch.randint(size, (rows,), device=device)

    ways: dict[str, Callable[[], Tensor]] = {
        "ours": lambda: functional.linear_cross_entropy(hidden, weight, targets, options=options()),
        "plain": lambda: functional.cross_entropy((hidden @ weight.T).float(), targets),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    losses, memory = {}, {}
    for _ in range(args.rounds + 1):
        for name, way in ways.items():
            if on_gpu:
                torch.cuda.reset_peak_memory_stats()
                torch.cuda.synchronize()
            hidden.grad = None
            began = time.perf_counter()
            loss = way()
            loss.backward()
            if on_gpu:
                torch.cuda.synchronize()
                memory[name] = torch.cuda.max_memory_allocated()
            took[name].append(time.perf_counter() - began)
            losses[name] = float(loss.detach())
    if abs(losses["ours"] - losses["plain"]) > (0.05 if on_gpu else 1e-4):
        raise SystemExit(f"losses differ ({losses['ours']:.4f}, {losses['plain']:.4f}): nothing to compare")
    # The first round warms up.
    seconds = {name: median(each[1:]) for name, each in took.items()}
    for name, each in seconds.items():
        print(f"{name:6} {1000 * each:9.2f} ms" + (f", {memory[name] / 1e9:.2f} GB" if memory else ""))
    report(
        "cross-entropy",
        seconds["ours"],
        seconds["plain"],
        "seconds an update",
        device_name(device),
        args.out,
        rows=rows,
        width=args.width,
        vocabulary=size,
        peak_bytes=memory,
    )


if __name__ == "__main__":
    main()
