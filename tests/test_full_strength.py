"""Whisper, py-feat and each kind of base together, from the command line to the JSON.

The checkpoints are tiny and random, in the formats and places in which the
real ones lie; what loads and runs them is what loads and runs those.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.labels import BASIC
from emoscribe.core.weights import FOLDERS_VARIABLE, weights_sha256
from emoscribe.extractors import media
from emoscribe.extractors.face import pyfeat_weights as face_pyfeat_weights
from emoscribe.llm.run import Base, TextRun
from emoscribe.llm.settings import Head, LoraSettings, TrainingSettings
from emoscribe.prompts.settings import PromptSettings

COMMIT = "c" * 40
ORGANISATION = "somebody"
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
COMMON = {"vocab_size": 280, "max_position_embeddings": 2048, "initializer_range": 0.3, "pad_token_id": None}
HEADS = {
    "bert": Head(pooling="target-mean+pooler"),
    "llama": Head(pooling="last-token"),
    "qwen3": Head(kind="label-words"),
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the hub's library whose cache holds three base models."""
    import torch
    import transformers as tf

    home = tmp_path_factory.mktemp("huggingface")
    causal = {**SIZES, **COMMON, "num_key_value_heads": 2, "bos_token_id": 1, "eos_token_id": 2}
    models: dict[str, Callable[[], Any]] = {
        "bert": lambda: tf.BertModel(tf.BertConfig(**SIZES, **COMMON | {"pad_token_id": 0})),
        "llama": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**causal)),
        "qwen3": lambda: tf.Qwen3ForCausalLM(tf.Qwen3Config(**causal, tie_word_embeddings=True)),
    }
    for name, make in models.items():
        torch.manual_seed(0)
        folder = home / "made" / name
        make().save_pretrained(folder)
        save_tokenizer(folder / "tokenizer.json", name)
        cache(folder, home / "hub" / f"models--{ORGANISATION}--tiny-{name}")
    return home


def save_tokenizer(path: Path, name: str) -> None:
    """A token a byte, with the first and last tokens of each kind of base."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    specials = ["<pad>", "<s>", "</s>", "[CLS]", "[SEP]"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=261, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([], trainer)
    if name == "bert":
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 4), ("[CLS]", 3))
    elif name == "llama":
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.save(str(path))


def cache(model: Path, folder: Path) -> None:
    """The files of a model as the hub's library keeps them: by hash, with links to them by name."""
    snapshot = folder / "snapshots" / COMMIT
    for part in (folder / "blobs", folder / "refs", snapshot):
        part.mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    for path in model.iterdir():
        blob = folder / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        path.rename(blob)
        (snapshot / path.name).symlink_to(f"../../blobs/{blob.name}")


@pytest.fixture
def runs(hub: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Makes a run on one of the bases, its adapter as a training begins with it."""
    from emoscribe.llm.checkpoint import save_adapter
    from emoscribe.llm.untrained import untrained

    def make(name: str) -> Path:
        import torch

        torch.manual_seed(0)
        id = f"{ORGANISATION}/tiny-{name}"
        base = hub / "hub" / f"models--{ORGANISATION}--tiny-{name}" / "snapshots" / COMMIT
        run = TextRun(
            folder=tmp_path / f"run-{name}",
            base=Base(id=id, sha256=weights_sha256(base)),
            head=HEADS[name],
            label_set=BASIC.name,
            labels=BASIC.labels,
            prompt=PromptSettings(template="brief" if name == "bert" else "question", context_turns=2),
        )
        run.save()
        settings = TrainingSettings(head=run.head, device="cpu", lora=LoraSettings(rank=4, alpha=8))
        save_adapter(untrained(base, run, settings, "cpu"), id, run.folder)
        return run.folder

    return make


@pytest.fixture(scope="module")
def video(example: Path, make_media, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spoken lines over grey frames, on which random weights see faces all the same."""
    with media.sound(example) as sound:
        said = sound.read(0.0, 5.7)
    return make_media(
        tmp_path_factory.mktemp("video") / "two-lines.mp4",
        frame_times_s=np.arange(0, 5.7, 0.5),
        size=(160, 128),
        sound=said,
    )


@pytest.fixture(scope="module")
def perceived(save_whisper, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the runs share: Whisper's checkpoint, and a store, so that nothing is perceived twice."""
    folder = tmp_path_factory.mktemp("perceived")
    return {"whisper": save_whisper(folder / "tiny-random.pt"), "store": folder / "store"}


@pytest.fixture
def machine(hub: Path, pyfeat_weights: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine with these weights and no network; whoever was asked for all the same."""
    monkeypatch.setenv("HF_HOME", str(hub))
    # The library reads the variable when it is imported, which it may have been.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub / "hub"))
    monkeypatch.delenv(FOLDERS_VARIABLE, raising=False)
    monkeypatch.setattr(face_pyfeat_weights, "_cache", lambda: str(pyfeat_weights))
    asked: list[str] = []

    def no_network(host: Any, *given: Any, **named: Any) -> None:
        asked.append(str(host))
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: no_network(address))
    return asked


@pytest.mark.parametrize("name", HEADS)
def test_from_the_command_line_to_the_json(
    name: str,
    runs: Callable[[str], Path],
    video: Path,
    perceived: dict[str, Path],
    pyfeat_weights: Path,
    machine: list[str],
    tmp_path: Path,
) -> None:
    run, out = runs(name), tmp_path / "out"
    config = tmp_path / "full.yaml"
    asked_for = {
        "speech": {"engine": "whisper", "model": str(perceived["whisper"]), "device": "cpu"},
        "face": {"engine": "py-feat", "device": "cpu", "sampling_fps": 2, "max_faces": 2},
        "model": {"run": str(run), "device": "cpu"},
    }
    config.write_text(yaml.safe_dump(asked_for))
    reading = [str(video), "--config", str(config), "--store", str(perceived["store"])]
    done = CliRunner().invoke(main, ["analyze", *reading, "--out", str(out), "--formats", "json"])
    assert done.exit_code == 0, done.output
    assert machine == [], "the network was tried although all weights are here"

    page = json.loads((out / "two-lines.json").read_text(encoding="utf-8"))
    assert page["labels"] == list(BASIC.labels)
    spoken = [segment for segment in page["segments"] if segment["voice"] not in (None, "no voice")]
    assert len(spoken) == 2 and any(segment["text"] for segment in spoken)
    for segment in page["segments"]:
        assert list(segment["scores"]) == page["labels"]
        assert sum(segment["scores"].values()) == pytest.approx(1, abs=1e-3)
        assert segment["label"] == max(segment["scores"], key=segment["scores"].__getitem__)
    assert len({json.dumps(segment["scores"]) for segment in spoken}) == 2, "the model does not read the words"

    speech, face, model = (page["provenance"][part] for part in ("speech", "face", "model"))
    assert (speech["engine"], speech["model"]) == ("whisper", str(perceived["whisper"]))
    assert speech["sha256"] == hashlib.sha256(perceived["whisper"].read_bytes()).hexdigest()
    assert (face["engine"], face["sampling_fps"], face["precision"]) == ("py-feat", 2.0, "float32")
    weights = {path.parts[-4]: path for path in pyfeat_weights.glob("*/snapshots/*/*.safetensors")}
    assert face["weights_sha256"] == {
        "detector": hashlib.sha256(weights["models--py-feat--retinaface_r34"].read_bytes()).hexdigest(),
        "rater": hashlib.sha256(weights["models--py-feat--face_multitask_v2"].read_bytes()).hexdigest(),
    }
    assert model["base"] == f"{ORGANISATION}/tiny-{name}"

    # What py-feat rates besides the units is said, and is what the model reads.
    asked = CliRunner().invoke(main, ["prompt", *reading])
    assert asked.exit_code == 0, asked.output
    assert machine == []
    for segment in spoken:
        assert re.search("(looks|may look) ", segment["face"])
        assert any(word in segment["face"] for word in ("pleasant", "unpleasant"))
        assert any(word in segment["face"] for word in ("calm", "aroused"))
        assert segment["face"] in asked.output
