"""Files for other programs, read back by something else than what wrote them."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import parselmouth
import pysubs2
import pytest
from click.testing import CliRunner
from emoscribe.cli import main
from emoscribe.core.errors import SettingsError
from emoscribe.core.labels import COMPOUND
from emoscribe.core.timeline import LabelledTranscript, Media, Moment, Segment, Transcript, Utterance, Word
from emoscribe.extractors.speakers.turns import read_turns
from emoscribe.outputs import FORMATS, Writer, load_result, write_outputs
from parselmouth.praat import call

ROOT = Path(__file__).resolve().parents[1]
LABELS = ("neutral", "surprise", "joy")
SAID = '=1+1 "<b>&amp;</b>" {\\an8}\\N\n[2]: xmin = 3 ! 👩‍👧'
# As it stands in files: on one line.
SHOWN = '=1+1 "<b>&amp;</b>" {\\an8}\\N [2]: xmin = 3 ! 👩‍👧'
CLARA = 'Clara, "la" <O\'Neil> & {co}'

Written = Callable[..., Path]


def segment(start_s: float, end_s: float, speaker: str | None, text: str | None, **more) -> Segment:
    moment = {"face": "jaw drop", "voice": "loud", "faces": {1: "jaw drop"}, "evidence": "enough"} | more
    return Segment(Moment(start_s, end_s, speaker, text, **moment), {"neutral": 0.2, "surprise": 0.71, "joy": 0.09})


@pytest.fixture
def nasty(tmp_path: Path) -> LabelledTranscript:
    """Two who speak at once, one of them with a name that is no name, and a moment without evidence."""
    words = (Word(0.5, 0.5, "=1+1", 0.5), Word(0.5, 1.0, "two  words", 0.25), Word(1.0, 2.0, "", 0.0))
    utterances = (Utterance(0.5, 2.5, SAID, CLARA, words), Utterance(2.0, 3.0, "Hm.", "Léo"))
    return LabelledTranscript(
        Media(str(tmp_path / "my clips" / "a & b=1.mp4"), 4.0, "0f", 25.0, 640, 360, True),
        "custom",
        LABELS,
        (
            segment(0.5, 2.5, CLARA, SAID),
            segment(2.0, 3.0, "Léo", "Hm.", faces={}),
            segment(3.0, 4.0, None, "", evidence="none", faces={}),
        ),
        {"emoscribe": "0.1", "face": {"engine": "=cmd()"}},
        transcript=Transcript(utterances, "en", "test"),
    )


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(transcript: LabelledTranscript, name: str) -> Path:
        (path,) = write_outputs(transcript, tmp_path / "out", [name], "talk")
        assert path.name == f"talk{FORMATS[name].suffix}"
        return path

    return write


def rated(transcript: LabelledTranscript) -> LabelledTranscript:
    segments = tuple(replace(each, scores={}, rating=2.5) for each in transcript.segments)
    return replace(transcript, label_set="", labels=(), range=(1.0, 5.0), segments=segments)


def several(transcript: LabelledTranscript) -> LabelledTranscript:
    """Any number of labels: two, none, and none without evidence."""
    given = (("surprise", "neutral"), (), ())
    segments = tuple(replace(each, given=labels) for each, labels in zip(transcript.segments, given, strict=True))
    return replace(transcript, segments=segments, thresholds=dict.fromkeys(LABELS, 0.2))


def picture(transcript: LabelledTranscript) -> LabelledTranscript:
    media = Media("a.jpg", 0.0, "0f", None, 640, 360)
    moment = segment(0.0, 0.0, None, None, voice=None)
    return replace(transcript, media=media, segments=(moment,), transcript=None)


def unspoken(transcript: LabelledTranscript) -> LabelledTranscript:
    segments = (segment(0.0, 2.0, None, "", voice="no voice"), segment(2.0, 4.0, None, "", voice="no voice"))
    return replace(transcript, segments=segments, transcript=Transcript((), None, "test"))


def nameless(transcript: LabelledTranscript) -> LabelledTranscript:
    return replace(transcript, transcript=Transcript((Utterance(0.0, 1.0, "hm"),), None, ""))


def windows(transcript: LabelledTranscript) -> LabelledTranscript:
    """Three of two seconds, one every second."""
    return replace(transcript, segments=tuple(segment(float(at), at + 2.0, CLARA, "hm") for at in range(3)))


def bare(transcript: LabelledTranscript) -> LabelledTranscript:
    return replace(transcript, segments=(), transcript=None, tracks=None)


KINDS = (rated, several, picture, unspoken, windows, bare)


def csv_rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))


# ── ELAN ─────────────────────────────────────────────────────────────────────


def eaf_tiers(path: Path) -> dict[str, list[tuple[int, int, str]]]:
    root = ElementTree.parse(path).getroot()
    times = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    return {
        tier.attrib["TIER_ID"]: [
            (times[each.attrib["TIME_SLOT_REF1"]], times[each.attrib["TIME_SLOT_REF2"]], each[0].text or "")
            for each in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        for tier in root.iter("TIER")
    }


def test_elan_gets_a_tier_a_speaker_and_signal(nasty: LabelledTranscript, written: Written) -> None:
    path = written(nasty, "eaf")
    tiers = eaf_tiers(path)
    assert list(tiers) == [
        *(f"{kind}@{CLARA}" for kind in ("transcript", "words", "emotion", "face", "voice")),
        *(f"{kind}@Léo" for kind in ("transcript", "emotion", "face", "voice")),
        *("emotion", "face", "voice"),
    ]
    assert tiers[f"transcript@{CLARA}"] == [(500, 2500, SHOWN)]
    # A word of no length lasts a millisecond, and one that was not understood is none.
    assert tiers[f"words@{CLARA}"] == [(500, 501, "=1+1"), (501, 1000, "two words")]
    assert tiers["emotion@Léo"] == [(2000, 3000, "surprise")] and tiers["emotion"] == []
    root = ElementTree.parse(path).getroot()
    assert [entry.text for entry in root.iter("CVE_VALUE")] == list(LABELS)
    (vocabulary,) = (each.attrib["CV_ID"] for each in root.iter("CONTROLLED_VOCABULARY"))
    kinds = {each.attrib["LINGUISTIC_TYPE_ID"]: each.attrib for each in root.iter("LINGUISTIC_TYPE")}
    assert kinds["emotion"]["CONTROLLED_VOCABULARY_REF"] == vocabulary
    assert [tier.get("PARTICIPANT") for tier in root.iter("TIER")][0::6] == [CLARA, "Léo"]
    media = root.find("HEADER/MEDIA_DESCRIPTOR")
    assert media is not None and media.attrib["RELATIVE_MEDIA_URL"] == "./../my clips/a & b=1.mp4"
    assert media.attrib["MIME_TYPE"] == "video/mp4"


def test_what_overlaps_has_a_tier_of_its_own(nasty: LabelledTranscript, written: Written) -> None:
    tiers = eaf_tiers(written(windows(nasty), "eaf"))
    assert tiers[f"emotion@{CLARA}"] == [(0, 2000, "surprise"), (2000, 4000, "surprise")]
    assert tiers[f"emotion-2@{CLARA}"] == [(1000, 3000, "surprise")]


@pytest.mark.parametrize(("kind", "judged"), [(rated, ["2.50", "2.50"]), (several, ["surprise|neutral", "surprise"])])
def test_answers_of_other_kinds_in_tiers(
    nasty: LabelledTranscript, written: Written, kind: Callable, judged: list[str]
) -> None:
    tiers = eaf_tiers(written(kind(nasty), "eaf"))
    assert [text for name, entries in tiers.items() if "emotion" in name for _, _, text in entries] == judged


# ── Praat ────────────────────────────────────────────────────────────────────


def praat_tiers(path: Path) -> dict[str, list[tuple[float, float, str]]]:
    """As Praat itself reads them."""
    grid = parselmouth.read(str(path))
    tiers = {}
    for tier in range(1, int(call(grid, "Get number of tiers")) + 1):
        tiers[call(grid, "Get tier name", tier)] = [
            (
                call(grid, "Get start time of interval", tier, number),
                call(grid, "Get end time of interval", tier, number),
                call(grid, "Get label of interval", tier, number),
            )
            for number in range(1, int(call(grid, "Get number of intervals", tier)) + 1)
        ]
    return tiers


def test_praat_opens_tiers_without_a_gap(nasty: LabelledTranscript, written: Written) -> None:
    tiers = praat_tiers(written(nasty, "textgrid"))
    assert tiers[f"transcript@{CLARA}"] == [(0, 0.5, ""), (0.5, 2.5, SHOWN), (2.5, 4, "")]
    assert tiers["emotion@Léo"] == [(0, 2, ""), (2, 3, "surprise"), (3, 4, "")]
    assert tiers["emotion"] == [(0, 4, "")]
    for entries in tiers.values():
        assert [end_s for _, end_s, _ in entries[:-1]] == [start_s for start_s, _, _ in entries[1:]]
        assert (entries[0][0], entries[-1][1]) == (0, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_praat_and_elan_hold_the_same(nasty: LabelledTranscript, written: Written, kind: Callable) -> None:
    """Also of a picture, which lasts no time, and of no moments at all."""
    spoken = praat_tiers(written(kind(nasty), "textgrid"))
    said = {
        name: [(start / 1000, end / 1000, text) for start, end, text in entries]
        for name, entries in eaf_tiers(written(kind(nasty), "eaf")).items()
    }
    assert said and {name: [each for each in entries if each[2]] for name, entries in spoken.items()} == said


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


# ── tables ───────────────────────────────────────────────────────────────────

# From BORIS's own source, in its order; one modifier.
BORIS = next(
    csv.reader(
        [
            "Observation id,Observation date,Description,Observation type,Source,Time offset (s),Coding duration,"
            "Media duration (s),FPS (frame/s),Subject,Observation duration by subject by observation,Behavior,"
            "Behavioral category,Modifier #1,Behavior type,Start (s),Stop (s),Duration (s),Media file name,"
            "Image index start,Image index stop,Image file path start,Image file path stop,Comment start,Comment stop"
        ]
    )
)


def test_boris_gets_an_event_a_moment(nasty: LabelledTranscript, written: Written) -> None:
    first, second = rows = csv_rows(written(nasty, "boris"))  # none without evidence
    assert list(first) == BORIS
    assert [(row["Behavior"], row["Behavior type"], row["Duration (s)"]) for row in rows] == [
        ("surprise", "STATE", "2.000"),
        ("surprise", "STATE", "1.000"),
    ]
    assert (first["Comment start"], first["Comment stop"], first["Subject"]) == ("'" + SHOWN, "0.71", CLARA)
    assert (second["Start (s)"], second["Image index start"], second["FPS (frame/s)"]) == ("2.000", "50", "25.000")


def test_boris_of_a_picture_a_rating_and_several_labels(nasty: LabelledTranscript, written: Written) -> None:
    (point,) = csv_rows(written(picture(nasty), "boris"))
    assert (point["Behavior type"], point["Duration (s)"], point["FPS (frame/s)"]) == ("POINT", "NA", "NA")
    assert point["Subject"] == "No focal subject"
    assert {(row["Behavior"], row["Modifier #1"]) for row in csv_rows(written(rated(nasty), "boris"))} == {
        ("rating", "2.500")
    }
    both = [row["Behavior"] for row in csv_rows(written(several(nasty), "boris"))]
    assert both == ["surprise", "neutral", "surprise"]


def seen(nasty: LabelledTranscript, **person: object) -> LabelledTranscript:
    """A face that is followed for four fifths of a second, five frames a second."""
    face = {"person": 1, "times_s": [0.0, 0.2, 0.4, 2.0], "boxes": [], "action_units": [], **person}
    return replace(nasty, tracks={"faces": {"source": "", "units": [], "names": {}, "people": [face]}})


def test_people_by_time(nasty: LabelledTranscript, written: Written) -> None:
    joyful = {"neutral": 0.1, "surprise": 0.2, "joy": 0.7}
    segments = (
        segment(0.0, 3.0, "Léo", "well"),
        Segment(segment(3.0, 4.0, "Léo", "yes").moment, joyful),
        segment(4.0, 9.0, "Léo", "", evidence="none"),
        Segment(segment(9.0, 9.5, None, "").moment, joyful),  # of whom one sees most
    )
    said = (Utterance(0.0, 2.0, "well", "Léo"), Utterance(1.0, 3.5, "yes", "Léo"), Utterance(5.0, 6.0, "hm"))
    transcript = seen(replace(nasty, segments=segments, transcript=Transcript(said, None, "")), blinks_s=[0.1, 0.3])
    leo, face = csv_rows(written(transcript, "people"))
    assert (leo["video"], leo["person"], leo["speaking_s"], leo["judged_s"]) == ("a & b=1.mp4", "Léo", "3.50", "4.00")
    assert (leo["share_surprise"], leo["share_joy"], leo["dominant"]) == ("0.7500", "0.2500", "surprise")
    assert float(leo["mean_surprise"]) == pytest.approx((3 * 0.71 + 0.2) / 4, abs=1e-4)
    # Which face is Léo's is not known here.
    assert (leo["seen_s"], leo["blinks_per_min"], face["speaking_s"]) == ("", "", "")
    assert (face["person"], face["seen_s"], face["dominant"], face["judged_s"]) == ("person 1", "0.80", "joy", "0.50")
    assert float(face["blinks_per_min"]) == 150.0


def test_a_speaker_is_seen_where_it_is_known_whose_the_face_is(nasty: LabelledTranscript, written: Written) -> None:
    said = Transcript((Utterance(0.0, 1.0, "hm", "Léo"),), None, "")
    transcript = replace(nasty, transcript=said, segments=(segment(0.0, 1.0, "Léo", "hm"),))
    (leo,) = csv_rows(written(seen(transcript, speaker="Léo", blinks_s=[0.1]), "people"))
    assert (leo["person"], leo["seen_s"], leo["speaking_s"], leo["blinks_per_min"]) == ("Léo", "0.80", "1.00", "75.0")


@pytest.mark.parametrize("blinks", [{}, {"blinks_s": None}])
def test_blinks_that_were_not_counted_are_not_none(nasty: LabelledTranscript, written: Written, blinks: dict) -> None:
    face = csv_rows(written(seen(nasty, **blinks), "people"))[-1]
    assert (face["seen_s"], face["blinks_per_min"]) == ("0.80", "")


def test_people_who_are_seen_talking_rated_and_in_a_picture(nasty: LabelledTranscript, written: Written) -> None:
    said = Transcript((Utterance(0.0, 1.0, "hm", "person 1"),), None, "")
    talking = seen(replace(nasty, transcript=said, segments=(segment(0.0, 1.0, "person 1", "hm"),)))
    (person,) = csv_rows(written(talking, "people"))
    assert (person["seen_s"], person["speaking_s"]) == ("0.80", "1.00")
    assert {row["mean_rating"] for row in csv_rows(written(rated(nasty), "people"))} == {"2.5000"}
    (still,) = csv_rows(written(picture(nasty), "people"))
    assert (still["person"], still["judged_s"], still["share_surprise"]) == ("person 1", "0.00", "1.0000")
    assert csv_rows(written(bare(nasty), "people")) == []


def test_a_workbook_runs_nothing_and_counts_with_numbers(nasty: LabelledTranscript, written: Written) -> None:
    book = openpyxl.load_workbook(written(nasty, "xlsx"), read_only=True)
    assert book.sheetnames == ["moments", "words", "people", "provenance"]
    header, first, *_, last = list(book["moments"].values)
    row = dict(zip(header, first, strict=True))
    assert (row["start_s"], row["text"], row["surprise"]) == (0.5, SHOWN, 0.71)
    assert dict(zip(header, last, strict=True))["label"] is None
    assert list(book["words"].values)[1] == ("a & b=1.mp4", 0.5, 0.5, CLARA, "=1+1", 0.5)
    assert ("face.engine", "=cmd()") in list(book["provenance"].values)
    cells = [cell for sheet in book for line in sheet.iter_rows() for cell in line if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s", "n"}


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
