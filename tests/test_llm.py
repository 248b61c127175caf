"""Training and reading, on a tiny random BERT in the real on-disk format."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError
from emoscribe.core.prompt import Prompt, Scored
from emoscribe.core.timeline import Moment
from emoscribe.core.weights import FOLDERS_VARIABLE, find_base, weights_sha256
from emoscribe.llm.batches import Example
from emoscribe.llm.learner import LabelledPrompts
from emoscribe.llm.predictor import TextPredictor, load_predictor
from emoscribe.llm.run import ADAPTER, ADAPTER_CONFIG, HEAD, Base, TextRun
from emoscribe.llm.settings import TrainingSettings
from emoscribe.llm.temperature import ENOUGH, fitted_temperature, fitted_temperatures
from emoscribe.llm.tokens import PromptTokenizer, batches_by_length, shuffled_batches
from emoscribe.llm.train import fit
from emoscribe.prompts.render import render
from emoscribe.prompts.settings import PromptSettings
from emoscribe.training.optimizers import OptimizerSettings

OFFLINE = Context(device="cpu", offline=True)
LABELS = ("neutral", "joy", "anger")
WORDS = "fine great awful day what a you did face : smile frown before , someone else same speaker \" ' . [ ] sep"
POSITIONS = 48


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, make_bert: Callable[..., Path]) -> Path:
    return make_bert(tmp_path_factory.mktemp("models") / "tiny-bert", WORDS, POSITIONS, padded_to=8)


@pytest.fixture(scope="module", autouse=True)
def named_folder(base: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDERS_VARIABLE, str(base.parent))
        yield


def prompt_of(text: str | None, face: str | None = None) -> Prompt:
    return render([Moment(0, 1, None, text, face)], 0, PromptSettings(), id=str(text))


EXAMPLES = [
    Example(prompt_of(text, face), label)
    for text, face, label in (
        ("what a great day", "smile", "joy"),
        ("great", None, "joy"),
        ("you did what", None, "anger"),
        ("awful , awful you", "frown", "anger"),
        ("a day", None, "neutral"),
        ("fine .", "face", "neutral"),
    )
]


def described(folder: Path) -> TextRun:
    return TextRun(
        folder=folder,
        base=Base(id="tiny-bert", sha256=weights_sha256(find_base("tiny-bert", context=OFFLINE))),
        label_set="three",
        labels=LABELS,
        prompt=PromptSettings(),
    )


TWO_EPOCHS = TrainingSettings(
    epochs=2, batch_size=4, optimizer=OptimizerSettings(learning_rate=0.02, head_learning_rate=0.02), device="cpu"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[TextRun, list[list[Scored]]]:
    """A run, and its scores of `EXAMPLES` while it was still in training."""
    scores: list[list[Scored]] = []

    def metrics(scored: Sequence[Scored]) -> dict[str, float]:
        scores.append(list(scored))
        return {"quality": len(scores)}  # the last epoch is the best

    run = fit(
        described(tmp_path_factory.mktemp("runs") / "tiny"),
        find_base("tiny-bert", context=OFFLINE),
        LabelledPrompts(lambda epoch: EXAMPLES, EXAMPLES, metrics, "quality"),
        TWO_EPOCHS,
    )
    return run, scores


@pytest.fixture(scope="module")
def reader(trained: tuple[TextRun, list[list[Scored]]]) -> TextPredictor:
    return load_predictor(trained[0], OFFLINE)


def at(reader: TextPredictor, temperatures: dict[str, float]) -> TextPredictor:
    """The reader at temperatures by signals, and at one for all others."""
    told = {signals: value for signals, value in temperatures.items() if signals}
    return replace(reader, run=reader.run.model_copy(update={"temperature": temperatures[""], "temperatures": told}))


def rows(scored: list[Scored]) -> np.ndarray:
    return np.array([list(each.scores.values()) for each in scored])


PROMPTS = [each.prompt for each in EXAMPLES]


# ── training, saving, reading ────────────────────────────────────────────────


def test_what_is_read_is_what_was_trained(trained: tuple[TextRun, list[list[Scored]]], reader: TextPredictor) -> None:
    """PEFT's model in training and the merged one give the same logits."""
    run, scores = trained
    assert TextRun.load(run.folder) == run
    at_one = rows(replace(reader, run=reader.run.uncalibrated()).predict(PROMPTS))
    assert np.abs(at_one - rows(scores[-1])).max() < 1e-5
    assert np.abs(at_one - rows(scores[0])).max() > 1e-3
    assert [epoch["epoch"] for epoch in run.metrics["epochs"]] == [0, 1] and run.metrics["best_epoch"] == 1


def test_the_same_seed_gives_the_same_run(trained: tuple[TextRun, list[list[Scored]]], tmp_path: Path) -> None:
    later = iter(range(2))
    again = fit(
        described(tmp_path),
        find_base("tiny-bert", context=OFFLINE),
        LabelledPrompts(lambda epoch: EXAMPLES, EXAMPLES, lambda scored: {"quality": next(later)}, "quality"),
        TWO_EPOCHS,
    )
    for name in (ADAPTER, HEAD):
        assert (again.folder / name).read_bytes() == (trained[0].folder / name).read_bytes()


def test_a_run_names_no_path(trained: tuple[TextRun, list[list[Scored]]], base: Path) -> None:
    folder = trained[0].folder
    for name in ("run.json", ADAPTER_CONFIG):
        text = (folder / name).read_text()
        assert "tiny-bert" in text and str(base.parent) not in text and str(folder) not in text


def test_a_variant_of_lora_is_read_through_peft(trained, base: Path, tmp_path: Path) -> None:
    """DoRA is more than W + s·B·A: the other way to an encoder."""
    import torch
    from emoscribe.llm.encoder import load_encoder
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    config = json.loads((base / "config.json").read_text())
    torch.manual_seed(1)
    model = get_peft_model(
        AutoModel.from_pretrained(base), LoraConfig(r=2, use_dora=True, init_lora_weights=False, target_modules=["key"])
    ).eval()
    model.save_pretrained(tmp_path)
    ids = torch.tensor([[2, 4, 5, 6, 3]])
    attended = torch.ones_like(ids).bool()
    with torch.no_grad():
        expected = model(input_ids=ids)
        hidden, pooled = load_encoder(base, tmp_path, config).eval()(ids, attended)
    assert torch.allclose(hidden, expected.last_hidden_state, atol=1e-5)
    assert torch.allclose(pooled, expected.pooler_output, atol=1e-5)


def test_an_adapter_for_another_base_is_refused(trained, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(trained[0].folder, tmp_path / "run")
    weights = load_file(folder / ADAPTER)
    save_file({name.replace("layer.1", "layer.7"): tensor for name, tensor in weights.items()}, folder / ADAPTER)
    with pytest.raises(EmoscribeError, match=r"does not fit its base model \(at encoder\.layer\.7"):
        load_predictor(TextRun.load(folder), OFFLINE)


@pytest.mark.parametrize("damage", [lambda p: p.write_bytes(b"no"), Path.unlink])
@pytest.mark.parametrize("name", [HEAD, ADAPTER, ADAPTER_CONFIG])
def test_a_damaged_run_ends_in_one_line(trained, tmp_path: Path, name: str, damage: Callable[[Path], object]) -> None:
    folder = shutil.copytree(trained[0].folder, tmp_path / "run")
    damage(folder / name)
    with pytest.raises(EmoscribeError, match="cannot be loaded onto tiny-bert") as caught:
        load_predictor(TextRun.load(folder), OFFLINE)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [HEAD, ADAPTER])
def test_weights_that_are_no_numbers_are_named(trained, tmp_path: Path, name: str) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(trained[0].folder, tmp_path / "run")
    weights = load_file(folder / name)
    next(iter(weights.values()))[0] = float("nan")
    save_file(weights, folder / name)
    with pytest.raises(EmoscribeError, match=rf"{name} is damaged: not all of .* are finite numbers"):
        load_predictor(TextRun.load(folder), OFFLINE)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"r": 0}, "r must be a whole number above 0 and up to 65536, got 0"),
        ({"lora_alpha": 1e308}, r"lora_alpha must be a number above 0 and up to 1e\+06, got 1e\+308"),
        ({"rank_pattern": {"query": 10**9}}, "r must be a whole number above 0 and up to 65536, got 1000000000"),
        ({"rank_pattern": {f"layer{i}": 1 for i in range(10**5)}}, "no adapter is described in so many"),
    ],
)
def test_an_adapter_of_absurd_numbers_is_refused(trained, tmp_path: Path, changed: dict, message: str) -> None:
    folder = shutil.copytree(trained[0].folder, tmp_path / "run")
    config = json.loads((folder / ADAPTER_CONFIG).read_text())
    (folder / ADAPTER_CONFIG).write_text(json.dumps({**config, **changed}))
    with pytest.raises(EmoscribeError, match=message):
        load_predictor(TextRun.load(folder), OFFLINE)


def test_scores_that_are_no_numbers_are_never_given(reader: TextPredictor) -> None:
    """As of weights so large that what they give overflows."""
    with pytest.raises(EmoscribeError, match="scores that are no numbers: its weights are damaged, or too large"):
        at(reader, {"": 1e-320}).predict(PROMPTS)


def test_other_weights_under_the_same_name_are_refused(trained) -> None:
    run = trained[0].model_copy(update={"base": Base(id="tiny-bert", sha256="1" * 64)})
    with pytest.raises(EmoscribeError, match="not those that the adapter was trained on"):
        load_predictor(run, OFFLINE)


def test_labels_that_the_run_does_not_have_are_refused(tmp_path: Path) -> None:
    wrong = [replace(EXAMPLES[0], target="awe")]
    base = find_base("tiny-bert", context=OFFLINE)

    def data(learnt: list[Example], dev: list[Example]) -> LabelledPrompts:
        return LabelledPrompts(lambda epoch: learnt, dev, lambda scored: {"quality": 0.0}, "quality")

    with pytest.raises(SettingsError, match="has the target 'awe', the run learns a label of neutral, joy, anger"):
        fit(described(tmp_path), base, data(wrong, wrong), TWO_EPOCHS)
    with pytest.raises(SettingsError, match="one of the two is empty"):
        fit(described(tmp_path), base, data(EXAMPLES, []), TWO_EPOCHS)


# ── scoring ──────────────────────────────────────────────────────────────────


def test_a_batch_gives_what_one_by_one_gives_in_their_order(reader: TextPredictor) -> None:
    many = [replace(prompt, id=f"{i}") for i, prompt in enumerate(PROMPTS * 3)]
    told: list[float] = []
    batched = reader.predict(many, batch_tokens=30, progress=told.append)
    alone = [reader.predict([prompt])[0] for prompt in many]
    assert [each.id for each in batched] == [prompt.id for prompt in many]
    assert np.abs(rows(batched) - rows(alone)).max() < 1e-5
    assert np.allclose(rows(batched).sum(1), 1.0)
    assert told == sorted(told) and told[-1] == 1.0
    assert reader.predict([]) == []


def test_temperature_flattens_without_reordering(reader: TextPredictor) -> None:
    sharp, flat = (rows(at(reader, {"": t}).predict(PROMPTS)) for t in (0.5, 5.0))
    assert (sharp.argmax(1) == flat.argmax(1)).all()
    assert (sharp.max(1) > flat.max(1)).all()


def test_the_fitted_temperature_is_the_one_that_was_lost() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 3))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = [LABELS[rng.choice(3, p=row)] for row in honest]
    boasting = np.exp(3 * logits) / np.exp(3 * logits).sum(1, keepdims=True)
    scored = [Scored("", dict(zip(LABELS, row, strict=True))) for row in boasting]
    assert fitted_temperature(labels, scored) == pytest.approx(3.0, rel=0.1)


def test_signals_that_a_model_is_surer_of_have_a_temperature_of_their_own() -> None:
    rng = np.random.default_rng(0)
    sharpened = {"T": 0.5, "V": 2.0, "A": 1.0}
    counts = {"T": 2000, "V": 1000, "A": ENOUGH - 1}
    labels, scored, signals = [], [], []
    for letters, count in counts.items():
        logits = rng.normal(0, 2, (count, 3))
        honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        labels += [LABELS[rng.choice(3, p=row)] for row in honest]
        boasting = honest ** sharpened[letters] / (honest ** sharpened[letters]).sum(1, keepdims=True)
        scored += [Scored("", dict(zip(LABELS, row, strict=True))) for row in boasting]
        signals += [letters] * count
    fitted = fitted_temperatures(labels, scored, signals)
    assert set(fitted) == {"", "T", "V"}, "of what there is little of, nothing can be said"
    assert fitted["T"] == pytest.approx(0.5, rel=0.15) and fitted["V"] == pytest.approx(2.0, rel=0.15)
    assert fitted["T"] < fitted[""] < fitted["V"]
    assert set(fitted_temperatures(labels[:2000], scored[:2000], signals[:2000])) == {""}


def test_a_prompt_is_read_at_the_temperature_of_its_signals(reader: TextPredictor) -> None:
    prompts = [replace(PROMPTS[0], signals=letters) for letters in ("T", "V", "TA")]
    lines, faces, others = rows(at(reader, {"": 1.0, "T": 0.5, "V": 5.0}).predict(prompts))
    plain = rows(at(reader, {"": 1.0}).predict(prompts))
    assert np.allclose(others, plain[2])
    assert lines.max() > plain[0].max() > faces.max()
    assert np.allclose(lines, plain[0] ** 2 / (plain[0] ** 2).sum(), atol=1e-6)


# ── tokens and batches ───────────────────────────────────────────────────────


def test_special_tokens_that_are_said_are_spelled_out(base: Path) -> None:
    tokens = PromptTokenizer(base)([prompt_of("fine [SEP] [CLS] [PAD] day")])[0]
    assert tokens.ids[0] == 2 and tokens.ids[-1] == 3
    assert not {0, 2, 3} & set(tokens.ids[1:-1].tolist())


def test_special_tokens_of_a_byte_level_tokenizer_are_spelled_out(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer(models.BPE({char: i for i, char in enumerate(sorted(alphabet))}, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|eot_id|>", "</s>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text("{}")
    tokens = PromptTokenizer(tmp_path)([prompt_of("so <|eot_id|></s> there")])[0]
    assert tokens.ids.max() < len(alphabet)
    assert "<|eot_id|></s>" in tokenizer.decode(tokens.ids.tolist(), skip_special_tokens=False)


def test_context_is_cut_before_the_target(base: Path) -> None:
    tokenizer = PromptTokenizer(base)
    dialogue = [Moment(i, i + 1, None, f"you did what {'day ' * 5}") for i in range(12)] + [
        Moment(12, 13, None, "great " * 10, "smile")
    ]
    for template, order in (("brief", 1), ("paper", -1)):
        uncut, cut = (
            tokenizer([render(dialogue, 12, PromptSettings(template=template, context_turns=n), id="")])[0]
            for n in (0, 12)
        )
        assert len(cut) == POSITIONS > len(uncut)
        assert cut.target.sum() == uncut.target.sum()
        assert (cut.ids[cut.target] == uncut.ids[uncut.target]).all()
        # What stays of the context lies beside the target.
        assert cut.target[::order][1]


def test_a_target_that_is_too_long_keeps_its_two_ends(base: Path) -> None:
    tokenizer = PromptTokenizer(base)
    tokens = tokenizer([prompt_of("what " + "day " * 500 + "you", "smile frown")])[0]
    assert len(tokens) <= POSITIONS
    whole = tokenizer([prompt_of("what day you", "smile frown")])[0]
    assert tokens.ids[:3].tolist() == whole.ids[:3].tolist() and tokens.ids[-6:].tolist() == whole.ids[-6:].tolist()
    assert tokens.target[1:-1].all()


def test_a_prompt_without_a_known_character_still_gets_scores(reader: TextPredictor) -> None:
    assert np.isfinite(rows(reader.predict([prompt_of("😀😀"), prompt_of("")]))).all()


def test_batches_hold_every_prompt_once_within_the_budget() -> None:
    lengths = np.random.default_rng(0).integers(3, 60, 200).tolist()
    batches = batches_by_length([*lengths, 500], 240)
    assert sorted(i for batch in batches for i in batch) == list(range(201))
    padded = [len(batch) * max([*lengths, 500][i] for i in batch) for batch in batches]
    assert sum(total > 240 for total in padded) == 1  # the prompt that is longer than a batch
    shuffled = shuffled_batches(lengths, 16, seed=1)
    assert sorted(i for batch in shuffled for i in batch) == list(range(200))
    assert shuffled == shuffled_batches(lengths, 16, seed=1) != shuffled_batches(lengths, 16, seed=2)
