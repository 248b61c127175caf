"""Tiers for ELAN and Praat, read back by something else than what wrote them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import parselmouth
import pytest
from emoscribe.core.timeline import LabelledTranscript
from parselmouth.praat import call

from .fixtures.formats import (
    CLARA,
    KINDS,
    LABELS,
    SHOWN,
    Written,
    rated,
    several,
    windows,
)

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
