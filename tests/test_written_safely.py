"""Whatever labels, clips, runs and files are called: nothing that a terminal, a spreadsheet or a page would act on."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.cells import as_cell, csv_text, is_formula, of_cell
from emoscribe.core.console import Bars
from emoscribe.core.text import printable, printable_line
from emoscribe.core.timeline import Clip
from emoscribe.evaluation.label_sets import LabelSetPredictions
from emoscribe.evaluation.predictions import Predictions, read_predictions
from emoscribe.evaluation.ratings import NumberPredictions
from emoscribe.evaluation.report import write_report
from emoscribe.llm.card import model_card
from emoscribe.llm.run import Base, TextRun
from emoscribe.prompts.settings import PromptSettings

# Clears the screen, sets the title, rings, turns the line round, goes back to its start, and is half a character.
HOSTILE = "joy\x1b[2J\x1b]0;owned\x07\x9b31m\u202eecila\x07\r\x08\x7f\u2066"
_ACTED_ON = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

FORMULAS = (
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "' =1",
    "'=1",
    "''+1",
    "'",
    "'tis",
    "a\rb",
    "",
)


def test_a_cell_is_no_formula_and_reads_back() -> None:
    text = csv_text([[as_cell(each), "x"] for each in FORMULAS])
    cells = [row[0] for row in csv.reader(io.StringIO(text, newline=""))]
    assert not any(map(is_formula, cells))
    assert tuple(map(of_cell, cells)) == FORMULAS
    assert as_cell("'tis") == "'tis"


def test_no_table_of_an_evaluation_runs_anything(tmp_path: Path) -> None:
    labels, clips = ("=A1", "@b", "joy"), ("=1+1", "\t=2", "plain")
    scores = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    told = {
        "labels": Predictions("=run", labels, clips, ("=A1", "@b", "joy"), scores),
        "sets": LabelSetPredictions(
            "=run", labels, clips, tuple(map(frozenset, (["=A1"], ["@b"], ["joy"]))), scores, np.full(3, 0.5)
        ),
        "numbers": NumberPredictions("=run", clips, (-1.0, 0.5, 1.0), np.array([-0.5, 0.25, 1.0]), (-1.0, 1.0)),
    }
    for kind, one in told.items():
        written = write_report(
            tmp_path / kind,
            [one],  # type: ignore[arg-type]
            corpus="=c",
            split="test",
            split_clips=[Clip(id=clip, target="joy", text="=said") for clip in clips],
            resamples=20,
        )
        with written["predictions.csv"].open(encoding="utf-8", newline="") as file:
            names = [cell for row in csv.reader(file) for cell in row if not re.fullmatch(r"-?[\d.]+", cell)]
        assert names and not any(map(is_formula, names)), kind
    (read,) = read_predictions(tmp_path / "labels" / "predictions.csv")
    assert (read.run, read.labels, read.clip_ids, read.truth) == ("=run", labels, clips, labels)


def test_a_report_and_a_card_hold_nothing_that_a_terminal_acts_on(tmp_path: Path) -> None:
    labels = (HOSTILE, "<script>alert(1)</script>", "[joy](javascript:alert(1))")
    one = Predictions(HOSTILE, labels, ("1", HOSTILE, "3"), labels, np.full((3, 3), 1 / 3))
    written = write_report(
        tmp_path / "report",
        [one],
        corpus=HOSTILE,
        split="test",
        split_clips=[Clip(id=clip, text=HOSTILE) for clip in one.clip_ids],
        notes=[HOSTILE],
        about={HOSTILE: HOSTILE},
        resamples=20,
    )
    run = TextRun(
        folder=tmp_path / "run",
        base=Base(id="some/base", sha256="ab" * 32),
        label_set=HOSTILE,
        labels=labels,
        prompt=PromptSettings(),
        licence=HOSTILE,
        training={
            "settings": {"licence": HOSTILE},
            "versions": {},
            "seconds": 1.0,
            "data": [
                {"corpus": HOSTILE, "split": "train", "clips": 1, "labels": {HOSTILE: 1}, "licence": HOSTILE,
                 "fingerprint": HOSTILE}
            ],
        },
    )  # fmt: skip
    texts = {name: written[name].read_text(encoding="utf-8") for name in ("report.html", "report.md")}
    texts["card"] = model_card(run)
    for name, text in texts.items():
        assert _ACTED_ON.search(text) is None, name
        assert "<script>alert" not in text, name
        assert "joy" in text
    assert re.search(r"(?<!\\)\](?:\(javascript)", texts["report.md"] + texts["card"]) is None
    settings = re.search(r"```yaml\n(.*?)```", texts["card"], re.S)
    assert settings is not None
    assert yaml.safe_load(settings[1]) == {"licence": HOSTILE}


def test_what_is_printed_is_shown_and_not_done(tmp_path: Path) -> None:
    assert printable("a\x1b[1m\tb\n\udcff\r\u202e") == "a\\u001b[1m\tb\n\\udcff\\u000d\\u202e"
    assert printable_line("a\r\nb  c\x85d") == "a b  c d"
    written = json.dumps({HOSTILE: 1}, ensure_ascii=False)
    assert json.loads(printable(written)) == {HOSTILE: 1}


def table(folder: Path) -> Path:
    folder.mkdir()
    for split in ("train", "test"):
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label", "speaker"), (HOSTILE, HOSTILE, HOSTILE), ("Oh", "b", "Ann")])
    return folder


@pytest.mark.parametrize(
    "args",
    [
        ("corpus", "table", "--data", "table"),
        ("corpus", "table", "--data", "table", "--json"),
        ("prompt", "table", "--data", "table"),
        ("evaluate", "table", "--data", "table", "--run", HOSTILE, "--out", "report"),
        ("evaluate", "table", "--data", "table", "--run", "meld-minilm", "--out", "report"),
        ("analyze", f"{HOSTILE}.mp4"),
        ("analyze", f"{HOSTILE}.mp4", f"{HOSTILE}2.mp4"),
        ("analyze", "a.mp4", "--labels", HOSTILE),
        ("analyze", "a.mp4", "--from", HOSTILE),
        ("analyze", "a.mp4", f"--{HOSTILE}"),
        ("export", f"{HOSTILE}.json"),
        ("settings", HOSTILE),
        ("doctor", HOSTILE),
        ("serve", "--set", f"serve.{HOSTILE}=1"),
        (HOSTILE,),
    ],
    ids=lambda args: " ".join(args).replace(HOSTILE, "HOSTILE"),
)
def test_a_command_says_it_safely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]) -> None:
    table(tmp_path / "table")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, args)
    assert done.exit_code in (0, 1, 2)
    assert done.stdout + done.stderr
    for told in (done.stdout, done.stderr):
        assert _ACTED_ON.search(told) is None, repr(told)
    if done.exit_code == 1:
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("emoscribe: ")][:1]
        assert "unexpected" not in line


def test_a_bar_says_it_safely() -> None:
    class Screen:
        said = ""

        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return screen

        def write(self, text: str) -> None:
            self.said += text

        def flush(self) -> None:
            pass

    _, screen = os.openpty()
    shown = Screen()
    bars = Bars(shown)  # type: ignore[arg-type]
    bars.heading = HOSTILE
    bars(HOSTILE, 0.0)
    assert shown.said.startswith("\r\x1b[2K")
    assert _ACTED_ON.search(shown.said.removeprefix("\r\x1b[2K")) is None


# ── standard streams ─────────────────────────────────────────────────────────

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells of POSIX")


def in_shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`EMOSCRIBE` in the line is the program."""
    program = f"{sys.executable} -m emoscribe"
    command = ["bash", "-o", "pipefail", "-c", line.replace("EMOSCRIBE", program)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=60)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("EMOSCRIBE settings >&-", 1, "emoscribe: standard output is closed\n"),
        ("EMOSCRIBE settings >/dev/full", 1, "emoscribe: cannot write to standard output: no space left on device\n"),
        ("EMOSCRIBE --help >/dev/full", 1, "emoscribe: cannot write to standard output: no space left on device\n"),
        ("EMOSCRIBE settings | true", 1, "emoscribe: standard output is closed\n"),
        ("EMOSCRIBE settings >&- 2>&-", 1, ""),
        ("EMOSCRIBE settings nix 2>&1 | true", 1, ""),
        ("EMOSCRIBE settings face <&- 2>&- | wc -l | grep -q .", 0, ""),
    ],
)
def test_a_stream_that_is_gone_costs_one_line(tmp_path: Path, line: str, code: int, said: str) -> None:
    done = in_shell(line, tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (code, said, "")


def test_without_standard_error_what_is_wrong_is_said_on_the_other(tmp_path: Path) -> None:
    done = in_shell("EMOSCRIBE analyze gone.mp4 2>&-", tmp_path)
    assert (done.returncode, done.stdout) == (1, "emoscribe: no file gone.mp4\n")


def test_files_are_written_though_nobody_reads_what_is_printed(tmp_path: Path, example: Path) -> None:
    """The files it opens must not get the number of what is closed, where others would print into them."""
    how = f"EMOSCRIBE analyze {example} --config embedded --modalities T --transcript {example.with_suffix('.srt')}"
    done = in_shell(f"{how} --out out -q >&-", tmp_path)
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line == "emoscribe: standard output is closed: nothing more is printed, and the work goes on"
    written = {path.suffix: path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()}
    assert len(json.loads(written[".json"])["segments"]) == len(written[".srt"].strip().split("\n\n"))
    assert written[".html"].startswith("<!doctype html>") and written[".html"].endswith("</html>")
