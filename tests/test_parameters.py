"""What options take: times, files, names; and what a shell completes them to."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.commands.parameters import seconds
from emoscribe.core.errors import MediaError
from emoscribe.core.timeline import Media, Transcript, Utterance, Word
from emoscribe.extractors.finding import media_files
from emoscribe.extractors.speech.subtitles import inside


@pytest.mark.parametrize(
    ("text", "time_s"),
    [("83", 83), ("0.5", 0.5), ("1:23", 83), ("01:02:03.5", 3723.5), ("90:00", 5400), ("0:00:07", 7)],
)
def test_times(text: str, time_s: float) -> None:
    assert seconds(text) == time_s


@pytest.mark.parametrize("text", ["", "1:60", "1:75:00", "-3", "1:2:3:4", "3s", "1,5", "nan", ":5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time; give seconds, or as in 1:23 and 1:02:03\.5"):
        seconds(text)


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.mp4", "a.WAV", "notes.txt", "._b.mp4", "deep/c.mkv", ".cache/d.mp4", "[1].mp4"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return Path("clips")


@pytest.mark.parametrize(
    ("named", "found"),
    [
        (["clips"], ["[1].mp4", "a.WAV", "b.mp4"]),
        (["clips/b.mp4", "clips"], ["b.mp4", "[1].mp4", "a.WAV"]),
        (["clips/*"], ["[1].mp4", "a.WAV", "b.mp4"]),
        (["clips/**/*.mkv"], ["deep/c.mkv"]),
        (["clips/[1].mp4"], ["[1].mp4"]),  # its own name, and no pattern
        (["clips/notes.txt", "clips/gone.mp4"], ["notes.txt", "gone.mp4"]),  # for whoever opens them to refuse
    ],
)
def test_files_that_are_meant(clips: Path, named: list[str], found: list[str]) -> None:
    assert media_files(named) == [clips / name for name in found]


def test_folders_in_folders_are_looked_into_when_asked(clips: Path) -> None:
    assert clips / "deep" / "c.mkv" in media_files([clips], recursive=True)
    assert clips / ".cache" / "d.mp4" not in media_files([clips], recursive=True)


@pytest.mark.parametrize(
    ("named", "message"),
    [("clips/*.mov", r"fits clips/\*\.mov"), ("empty", r"in empty itself; --recursive looks into its folders")],
)
def test_nothing_found_is_said(clips: Path, named: str, message: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(MediaError, match=f"no video, sound or picture {message}"):
        media_files([named])


def test_of_a_transcript_a_stretch_has_what_is_said_in_it() -> None:
    words = tuple(Word(start, start + 1.0, text) for start, text in ((3.0, "well"), (4.2, "hello"), (5.2, "there")))
    said = Transcript((Utterance(0, 2, "before"), Utterance(3, 7, "well hello there", "Clara", words)), "en", "file")
    (part,) = inside(said, Media("a.mp4", 10.0, "00", start_s=4.0, end_s=5.5)).utterances
    assert (part.start_s, part.end_s, part.text, part.speaker) == (4.0, 5.5, "hello", "Clara")
    assert inside(said, Media("a.mp4", 10.0, "00")) == said


def test_the_store_has_one_name_and_its_old_one_is_taken(tmp_path: Path) -> None:
    shown = CliRunner().invoke(main, ["finetune", "--help"]).stdout
    assert "--store STORE" in shown and "--cues" not in shown
    command = ["finetune", "table", "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--cues", str(tmp_path)]
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 1 and "No such option" not in refused.stderr


def test_debug_may_stand_anywhere() -> None:
    for args in (["--debug", "analyze", "gone.mp4"], ["analyze", "gone.mp4", "--debug"]):
        assert isinstance(CliRunner().invoke(main, args).exception, MediaError)
    # Behind `--` it is the name of a file.
    assert "no file --debug" in CliRunner().invoke(main, ["analyze", "--", "--debug"]).stderr


COMPLETE = """
import sys
from click.shell_completion import BashComplete
from emoscribe.cli import main
complete = BashComplete(main, {}, "emoscribe", "_EMOSCRIBE_COMPLETE")
for line in sys.argv[1:]:
    *args, incomplete = line.split(" ")
    print(*(item.value for item in complete.get_completions(args, incomplete)))
assert not {"torch", "transformers", "av"} & set(sys.modules)
"""


def test_a_shell_completes_names_without_importing_torch() -> None:
    lines = {
        "anal": "analyze",
        "analyze --config embed": "embedded",
        "analyze --run meld-m": "meld-minilm",
        "finetune emory": "emorynlp",
        "analyze --formats json,sr": "json,srt",
        "analyze --set face.sampling": "face.sampling_fps=",
        "analyze --set speech.engine=whis": "speech.engine=whisper",
        "settings windows.hop": "windows.hop_s",
    }
    done = subprocess.run([sys.executable, "-c", COMPLETE, *lines], capture_output=True, text=True)
    assert done.stdout.splitlines() == list(lines.values()), done.stderr
    assert done.returncode == 0, done.stderr
