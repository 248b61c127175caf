"""How many prompts a second a causal model scores.

    python benchmarks/scoring.py [--shape small|8b] [--device cpu|cuda] [--prompts N] [--quantization nf4] [--compile]
                                 [--out DIR]

The prompts are generated, as long as MELD's with twelve turns before each
(`prompts.py`); the model is Llama-shaped with random weights, which take as
long as learnt ones.  Ours is `llm.score.score`: what prompts share is read
once, the rest in batches of similar length.  Two plain ways do the same work
with the same weights:

- padded: the loop of research code, eight prompts at a time in order, all
  padded to the longest of the data set, under a classification head.  Both
  ways have to give the same scores;
- generate: an answer of four tokens written by `generate()`, eight prompts at
  a time, against likelihoods of the labels' words.

All ways read the same base, in four bits or with its layers through
`torch.compile` where that is asked for.  They take turns, and the median round counts.  The last line is against
the padded loop.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from emoscribe.core.context import resolve_device
from emoscribe.core.prompt import Prompt
from emoscribe.llm.base import load_base
from emoscribe.llm.encoder import Encoder
from emoscribe.llm.heads import Classification, Classifier
from emoscribe.llm.label_words import LabelWords
from emoscribe.llm.predictor import TextPredictor
from emoscribe.llm.run import Base, TextRun
from emoscribe.llm.settings import Head
from emoscribe.llm.tokens import PromptTokenizer
from emoscribe.prompts.settings import PromptSettings
from results import device_name, report

from prompts import LABELS, VOCABULARY, WORDS, Generated, prompts, save_tokenizer

BATCH = 8
ANSWER_TOKENS = 4

# The second as published with Meta-Llama-3-8B.
SHAPES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    "small": {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 6, "num_attention_heads": 8},
    "8b": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32},
}
VOCABULARIES = {"8b": 128256}


def model_of(shape: str, device: str, quantization: str = "none") -> Any:
    """A Llama of that shape with random weights, in bfloat16 on a GPU."""
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = SHAPES[shape]
    config = LlamaConfig(
        **sizes,
        num_key_value_heads=sizes["num_attention_heads"] // 4,
        vocab_size=VOCABULARIES.get(shape, VOCABULARY),
        max_position_embeddings=8192,
        bos_token_id=None,
        eos_token_id=WORDS["</s>"],
        pad_token_id=WORDS["<pad>"],
    )
    torch.manual_seed(0)
    # Built where it is used: 16 GB in the making would fill a machine's memory twice.
    with torch.device(device):
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.bfloat16 if device == "cuda" else torch.float32)
        try:
            model = LlamaForCausalLM(config).eval()
        finally:
            torch.set_default_dtype(before)
    if quantization == "none":
        return model
    # Weights are brought into few bits while they are read.
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        dtype = model.dtype
        del model
        return load_base(Path(folder), Head(kind="label-words"), quantization, device, dtype)


def padded(model: Any, head: Classifier, made: list[Generated], device: str) -> list[list[float]]:
    """The plain loop: scores of each prompt."""
    longest = max(len(each.ids) for each in made)
    rows: list[list[float]] = []
    for first in range(0, len(made), BATCH):
        batch = made[first : first + BATCH]
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        attended = torch.zeros_like(ids)
        for row, each in enumerate(batch):
            ids[row, : len(each.ids)] = torch.tensor(each.ids)
            attended[row, : len(each.ids)] = 1
        with torch.inference_mode():
            hidden = model.model(input_ids=ids.to(device), attention_mask=attended.to(device)).last_hidden_state
            last = hidden[torch.arange(len(batch)), attended.sum(1) - 1]
            rows += head.classifier(last.float()).softmax(-1).tolist()
    return rows


def generated(model: Any, made: list[Generated], device: str) -> None:
    """The other plain way: an answer is written, to be looked for a label in."""
    for first in range(0, len(made), BATCH):
        batch = made[first : first + BATCH]
        longest = max(len(each.ids) for each in batch)
        ids = torch.tensor([[WORDS["<pad>"]] * (longest - len(each.ids)) + each.ids for each in batch])
        attended = torch.tensor([[0] * (longest - len(each.ids)) + [1] * len(each.ids) for each in batch])
        with torch.inference_mode():
            model.generate(
                input_ids=ids.to(device),
                attention_mask=attended.to(device),
                max_new_tokens=ANSWER_TOKENS,
                min_new_tokens=ANSWER_TOKENS,
                do_sample=False,
            )


def seconds(ways: dict[str, Callable[[], object]], rounds: int, device: str) -> dict[str, float]:
    """Of each way the median over the rounds, in which they take turns; a first one warms up."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if device == "cuda":
                torch.cuda.synchronize()
            if turn:
                took[name].append(time.perf_counter() - began)
    return {name: median(each) for name, each in took.items()}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, help="[default: 8b on a GPU, else small]")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--prompts", type=int, help="[default: 2048 on a GPU, else 96]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quantization", choices=["none", "nf4"], default="none", help="of the base")
    parser.add_argument("--compile", action="store_true", help="its layers, for all ways")
    parser.add_argument("--out", type=Path, help="a folder to keep the result in")
    args = parser.parse_args(argv)

    device = resolve_device(args.device)
    shape = args.shape or ("8b" if device == "cuda" else "small")
    made = prompts(args.prompts or (2048 if device == "cuda" else 96))
    model: Any = model_of(shape, device, args.quantization)
    if args.compile:
        for layer in model.model.layers:
            layer.compile(dynamic=True)
    head = Classifier(SHAPES[shape]["hidden_size"], len(LABELS), "last-token").to(device).eval()
    asked = [Prompt(str(i), each.text, {"target": each.target_characters}) for i, each in enumerate(made)]
    with tempfile.TemporaryDirectory() as folder:
        save_tokenizer(Path(folder), model.config.to_dict())
        run = TextRun(folder=Path(folder), base=Base(id="random"), labels=LABELS, prompt=PromptSettings())
        classifying = TextPredictor(
            run, Classification(Encoder(model.model), head), PromptTokenizer(Path(folder)), device
        )
        words = PromptTokenizer(Path(folder), LABELS)
        answering = TextPredictor(run, LabelWords(model, words.answers).to(device), words, device)

    theirs = padded(model, head, made, device)
    worst = max(
        abs(a - b)
        for one, row in zip(classifying.predict(asked), theirs, strict=True)
        for a, b in zip(one.scores.values(), row, strict=True)
    )
    mean = sum(len(each.ids) for each in made) / len(made)
    print(f"{len(made)} prompts, {mean:.0f} tokens on average, on a {shape} model")
    print(f"the same scores as the padded loop, to {worst:.1e}")
    if worst > (0.05 if device == "cuda" else 1e-4):
        raise SystemExit("scores differ: nothing to compare")

    took = seconds(
        {
            "ours, classification": lambda: classifying.predict(asked),
            "padded": lambda: padded(model, head, made, device),
            "ours, label words": lambda: answering.predict(asked),
            "generate": lambda: generated(model, made, device),
        },
        args.rounds,
        device,
    )
    rates = {name: len(made) / each for name, each in took.items()}
    for name, rate in rates.items():
        print(f"{name:22} {rate:8.1f} prompts/s")
    against_generate = rates["ours, label words"] / rates["generate"]
    print(f"label words against generate(): {against_generate:.2f} ×")
    report(
        "scoring",
        rates["ours, classification"],
        rates["padded"],
        "prompts/s",
        device_name(device),
        args.out,
        shape=shape,
        quantization=args.quantization,
        compiled=args.compile,
        against_generate=round(against_generate, 3),
    )


if __name__ == "__main__":
    main()
