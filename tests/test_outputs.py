"""Labelled transcripts as files and as lines on a terminal."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pysubs2
import pytest
from emoscribe.core.derived import from_basic
from emoscribe.core.errors import EmoscribeError, MediaError, SettingsError
from emoscribe.core.files import atomic_path, dumps, plain, write_text
from emoscribe.core.labels import COMPOUND
from emoscribe.core.text import one_line
from emoscribe.core.timeline import FaceTrack, LabelledTranscript, Media, Moment, Segment
from emoscribe.outputs import FORMATS, Writer, load_result, segment_line, write_outputs
from emoscribe.outputs.lines import clock
from emoscribe.outputs.tracks import face_tracks, thin
from jsonschema import Draft202012Validator


def segment(**moment: object) -> Segment:
    given = {"start_s": 6.2, "end_s": 9.8, "text": "wait, what?", **moment}
    return Segment(Moment(**given), {"neutral": 0.2, "surprise": 0.71, "joy": 0.09})


# ── JSON ─────────────────────────────────────────────────────────────────────


def test_the_json_has_the_documented_form(labelled: LabelledTranscript, tmp_path: Path) -> None:
    (path,) = write_outputs(labelled, tmp_path, ["json"])
    value = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "WolfgangLanger_Pexels.json"
    assert list(value) == ["version", "media", "labels", "segments", "tracks", "provenance"]
    assert list(value["media"]) == ["path", "duration_s", "fps", "width", "height", "sha256"]
    assert value["labels"] == list(labelled.labels)
    third = value["segments"][2]
    assert third["scores"].pop("surprise") == 0.71
    assert list(third) == [
        "start_s", "end_s", "speaker", "text", "face", "voice", "faces", "evidence", "label", "scores",
    ]  # fmt: skip
    assert (third["start_s"], third["end_s"], third["speaker"], third["text"]) == (6.2, 9.8, "Clara", "wait, what?")
    assert (third["label"], third["evidence"], third["voice"]) == ("surprise", "enough", "loud, high")
    assert value["segments"][4]["faces"] == {"1": value["segments"][4]["face"], "2": "lips part"}
    assert value["segments"][6]["evidence"] == "none" and value["segments"][6]["label"] == "neutral"


@pytest.mark.parametrize("kind", ["video", "sound", "still", "nothing", "unmeasured"])
def test_the_json_is_what_its_schema_says(kind: str, labelled: LabelledTranscript, tmp_path: Path) -> None:
    schema = json.loads(files("emoscribe").joinpath("outputs/transcript.schema.json").read_text(encoding="utf-8"))
    unmeasured = FaceTrack(
        "x", ("AU12",), np.array([0.5]), np.array([1]), np.zeros((1, 4)), np.array([[np.nan]]), np.zeros(0)
    )
    transcript = {
        "video": labelled,
        "sound": replace(labelled, media=Media("a.flac", 3.0, "00", has_audio=True), tracks=None),
        "still": replace(labelled, media=Media("a.jpg", 0.0, "00", None, 640, 360)),
        "nothing": replace(labelled, segments=(), tracks=None, provenance={}),
        "unmeasured": replace(labelled, tracks=face_tracks(unmeasured)),
    }[kind]
    (path,) = write_outputs(transcript, tmp_path, ["json"])
    validator = Draft202012Validator(schema)
    validator.check_schema(schema)
    value = json.loads(path.read_text(encoding="utf-8"))
    validator.validate(value)
    value["segments"] = [{"start_s": -1}]
    assert not validator.is_valid(value)


def test_a_result_from_before_there_were_versions_is_read_and_a_later_one_is_not(
    labelled: LabelledTranscript, tmp_path: Path
) -> None:
    (path,) = write_outputs(labelled, tmp_path, ["json"])
    value = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**value, "version": 2}))
    with pytest.raises(MediaError, match="its version is 2, this emoscribe reads version 1"):
        load_result(path)
    del value["version"]
    path.write_text(json.dumps(value))
    assert load_result(path).segments == labelled.segments


def test_json_comes_back_as_the_same_transcript(labelled: LabelledTranscript, tmp_path: Path) -> None:
    (path,) = write_outputs(labelled, tmp_path, ["json"])
    again = load_result(path)
    assert again.segments == labelled.segments
    assert (again.labels, again.label_set, again.provenance) == (
        labelled.labels,
        "basic",
        labelled.provenance,
    )
    assert again.media == replace(labelled.media, duration_s=19.686)
    assert again.tracks == labelled.tracks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read"),
        ("{", "is not JSON in UTF-8 (line 1"),
        ("[1]", "is not a labelled transcript"),
        ('{"labels": ["a"], "media": {"path": "x"}}', "is not a labelled transcript"),
    ],
)
def test_what_is_no_transcript_is_refused_in_a_line(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "t.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(MediaError) as error:
        load_result(path)
    assert message in str(error.value) and str(path) in str(error.value) and "\n" not in str(error.value)


def test_numbers_that_json_lacks_become_null() -> None:
    record = FaceTrack(
        "x", ("AU12",), np.array([0.5]), np.array([1]), np.zeros((1, 4)), np.array([[np.nan]]), np.zeros(0)
    )
    value = plain({"track": record, "inf": float("inf"), "f32": np.float32(0.5), "set": {"b", "a"}, "at": Path("a/b")})
    assert value["track"]["action_units"] == [[None]] and value["track"]["times_s"] == [0.5]
    assert (value["inf"], value["f32"], value["set"], value["at"]) == (None, 0.5, ["a", "b"], "a/b")
    json.loads(dumps(record), parse_constant=lambda name: pytest.fail(name))
    with pytest.raises(TypeError, match="a bytes has no JSON form"):
        plain(b"")


def test_json_lines_are_laid_out_and_parse_back() -> None:
    value = {"numbers": list(range(200)), "deep": [{"text": "ü" * 60, "more": "x" * 60}] * 2, "empty": {}, "none": []}
    assert json.loads(dumps(value)) == value
    assert max(map(len, dumps(value).splitlines()[2:])) < 120


# ── subtitles ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ending", ["srt", "vtt"])
def test_subtitles_carry_label_and_speaker(labelled: LabelledTranscript, tmp_path: Path, ending: str) -> None:
    """Read back by another implementation."""
    (path,) = write_outputs(labelled, tmp_path, [ending])
    cues = pysubs2.load(str(path), encoding="utf-8")
    assert [(cue.start, cue.end) for cue in cues][:2] == [(0, 3100), (3100, 5400)]
    assert cues[2].plaintext == "[surprise 0.71] " + ("Clara: " if ending == "srt" else "") + "wait, what?"
    assert cues[3].plaintext == "[joy 0.34] " + ("ליאור: " if ending == "srt" else "") + "הוא כבר כאן!"
    assert cues[6].plaintext == "[no evidence]"


def test_what_is_said_is_no_markup_in_subtitles(labelled: LabelledTranscript, tmp_path: Path) -> None:
    hostile = "<i>a</i> {\\an8}b\n\n2\n00:00:00,000 --> 00:00:09,000\nc"
    moment = Moment(0.0, 0.0, "A <b>", hostile)
    transcript = replace(labelled, segments=(Segment(moment, labelled.segments[0].scores),))
    srt, vtt = (path.read_text(encoding="utf-8") for path in write_outputs(transcript, tmp_path, ["srt", "vtt"]))
    assert len(srt.strip().splitlines()) == 3 and not set("<{") & set(srt)
    assert "‹i›a‹/i›" in srt
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:00.001\n") and vtt.count("-->") == 1
    assert "<v A &lt;b&gt;>[sadness 0.59] &lt;i&gt;a&lt;/i&gt; {\\an8}b 2 00:00:00,000 --&gt; 00:00:09,000 c" in vtt


# ── CSV ──────────────────────────────────────────────────────────────────────


def test_csv_has_a_row_a_moment_and_a_column_a_label(labelled: LabelledTranscript, tmp_path: Path) -> None:
    (path,) = write_outputs(labelled, tmp_path, ["csv"])
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7
    assert rows[3]["speaker"] == "ליאור" and rows[3]["evidence"] == "weak"
    assert float(rows[2]["surprise"]) == 0.71 and rows[2]["label"] == "surprise"
    assert sum(float(rows[0][label]) for label in labelled.labels) == pytest.approx(1)
    # Of nothing, no label; what the model made of it is still there.
    assert (rows[6]["evidence"], rows[6]["label"], float(rows[6]["neutral"])) == ("none", "", 0.83)


@pytest.mark.parametrize("said", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\x1b[0m=1"])
def test_a_spreadsheet_runs_nothing_that_was_said(labelled: LabelledTranscript, tmp_path: Path, said: str) -> None:
    moment = Moment(0.0, 1.0, said, said, said, said)
    transcript = replace(labelled, segments=(Segment(moment, labelled.segments[0].scores),))
    (path,) = write_outputs(transcript, tmp_path, ["csv"])
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert all(row[name].startswith("'") for name in ("speaker", "text", "face", "voice"))


# ── names and places ─────────────────────────────────────────────────────────


def test_files_are_named_after_the_video(labelled: LabelledTranscript, tmp_path: Path) -> None:
    def of(path: str) -> LabelledTranscript:
        return replace(labelled, media=Media(path, 1.0, "00"))

    writer = Writer(tmp_path / "new" / "out", [" JSON", "srt", "json"])
    written = [
        [path.name for path in writer.write(of(path))]
        for path in (
            "a/Größe – 映画 1.mp4",
            "b/größe – 映画 1.mov",
            "c/Größe – 映画 1-2.mp4",
            "Größe – 映画 1.mp4",
            ".mp4",
        )
    ]
    assert written == [
        ["Größe – 映画 1.json", "Größe – 映画 1.srt"],
        ["größe – 映画 1-2.json", "größe – 映画 1-2.srt"],
        ["Größe – 映画 1-2-2.json", "Größe – 映画 1-2-2.srt"],
        ["Größe – 映画 1-3.json", "Größe – 映画 1-3.srt"],
        [".mp4.json", ".mp4.srt"],
    ]
    assert len(list((tmp_path / "new" / "out").iterdir())) == 10


@pytest.mark.parametrize(
    ("stem", "name"),
    [("../../etc/x", ".._.._etc_x"), ("a\nb\x00", "a_b_"), ("  ", "video"), ("..", "video"), ("ü" * 200, "ü" * 100)],
)
def test_a_stem_leads_nowhere_else(labelled: LabelledTranscript, tmp_path: Path, stem: str, name: str) -> None:
    (path,) = write_outputs(labelled, tmp_path, ["srt"], stem)
    assert path == tmp_path / f"{name}.srt" and path.is_file()


def test_a_file_name_that_is_not_utf8(labelled: LabelledTranscript, tmp_path: Path) -> None:
    transcript = replace(labelled, media=replace(labelled.media, path=os.fsdecode(b"/v/caf\xe9 \xc3\xa9.mp4")))
    paths = write_outputs(transcript, tmp_path, ["json", "html", "csv"])
    assert os.fsencode(paths[0].name) == b"caf\xe9 \xc3\xa9.json"
    assert load_result(paths[0]).media.path == transcript.media.path
    assert "caf%E9%20%C3%A9.mp4" in paths[1].read_text(encoding="utf-8")


@pytest.mark.parametrize(("formats", "what"), [(["json", "docx"], "unknown format 'docx'"), ([], "no format given")])
def test_an_unknown_format_names_those_there_are(tmp_path: Path, formats: list[str], what: str) -> None:
    with pytest.raises(SettingsError) as error:
        Writer(tmp_path / "out", formats)
    assert str(error.value) == f"{what}; there are: {', '.join(FORMATS)}"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmoscribeError, match=r"cannot write to the folder .*file/out: not a directory; choose another"):
        Writer(tmp_path / "file" / "out", ["json"])
    with pytest.raises(EmoscribeError, match="choose another folder"):
        Writer("/proc/nothing", ["json"])


# ── whole or not at all ──────────────────────────────────────────────────────


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "before")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as partial:
        partial.write_text("half of wh")
        assert path.read_text() == "before"
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and path.read_text() == "before"


def test_a_missing_folder_is_said_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(EmoscribeError, match=r"cannot write .*a\.txt: no such file or directory; make room or choose"):
        write_text(tmp_path / "gone" / "a.txt", "")


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path: Path) -> None:
    """A limit on file size stands in for the full disk: the write itself fails."""
    write_text(tmp_path / "a.txt", "before")
    code = (
        "import resource, sys\n"
        "from emoscribe.core.files import write_text\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_text(sys.argv[1], 'x' * 5000)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.txt")], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("WriteError cannot write")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "before"


def test_files_have_the_rights_that_files_have(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "ours", "")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


# ── lines ────────────────────────────────────────────────────────────────────


def test_the_line_of_a_moment() -> None:
    line = segment_line(segment(face="jaw drop, brows raised", voice="loud, high"))
    assert line == (
        '[00:06.2 → 00:09.8] surprise 0.71  "wait, what?"  face: jaw drop, brows raised · voice: loud, high'
    )


def test_a_picture_has_no_times() -> None:
    picture = Segment(Moment(0.0, 0.0, face="jaw drop"), segment().scores)
    assert segment_line(picture) == "[picture] surprise 0.71  face: jaw drop"


@pytest.mark.parametrize(
    ("moment", "line"),
    [
        ({"evidence": "none", "text": "", "face": "no face seen"}, "no evidence    (no words)  face: no face seen"),
        ({"text": None, "face": "jaw drop"}, "surprise 0.71  face: jaw drop"),
        ({"text": "hm", "speaker": "A\x1b[2J"}, 'surprise 0.71  A: "hm"'),
        ({"evidence": "weak"}, 'surprise 0.71  "wait, what?"  (weak evidence)'),
    ],
)
def test_what_is_missing_is_said(moment: dict, line: str) -> None:
    assert segment_line(segment(**moment)).partition("] ")[2] == line


def test_labels_of_any_length_leave_the_words_in_a_column(labelled: LabelledTranscript) -> None:
    lines = [segment_line(Segment(s.moment, from_basic(s.scores, COMPOUND))) for s in labelled.segments]
    column = len("[00:00.0 → 00:03.1] ") + max(map(len, COMPOUND.labels)) + len(" 0.00")
    assert all(line[column : column + 2] == "  " and line[column + 2] != " " for line in lines)


@pytest.mark.parametrize(
    ("time_s", "words"),
    [(0, "00:00.0"), (59.96, "01:00.0"), (3599.94, "59:59.9"), (3599.95, "1:00:00.0"), (36610.04, "10:10:10.0")],
)
def test_no_clock_shows_sixty_seconds(time_s: float, words: str) -> None:
    assert clock(time_s) == words


def test_a_long_line_wraps_and_loses_nothing() -> None:
    long = segment(text="so " * 60, face="jaw drop")
    lines = segment_line(long, width=80).splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 80
    assert all(line.startswith(" " * 20) for line in lines[1:])
    assert " ".join(" ".join(lines).split()) == " ".join(segment_line(long).split())


@pytest.mark.parametrize(
    "said",
    [
        "\x1b[31mwait\x1b[0m, what?",
        "\x1b]0;owned\x07wait, what?",
        "\x1b]8;;http://x\x1b\\wait, what?\x1b]8;;\x1b\\",
        "wait,\x9b2J what?",
        "wait,\n\r\u2028\x85what?",
        "\u202ewait, what?\u202c\x00\x7f",
    ],
)
def test_nothing_said_acts_on_the_terminal(said: str) -> None:
    assert one_line(said) == "wait, what?"


def test_marks_that_scripts_need_stay() -> None:
    assert one_line("می\u200cخواهم 👩\u200d👧 \u200f!") == "می\u200cخواهم 👩\u200d👧 \u200f!"
    assert one_line("\x1b]never closed") == "never closed"


# ── tracks ───────────────────────────────────────────────────────────────────


def test_thin_tracks_keep_a_brief_expression() -> None:
    units = np.zeros((1000, 2))
    units[503, 0] = 0.93
    units[700:710, 1] = np.nan
    face = FaceTrack(
        source="x",
        names=("AU05", "AU12"),
        times_s=np.arange(1000) / 5,
        person=np.zeros(1000, int),
        boxes=np.tile([1.4, 2, 3, 4], (1000, 1)),
        action_units=units,
        frame_times_s=np.arange(1000) / 5,
    )
    (person,) = thin(face_tracks(face), 100)["faces"]["people"]
    assert len(person["times_s"]) == len(person["action_units"]) == len(person["boxes"]) == 100
    assert max(row[0] for row in person["action_units"]) == 0.93
    assert person["action_units"][70] == [0.0, None] and person["boxes"][0] == [1, 2, 3, 4]
    assert person["times_s"] == sorted(person["times_s"])


def test_passers_by_are_not_tracked() -> None:
    person = np.repeat(np.arange(12), np.arange(1, 13))
    n = len(person)
    face = FaceTrack("x", ("AU12",), np.arange(n) / 5, person, np.zeros((n, 4)), np.zeros((n, 1)), np.arange(n) / 5)
    assert [p["person"] for p in face_tracks(face)["faces"]["people"]] == list(range(4, 12))
