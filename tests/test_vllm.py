"""Label words scored by vLLM: as by this process, whoever is in its place; and what is said where it is not here."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError, UnavailableError
from emoscribe.core.prompt import Prompt
from emoscribe.core.weights import FOLDERS_VARIABLE, weights_sha256
from emoscribe.doctor import examine
from emoscribe.extractors.executors import SerialExecutor
from emoscribe.llm.by_vllm import Vllm, VllmPredictor, check_scorable, load_vllm
from emoscribe.llm.checkpoint import save_adapter
from emoscribe.llm.predictor import TextPredictor, load_predictor
from emoscribe.llm.run import Base, TextRun, find_run
from emoscribe.llm.settings import Head, LoraSettings, TrainingSettings
from emoscribe.llm.untrained import untrained
from emoscribe.llm.vllm_process import PROGRAM, PYTHON_VARIABLE, Chunk, Opening, Worker, vllm_version
from emoscribe.llm.vllm_worker import partings
from emoscribe.prompts.settings import PromptSettings

OFFLINE = Context(device="cpu", offline=True)
# The first shares its first word with the second, and one has a word more.
LABELS = ("sadly angry", "sadly fearful", "joy", "neutral")
SAID = ("what a great day", "you did what", "fine", "he is gone and I am alone now and nobody comes", "great")
HERE = os.environ.get(PYTHON_VARIABLE) or (sys.executable if importlib.util.find_spec("vllm") else None)


def program(path: Path, line: str) -> Path:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter as if vLLM were installed for it."""
    script = Path(__file__).with_name("vllm_stand_in.py")
    return str(program(tmp_path_factory.mktemp("bin") / "python", f'exec "{sys.executable}" "{script}" "$@"'))


@pytest.fixture(scope="module", autouse=True)
def base(tmp_path_factory: pytest.TempPathFactory):
    """A random Llama with heads as wide as vLLM's kernels have them, and a tokenizer of whole words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=96,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=128,
        max_position_embeddings=256,
        # Far from a fresh model's narrow weights, so that every part shows in the scores.
        initializer_range=0.12,
        eos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words = ["<pad>", "</s>", ":", *dict.fromkeys(" ".join((*LABELS, *SAID)).split())]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDERS_VARIABLE, str(folder.parent))
        yield folder


@pytest.fixture(scope="module")
def reader(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TextPredictor:
    """A run with an adapter that says something, as this process reads it."""
    settings = TrainingSettings(
        head=Head(kind="label-words"), lora=LoraSettings(rank=4, alpha=8, rank_stabilized=True), device="cpu"
    )
    run = TextRun(
        folder=tmp_path_factory.mktemp("runs") / "words",
        base=Base(id=base.name, sha256=weights_sha256(base)),
        head=settings.head,
        label_set="four",
        labels=LABELS,
        prompt=PromptSettings(),
        licence="none",
        temperature=1.7,
        temperatures={"T": 2.5},
    )
    torch.manual_seed(1)
    fresh = untrained(base, run, settings, "cpu")
    with torch.no_grad():
        for name, weight in fresh.model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.1)
    run.save()
    save_adapter(fresh, base.name, run.folder)
    return load_predictor(TextRun.load(run.folder), OFFLINE)


def prompts() -> list[Prompt]:
    """Two read alike, one alone is of words only, and all begin with more than a block of the prefix cache."""
    asked = " ".join(SAID * 7)
    texts = [f"{asked} {said} :" for said in (*SAID, SAID[0])]
    return [
        Prompt(str(place), text, {"target": (len(asked) + 1, len(text) - 2)}, signals="T" if place == 1 else "TVA")
        for place, text in enumerate(texts)
    ]


def by_vllm(run: TextRun, monkeypatch: pytest.MonkeyPatch, python: str) -> VllmPredictor:
    monkeypatch.setenv(PYTHON_VARIABLE, python)
    return load_vllm(run, Vllm(SerialExecutor()), OFFLINE)


def compare(reader: TextPredictor, other: VllmPredictor, tolerance: float) -> None:
    done: list[float] = []
    ours, theirs = reader.predict(prompts()), other.predict(prompts(), progress=done.append)
    assert len({tuple(one.scores.values()) for one in ours}) == len(SAID)
    assert ours[0].scores == ours[-1].scores and done == [1.0]
    for one, same in zip(ours, theirs, strict=True):
        assert one.id == same.id and one.scores == pytest.approx(same.scores, abs=tolerance)
    # The same worker is asked again, and alone a prompt is answered as among others.
    assert other.predict(prompts()[2:3])[0].scores == pytest.approx(theirs[2].scores, abs=tolerance)
    assert other.predict([]) == [] and other.opening() is other.opening()
    # Merged into its base, an adapter has no weights of its own.
    adapter = sum(path.stat().st_size for path in reader.run.folder.glob("*.safetensors"))
    assert other.sizes["bytes"] == reader.sizes["bytes"] > adapter
    assert other.sizes["parameters"] > reader.sizes["parameters"]


def test_scores_are_those_of_this_process(
    reader: TextPredictor, stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = by_vllm(reader.run, monkeypatch, stand_in)
    compare(reader, other, 1e-5)
    # What it cannot hold is one line, and its end.
    too_long = Prompt("", " ".join(["what"] * 300), {"target": (0, 4)})
    monkeypatch.setattr(other.tokenizer, "max_tokens", 300)
    with pytest.raises(EmoscribeError, match=r"vLLM cannot score on tiny-llama: The decoder prompt .* is longer than"):
        other.predict([too_long])


@pytest.mark.skipif(HERE is None, reason=f"vLLM is not here; {PYTHON_VARIABLE} names an interpreter that has it")
def test_scores_of_vllm_are_those_of_this_process(reader: TextPredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HERE is not None
    # Of a test's size, and in one process.
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    compare(reader, by_vllm(reader.run, monkeypatch, HERE), 1e-2)


def test_a_place_where_answers_part_is_asked_for_once() -> None:
    answers = [[5, 6, 1], [5, 7, 1], [8, 1]]
    assert partings(answers) == [((), [5, 8]), ((5,), [6, 7]), ((8,), [1]), ((5, 6), [1]), ((5, 7), [1])]
    # vLLM tells of 128 tokens at a time.
    assert [len(tokens) for _, tokens in partings([[n] for n in range(200)])] == [128, 72]


# ── the command line ─────────────────────────────────────────────────────────


@pytest.fixture
def table(tmp_path: Path, write_csv) -> Path:
    rows = [(said, LABELS[place % 4]) for place, said in enumerate(SAID)]
    folder = tmp_path / "table"
    folder.mkdir()
    write_csv(folder / "test.csv", ("text", "label"), *rows)
    return folder


def test_evaluate_writes_the_same_report(
    reader: TextPredictor, table: Path, stand_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, stand_in)
    command = ["evaluate", "table", "--data", str(table), "--run", str(reader.run.folder), "--modalities", "T"]
    measured = {}
    for engine in ("local", "vllm"):
        out = tmp_path / engine
        done = CliRunner().invoke(main, [*command, "--engine", engine, "--out", str(out)])
        assert done.exit_code == 0, done.output
        measured[engine] = json.loads((out / "metrics.json").read_text())["words"]
        assert ("scored by vLLM 0.0.0" in (out / "report.md").read_text()) == (engine == "vllm")
    for name in ("n", "accuracy", "macro_f1", "confusion"):
        assert measured["local"][name] == measured["vllm"][name]
    assert measured["local"]["ece"] == pytest.approx(measured["vllm"]["ece"], abs=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gpus", "2"], "--gpus is for --engine vllm"),
        (["--engine", "vllm", "--run", "meld-minilm"], "run meld-minilm answers otherwise; leave it out"),
        (["--engine", "vllm"], f"{PYTHON_VARIABLE} names nowhere, and no such file is here; vLLM needs an environment"),
    ],
    ids=["no-engine", "another-head", "not-here"],
)
def test_what_cannot_be_is_one_line(
    reader: TextPredictor, table: Path, tmp_path: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, "nowhere")
    run = [] if "--run" in options else ["--run", str(reader.run.folder)]
    out = ["--out", str(tmp_path / "report")]
    done = CliRunner().invoke(main, ["evaluate", "table", "--data", str(table), *run, *options, *out])
    assert done.exit_code == 1 and said in done.output and len(done.output.splitlines()) == 1
    assert not (tmp_path / "report").exists()


def test_runs_that_vllm_reads_otherwise_are_refused(
    reader: TextPredictor, stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, stand_in)
    check_scorable(find_run("zero-shot:tiny-llama"))
    base = reader.run.base.model_copy(update={"quantization": "nf4"})
    with pytest.raises(SettingsError, match="run words reads its base in nf4, where scores differ"):
        check_scorable(reader.run.model_copy(update={"base": base}))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="leave accelerate launch out"):
        check_scorable(reader.run)


# ── where it is not here ─────────────────────────────────────────────────────


def test_an_interpreter_without_it_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = str(program(tmp_path / "python", "exit 1"))
    with pytest.raises(UnavailableError, match=r"has no vLLM; .*pip install vllm, then set EMOSCRIBE_VLLM_PYTHON"):
        vllm_version(bare)
    dying = str(program(tmp_path / "dying", "echo CUDA is lost >&2; exit 3"))
    with pytest.raises(EmoscribeError, match="its worker ended with 3, and with the words: CUDA is lost"):
        Worker(dying, {"model": "/models/some-8b"})


def test_the_doctor_knows_whether_it_is_here(stand_in: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, stand_in)
    (line,) = (line for line in examine(offline=True) if " vllm " in line)
    said = f"✓ scoring vllm scores labels' words (evaluate --engine vllm): 0.0.0, by {stand_in}"
    assert line.split() == said.split()


def test_a_worker_ends_with_the_process_that_began_it() -> None:
    """Even where nothing more can be read: it may be at work for minutes."""
    with subprocess.Popen(["sleep", "600"]) as beginning:
        command = [sys.executable, "-I", str(PROGRAM), str(beginning.pid)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
            beginning.kill()
            beginning.wait()
            assert worker.wait(60) == 1


def test_a_worker_ends_at_once_where_its_command_is_interrupted(tmp_path: Path) -> None:
    """And what it has begun in turn, though no signal of a terminal reaches them."""
    pids = tmp_path / "pids"
    working = program(
        tmp_path / "python", f'sleep 600 & echo $$ $! > {pids}\nread line; echo \'{{"ready": "1"}}\'\nwait'
    )
    begins = """
import sys, time
from emoscribe.core.interrupts import end_on_interrupt
from emoscribe.llm.vllm_process import Worker
end_on_interrupt()
worker = Worker(sys.argv[1], {"model": "some-8b"})
print("busy", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", begins, str(working)], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None and command.stdout.readline() == "busy\n"
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 130
    for pid in pids.read_text().split():
        until = time.monotonic() + 5
        while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
            assert time.monotonic() < until, "it goes on"
            time.sleep(0.02)


def test_a_worker_that_has_ended_is_replaced(tmp_path: Path) -> None:
    """And whoever makes it goes to other processes without it."""
    replies = ('{"ready": "1"}', '{"error": "no room"}')
    failing = program(tmp_path / "python", "\n".join(f"read line; echo '{reply}'" for reply in replies))
    opening = Opening(str(failing), {"model": "some-8b"})
    worker = opening()
    assert opening() is worker
    elsewhere = pickle.loads(pickle.dumps(opening))
    assert elsewhere() is not worker
    with pytest.raises(EmoscribeError, match="vLLM cannot score on some-8b: no room"):
        worker(Chunk(0, [[1]], [[2]]))
    assert opening() is not worker
