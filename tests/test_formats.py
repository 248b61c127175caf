"""Files for other programs, read back by something else than what wrote them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.labels import COMPOUND
from emoscribe.core.timeline import LabelledTranscript
from emoscribe.outputs import FORMATS, Writer, load_result, write_outputs

from .fixtures.formats import (
    CLARA,
    KINDS,
    LABELS,
    SHOWN,
    Written,
    csv_rows,
    rated,
    several,
)

ROOT = Path(__file__).resolve().parents[1]


# ── EmotionML ────────────────────────────────────────────────────────────────

EML = "{http://www.w3.org/2009/10/emotionml}"


def test_emotionml_declares_its_vocabulary(nasty: LabelledTranscript, written: Written) -> None:
    root = ElementTree.parse(written(nasty, "emotionml")).getroot()
    assert (root.tag, root.attrib["version"]) == (f"{EML}emotionml", "1.0")
    (vocabulary,) = root.iter(f"{EML}vocabulary")
    assert root.attrib["category-set"] == f"#{vocabulary.attrib['id']}" and vocabulary.attrib["type"] == "category"
    assert [item.attrib["name"] for item in vocabulary] == list(LABELS)
    first, second = root.iter(f"{EML}emotion")  # none of the moment without evidence
    scores = [(each.attrib["name"], float(each.attrib["confidence"])) for each in first.iter(f"{EML}category")]
    assert scores == [("surprise", 0.71), ("neutral", 0.2), ("joy", 0.09)]
    references = [each.attrib["uri"] for each in root.iter(f"{EML}reference")]
    assert references == [f"../my%20clips/a%20%26%20b%3D1.mp4#t={when}" for when in ("0.500,2.500", "2.000,3.000")]
    assert first.attrib["expressed-through"] == "face voice text"
    assert second.attrib["expressed-through"] == "voice text"  # nobody was seen
    info = first.find(f"{EML}info")
    assert info is not None and [each.text for each in info] == [CLARA, SHOWN]
    assert not any(each.tag.startswith(EML) for each in info)


def test_emotionml_names_are_tokens_and_ratings_shares_of_the_scale(
    nasty: LabelledTranscript, written: Written
) -> None:
    scores = {label: 1 / len(COMPOUND.labels) for label in COMPOUND.labels}
    compound = replace(
        nasty, labels=COMPOUND.labels, segments=tuple(replace(each, scores=scores) for each in nasty.segments)
    )
    root = ElementTree.parse(written(compound, "emotionml")).getroot()
    items = {item.attrib["name"]: item for item in root.iter(f"{EML}item")}
    assert len(items) == len(COMPOUND.labels) and all(re.fullmatch(r"[\w.:-]+", name) for name in items)
    assert items["sadly-angry"][0].text == "sadly angry"
    assert {each.attrib["name"] for each in root.iter(f"{EML}category")} == set(items)
    root = ElementTree.parse(written(rated(nasty), "emotionml")).getroot()
    assert [each.attrib for each in root.iter(f"{EML}dimension")] == [{"name": "rating", "value": "0.3750"}] * 2
    assert root.attrib["dimension-set"] == "#answers" and "category-set" not in root.attrib


# ── every one, and every kind ────────────────────────────────────────────────


# Those that need speakers, words or the video itself have tests of their own.
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("rttm", "ctm", "video", "video-burnt")])
@pytest.mark.parametrize("kind", KINDS)
def test_every_format_holds_every_kind(
    nasty: LabelledTranscript, tmp_path: Path, kind: Callable, name: str, written: Written
) -> None:
    """And what is kept is written as what is fresh."""

    def content(transcript: LabelledTranscript) -> bytes:
        return re.sub(rb' DATE="[^"]*"', b"", written(transcript, name).read_bytes())

    fresh = content(kind(nasty))
    (kept,) = write_outputs(kind(nasty), tmp_path / "kept", ["json"], "talk")
    if name != "xlsx":  # which is packed anew, with the time
        assert content(load_result(kept)) == fresh
    assert fresh or name == "srt"


# ── names, one table, and the command ────────────────────────────────────────


def test_no_video_takes_another_ones_files(nasty: LabelledTranscript, tmp_path: Path) -> None:
    """An ending with two dots, and a video that is called so."""
    writer = Writer(tmp_path, ["csv", "boris", "people"])
    names = [writer.name_for(name) for name in ("a/talk.mp4", "b/talk.mov", "talk.boris.mp4", "TALK.mp4")]
    assert names == ["talk", "talk-2", "talk.boris-2", "TALK-3"]


@pytest.fixture
def kept(nasty: LabelledTranscript, tmp_path: Path) -> Callable[..., Path]:
    def keep(name: str, transcript: LabelledTranscript = nasty) -> Path:
        media = replace(transcript.media, path=str(tmp_path / name))
        (path,) = write_outputs(replace(transcript, media=media), tmp_path / "kept", ["json"], name.replace("/", "-"))
        return path

    return keep


def test_one_table_of_many_videos(kept: Callable[..., Path], tmp_path: Path) -> None:
    results = [kept(name) for name in ("a/=x.mp4", "b/talk.mp4", "c/talk.mp4")]
    done = CliRunner().invoke(main, ["export", *map(str, results), "--table", str(tmp_path / "all.csv")])
    assert done.exit_code == 0 and done.output == f"{tmp_path / 'all.csv'}\n", done.output
    rows = csv_rows(tmp_path / "all.csv")
    paths = [str(tmp_path / folder / "talk.mp4") for folder in "bc"]
    assert [row["video"] for row in rows[::3]] == ["'=x.mp4", *paths]
    assert len(rows) == 9 and [row["label"] for row in rows[:3]] == ["surprise", "surprise", ""]
    assert len(list((tmp_path / "kept").iterdir())) == 3  # nothing else was asked for


@pytest.mark.parametrize("kind", [rated, several])
def test_a_table_has_one_set_of_answers(
    nasty: LabelledTranscript, kept: Callable[..., Path], tmp_path: Path, kind: Callable
) -> None:
    results = [kept("a.mp4"), kept("b.mp4", kind(nasty))]
    done = CliRunner().invoke(main, ["export", *map(str, results), "--table", str(tmp_path / "all.csv")])
    assert done.exit_code == 1 and "one set of answers: of " in done.output and "a.mp4 they are joy" in done.output
    assert len(done.output.splitlines()) == 1 and not (tmp_path / "all.csv").exists()


def test_a_table_that_is_none_is_said_before_the_work(kept: Callable[..., Path], tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["export", str(kept("a.mp4")), "--table", str(tmp_path / "all.xlsx")])
    assert done.exit_code == 1 and "must be a file that ends in .csv" in done.output


def test_exported_files_are_called_after_the_result(kept: Callable[..., Path], tmp_path: Path) -> None:
    """Of two videos of one name the second one's files took the name of the first."""
    kept("talk.mp4")
    second = kept("talk.mp4").rename(tmp_path / "kept" / "talk-2.json")
    done = CliRunner().invoke(main, ["export", str(second), "--formats", "people"])
    assert done.output == f"{tmp_path / 'kept' / 'talk-2.people.csv'}\n"


@pytest.mark.parametrize("command", ["export", "analyze"])
def test_help_lists_the_formats_there_are(command: str) -> None:
    help = " ".join(CliRunner().invoke(main, [command, "--help"]).output.split())
    assert f"Of {', '.join(FORMATS)}." in help


def test_writers_load_no_library_until_they_write() -> None:
    code = "import sys, emoscribe.outputs; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pympi", "praatio", "openpyxl", "pysubs2"} & set(loaded)


# ── what the documents show ──────────────────────────────────────────────────

PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^### `(\w+)`\n.*?\n```\w*\n(.*?)```", PAGE, re.M | re.S))


def test_every_format_is_shown() -> None:
    assert set(EXAMPLES) == FORMATS.keys() - {"json", "emoscribe", "html", "video", "video-burnt"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_shown_is_what_is_written(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = re.search(r"`talk.json`:\n\n```json\n(.*?)```", PAGE, re.S)
    assert example is not None
    (tmp_path / "talk.json").write_text(example[1], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["export", "talk.json", "--formats", name])
    assert done.exit_code == 0, done.output
    path = Path(done.output.strip())
    if name == "xlsx":
        book = openpyxl.load_workbook(path, read_only=True)
        text = "".join(f"{sheet.title}: {', '.join(map(str, next(sheet.values)))}\n" for sheet in book)
    else:
        text = path.read_text(encoding="utf-8").replace(tmp_path.as_posix(), "/data")
    at = 0
    for part in EXAMPLES[name].split("…\n"):
        assert part in text[at:], part
        at += text[at:].index(part) + len(part)
