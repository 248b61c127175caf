"""`emoscribe analyze` of many files: which, what is skipped, what is said; and the same from Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import emoscribe
import numpy as np
import pytest
from click.testing import CliRunner, Result
from emoscribe.cli import main
from emoscribe.core.console import Bars
from emoscribe.core.context import Context
from emoscribe.extractors.perceive import decide
from emoscribe.llm.settings import AnalyzeSettings, analyze_settings

SEEN = ("--config", "embedded", "--modalities", "V")


def analyze(*args: object) -> Result:
    return CliRunner().invoke(main, ["analyze", *map(str, args), *SEEN])


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, make_media) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name in ("one.mp4", "two.mp4", "deep/one.mp4"):
        (folder / name).parent.mkdir(exist_ok=True)
        make_media(folder / name, frame_times_s=np.arange(60) / 30)
    return folder


def test_a_folder_is_analysed_and_what_is_there_is_not_again(
    videos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = ("-r", "-o", tmp_path, "-f", "json,srt", "--from", "0.5", "--to", "0:01.5")
    first = analyze(videos, *out)
    assert first.exit_code == 0, first.output
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["one-2.json", "one-2.srt", "one.json", "one.srt", "two.json", "two.srt"]
    result = json.loads((tmp_path / "two.json").read_text())
    (segment,) = result["segments"]
    assert (segment["start_s"], segment["end_s"]) == (0.5, 1.5)
    assert result["provenance"]["stretch"] == {"start_s": 0.5, "end_s": 1.5}
    capfd.readouterr()

    (tmp_path / "one-2.srt").unlink()
    again = analyze(videos, *out, "--skip-existing")
    assert again.exit_code == 0 and sorted(path.name for path in tmp_path.iterdir()) == files
    # In the order of the names, `deep/one.mp4` is the first of them, and keeps the first name.
    assert again.stdout.splitlines()[1] == str(videos / "one.mp4") and again.stdout.count("[00:00.5") == 1
    assert capfd.readouterr().err.count("its files are there already") == 2


def test_quiet_says_results_and_errors_alone(videos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = analyze(videos / "one.mp4", tmp_path / "gone.mp4", "-o", tmp_path, "--quiet")
    assert done.exit_code == 1 and "no face seen" in done.stdout
    assert capfd.readouterr().err.splitlines() == [
        f"emoscribe: no file {tmp_path / 'gone.mp4'}",
        f"1 of 2 analysed; failed: {tmp_path / 'gone.mp4'}",
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("-f", "json"), "--formats is about files, and without --out none are written"),
        (("--skip-existing",), "--skip-existing is about files"),
        (("--from", "3", "--to", "2"), "--to 2 s is not after --from 3 s"),
        (("--from", "9"), "there is no stretch from 9 to its end"),
        (("--transcript", "late.srt"), "after the end of the recording"),
        (("--speakers", "other.rttm"), "other.rttm"),
        (
            ("--out", "o", "--skip-existing", "--table", "t.csv"),
            "--table would lack the videos that --skip-existing leaves out",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_refused_is_refused_in_one_line(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, args: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("late.srt").write_text("1\n00:01:00,000 --> 00:01:03,000\nhello\n")
    done = analyze(videos / "one.mp4", *args)
    assert done.exit_code == 1 and message in done.stderr and done.stderr.count("\n") == 1
    # Nor anything about engines before it.
    assert capfd.readouterr().err == ""


def test_whoever_brings_a_transcript_needs_no_recogniser() -> None:
    nowhere = AnalyzeSettings.model_validate({"speech": {"model": "/nowhere"}, "modalities": "T"})
    decided, choices = decide(nowhere, Context(offline=True), "subtitles/talk.srt")
    assert choices[0] == "speech: file talk.srt"
    assert decided.speech.engine == "none"


def test_settings_have_short_names() -> None:
    given = {"run": "mine", "window": 2.0, "language": "de", "model": "small", "device": "cpu", "speakers": "seen"}
    settings = analyze_settings("embedded", **given, face__device="auto")
    assert (settings.model.run, settings.windows.window_s) == ("mine", 2.0)
    assert (settings.speech.language, settings.speech.model, settings.speech.speakers) == ("de", "small", "seen")
    assert (settings.model.device, settings.speech.device, settings.face.device) == ("cpu", "cpu", "auto")


class Screen:
    """A terminal of 40 columns that keeps what is written to it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.written = descriptor, ""

    def write(self, text: str) -> None:
        self.written += text

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.descriptor

    def flush(self) -> None:
        pass


def test_bars_say_what_runs_and_never_wrap() -> None:
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    _, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, np.array([24, 40, 0, 0], dtype=np.uint16).tobytes())
    screen: Any = Screen(terminal)

    def line() -> str:
        return screen.written.rpartition("\r\x1b[2K")[2]

    bars = Bars(screen)
    bars.heading = "file 2 of 3"
    bars("loading landmarker", 0.0)
    assert line() == "file 2 of 3   loading landmarker …"
    bars("loading landmarker", 1.0)
    bars("looking", 0.5)
    assert line() == "file 2 of 3   looking ━━━━━━┈┈┈┈┈┈  50%"[:39]
    bars.clear()
    assert line() == ""
    shut: Any = Screen(terminal)
    Bars(shut, shown=False)("looking", 0.5)
    assert shut.written == ""


# ── from Python ──────────────────────────────────────────────────────────────


def test_many_videos_from_python(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("no video")
    stages: list[str] = []
    given = {"modalities": "V", "window": 1.0, "progress": lambda stage, done: stages.append(stage)}
    (one, labelled), (broken, error) = emoscribe.analyze_all(
        [videos / "one.mp4", tmp_path / "broken.mp4"], "embedded", **given
    )
    assert (one.name, broken.name) == ("one.mp4", "broken.mp4")
    assert isinstance(error, emoscribe.EmoscribeError)
    assert isinstance(labelled, emoscribe.LabelledTranscript) and len(labelled.segments) == 2
    assert {"loading landmarker", "loading meld-minilm", "looking", "reading"} <= set(stages)

    path = labelled.save(tmp_path / "one.json")
    assert emoscribe.load_result(path).to_dict() == labelled.to_dict()
    assert labelled.save(tmp_path / "ONE.SRT").read_text().startswith("1\n00:00:00,000 --> ")
    with pytest.raises(emoscribe.EmoscribeError, match=r"one\.docx: no format has this ending; there are: \.json"):
        labelled.save(tmp_path / "one.docx")


def test_a_data_frame_has_a_row_a_segment(labelled: emoscribe.LabelledTranscript) -> None:
    table = labelled.to_dataframe()
    assert list(table.columns) == [
        *("start_s", "end_s", "speaker", "text", "face", "voice", "evidence", "label", "corrected"),
        *labelled.labels,
    ]
    assert len(table) == len(labelled.segments)
    third = table.iloc[2]
    assert (third["label"], third["surprise"], third["speaker"]) == ("surprise", 0.71, "Clara")
    assert table[table["evidence"] == "none"]["label"].isna().all()
