"""How fast adapters are trained, against the plain loop of research code.

    python benchmarks/training.py [--shape small] [--prompts 128] [--rounds 3] [--quantization nf4] [--compile]
                                  [--out DIR]

Both ways train the same LoRA adapter and classification head on the same
Llama-shaped base of random weights, on the same prompts, 32 an update.  Ours
is what `finetune` does: batches of prompts of similar length, cut so that a
device has `--micro-batch-tokens` at once.  The plain way pads all prompts to
the longest of the data set and takes them in random order, 8 at once, with
their gradients accumulated.  Rounds alternate; the medians are compared.

`--shape 8b` has the published configuration of Llama-3-8B and needs a GPU
with 80 GB.  Tokens a second are those of prompts, without padding.  A fused
cross-entropy has nothing to save here: logits are computed at the labels alone.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from emoscribe.core.prompt import Prompt
from emoscribe.llm.base import dtype_for, load_base
from emoscribe.llm.batches import Example
from emoscribe.llm.encoder import Encoder
from emoscribe.llm.heads import Classification
from emoscribe.llm.learner import LabelledPrompts, PromptLearner
from emoscribe.llm.predictor import TextPredictor
from emoscribe.llm.run import Base, TextRun
from emoscribe.llm.settings import TrainingSettings
from emoscribe.llm.tokens import PromptTokenizer, Tokens
from emoscribe.llm.untrained import adapted
from emoscribe.prompts.settings import PromptSettings
from emoscribe.training.optimizers import optimizer_for
from emoscribe.training.updates import Updates
from results import device_name, report
from torch.nn.functional import cross_entropy

from prompts import LABELS, VOCABULARY, prompts, save_tokenizer

BATCH_SIZE = 32
# What research code takes at once.
PLAIN_SIZE = 8

_SMALL = {"vocab_size": VOCABULARY, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512}
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": _SMALL | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1},
    "small": _SMALL | {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 2},
    "8b": {
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
    },
}


def settings_of(device: str, micro_batch_tokens: int, quantization: str = "none") -> TrainingSettings:
    return TrainingSettings.model_validate(
        {
            "base": {"quantization": quantization},
            "head": {"pooling": "last-token"},
            "batch_size": BATCH_SIZE,
            "micro_batch_tokens": micro_batch_tokens,
            "precision": "bfloat16" if device == "cuda" else "float32",
        }
    )


def run_of(labels: tuple[str, ...], settings: TrainingSettings) -> TextRun:
    return TextRun(
        folder=Path("nowhere"),
        base=Base(id="random", sha256="0" * 64),
        head=settings.head,
        label_set="basic",
        labels=labels,
        prompt=PromptSettings(),
    )


def untrained(shape: str, settings: TrainingSettings, device: str) -> TextPredictor:
    """A base of random weights, made on the device, with a fresh adapter and head."""
    from transformers import AutoModel, LlamaConfig

    config, dtype = LlamaConfig(**SHAPES[shape]), dtype_for(device, settings.precision)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        save_tokenizer(Path(folder), config.to_dict())
        tokenizer = PromptTokenizer(Path(folder))
        with torch.device(device):
            model = AutoModel.from_config(config, dtype=dtype)
        if settings.base.quantization != "none":
            # Weights are brought into few bits while they are read.
            model.save_pretrained(folder)
            model = load_base(Path(folder), settings.head, settings.base.quantization, device, dtype)
    with torch.device(device):
        return adapted(model, run_of(LABELS, settings), settings, tokenizer, device)


def compile_layers(reader: TextPredictor) -> None:
    """Each layer by itself, for prompts of any length: what is compiled for one serves all."""
    assert isinstance(reader.model, Classification) and isinstance(reader.model.encoder, Encoder)
    base: Any = reader.model.encoder.model
    for layer in base.get_base_model().layers:
        layer.compile(dynamic=True)


def examples(count: int) -> list[Example]:
    return [
        Example(Prompt(str(i), each.text, {"target": each.target_characters}), LABELS[i % len(LABELS)])
        for i, each in enumerate(prompts(count))
    ]


class Ours:
    """An epoch of `finetune`'s own steps."""

    def __init__(self, reader: TextPredictor, learnt: Sequence[Example], settings: TrainingSettings):
        data = LabelledPrompts(lambda epoch: learnt, learnt, lambda scored: {}, "")
        learner = PromptLearner(reader, reader.model, settings, data)
        self._batches = learner.batches(0)
        self._updates = Updates(learner, settings, steps=10**6)
        self._step = 0

    def epoch(self) -> None:
        for batch in self._batches:
            self._updates.update(batch, self._step)
            self._step += 1


class Plain:
    """An epoch of the plain loop."""

    def __init__(
        self, reader: TextPredictor, learnt: Sequence[Example], tokens: Sequence[Tokens], settings: TrainingSettings
    ):
        self._model, self._settings = reader.model, settings
        self._parameters = [each for each in reader.model.parameters() if each.requires_grad]
        self._optimizer = optimizer_for(self._parameters, [], settings.optimizer)
        self._device = torch.device(reader.device)
        longest = max(map(len, tokens))
        self._inputs = {
            "ids": torch.full((len(tokens), longest), reader.tokenizer.padding_id),
            "attended": torch.zeros(len(tokens), longest, dtype=torch.bool),
            "target": torch.zeros(len(tokens), longest, dtype=torch.bool),
        }
        for row, each in enumerate(tokens):
            self._inputs["ids"][row, : len(each)] = torch.from_numpy(each.ids)
            self._inputs["attended"][row, : len(each)] = True
            self._inputs["target"][row, : len(each)] = torch.from_numpy(each.target)
        self._targets = torch.tensor([LABELS.index(str(each.target)) for each in learnt])

    def epoch(self) -> None:
        half = self._settings.precision == "bfloat16"
        for batch in torch.randperm(len(self._targets)).split(BATCH_SIZE):
            for part in batch.split(PLAIN_SIZE):
                inputs = {name: tensor[part].to(self._device) for name, tensor in self._inputs.items()}
                with torch.autocast(self._device.type, torch.bfloat16, enabled=half):
                    logits = self._model(inputs)
                targets = self._targets[part].to(self._device)
                (cross_entropy(logits.float(), targets, reduction="sum") / len(batch)).backward()
            torch.nn.utils.clip_grad_norm_(self._parameters, self._settings.optimizer.clip_norm)
            self._optimizer.step()
            self._optimizer.zero_grad()


def seconds_of(way: Ours | Plain, device: str) -> float:
    began = time.perf_counter()
    way.epoch()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cuda = torch.cuda.is_available()
    parser.add_argument("--shape", choices=SHAPES, default="8b" if cuda else "small")
    parser.add_argument("--prompts", type=int, default=512 if cuda else 128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--micro-batch-tokens", type=int, default=4096 if cuda else 2048)
    parser.add_argument("--quantization", choices=["none", "nf4"], default="none", help="of the base")
    parser.add_argument("--compile", action="store_true", help="its layers, for both ways")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if cuda else "cpu")
    parser.add_argument("--out", type=Path, help="keep the result in this folder's file of the device")
    args = parser.parse_args(argv)

    settings = settings_of(args.device, args.micro_batch_tokens, args.quantization)
    reader = untrained(args.shape, settings, args.device)
    if args.compile:
        compile_layers(reader)
    reader.model.train()
    learnt = examples(args.prompts)
    tokens = reader.tokenizer([each.prompt for each in learnt])
    ways = {"ours": Ours(reader, learnt, settings), "plain": Plain(reader, learnt, tokens, settings)}
    # The first round is slower: memory is taken, kernels are chosen.
    if args.rounds > 1:
        for way in ways.values():
            seconds_of(way, args.device)
    rounds = [{name: seconds_of(way, args.device) for name, way in ways.items()} for _ in range(args.rounds)]
    seconds = {name: statistics.median(each[name] for each in rounds) for name in ways}
    rates = {name: sum(map(len, tokens)) / each for name, each in seconds.items()}
    for name, each in seconds.items():
        print(f"{name:6} {args.prompts / each:8.2f} samples/s  {rates[name]:9.0f} tokens/s")
    report(
        "training",
        args.prompts / seconds["ours"],
        args.prompts / seconds["plain"],
        "samples/s",
        device_name(args.device),
        args.out,
        shape=args.shape,
        prompts=args.prompts,
        rounds=args.rounds,
        micro_batch_tokens=args.micro_batch_tokens,
        quantization=args.quantization,
        compiled=args.compile,
        tokens_per_s=round(rates["ours"]),
    )


if __name__ == "__main__":
    main()
