"""A run whose weights or labels are not those that it was saved with is not read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError, UnavailableError
from emoscribe.core.files import read_json
from emoscribe.core.weights import find_base
from emoscribe.llm.predictor import ASKED, load_predictor
from emoscribe.llm.run import ADAPTER, DESCRIPTION, HEAD, NORMS, SHIPPED, TextRun, shipped_runs
from emoscribe.training.probe import EXACT, ROUGH, Probe, check_probe
from safetensors.torch import load_file, save_file

OFFLINE = Context(device="cpu", offline=True)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of an adapter that ships."""
    run = TextRun.load(SHIPPED / "meld-minilm")
    try:
        find_base(run.base.id, context=OFFLINE)
    except UnavailableError as error:
        pytest.skip(str(error))
    return shutil.copytree(run.folder, tmp_path / "copied")


def described(folder: Path, **changed: object) -> None:
    path = folder / DESCRIPTION
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


def weights(folder: Path, name: str, change: Callable[[str, torch.Tensor], torch.Tensor]) -> None:
    tensors = load_file(folder / name)
    save_file({key: change(key, tensor).contiguous() for key, tensor in tensors.items()}, folder / name)


def reordered(folder: Path) -> None:
    labels = TextRun.load(folder).labels
    described(folder, labels=[*labels[1:], labels[0]])


def renamed(folder: Path) -> None:
    described(folder, labels=["calm", *TextRun.load(folder).labels[1:]])


def head_rows_turned(folder: Path) -> None:
    weights(folder, HEAD, lambda name, tensor: tensor.flip(0) if "classifier" in name else tensor)


def head_of_zeros(folder: Path) -> None:
    weights(folder, HEAD, lambda name, tensor: torch.zeros_like(tensor))


def adapter_of_zeros(folder: Path) -> None:
    weights(folder, ADAPTER, lambda name, tensor: torch.zeros_like(tensor))


def adapter_of_other_sign(folder: Path) -> None:
    weights(folder, ADAPTER, lambda name, tensor: -tensor if "lora_B" in name else tensor)


def adapter_of_other_scale(folder: Path) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "lora_alpha": 1}))


@pytest.mark.parametrize(
    "change",
    [
        reordered,
        renamed,
        head_rows_turned,
        head_of_zeros,
        adapter_of_zeros,
        adapter_of_other_sign,
        adapter_of_other_scale,
    ],
    ids=lambda change: change.__name__,
)
def test_a_run_that_was_changed_is_refused(copied: Path, change: Callable[[Path], None]) -> None:
    """Each of these was read, and gave scores that looked like any others."""
    change(copied)
    with pytest.raises(EmoscribeError) as error:
        load_predictor(TextRun.load(copied), OFFLINE)
    message = str(error.value)
    assert f"run {copied} is not as it was saved: its weights or labels are others; to 'I really" in message
    assert "\n" not in message and len(message) < 400


def test_a_run_from_before_there_were_probes_is_read(copied: Path) -> None:
    path = copied / DESCRIPTION
    path.write_text(json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "probe"}))
    run = TextRun.load(copied)
    assert run.probe is None
    assert load_predictor(run, OFFLINE).probed() == TextRun.load(SHIPPED / "meld-minilm").probe


@pytest.mark.parametrize("name", shipped_runs())
def test_adapters_that_ship_remember_what_they_answer(name: str) -> None:
    run = TextRun.load(SHIPPED / name)
    assert run.probe is not None and run.probe.exact and tuple(run.probe.logits) == ASKED
    assert all(tuple(logits) == run.labels for logits in run.probe.logits.values())


def test_logits_may_differ_as_machines_do(tmp_path: Path) -> None:
    run = TextRun.load(SHIPPED / "meld-minilm")
    assert run.probe is not None

    def moved(by: float, exact: bool) -> Probe:
        logits = {text: {label: x + by for label, x in row.items()} for text, row in run.probe.logits.items()}  # pyright: ignore
        return Probe(exact=exact, logits=logits)

    check_probe(run, moved(0.9 * EXACT, exact=True))
    check_probe(run, moved(0.9 * ROUGH, exact=False))
    for by, exact in ((1.2 * EXACT, True), (1.2 * ROUGH, False), (float("nan"), False)):
        with pytest.raises(EmoscribeError, match="is not as it was saved"):
            check_probe(run, moved(by, exact))


@pytest.mark.parametrize(
    ("norms", "message"),
    [
        (None, "norms.json: voice norms must be a mapping, got None"),
        ([], "norms.json: voice norms must be a mapping, got "),
        ({}, "norms.json: voice norms must be a mapping with version 1"),
        ("pitch", "norms.json: low register, pitch_hz: expected 8 ascending numbers, got None"),
        ("registers", "norms.json: registers must hold bounds by measure under low and high"),
    ],
)
def test_norms_that_are_null_are_refused(tmp_path: Path, norms: object, message: str) -> None:
    """A run whose norms are null read voices without any."""
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(SHIPPED / "meld-minilm" / DESCRIPTION, folder)
    value = read_json(SHIPPED / "meld-minilm" / NORMS)
    if norms == "pitch":
        value["registers"]["low"]["pitch_hz"] = None
    elif norms == "registers":
        value["registers"] = None
    else:
        value = norms
    (folder / NORMS).write_text(json.dumps(value))
    with pytest.raises(SettingsError) as error:
        TextRun.load(folder)
    assert message in str(error.value) and "\n" not in str(error.value)
