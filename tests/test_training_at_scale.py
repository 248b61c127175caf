"""Training of models that are too large for the plain way: what a batch is cut into, and one model in two processes."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from emoscribe.core.prompt import Prompt, Scored
from emoscribe.core.settings import CONFIGS, load, shipped_configs
from emoscribe.core.weights import FOLDERS_VARIABLE, weights_sha256
from emoscribe.experiments.settings import FinetuneSettings
from emoscribe.llm.batches import Example
from emoscribe.llm.learner import LabelledPrompts, PromptLearner
from emoscribe.llm.run import ADAPTER, HEAD, Base, TextRun
from emoscribe.llm.settings import TrainingSettings
from emoscribe.llm.tokens import PromptTokenizer, micro_batches
from emoscribe.llm.train import fit
from emoscribe.llm.untrained import untrained
from emoscribe.prompts.settings import PromptSettings
from emoscribe.training.callbacks import Callback
from emoscribe.training.checkpoints import CHECKPOINT
from emoscribe.training.progress import Progress
from pydantic import ValidationError
from safetensors.numpy import load_file

LABELS = ("joy", "anger", "neutral")
WORDS = {
    "joy": "great happy day today",
    "anger": "awful out you did what so",
    "neutral": "the train at noon fine a day voice face",
}
BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of three layers and a tokenizer of whole words, in the real on-disk format."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=48,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=128,
        # Far from a fresh model's narrow weights, so that every part shows in the gradients.
        initializer_range=0.2,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words = ["<pad>", "</s>", ":", *LABELS, *dict.fromkeys(" ".join(WORDS.values()).split())]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture(scope="module", autouse=True)
def found(llama: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDERS_VARIABLE, str(llama.parent))
        yield


def examples(count: int) -> list[Example]:
    """Lines of 2 to 40 words."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        label = LABELS[number % 3]
        words = rng.choice(WORDS[label].split(), rng.integers(2, 40))
        text = " ".join(words)
        made.append(Example(Prompt(str(number), text, {"target": (len(text) // 2, len(text))}), label))
    return made


def settings_of(**changed: Any) -> TrainingSettings:
    """With nothing left to chance, so that gradients are the same but for rounding."""
    plain = {
        "head": {"pooling": "last-token"},
        "head_dropout": 0,
        "lora": {"dropout": 0, "rank": 4, "alpha": 8},
        "optimizer": {"learning_rate": 0.01, "head_learning_rate": 0.02},
        "batch_size": 8,
        "epochs": 2,
        "precision": "float32",
        "device": "cpu",
    }
    return TrainingSettings.model_validate(plain | changed)


def run_of(llama: Path, folder: Path, settings: TrainingSettings) -> TextRun:
    return TextRun(
        folder=folder,
        base=Base(id=llama.name, sha256=weights_sha256(llama)),
        head=settings.head,
        label_set="three",
        labels=LABELS,
        prompt=PromptSettings(),
    )


def train(llama: Path, folder: Path, settings: TrainingSettings, **going: Any) -> TextRun:
    return fit(
        run_of(llama, folder, settings),
        llama,
        LabelledPrompts(lambda epoch: examples(37), examples(7), right, "right"),
        settings,
        **going,
    )


def right(scored: Sequence[Scored]) -> dict[str, float]:
    """How likely the labels are on average."""
    told = zip(scored, examples(7), strict=True)
    return {"right": float(np.mean([each.scores[example.target] for each, example in told]))}


# ── what a batch is cut into ─────────────────────────────────────────────────


def test_micro_batches_hold_so_many_tokens_and_every_example_once() -> None:
    rng = np.random.default_rng(0)
    lengths = [int(length) for length in rng.integers(100, 400, 50)]
    batch = sorted(range(50), key=lengths.__getitem__)[3:36]
    for processes in (1, 2, 3):
        shares = micro_batches(batch, lengths, processes, tokens=1024)
        assert len({len(parts) for parts in shares}) == 1
        parts = [part for share in shares for part in share]
        assert sorted(index for part in parts for index in part) == sorted(batch)
        assert all(len(part) * max(lengths[i] for i in part) <= 1024 for part in parts if part)
        read = [sum(lengths[i] for part in share for i in part) for share in shares]
        assert max(read) - min(read) < 400
    # No example is too long for a micro batch of its own.
    assert micro_batches([1, 0], [50, 90], tokens=60) == [[[1], [0]]]
    # More processes than examples: somebody has none.
    assert micro_batches([4], [0] * 5, 2) == [[[4]], [[]]]


@pytest.mark.parametrize(
    "cut", [{"micro_batch_tokens": 70}, {"micro_batch_tokens": 10}, {"micro_batch_size": 3}], ids=str
)
def test_gradients_are_those_of_one_big_batch(llama: Path, cut: dict[str, int]) -> None:
    """Whatever it is cut into, and however unequal the parts are."""
    learnt = examples(11)
    gradients = []
    for changed in ({}, cut):
        settings = settings_of(batch_size=11, loss={"class_weights": "balanced"}, **changed)
        torch.manual_seed(0)
        reader = untrained(llama, run_of(llama, Path("nowhere"), settings), settings, "cpu")
        # As it starts, an adapter adds nothing, and half of it has no gradient.
        with torch.no_grad():
            for name, parameter in reader.model.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=0.1)
        data = LabelledPrompts(lambda epoch: learnt, learnt, right, "right")
        learner = PromptLearner(reader, reader.model, settings, data)
        loss = learner.backward(learner.batches(0)[0], lambda loss: loss)
        gradients.append((loss, [parameter.grad for parameter in [*learner.body, *learner.head]]))
    (whole, of_whole), (parts, of_parts) = gradients
    assert parts == pytest.approx(whole, abs=1e-6)
    assert all(each.abs().max() > 1e-4 for each in of_whole)
    assert max(float((one - other).abs().max()) for one, other in zip(of_whole, of_parts, strict=True)) < 1e-6


def test_a_batch_is_cut_by_one_measure() -> None:
    with pytest.raises(ValidationError, match="set one of them"):
        settings_of(micro_batch_size=2, micro_batch_tokens=64)


# ── how long ─────────────────────────────────────────────────────────────────


class _Stopping(Callback):
    def on_step_end(self, progress: Progress, loss: float, learning_rate: float) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt


def test_seconds_before_it_was_stopped_count(llama: Path, tmp_path: Path) -> None:
    settings = settings_of(checkpoint_steps=2, epochs=1)
    with pytest.raises(KeyboardInterrupt):
        train(llama, tmp_path, settings, callback=_Stopping())
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert state["progress"]["step"] == 2 and state["progress"]["seconds"] > 0
    state["progress"]["seconds"] = 5400.0
    torch.save(state, tmp_path / CHECKPOINT)
    run = train(llama, tmp_path, settings, resume=True)
    assert TextRun.load(tmp_path).training["seconds"] == run.training["seconds"] >= 5400
    assert run.metrics["epochs"][0]["seconds"] >= 5400


# ── how fast ─────────────────────────────────────────────────────────────────


def test_the_benchmark_compares_the_same_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    sizes = ["--shape", "tiny", "--prompts", "32", "--rounds", "1", "--device", "cpu", "--out", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["training.py", *sizes])
    importlib.import_module("training").main()
    *_, line = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert result.keys() == {"name", "ratio", "ours", "plain", "unit", "device"}
    assert result["ratio"] == pytest.approx(result["ours"] / result["plain"], rel=0.01)
    (kept,) = tmp_path.iterdir()
    assert json.loads(kept.read_text())["training"]["shape"] == "tiny"


def test_generated_prompts_are_as_long_as_melds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    made = importlib.import_module("prompts").prompts(256)
    lengths = [len(each.ids) for each in made]
    assert np.mean(lengths) == pytest.approx(208, abs=1) and max(lengths) == 400
    assert len({tuple(each.ids[:100]) for each in made}) == 1 < len({tuple(each.ids[:101]) for each in made})
    # As text, they are read as these tokens, and the target is found in them.
    importlib.import_module("prompts").save_tokenizer(tmp_path, {"max_position_embeddings": 512})
    texts = [Prompt("", each.text, {"target": each.target_characters}) for each in made]
    for tokens, each in zip(PromptTokenizer(tmp_path)(texts), made, strict=True):
        assert tokens.ids.tolist() == each.ids
        assert np.flatnonzero(tokens.target).tolist() == list(range(*each.target))


# ── one model in two processes ───────────────────────────────────────────────

SCRIPT = """
import json, sys
from pathlib import Path

sys.path.insert(0, {tests!r})
from emoscribe.llm.parallel import joined, shared
from emoscribe.llm.untrained import untrained
from test_training_at_scale import run_of, settings_of, train
from torch.distributed.tensor import DTensor

llama, ways, out = map(Path, sys.argv[1:])
device, accelerator = joined(settings_of())
model = untrained(llama, run_of(llama, out, settings_of()), settings_of(), device.type, sharded=True).model
shared(model, device, accelerator)
# Each holds its share of the base, and all of what is trained.
assert all(isinstance(each, DTensor) != each.requires_grad for each in model.parameters())

for name, changed in json.loads(ways.read_text()).items():
    train(llama, out / name, settings_of(**changed))
"""

# AdamW divides by the gradient's size, and so magnifies the last bit, by which
# sums in another order differ; these steps are as long as the gradient.
STEADY = {"optimizer": {"name": "sgd", "learning_rate": 0.3, "head_learning_rate": 0.3}}
WAYS: dict[str, dict[str, Any]] = {
    # Batches of 8 and at last 5; the two shares are cut into different numbers of parts.
    "classification": STEADY | {"weight_average": 0.5, "checkpoint_steps": 2, "micro_batch_tokens": 60},
    "label-words": STEADY | {"head": {"kind": "label-words"}, "base": {"activation_checkpointing": True}},
}


def launched(options: Sequence[str], llama: Path, ways: dict[str, dict[str, Any]], folder: Path) -> None:
    """Train in each way in processes that accelerate starts; the runs are in `two`."""
    (folder / "script.py").write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    (folder / "ways.json").write_text(json.dumps(ways))
    launch = [sys.executable, "-m", "accelerate.commands.launch", *options]
    command = [*launch, *map(str, (folder / "script.py", llama, folder / "ways.json", folder / "two"))]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_processes_hold_one_model_and_learn_as_one(llama: Path, tmp_path: Path) -> None:
    launched(["--use_fsdp", "--num_processes", "2"], llama, WAYS, tmp_path)
    for name, changed in WAYS.items():
        one = train(llama, tmp_path / "one" / name, settings_of(**changed))
        two = TextRun.load(tmp_path / "two" / name)
        for here, there in zip(one.metrics["epochs"], two.metrics["epochs"], strict=True):
            assert here["loss"] == pytest.approx(there["loss"], abs=1e-5)
            assert here["dev"] == pytest.approx(there["dev"], abs=1e-5)
        for file in ADAPTER, HEAD:
            learnt, same = (
                {} if not (run.folder / file).exists() else load_file(run.folder / file) for run in (one, two)
            )
            assert learnt.keys() == same.keys()
            for key in learnt:
                np.testing.assert_allclose(learnt[key], same[key], rtol=1e-5, atol=1e-4, err_msg=f"{name} {key}")
    # Not only as well as the other: something was learnt.
    assert two.metrics["epochs"][-1]["loss"] < 0.9 * two.metrics["epochs"][0]["loss"]


# ── what ships for 70 billion weights ────────────────────────────────────────


def test_the_launch_file_starts_one_model_in_several_processes(llama: Path, tmp_path: Path) -> None:
    """As accelerate reads it: eight GPUs of one machine; here two processes."""
    from accelerate.commands.config.config_args import load_config_from_file

    file = str(CONFIGS / "launch" / "fsdp-8-gpus.yaml")
    read: Any = load_config_from_file(file)
    assert (read.num_processes, read.distributed_type, read.mixed_precision) == (8, "FSDP", "no")
    ways = {"words": STEADY | {"head": {"kind": "label-words"}, "epochs": 1}}
    launched(["--config_file", file, "--num_processes", "2"], llama, ways, tmp_path)
    assert TextRun.load(tmp_path / "two" / "words").metrics["epochs"][0]["loss"] > 0


def test_the_config_of_70_billion_weights_can_be_sharded() -> None:
    assert "meld-llama3-70b" in shipped_configs() and not any("fsdp" in name for name in shipped_configs())
    settings = load(FinetuneSettings, "meld-llama3-70b")
    assert settings.base.quantization == "none" and settings.base.activation_checkpointing
    assert settings.micro_batch_tokens is not None and settings.precision == "bfloat16"
