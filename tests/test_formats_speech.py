"""Who says what in files for other programs: turns, words and subtitles."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pysubs2
import pytest
from emoscribe.core.errors import SettingsError
from emoscribe.core.timeline import LabelledTranscript
from emoscribe.extractors.speakers.turns import read_turns
from emoscribe.outputs import write_outputs

from .fixtures.formats import (
    CLARA,
    Written,
    nameless,
    picture,
    segment,
    unspoken,
    windows,
)

# ── who speaks, and what ─────────────────────────────────────────────────────


def test_turns_survive_our_own_reader_and_one_that_splits_at_spaces(
    nasty: LabelledTranscript, written: Written
) -> None:
    path = written(nasty, "rttm")
    turns = read_turns(path, "a & b=1")
    assert [(turn.start_s, turn.end_s, turn.speaker) for turn in turns] == [(0.5, 2.5, CLARA), (2.0, 3.0, "Léo")]
    fields = [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]
    assert [len(each) for each in fields] == [10, 10]
    assert fields[1][:7] == ["SPEAKER", "a_&_b=1", "1", "2.000", "1.000", "<NA>", "<NA>"]


def test_words_have_times_and_confidence(nasty: LabelledTranscript, written: Written) -> None:
    lines = written(nasty, "ctm").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ") for line in lines] == [
        ["a_&_b=1", "1", "0.500", "0.000", "=1+1", "0.500"],
        ["a_&_b=1", "1", "0.500", "0.500", "two\N{NO-BREAK SPACE}words", "0.250"],
        ["a_&_b=1", "1", "2.000", "1.000", "Hm."],
    ]


def test_a_result_without_its_words_spreads_them(nasty: LabelledTranscript, written: Written) -> None:
    kept = replace(nasty, transcript=None, segments=(segment(1.0, 2.0, "Léo", "so what"), segment(2.0, 3.0, None, "")))
    lines = written(kept, "ctm").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ")[2:] for line in lines] == [["1.000", "0.375", "so"], ["1.375", "0.625", "what"]]
    assert len(written(kept, "rttm").read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (picture, "rttm", "rttm is about speech, and in a.jpg nobody listened for it; leave rttm out"),
        (picture, "ctm", "ctm is about speech"),
        (lambda t: replace(windows(t), transcript=None), "ctm", "ctm needs each word once"),
        (nameless, "rttm", "in .*1.mp4 no speaker is known; set speech.speakers, or give a transcript"),
    ],
)
def test_what_cannot_be_told_is_refused_and_the_rest_written(
    nasty: LabelledTranscript, tmp_path: Path, kind: Callable, name: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        write_outputs(kind(nasty), tmp_path / "out", [name, "json"], "talk")
    assert "\n" not in str(error.value)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["talk.json"]


def test_where_nobody_speaks_there_are_no_turns(nasty: LabelledTranscript, written: Written) -> None:
    assert written(unspoken(nasty), "rttm").read_bytes() == written(unspoken(nasty), "ctm").read_bytes() == b""


# ── subtitles ────────────────────────────────────────────────────────────────


def test_a_voice_is_escaped(nasty: LabelledTranscript, written: Written) -> None:
    header, first, *_ = written(nasty, "vtt").read_text(encoding="utf-8").split("\n\n")
    assert header == "WEBVTT"
    times, line = first.split("\n")
    assert times == "00:00:00.500 --> 00:00:02.500"
    voice = re.fullmatch(r"<v ([^<>\n]+)>([^<>]+)", line)
    assert voice is not None and "&lt;O'Neil&gt; &amp; {co}" in voice[1] and "&lt;b&gt;&amp;amp;&lt;/b&gt;" in voice[2]


def test_a_style_a_speaker(nasty: LabelledTranscript, written: Written) -> None:
    """Read by our own fields, since a comma ends one."""
    lines = written(nasty, "ass").read_text(encoding="utf-8").splitlines()
    styles = [line.removeprefix("Style: ").split(",") for line in lines if line.startswith("Style: ")]
    events = [line.removeprefix("Dialogue: ").split(",", 9) for line in lines if line.startswith("Dialogue: ")]
    names = [style[0] for style in styles]
    assert len(set(names)) == len({style[3] for style in styles}) == 3 and {len(style) for style in styles} == {23}
    assert [event[3] for event in events] == [names[1], "Léo", "Default"]
    assert events[0][1:3] == ["0:00:00.50", "0:00:02.50"]
    assert not {"{", "\\"} & set(events[0][9]) and events[0][9].endswith("[2]: xmin = 3 ! 👩‍👧")
    assert (events[1][4], events[1][9], events[2][9]) == ("Léo", "[surprise 0.71] Hm.", "[no evidence]")


def test_speakers_whose_names_end_alike_keep_their_styles(nasty: LabelledTranscript, written: Written) -> None:
    speakers = ("default", "a,b", "a‚b", "*", "A,B")
    segments = tuple(segment(float(at), at + 1.0, name, "hm") for at, name in enumerate(speakers))
    subtitles = pysubs2.load(str(written(replace(nasty, segments=segments), "ass")))
    used = [event.style for event in subtitles]
    assert len(set(map(str.casefold, used))) == 5 and set(used) < set(subtitles.styles)


def test_a_picture_in_subtitles_lasts_as_long_as_the_format_can_tell(
    nasty: LabelledTranscript, written: Written
) -> None:
    (event,) = pysubs2.load(str(written(picture(nasty), "ass")))
    assert (event.start, event.end, event.plaintext) == (0, 10, "[surprise 0.71]")
