"""Files from elsewhere are data: nothing in them runs, and nothing leads out of where they lie."""

from __future__ import annotations

import json
import os
import pickle
import re
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.weights import MODELS, find_base
from emoscribe.llm.run import ADAPTER, HEAD, SHIPPED, TextRun

OFFLINE = Context(device="cpu", offline=True)


class Payload:
    """What makes a folder where it is unpickled by somebody who runs what it says."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.made),)


@pytest.fixture
def evil(tmp_path: Path) -> Callable[[Path], Path]:
    """`evil(path)` writes a pickle in the place of weights, as pickle and as torch write it."""

    def write(path: Path, *, by_torch: bool = True) -> Path:
        payload = {"state_dict": Payload(tmp_path / "ran"), "dims": Payload(tmp_path / "ran")}
        if by_torch:
            import torch

            torch.save(payload, path)
        else:
            path.write_bytes(pickle.dumps(payload))
        return path

    return write


def _adapter(path: Path) -> None:
    from emoscribe.llm.predictors import load

    load(TextRun.load(path.parent), OFFLINE)


def _checkpoint(path: Path) -> None:
    from emoscribe.training.checkpoints import read_checkpoint

    read_checkpoint(path, dict)


def _feature(path: Path) -> None:
    from emoscribe.extractors.features.weights import read_checkpoint

    read_checkpoint("vggish", path)


def _fusion(path: Path) -> None:
    import torch
    from emoscribe.baseline.weights import put_weights

    put_weights(torch.nn.Linear(1, 1), path)


def _whisper(path: Path) -> None:
    from emoscribe.extractors.settings import SpeechSettings
    from emoscribe.extractors.speech.whisper import Whisper

    Whisper(SpeechSettings(engine="whisper", model=str(path), device="cpu", precision="float32"), OFFLINE)


def _speakers(path: Path) -> None:
    from emoscribe.extractors.settings import SpeakerSettings
    from emoscribe.extractors.speakers.voices import VoiceEncoder

    VoiceEncoder(SpeakerSettings(model=str(path)))


@pytest.mark.parametrize("by_torch", [True, False], ids=["torch", "pickle"])
@pytest.mark.parametrize(
    ("name", "read"),
    [
        (ADAPTER, _adapter),
        (HEAD, _adapter),
        ("checkpoint.pt", _checkpoint),
        ("vggish.pth", _feature),
        ("weights.safetensors", _fusion),
        ("large.pt", _whisper),
        ("voices.onnx", _speakers),
    ],
)
def test_a_pickle_in_the_place_of_weights_does_not_run(
    evil, tmp_path: Path, name: str, read: Callable[[Path], None], by_torch: bool
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(SHIPPED / "goemotions-minilm", folder)
    path = evil(folder / name, by_torch=by_torch)
    with pytest.raises(EmoscribeError) as refused:
        read(path)
    assert not (tmp_path / "ran").exists()
    assert "\n" not in str(refused.value)
    with pytest.raises(FileExistsError):  # it would have run
        (tmp_path / "ran").mkdir()
        pickle.loads(pickle.dumps(Payload(tmp_path / "ran")))


def test_a_base_that_is_a_pickle_is_none(evil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models" / "pickled"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    evil(folder / "pytorch_model.bin")
    monkeypatch.setenv("EMOSCRIBE_MODELS", str(tmp_path / "models"))
    with pytest.raises(EmoscribeError, match="the base model pickled is not on this machine"):
        find_base("pickled", context=OFFLINE)
    assert not (tmp_path / "ran").exists()


def test_code_that_a_base_brings_does_not_run(tmp_path: Path) -> None:
    """`transformers` would ask, on a terminal, whether it may."""
    import torch
    from emoscribe.llm.base import load_base
    from emoscribe.llm.chat import chat_frame
    from emoscribe.llm.settings import Head

    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "evil.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\nclass Evil: pass\n")
    brought = {f"Auto{what}": "evil.Evil" for what in ("Config", "Model", "Tokenizer", "ModelForCausalLM")}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": brought}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}))
    for kind in ("classification", "label-words"):
        with pytest.raises((ValueError, OSError)):
            load_base(folder, Head(kind=kind), "none", "cpu", torch.float32)
    with pytest.raises(EmoscribeError, match="the chat template of base cannot be read"):
        chat_frame(folder)
    assert not (tmp_path / "ran").exists()


# ── hashes ───────────────────────────────────────────────────────────────────

# The hub tells the digest of these when they are fetched, and they are held against it; no other is known here.
_TOLD_BY_THE_HUB = {"py-feat/retinaface_r34", "py-feat/face_multitask_v2", "timm/resnet50.tv_in1k"}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_its_hash(name: str) -> None:
    model = MODELS[name]
    digests = [file.sha256 for file in model.files.values()] or [model.sha256]
    if model.wheel is not None and model.wheel.quantized is not None:
        digests.append(model.wheel.quantized.sha256)
    if name in _TOLD_BY_THE_HUB:
        assert digests == [None] and model.url is None
        assert model.file is None or model.file.endswith(".safetensors")
        return
    for digest in digests:
        assert re.fullmatch("[0-9a-f]{64}", digest or ""), name


def test_every_package_that_carries_one_has_its_hash() -> None:
    from emoscribe.core.carried import PINS

    pins = [line for line in PINS.read_text().splitlines() if line.strip() and not line.startswith("#")]
    assert pins
    for pin in pins:
        assert re.fullmatch(r"[\w-]+==[\w.]+( --hash=sha256:[0-9a-f]{64})+", pin), pin


@pytest.mark.parametrize("name", sorted(path.parent.name for path in SHIPPED.glob("*/run.json")))
def test_every_adapter_that_ships_names_the_hash_of_its_base(name: str) -> None:
    run = TextRun.load(SHIPPED / name)
    assert run.base.sha256 is not None and run.base.sha256 == MODELS[run.base.id].sha256


# ── what all of it is made of ────────────────────────────────────────────────


def _recipe(name: str) -> dict[str, Any]:
    return runpy.run_path(str(Path(__file__).resolve().parents[1] / "recipes" / f"{name}.py"))


def test_the_bill_of_materials_has_every_model_with_its_hashes() -> None:
    packages = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"type": "library", "name": "numpy"}]}
    bill = _recipe("sbom")["with_models"](packages)
    library, *models = bill["components"]
    assert library["name"] == "numpy" and bill["specVersion"] == "1.6"
    assert {each["type"] for each in models} == {"machine-learning-model"}
    assert {each["name"] for each in models} == {*MODELS, *(path.parent.name for path in SHIPPED.glob("*/run.json"))}
    for each in models:
        digests = [found["content"] for part in (each, *each.get("components", ())) for found in part.get("hashes", ())]
        assert digests or each["name"] in _TOLD_BY_THE_HUB, each["name"]
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)
    references = [part["bom-ref"] for each in models for part in (each, *each.get("components", ()))]
    assert len(references) == len(set(references))


@pytest.mark.parametrize(
    ("told", "code", "line"),
    [
        ([{"name": "a", "version": "1", "vulns": []}], 0, "nothing is known of any of 1 packages"),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}],
            1,
            "a 1: CVE-1, mended in 2",
        ),
        ([{"name": "a", "skip_reason": "not found"}], 2, "NOT AUDITED: 1 of 1 packages could not be looked up (a)"),
        ([], 2, "NOT AUDITED: 0 of 0 packages could not be looked up ()"),
        (None, 2, "NOT AUDITED: pip-audit==2.10.1 came to nothing (no route to host)"),
    ],
)
def test_what_could_not_be_looked_up_is_not_called_safe(told: Any, code: int, line: str) -> None:
    """pip-audit itself says "No known vulnerabilities found" where it could look up nothing, and exits with 0."""
    stdout = "" if told is None else json.dumps({"dependencies": told})
    assert _recipe("audit")["verdict"](0, stdout, "…\nno route to host\n") == (code, [line])
