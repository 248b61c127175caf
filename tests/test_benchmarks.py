"""The benchmarks of seeing, hearing and scoring, at a size at which they measure nothing but run."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emoscribe.core.errors import UnavailableError

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"

TINY = {
    "face": "--frames 3 --size 160x128 --faces 2 --batch-size 2 --rounds 1 --device cpu --backbone convnextv2_atto",
    "scoring": "--shape tiny --device cpu --prompts 12 --rounds 1",
    "scale": "--clips 2 --workers 1 --modalities V",
    "store": "--rows 600 --plain 10",
    "speech": "--model nano --minutes 0.75 --tokens 8 --batch-size 2 --rounds 1 --device cpu",
}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A benchmark as a module, its neighbours within reach as they are for `python benchmarks/NAME.py`."""
    monkeypatch.syspath_prepend(BENCHMARKS)

    def load(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # records ask for their module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize("name", TINY)
def test_it_ends_with_a_line_of_json_and_keeps_a_file(
    name: str, script: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    gradients = torch.is_grad_enabled()
    script(name).main([*TINY[name].split(), "--out", str(tmp_path)])
    torch.set_grad_enabled(gradients)  # py-feat's own detector turns them off
    lines = capsys.readouterr().out.splitlines()
    result = json.loads(lines[-1])
    assert list(result) == ["name", "ratio", "ours", "plain", "unit", "device"]
    assert result["name"] == name and result["ratio"] > 0
    (kept,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    assert result.items() <= kept[name].items()
    assert {"python", "torch"} <= set(kept[name]["versions"])
    if name == "face":  # the same work was done both ways
        assert float(lines[-2].split()[4]) < 1e-3
    elif name == "scoring":
        assert "the same scores as the padded loop, to " in "".join(lines)
    elif name == "speech":
        assert all(count > 0 for count in kept[name]["windows"].values())


def test_better_is_above_one_whatever_the_unit(
    script: Callable[[str], Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a device's file keeps the latest of each name."""
    report = script("results").report
    report("fast", 30.0, 10.0, "frames/s", "NVIDIA H200", tmp_path, batch_size=16)
    report("short", 10.0, 30.0, "seconds a minute of sound", "NVIDIA H200", tmp_path)
    report("fast", 40.0, 10.0, "frames/s", "NVIDIA H200", tmp_path, batch_size=32)
    assert [json.loads(line)["ratio"] for line in capsys.readouterr().out.splitlines()] == [3.0, 3.0, 4.0]
    kept = json.loads((tmp_path / "nvidia-h200.json").read_text())
    assert list(kept) == ["fast", "short"]
    assert (kept["fast"]["ratio"], kept["fast"]["batch_size"]) == (4.0, 32)


def test_in_one_sitting_parts_fail_alone_and_are_measured_once(
    script: Callable[[str], Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also what cannot be done here is in the file, in one line, and is tried again the next time."""
    sitting, out = script("on_gpu"), tmp_path / "found" / "gpu.json"
    asked = ["--out", str(out), "--tiny", "--data", str(tmp_path / "nowhere"), "--parts", "smollm2,training"]
    sitting.main(asked)
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["name"] == "training"
    found = json.loads(out.read_text())
    assert found["parts"]["smollm2"]["error"] == f"MELD is not in {tmp_path / 'nowhere'}; say where with --data"
    assert found["parts"]["training"]["result"]["tokens_per_s"] > 0
    assert found["device"] and {"python", "torch"} <= set(found["versions"])

    sitting.main(asked)
    assert "{" not in capfd.readouterr().out  # nothing is measured twice
    again = json.loads(out.read_text())["parts"]
    assert again["training"] == found["parts"]["training"] and "error" in again["smollm2"]


@pytest.mark.parametrize("name", ["scoring-compiled", "scoring-nf4", "compiled", "nf4", "cross-entropy", "recognisers"])
def test_every_part_runs_tiny_or_says_why_not(
    name: str, script: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that have no test of their own; nothing is compiled here, and a GPU is asked for."""
    import torch

    part = script("on_gpu").PARTS[name]
    asked = [*part.tiny.split(), "--device", "cpu", "--out", str(tmp_path)]
    compiled, compile = [], torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **how: compiled.append(self) or compile(self, **how))
    with torch.compiler.set_stance("force_eager"):
        if "nf4" in name:
            with pytest.raises(UnavailableError, match="nf4 needs a GPU, and the device is cpu"):
                script(part.script).main(asked)
            return
        script(part.script).main(asked)
    (kept,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    (result,) = kept.values()
    assert result["ratio"] > 0
    assert bool(compiled) == ("compiled" in name)
    if name == "recognisers":
        factors = result["real_time_factors"]
        assert len(factors) == 4 and all(factor > 0 for factor in factors.values())


def test_whatever_ends_a_part_the_next_is_measured(
    script: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting, out = script("on_gpu"), tmp_path / "gpu.json"

    def measured(part: Any, tiny: bool, device: str) -> dict[str, float]:
        if part.script == "face":
            raise PermissionError("no such luck")
        return {"ratio": 2.0}

    monkeypatch.setattr(sitting, "measured", measured)
    sitting.main(["--out", str(out), "--tiny", "--parts", "face,speech"])
    parts = json.loads(out.read_text())["parts"]
    assert parts["face"]["error"] == "PermissionError: no such luck" and parts["speech"]["result"] == {"ratio": 2.0}


def test_of_what_went_wrong_the_line_that_says_so_is_kept(script: Callable[[str], Any]) -> None:
    """Of a library that could not be loaded, "[end of loading traceback]" was kept."""
    told = "Traceback:\n  File x\nRuntimeError: Could not load libtorchcodec\nFFmpeg 4: …\n[end of loading traceback]."
    assert script("on_gpu").last_line(told) == "RuntimeError: Could not load libtorchcodec"
    assert script("on_gpu").last_line("x.py: error: argument\n\n") == "x.py: error: argument"


def test_a_benchmark_that_ends_badly_says_why_in_one_line(script: Callable[[str], Any]) -> None:
    sitting = script("on_gpu")
    with pytest.raises(sitting.Failed, match=r"^training.py: error: argument --shape: invalid choice: 'huge'"):
        sitting.measured(sitting.Part("training", "", "--shape huge", 60), True, "cpu")


def test_a_run_travels_in_one_file_in_half_its_size(script: Callable[[str], Any], tmp_path: Path) -> None:
    """Its adapter in float16; checkpoints and folders stay behind."""
    import tarfile

    import torch
    from safetensors.torch import load_file, save_file

    run = tmp_path / "run"
    (run / "curves").mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (run / "checkpoint.safetensors.partial").write_bytes(b"half")
    save_file({"lora_A": torch.ones(2, 3) / 3}, run / "adapter_model.safetensors")
    script("on_gpu").pack(run, tmp_path / "run.tar")
    with tarfile.open(tmp_path / "run.tar") as packed:
        assert packed.getnames() == ["run/adapter_model.safetensors", "run/run.json"]
        packed.extractall(tmp_path / "there", filter="data")
    (found,) = load_file(tmp_path / "there" / "run" / "adapter_model.safetensors").values()
    assert found.dtype == torch.float16 and torch.allclose(found.float(), torch.ones(2, 3) / 3, atol=1e-3)
