"""Every head on every kind of base: tiny random ones in the real on-disk format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError, UnavailableError
from emoscribe.core.prompt import Prompt
from emoscribe.core.timeline import Moment
from emoscribe.core.weights import FOLDERS_VARIABLE, weights_sha256
from emoscribe.llm.base import load_base
from emoscribe.llm.batches import Batches, Example
from emoscribe.llm.checkpoint import save_adapter
from emoscribe.llm.label_words import LabelWords
from emoscribe.llm.predictor import TextPredictor, load_predictor
from emoscribe.llm.run import ADAPTER, ADAPTER_CONFIG, HEAD, Base, TextRun
from emoscribe.llm.settings import BaseSettings, Head, LoraSettings, TrainingSettings
from emoscribe.llm.tokens import PromptTokenizer, collate
from emoscribe.llm.untrained import untrained
from emoscribe.prompts.render import render
from emoscribe.prompts.settings import PromptSettings

# The first is the beginning of the second, and shares its first token with the third.
LABELS = ("sad", "sadly angry", "sadly fearful", "joy")
SAID = ("what a great day", "you did what", "awful , awful you", "fine .", "he is gone and I am alone now", "great")
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
# Far from a fresh model's narrow weights, so that every part shows in the scores.
COMMON = {"vocab_size": 400, "initializer_range": 0.3, "pad_token_id": None, "bos_token_id": 1, "eos_token_id": 2}
CAUSAL = {"tie_word_embeddings": False, "num_key_value_heads": 2, "max_position_embeddings": 128, **SIZES, **COMMON}


def save_tokenizer(folder: Path, spaces: str) -> None:
    """Byte-level as of GPT-2 and Qwen, or with spaces as letters and a first token as of Llama 2; or BERT's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(byte_fallback=spaces == "letters"))
    specials = ["<pad>", "<s>", "</s>", "[CLS]", "[SEP]"]
    alphabet = [] if spaces == "letters" else pre_tokenizers.ByteLevel.alphabet()
    trainer: Any = trainers.BpeTrainer(
        vocab_size=400, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    if spaces == "letters":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    if spaces == "bert":
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", 4), ("[CLS]", 3))
    lines = [
        *SAID,
        "sad",
        "joy",
        'someone: "" face: smile voice: loud Which emotion does the last speaker show? emotion:',
    ]
    tokenizer.train_from_iterator(lines * 3, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of base models."""
    import transformers as tf

    folder = tmp_path_factory.mktemp("models")
    models: dict[str, tuple[str, Callable[[], Any]]] = {
        "bert": ("bert", lambda: tf.BertModel(tf.BertConfig(**SIZES, **COMMON, max_position_embeddings=96))),
        "roberta": ("bert", lambda: tf.RobertaForMaskedLM(tf.RobertaConfig(**SIZES, **COMMON | {"pad_token_id": 0}))),
        "llama": ("letters", lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**CAUSAL))),
        "deep-llama": ("letters", lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**CAUSAL | {"num_hidden_layers": 3}))),
        "headless-llama": ("letters", lambda: tf.LlamaModel(tf.LlamaConfig(**CAUSAL))),
        "qwen3": ("bytes", lambda: tf.Qwen3ForCausalLM(tf.Qwen3Config(**CAUSAL | {"tie_word_embeddings": True}))),
        "gpt2": (
            "bytes",
            lambda: tf.GPT2LMHeadModel(tf.GPT2Config(**COMMON, n_positions=128, n_embd=32, n_layer=2, n_head=4)),
        ),
        "gemma3": (
            "letters",
            lambda: tf.Gemma3ForCausalLM(tf.Gemma3TextConfig(**CAUSAL, head_dim=8, sliding_window=9)),
        ),
        "mistral": ("letters", lambda: tf.MistralForCausalLM(tf.MistralConfig(**CAUSAL, sliding_window=9))),
    }
    for name, (spaces, make) in models.items():
        torch.manual_seed(0)
        make().save_pretrained(folder / name)
        save_tokenizer(folder / name, spaces)
    return folder


@pytest.fixture(autouse=True)
def found(bases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDERS_VARIABLE, str(bases))


def prompts(template: str = "question") -> list[Prompt]:
    settings = PromptSettings(template=template)
    return [render([Moment(0, 1, None, text, "smile")], 0, settings, id=text, labels=LABELS) for text in SAID]


def settings_of(head: Head, **changed: Any) -> TrainingSettings:
    return TrainingSettings(head=head, device="cpu", **changed)


def run_of(base: Path, settings: TrainingSettings, folder: Path) -> TextRun:
    return TextRun(
        folder=folder,
        base=Base(id=base.name, sha256=weights_sha256(base), quantization=settings.base.quantization),
        head=settings.head,
        label_set="four",
        labels=LABELS,
        prompt=PromptSettings(template="question"),
    )


def fresh(base: Path, settings: TrainingSettings, folder: Path = Path("nowhere")) -> TextPredictor:
    torch.manual_seed(0)
    return untrained(base, run_of(base, settings, folder), settings, "cpu")


def logits_of(reader: TextPredictor, some: list[Prompt]) -> torch.Tensor:
    with torch.no_grad():
        return reader.model(collate(reader.tokenizer(some), reader.tokenizer.padding_id, "cpu"))


def train(reader: TextPredictor, steps: int = 6) -> list[float]:
    """A few steps; the losses."""
    reader.model.train()
    parameters = [parameter for parameter in reader.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=0.01)
    batch = collate(reader.tokenizer(prompts()), reader.tokenizer.padding_id, "cpu")
    losses = []
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(reader.model(batch), torch.tensor([3, 1, 1, 3, 0, 3]))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    reader.model.eval()
    return losses


POOLINGS = [
    ("bert", "target-mean+pooler"),
    ("bert", "target-mean"),
    ("roberta", "target-mean+pooler"),
    ("llama", "last-token"),
    ("qwen3", "target-mean"),
    ("gpt2", "last-token"),
]
HEADS = [(base, Head(pooling=pooling)) for base, pooling in POOLINGS] + [  # pyright: ignore
    (base, Head(kind="label-words")) for base in ("llama", "qwen3", "gpt2")
]


# ── from a fresh adapter to a run that is read ───────────────────────────────


@pytest.mark.parametrize(("name", "head"), HEADS, ids=[f"{b}-{h.kind}-{h.pooling}" for b, h in HEADS])
def test_what_is_read_is_what_was_trained(bases: Path, name: str, head: Head, tmp_path: Path) -> None:
    reader = fresh(bases / name, settings_of(head, lora=LoraSettings(rank=4, alpha=8, rank_stabilized=True)))
    before = logits_of(reader, prompts())
    losses = train(reader)
    assert losses[-1] < 0.9 * losses[0]
    trained = logits_of(reader, prompts())
    assert (trained - before).abs().max() > 0.1

    save_adapter(reader, name, tmp_path)
    assert (tmp_path / HEAD).exists() == (head.kind == "classification") == (reader.model.head is not None)
    description = (tmp_path / ADAPTER_CONFIG).read_text()
    assert json.loads(description)["base_model_name_or_path"] == name and str(bases) not in description
    read = load_predictor(run_of(bases / name, settings_of(head), tmp_path), Context(device="cpu", offline=True))
    assert (logits_of(read, prompts()) - trained).abs().max() < 1e-4
    one_by_one = torch.cat([logits_of(read, [prompt]) for prompt in prompts()])
    assert (one_by_one - trained).abs().max() < 1e-4


# ── turns that are remembered ────────────────────────────────────────────────


def dialogue(template: str = "question") -> list[Prompt]:
    """What is said as one conversation of two, whose last two turns are remembered."""
    settings = PromptSettings(template=template, history_turns=2)
    moments = [Moment(place, place + 1, "AB"[place % 2], text, "smile") for place, text in enumerate(SAID)]
    return [render(moments, place, settings, id=text, labels=LABELS) for place, text in enumerate(SAID)]


def remembering(base: Path, folder: Path = Path("nowhere")) -> TextPredictor:
    settings = settings_of(Head(pooling="target-mean"), head_dropout=0, lora=LoraSettings(dropout=0))
    torch.manual_seed(0)
    run = run_of(base, settings, folder).model_copy(update={"prompt": PromptSettings(history_turns=2)})
    return untrained(base, run, settings, "cpu")


def test_turns_are_remembered_in_their_order_and_a_fresh_memory_adds_nothing(bases: Path) -> None:
    reader, prompts_ = remembering(bases / "bert"), dialogue()
    reader.model.eval()
    forgetful = [replace(prompt, history=()) for prompt in prompts_]
    assert reader.predict(prompts_) == reader.predict(forgetful)
    assert reader.model.head is not None and reader.model.head.memory is not None
    for fresh_weights in (reader.model.head.memory.classifier.weight, reader.model.head.memory.who.weight):
        torch.nn.init.normal_(fresh_weights)
    scored = reader.predict(prompts_)
    # The first follows nothing.
    assert scored[0] == reader.predict(forgetful)[0] and scored[1:] != reader.predict(forgetful)[1:]
    last = prompts_[-1]
    changed = {
        "another order": replace(last, history=last.history[::-1]),
        "another speaker": replace(last, history=(replace(last.history[0], same_speaker=False), last.history[1])),
        "nobody known": replace(last, history=(replace(last.history[0], same_speaker=None), last.history[1])),
        "fewer turns": replace(last, history=last.history[1:]),
    }
    answers = [scored[-1].scores["joy"], *(reader.predict([each])[0].scores["joy"] for each in changed.values())]
    assert len({round(answer, 6) for answer in answers}) == len(answers), list(changed)
    # Whatever it is read with, and whatever is left out of a row.
    alone = [reader.predict([prompt], batch_tokens=64)[0] for prompt in prompts_]
    for one, other in zip(alone, scored, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-6)


def test_what_reads_alike_is_read_once(bases: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = remembering(bases / "bert")
    read = []
    encode = reader.model.encoder.forward  # pyright: ignore
    monkeypatch.setattr(reader.model.encoder, "forward", lambda ids, *rest: read.append(len(ids)) or encode(ids, *rest))  # pyright: ignore
    reader.predict([*dialogue(), *dialogue()])
    assert sum(read) == len(SAID)


def test_a_batch_of_dialogues_is_read_as_its_prompts_are_one_by_one(bases: Path) -> None:
    reader = remembering(bases / "bert")
    reader.model.eval()
    torch.nn.init.normal_(reader.model.head.memory.classifier.weight)  # pyright: ignore
    examples = [Example(prompt, "joy") for prompt in [*dialogue(), *prompts(), *dialogue("brief")]]
    settings = settings_of(Head(pooling="target-mean"), batch_size=8)
    batches = Batches(examples, reader.tokenizer, reader.run, settings, 0, device="cpu")
    assert [len(part) for part in batches.indices] == [8, 8, 2]
    order = [place for part in batches.indices for place in part]
    assert sorted(order) == list(range(18))
    # Dialogues stay whole, wherever they come.
    for first in (0, 12):
        assert order[order.index(first) :][:6] == list(range(first, first + 6))
    with torch.no_grad():
        together = torch.cat([reader.model(**batches.inputs(part)) for part in batches.indices])
        one_by_one = torch.cat([reader.model(**batches.inputs([place])) for place in order])
        read = torch.tensor([list(each.scores.values()) for each in reader.predict([e.prompt for e in examples])])
    assert (together - one_by_one).abs().max() < 1e-4
    assert (together.softmax(1) - read[order]).abs().max() < 1e-4


@pytest.mark.parametrize("limit", [{}, {"micro_batch_size": 4}, {"micro_batch_tokens": 200}], ids=str)
def test_turns_stay_beside_what_remembers_them_however_a_batch_is_cut(bases: Path, limit: dict[str, int]) -> None:
    reader = remembering(bases / "bert")
    examples = [Example(prompt, "joy") for template in ("question", "brief") for prompt in dialogue(template)]
    settings = settings_of(Head(pooling="target-mean"), batch_size=12, **limit)
    batches = Batches(examples, reader.tokenizer, reader.run, settings, 0, device="cpu")
    (batch,) = batches.indices
    shares = batches.micro_batches(batch, 2)
    assert [place for share in shares for part in share for place in part] == batch
    assert len(shares[0]) == len(shares[1])
    for part in (part for share in shares for part in share if part):
        read = batches.inputs(part)["batch"]
        tokens = sum(int(each["attended"].sum()) for each in read)
        # No more is read than the part and the two turns that its first prompts remember.
        assert sum(len(each["ids"]) for each in read) <= len(part) + 2
        assert len(part) == 1 or tokens <= limit.get("micro_batch_tokens", 1000)
        assert len(part) <= limit.get("micro_batch_size", 12)


def test_a_memory_without_anything_to_remember(bases: Path) -> None:
    reader = remembering(bases / "bert")
    batches = Batches(
        [Example(prompt, "joy") for prompt in prompts()],
        reader.tokenizer,
        reader.run,
        settings_of(Head(pooling="target-mean")),
        0,
        device="cpu",
    )
    assert reader.model(**batches.inputs(batches.indices[0])).shape == (6, 4)


def test_words_that_are_answers_remember_nothing(bases: Path) -> None:
    run = run_of(bases / "llama", settings_of(Head(kind="label-words")), Path("nowhere"))
    run = run.model_copy(update={"prompt": PromptSettings(history_turns=2)})
    with pytest.raises(SettingsError, match=r"history_turns.*classification head.*context_turns"):
        untrained(bases / "llama", run, settings_of(Head(kind="label-words")), "cpu")


@pytest.mark.parametrize(("name", "head"), [HEADS[0], HEADS[3], HEADS[-1]], ids=["bert", "llama", "words"])
def test_checkpointed_activations_give_the_same_gradients(bases: Path, name: str, head: Head) -> None:
    """In every layer, the first included."""
    gradients = []
    for checkpointing in (False, True):
        base = BaseSettings(activation_checkpointing=checkpointing)
        reader = fresh(bases / name, settings_of(head, base=base, lora=LoraSettings(dropout=0), head_dropout=0))
        # A base's own dropout would be drawn anew.
        for module in reader.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        reader.model.train()
        logits = reader.model(collate(reader.tokenizer(prompts()), reader.tokenizer.padding_id, "cpu"))
        logits.softmax(1)[:, 0].sum().backward()
        gradients.append({n: p.grad for n, p in reader.model.named_parameters() if p.requires_grad})
    plain, checkpointed = gradients
    assert any(gradient is not None and gradient.abs().max() > 0 for gradient in plain.values())
    for parameter, gradient in plain.items():
        assert (gradient is None) == (checkpointed[parameter] is None), parameter
        assert gradient is None or torch.allclose(gradient, checkpointed[parameter], atol=1e-6), parameter


def test_an_adapter_goes_where_it_is_told(bases: Path) -> None:
    reader = fresh(
        bases / "llama", settings_of(Head(pooling="last-token"), lora=LoraSettings(target_modules=("q_proj",)))
    )
    adapted = {
        name.split(".lora_")[0].rpartition(".")[2] for name, _ in reader.model.named_parameters() if "lora" in name
    }
    assert adapted == {"q_proj"}
    with pytest.raises(SettingsError, match="no layer 'query'; there are: down_proj, gate_proj, k_proj"):
        fresh(bases / "llama", settings_of(Head(pooling="last-token"), lora=LoraSettings(target_modules=("query",))))


def test_a_pooler_that_the_base_lacks_is_not_made_up(bases: Path) -> None:
    """RoBERTa's checkpoints of a masked language model have none."""
    model = load_base(bases / "roberta", Head(), "none", "cpu", torch.float32)
    assert model.pooler is None


def test_bert_under_its_old_names_or_without_a_pooler(bases: Path, tmp_path: Path) -> None:
    """What the quick way cannot read goes the other way."""
    from safetensors.torch import load_file, save_file

    old = shutil.copytree(bases / "bert", bases / "old-bert", dirs_exist_ok=True)
    weights = load_file(old / "model.safetensors")
    renamed = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): tensor for name, tensor in weights.items()}
    renamed = {name.replace("LayerNorm.bias", "LayerNorm.beta"): tensor for name, tensor in renamed.items()}
    kept = {name: tensor for name, tensor in weights.items() if "pooler" not in name}
    for number, state in enumerate((renamed, kept)):
        save_file(state, old / "model.safetensors", metadata={"format": "pt"})
        reader = fresh(old, settings_of(Head()))
        train(reader, steps=2)
        folder = tmp_path / str(number)
        folder.mkdir()
        save_adapter(reader, "old-bert", folder)
        read = load_predictor(run_of(old, settings_of(Head()), folder), Context(device="cpu", offline=True))
        assert (logits_of(read, prompts()) - logits_of(reader, prompts())).abs().max() < 1e-4


# ── label words ──────────────────────────────────────────────────────────────


def the_plain_way(model: Any, ids: list[int], answer: tuple[int, ...]) -> float:
    """One label after one prompt, without padding, masks or positions of our own."""
    with torch.no_grad():
        logits = model(torch.tensor([[*ids, *answer]])).logits[0].float().log_softmax(-1)
    return sum(float(logits[len(ids) + i - 1, token]) for i, token in enumerate(answer))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["llama", "qwen3", "gpt2", "gemma3", "mistral"])
def test_one_pass_gives_what_one_label_at_a_time_gives(bases: Path, name: str, attention: str) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(bases / name, attn_implementation=attention).eval()
    tokenizer = PromptTokenizer(bases / name, LABELS)
    words = LabelWords(model, tokenizer.answers).eval()
    tokens = tokenizer(prompts())
    expected = torch.tensor(
        [[the_plain_way(model, each.ids.tolist(), a) for a in tokenizer.answers] for each in tokens]
    )
    right = collate(tokens, tokenizer.padding_id, "cpu")
    shifts = (~right["attended"]).sum(1).tolist()
    assert len(set(shifts)) > 2
    left = {key: torch.stack([row.roll(s) for row, s in zip(rows, shifts, strict=True)]) for key, rows in right.items()}
    for batch in (right, left):
        with torch.no_grad():
            assert (words(batch) - expected).abs().max() < 1e-4
    # The labels differ by more than what is tolerated, also where one begins with the other.
    assert expected.std(1).min() > 0.1


def test_no_answer_begins_another(bases: Path) -> None:
    for name in ("llama", "qwen3"):
        tokenizer = PromptTokenizer(bases / name, LABELS)
        sad, angry, fearful, _ = tokenizer.answers
        assert sad[0] == angry[0] == fearful[0]
        assert all(answer[-1] == 2 and 2 not in answer[:-1] for answer in tokenizer.answers)
        # Word for word what would stand there, had somebody written it behind the prompt.
        ids = tokenizer(prompts())[0].ids.tolist()
        written = Prompt("", prompts()[0].text + " sadly angry", prompts()[0].spans)
        assert PromptTokenizer(bases / name)([written])[0].ids.tolist() == [*ids, *angry[:-1]]


def test_without_a_token_that_ends_a_text_the_line_ends(bases: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bases / "qwen3", tmp_path / "endless")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"eos_token_id": None}))
    from tokenizers import Tokenizer

    text = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert [text.decode(answer) for answer in PromptTokenizer(folder, LABELS).answers] == [f" {a}\n" for a in LABELS]


def test_a_prompt_leaves_room_for_the_answer_and_ends_before_it(bases: Path, tmp_path: Path) -> None:
    long = render([Moment(0, 1, None, "you did what " * 80)], 0, PromptSettings(template="question"), id="")
    tokenizer = PromptTokenizer(bases / "gpt2", LABELS)
    (tokens,) = tokenizer([long])
    assert len(tokens) + max(map(len, tokenizer.answers)) <= 128
    # A tokenizer that ends every text with a special token.
    folder = shutil.copytree(bases / "llama", tmp_path / "ending")
    shutil.copy(bases / "bert" / "tokenizer.json", folder / "tokenizer.json")
    (closed,), (open_ended,) = PromptTokenizer(folder)(prompts()[:1]), PromptTokenizer(folder, LABELS)(prompts()[:1])
    assert closed.ids[-1] == 4 and open_ended.ids.tolist() == closed.ids[:-1].tolist()


# ── what cannot be done ──────────────────────────────────────────────────────


def test_four_bits_need_a_gpu_and_bitsandbytes(bases: Path, tmp_path: Path) -> None:
    settings = settings_of(Head(pooling="last-token"), base=BaseSettings(quantization="nf4"))
    with pytest.raises(UnavailableError, match="nf4 needs a GPU, and the device is cpu; set"):
        fresh(bases / "llama", settings)
    save_adapter(fresh(bases / "llama", settings_of(settings.head)), "llama", tmp_path)
    with pytest.raises(UnavailableError, match="nf4 needs a GPU"):
        load_predictor(run_of(bases / "llama", settings, tmp_path), Context(device="cpu", offline=True))


@pytest.mark.parametrize(
    ("name", "head", "message"),
    [
        ("bert", Head(kind="label-words"), "needs a causal base, and a base of type bert is none"),
        ("llama", Head(), "which in a base of type llama has seen nothing else; use last-token or target-mean"),
        ("headless-llama", Head(kind="label-words"), "lack lm_head.weight"),
    ],
)
def test_a_head_that_does_not_fit_the_base_is_refused(bases: Path, name: str, head: Head, message: str) -> None:
    with pytest.raises(EmoscribeError, match=message):
        fresh(bases / name, settings_of(head))


def test_labels_that_the_tokenizer_cannot_tell_apart_are_refused(bases: Path) -> None:
    with pytest.raises(SettingsError, match="label '喜' begins with all of '怒'"):
        PromptTokenizer(bases / "llama", ("怒", "喜"))


def test_an_adapter_for_another_base_is_refused(bases: Path, tmp_path: Path) -> None:
    lora = LoraSettings(target_modules=("q_proj", "up_proj"))
    for head in (Head(kind="label-words"), Head(pooling="last-token")):
        for trained, read in (("deep-llama", "llama"), ("llama", "deep-llama"), ("llama", "gpt2")):
            save_adapter(fresh(bases / trained, settings_of(head, lora=lora)), trained, tmp_path)
            with pytest.raises(EmoscribeError, match=r"does not fit its base|cannot be loaded onto gpt2") as caught:
                load_predictor(run_of(bases / read, settings_of(head), tmp_path), Context(device="cpu", offline=True))
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [lambda p: p.write_bytes(b"no"), lambda p: p.write_text("{}"), Path.unlink])
@pytest.mark.parametrize("name", [ADAPTER, ADAPTER_CONFIG])
def test_a_damaged_run_ends_in_one_line(bases: Path, tmp_path: Path, name: str, damage: Callable[[Path], Any]) -> None:
    settings = settings_of(Head(kind="label-words"))
    save_adapter(fresh(bases / "llama", settings), "llama", tmp_path)
    damage(tmp_path / name)
    with pytest.raises(EmoscribeError, match="cannot be loaded onto llama") as caught:
        load_predictor(run_of(bases / "llama", settings, tmp_path), Context(device="cpu", offline=True))
    assert "\n" not in str(caught.value)


def test_a_damaged_base_ends_in_one_line(bases: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(bases / "llama", tmp_path / "llama")
    (folder / "model.safetensors").write_bytes(b"no")
    with pytest.raises(EmoscribeError, match="base model llama cannot be loaded") as caught:
        fresh(folder, settings_of(Head(pooling="last-token")))
    assert "\n" not in str(caught.value)
