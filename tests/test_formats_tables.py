"""Tables for other programs, read back by something else than what wrote them."""

from __future__ import annotations

import csv
from dataclasses import replace

import openpyxl
import pytest
from emoscribe.core.timeline import LabelledTranscript, Segment, Transcript, Utterance

from .fixtures.formats import (
    CLARA,
    SHOWN,
    Written,
    bare,
    csv_rows,
    picture,
    rated,
    segment,
    several,
)

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
