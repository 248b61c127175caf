"""Packs: what is deployed reads as what was trained, without torch, and nothing in it is taken on trust."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError, UnavailableError
from emoscribe.core.prompt import Prompt, Scored
from emoscribe.core.timeline import Moment
from emoscribe.llm import packing
from emoscribe.llm.pack import MODEL, PACK
from emoscribe.llm.packed import PackedPredictor
from emoscribe.llm.packing import LEAST_AGREEMENT, MOST_DIFFERENCE, Texts, make_pack
from emoscribe.llm.predictors import load
from emoscribe.llm.run import TextRun, find_run
from emoscribe.llm.settings import Head, TrainingSettings
from emoscribe.prompts.render import render
from emoscribe.prompts.settings import PromptSettings

OFFLINE = Context(device="cpu", offline=True)


@pytest.fixture(scope="module")
def run(lines_run) -> TextRun:
    return lines_run[0]


@pytest.fixture(scope="module")
def pack(run: TextRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In float32: there was nothing to compare on."""
    return make_pack(run, tmp_path_factory.mktemp("packs") / "pack").folder


def prompts_of(run: TextRun, lines: list[str]) -> list[Prompt]:
    moments = [Moment(place, place + 1.0, "ab"[place % 2], line) for place, line in enumerate(lines)]
    return [render(moments, place, run.prompt, id=str(place), labels=run.labels) for place in range(len(lines))]


def furthest(one: list[Scored], other: list[Scored]) -> float:
    return max(abs(a.scores[label] - b.scores[label]) for a, b in zip(one, other, strict=True) for label in a.scores)


def lines_of(sample_lines: dict[str, tuple[str, ...]], count: int) -> list[str]:
    """As many as asked for, all of them different."""
    known = [line for lines in sample_lines.values() for line in lines]
    return [f"{known[i % len(known)]} , {known[i // len(known) % len(known)]}" for i in range(count)]


# ── what it reads ────────────────────────────────────────────────────────────


def test_it_answers_as_the_run_it_was_made_from(run: TextRun, pack: Path, sample_lines) -> None:
    prompts = prompts_of(run, [*lines_of(sample_lines, 60), "", "信じられない", "great " * 90])
    read, packed = load(run, OFFLINE), load(find_run(pack), OFFLINE)
    assert isinstance(packed, PackedPredictor) and packed.labels == run.labels
    assert furthest(read.predict(prompts), packed.predict(prompts)) < MOST_DIFFERENCE
    assert furthest(packed.predict(prompts, 64), packed.predict(prompts)) < 1e-6  # whatever is read together
    assert packed.predict([]) == []
    assert packed.sizes["parameters"] == read.sizes["parameters"]
    assert packed.sizes["bytes"] == (pack / MODEL).stat().st_size


def test_turns_are_remembered_as_by_the_run(tiny_bert_found, tmp_path: Path, sample_lines) -> None:
    import torch
    from emoscribe.core.weights import find_base, weights_sha256
    from emoscribe.llm.checkpoint import save_adapter
    from emoscribe.llm.run import Base
    from emoscribe.llm.untrained import untrained

    base = find_base("tiny-bert", context=OFFLINE)
    described = TextRun(
        folder=tmp_path / "run",
        base=Base(id="tiny-bert", sha256=weights_sha256(base)),
        label_set="three",
        labels=("joy", "anger", "neutral"),
        prompt=PromptSettings(history_turns=3),
        temperatures={"T": 0.5},
    )
    torch.manual_seed(0)
    reader = untrained(base, described, TrainingSettings(head=described.head, device="cpu"), "cpu")
    head: Any = reader.model.head
    with torch.no_grad():
        for parameter in head.memory.parameters():  # a fresh one adds nothing
            parameter.normal_(0, 0.3)
    described.save()
    save_adapter(reader, "tiny-bert", described.folder)

    made = make_pack(described, tmp_path / "pack")
    prompts = prompts_of(described, lines_of(sample_lines, 20))
    alone = [Prompt(each.id, each.text, each.spans, each.signals) for each in prompts]
    read, packed = load(described, OFFLINE), load(find_run(made.folder), OFFLINE)
    assert furthest(read.predict(prompts), packed.predict(prompts)) < MOST_DIFFERENCE
    assert furthest(packed.predict(prompts), packed.predict(alone)) > 1e-2  # it does remember


def test_a_video_is_analysed_without_torch(pack: Path, make_media, tmp_path: Path) -> None:
    """Nor is the base looked for: it is nowhere."""
    import numpy as np

    video = make_media(tmp_path / "talk.wav", sound=np.zeros(48_000))
    (tmp_path / "talk.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nsuch a great day\n")
    code = (
        "import sys\n"
        "from emoscribe import analyze\n"
        f"result = analyze({str(video)!r}, 'embedded', run={str(pack)!r}, transcript={str(tmp_path / 'talk.srt')!r},\n"
        "                 modalities='T', speakers='none', offline=True)\n"
        "print(result.segments[0].label, result.provenance['model']['pack'])\n"
        "assert not {'torch', 'transformers', 'peft', 'onnx'} & set(sys.modules), sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PATH": "", **_env()})
    assert done.returncode == 0, done.stderr
    assert "'precision': 'float32'" in done.stdout
    told = json.loads((pack / PACK).read_text())["files"][MODEL]["sha256"]
    assert told in done.stdout


def _env() -> dict[str, str]:
    """The environment without what names folders of models."""
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("EMOSCRIBE")}


def test_it_is_evaluated_beside_its_run(run: TextRun, pack: Path, lines_table: Path, tmp_path: Path) -> None:
    asked = ["evaluate", "table", "--data", str(lines_table), "--split", "dev", "--out", str(tmp_path / "report")]
    done = CliRunner().invoke(main, [*asked, "--run", str(run.folder), "--run", str(pack)])
    assert done.exit_code == 0, done.output
    metrics = json.loads((tmp_path / "report" / "metrics.json").read_text())
    trained, packed = metrics[run.name], metrics["pack"]
    assert trained["confusion"] == packed["confusion"] and trained["accuracy"] == packed["accuracy"]
    report = (tmp_path / "report" / "report.md").read_text()
    assert "packed in float32" in report


def test_the_published_dev_lines_keep_their_labels(shared: Path, tmp_path: Path) -> None:
    """Of lines with and without voices, by the adapter that ships."""
    from emoscribe.corpora.corpus import CorpusRequest
    from emoscribe.experiments.prompting import prompts
    from emoscribe.experiments.request import EvaluationRequest

    asked = EvaluationRequest(CorpusRequest("meld", shared / "meld"), "dev", ["meld-minilm"], modalities=["TA"])
    some = prompts(asked, limit=150, context=OFFLINE)
    made = make_pack(find_run("meld-minilm"), tmp_path / "pack", context=OFFLINE)
    before, after = (load(each, OFFLINE).predict(some) for each in (find_run("meld-minilm"), made))
    assert furthest(before, after) < MOST_DIFFERENCE
    assert [each.label for each in before] == [each.label for each in after]


def test_what_the_run_was_saved_with_is_what_its_pack_gives(run: TextRun, pack: Path, tmp_path: Path) -> None:
    """A pack whose network is another run's is listed well, and read all the same."""
    assert run.probe is not None
    packed = load(find_run(pack), OFFLINE)
    assert isinstance(packed, PackedPredictor)
    given = packed.probed(tuple(run.probe.logits)).logits
    for asked, logits in run.probe.logits.items():
        assert given[asked] == pytest.approx(logits, abs=2e-4)
    folder = tmp_path / "pack"
    shutil.copytree(pack, folder)
    described = json.loads((folder / "run.json").read_text())
    described["labels"] = described["labels"][::-1]
    (folder / "run.json").write_text(json.dumps(described))
    _listed_anew(folder)
    with pytest.raises(EmoscribeError, match=r"is not as it was saved: its weights or labels are others"):
        load(find_run(folder), OFFLINE)


# ── eight bits ───────────────────────────────────────────────────────────────


def test_eight_bits_are_kept_where_the_answers_were_seen_to_stay(run: TextRun, tmp_path: Path, sample_lines) -> None:
    prompts = prompts_of(run, lines_of(sample_lines, 240))
    made = make_pack(run, tmp_path / "pack", Texts("made-up lines", prompts))
    assert made.pack is not None and made.pack.agreement is not None
    agreement = made.pack.agreement
    answers = [each.label for each in load(made, OFFLINE).predict(prompts)]
    same = [a == b.label for a, b in zip(answers, load(run, OFFLINE).predict(prompts), strict=True)]
    assert agreement.answers == sum(same) / len(same) >= LEAST_AGREEMENT
    assert (agreement.data, agreement.texts) == ("made-up lines", 240)
    for precision, share in agreement.tried.items():
        assert (share >= LEAST_AGREEMENT) == (precision == made.pack.precision)
    card = (made.folder / "README.md").read_text()
    assert f"Of 240 texts (made-up lines), {agreement.answers:.2%} are answered as by the run" in card


def test_they_are_not_where_answers_change(
    run: TextRun, tmp_path: Path, sample_lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All answers may stay, so that here more than all are asked for."""
    monkeypatch.setattr(packing, "LEAST_AGREEMENT", 1.01)
    texts = Texts("lines", prompts_of(run, lines_of(sample_lines, 240)))
    with pytest.raises(EmoscribeError, match=r"^in int8, run words keeps .* of its answers to lines.* use float32$"):
        make_pack(run, tmp_path / "int8", texts, precision="int8")
    assert list(tmp_path.iterdir()) == []  # nothing is left of what was begun
    made = make_pack(run, tmp_path / "pack", texts)
    assert made.pack is not None and made.pack.precision == "float32" and made.pack.agreement is not None
    assert set(made.pack.agreement.tried) == {"int8", "int8-embeddings"} and made.pack.agreement.answers == 1.0
    assert not list(made.folder.glob("int8*"))


def test_few_texts_tell_nothing(run: TextRun, tmp_path: Path, sample_lines) -> None:
    few = Texts("few lines", prompts_of(run, lines_of(sample_lines, 20)))
    made = make_pack(run, tmp_path / "pack", few)
    assert made.pack is not None and made.pack.precision == "float32" and made.pack.agreement is not None
    assert made.pack.agreement.texts == 20 and not made.pack.agreement.tried
    with pytest.raises(SettingsError, match="--precision int8 needs 200 texts to be compared on, and few lines has 20"):
        make_pack(run, tmp_path / "other", few, precision="int8")
    with pytest.raises(SettingsError, match=r"--precision int8 .* can be compared on nothing without --data"):
        make_pack(run, tmp_path / "other", precision="int8")


def test_from_the_command_line_it_is_compared_on_a_corpus(run: TextRun, lines_table: Path, tmp_path: Path) -> None:
    out = tmp_path / "pack"
    asked = ["pack", str(run.folder), "--out", str(out), "--data", str(lines_table), "--offline"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].startswith(f"→ {out}: float32, ")
    assert "100.00% of 15 answers as the run's (table dev [T])" in done.stdout
    plain = CliRunner().invoke(main, ["pack", str(run.folder), "--out", str(tmp_path / "plain"), "--offline"])
    assert plain.exit_code == 0 and plain.stdout.startswith(f"→ {tmp_path / 'plain'}: float32, "), plain.output
    again = CliRunner().invoke(main, asked)
    assert again.exit_code == 1 and f"--out {out} holds files already; choose another folder" in again.stderr


def test_keywords_pack_as_the_command_line_does(run: TextRun, lines_table: Path, tmp_path: Path) -> None:
    import emoscribe

    made = emoscribe.pack(run.folder, tmp_path / "pack", lines_table, modalities=["T"], offline=True)
    assert made.pack is not None and made.pack.agreement is not None
    assert (made.pack.agreement.data, made.pack.agreement.answers) == ("table dev [T]", 1.0)
    with pytest.raises(SettingsError, match="the corpus meld needs its data, too"):
        emoscribe.pack(run.folder, tmp_path / "other", corpus="meld")
    with pytest.raises(SettingsError, match="pack takes no quantise"):
        emoscribe.pack(run.folder, tmp_path / "other", quantise=True)


def test_a_full_disk_is_named_and_nothing_is_left(run: TextRun, tmp_path: Path) -> None:
    """As if there were room for 50 kB: the network has twice as many."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(EmoscribeError, match=r"^cannot write .*pack: file too large; make room or choose another"):
            make_pack(run, tmp_path / "pack")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


# ── what has no pack ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"head": Head(kind="label-words")},
            "scores the words of each label by a causal model (head.kind label-words)",
        ),
        ({"quantization": "nf4"}, "was trained on a base in four bits (nf4)"),
    ],
)
def test_runs_without_a_pack_say_why(run: TextRun, tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    if "quantization" in changed:
        changed = {"base": run.base.model_copy(update=changed)}
    with pytest.raises(SettingsError) as refused:
        make_pack(run.model_copy(update=changed), tmp_path / "pack")
    assert message in str(refused.value) and "deploy this" in str(refused.value)


def test_a_pack_only_reads(pack: Path, tmp_path: Path) -> None:
    from emoscribe.llm.start import started

    with pytest.raises(SettingsError, match="is a pack already; name the run that it was made from"):
        make_pack(find_run(pack), tmp_path / "again")
    with pytest.raises(SettingsError, match="is a pack, which only reads; name the run that it was made from"):
        started(TrainingSettings(init=str(pack)), 10, "T")
    with pytest.raises(UnavailableError, match=r"is a pack, which is read on the processor; take model\.device cpu"):
        load(find_run(pack), Context(device="cuda"))


# ── what is in the folder ────────────────────────────────────────────────────


def test_all_that_is_needed_is_there_and_listed(run: TextRun, pack: Path) -> None:
    described = json.loads((pack / PACK).read_text())
    there = {path.relative_to(pack).as_posix() for path in pack.rglob("*") if path.is_file()}
    assert there == {*described["files"], PACK}
    assert {"run.json", "README.md", MODEL, "base/tokenizer.json", "base/config.json", "traces.json"} <= there
    assert "adapter_model.safetensors" not in there
    made = find_run(pack)
    for part in ("labels", "label_set", "prompt", "wording", "temperature", "licence", "norms", "base"):
        assert getattr(made, part) == getattr(run, part)
    card = (pack / "README.md").read_text()
    assert "library_name: onnx" in card and "## This pack" in card and "Weights: float32." in card


def _listing(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Any]:
    def damage(folder: Path) -> None:
        described = json.loads((folder / PACK).read_text())
        change(described)
        (folder / PACK).write_text(json.dumps(described))

    return damage


def _listed_anew(folder: Path) -> None:
    """As somebody would who changed a file on purpose."""
    from emoscribe.llm.manifest import listed

    files = {name: file.model_dump() for name, file in listed(folder).items() if name != PACK}
    _listing(lambda told: told.update(files=files))(folder)


def _named(name: str) -> Callable[[Path], Any]:
    return _listing(lambda told: told["files"].update({name: told["files"]["run.json"]}))


def _linked(folder: Path) -> None:
    (folder / MODEL).rename(folder.parent / "elsewhere.onnx")
    (folder / MODEL).symlink_to(folder.parent / "elsewhere.onnx")


def _linked_folder(folder: Path) -> None:
    (folder / "base").rename(folder.parent / "base")
    (folder / "base").symlink_to(folder.parent / "base")


def _flip(folder: Path) -> None:
    data = bytearray((folder / MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / MODEL).write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_named("../run.json"), "lists '../run.json', which leads out of its own folder"),
        (_named("base/../../x"), "lists 'base/../../x', which leads out of its own folder"),
        (_named("/etc/passwd"), "lists '/etc/passwd', which leads out of its own folder"),
        (_named("C:\\x"), "which leads out of its own folder"),
        (_named("base\\..\\..\\x"), "which leads out of its own folder"),
        (_linked, "is a link, and pack.json lists files"),
        (_linked_folder, "base is a link, and pack.json lists files"),
        (_flip, "is not the file that pack.json lists (by its sha256)"),
        (lambda folder: (folder / MODEL).write_bytes(b""), "is not the file that pack.json lists"),
        (lambda folder: (folder / "base" / "tokenizer.json").unlink(), "lacks base/tokenizer.json"),
        (lambda folder: (folder / "norms.json").write_text("{}"), "holds norms.json, which its pack.json does"),
        (lambda folder: (folder / "more").symlink_to("/etc"), "holds more, which its pack.json does not list"),
        (lambda folder: (folder / PACK).write_text("{"), "pack.json is not JSON in UTF-8"),
        (lambda folder: (folder / PACK).write_text("[]"), "must be a mapping, got a list"),
        (_listing(lambda told: told.update(version=2)), "is version 2, this emoscribe reads up to 1"),
        (_listing(lambda told: told["files"].pop(MODEL)), "files list no model.onnx"),
        (_listing(lambda told: told["files"][MODEL].update(sha256="0")), "sha256"),
        (_listing(lambda told: told.update(precision="int4")), "precision"),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_as_listed_is_not_read(
    pack: Path, tmp_path: Path, damage: Callable[[Path], Any], message: str
) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(pack, folder)
    damage(folder)
    with pytest.raises(EmoscribeError) as refused:
        find_run(folder)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_what_a_repository_adds_is_left_alone(pack: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(pack, folder)
    (folder / ".gitattributes").write_text("*.onnx filter=lfs\n")
    assert find_run(folder).pack is not None


def test_a_network_whose_weights_lie_elsewhere_is_refused(pack: Path, tmp_path: Path) -> None:
    """They would be read unverified, from wherever the network says."""
    import onnx

    folder = tmp_path / "pack"
    shutil.copytree(pack, folder)
    network = onnx.load(str(folder / MODEL))
    onnx.save(network, str(folder / MODEL), save_as_external_data=True, location="weights.bin", size_threshold=0)
    _listed_anew(folder)
    with pytest.raises(EmoscribeError, match=r"^pack pack: .*model\.onnx keeps weights in other files; take one"):
        load(find_run(folder), OFFLINE)
    (folder / MODEL).write_bytes(b"no network")
    _listed_anew(folder)
    with pytest.raises(EmoscribeError, match=r"model\.onnx is no network that onnxruntime reads "):
        load(find_run(folder), OFFLINE)


def test_what_a_config_needs_with_a_pack_is_no_base(pack: Path, tmp_path: Path) -> None:
    config = tmp_path / "packed.yaml"
    config.write_text(f"modalities: T\nspeech: {{engine: none}}\nmodel: {{run: {pack}}}\n")
    told = CliRunner().invoke(main, ["doctor", str(config)]).stdout
    assert "✓ onnxruntime, for pack pack" in told and "tiny-bert" not in told
