"""Trainings by keywords and with several seeds: what the command line and whoever imports emoscribe have in common."""

from __future__ import annotations

import shutil
from pathlib import Path

import emoscribe
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.errors import SettingsError
from emoscribe.core.files import read_json
from emoscribe.llm.run import TextRun


@pytest.fixture(scope="module")
def table(lines_table: Path, tiny_bert_found: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of lines, with its dev split as a test split too."""
    folder = tmp_path_factory.mktemp("table")
    for split, source in (("train", "train"), ("dev", "dev"), ("test", "dev")):
        shutil.copy(lines_table / f"{source}.csv", folder / f"{split}.csv")
    return folder


@pytest.fixture(scope="module")
def config(small_settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("configs") / "small.yaml"
    path.write_text(yaml.safe_dump(small_settings(epochs=2).model_dump(mode="json", exclude_unset=True)))
    return path


def test_several_seeds_give_a_run_each_and_their_spread(table: Path, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    command = ["finetune", "table", "--data", str(table), "-o", str(out), "--config", str(config), "--offline"]
    done = CliRunner().invoke(main, [*command, "--seed", "1", "--seed", "2"])
    assert done.exit_code == 0, done.output
    runs = [TextRun.load(out / f"seed-{seed}") for seed in (1, 2)]
    assert [run.seeds for run in runs] == [(1,), (2,)]
    reached = [run.metrics["dev"]["macro_f1"] for run in runs]
    spread = read_json(out / "seeds.json")
    assert spread["dev"]["macro_f1"] == pytest.approx({"mean": np.mean(reached), "sd": np.std(reached, ddof=1)})
    assert "2 seeds: macro_f1 " in done.output and f"→ {out / 'seed-2'}: epoch " in done.output

    on = CliRunner().invoke(main, [*command, "--seed", "1", "--seed", "2", "--resume"])
    assert on.output.count("is trained to its end already") == 2
    assert "holds a run already" in CliRunner().invoke(main, [*command, "--seed", "3"]).output
    twice = CliRunner().invoke(main, [*command, "--seed", "4", "--seed", "4", "--resume"])
    assert (twice.exit_code, twice.output) == (1, "emoscribe: seed 4 is given twice; give seeds that differ\n")


def test_keywords_train_and_evaluate_as_the_command_line_does(table: Path, config: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    run = emoscribe.finetune(
        "table", table, tmp_path / "run", config, seed=5, columns={"text": "text"}, offline=True, report=lines.append
    )
    assert run.seeds == (5,) and lines[0] == "table: 36 clips to train on, 15 to choose by"
    measures = emoscribe.evaluate("table", table, run.folder, tmp_path / "report", offline=True)
    assert measures["run"]["n"] == 15 and measures["run"]["macro_f1"] == pytest.approx(run.metrics["dev"]["macro_f1"])
    assert (tmp_path / "report" / "report.html").is_file()
    with pytest.raises(SettingsError, match="unknown key 'seeds'; did you mean 'seed'"):
        emoscribe.finetune("table", table, tmp_path / "other", config, seeds=(1, 2))
