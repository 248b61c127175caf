"""Moments put together from corpora that each have one signal."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from emoscribe.core.labels import BASIC
from emoscribe.core.timeline import Moment
from emoscribe.textualize.expressions import EXPRESSED, expression
from emoscribe.textualize.face import NO_FACE, UNIT_WORDS
from emoscribe.textualize.mixture import Labelled, Mixture, MixtureSettings
from emoscribe.textualize.moments import UNCLEAR

LINES = [
    Labelled(Moment(0, 1, None, text, None, voice), label, "T")
    for text, label, voice in (
        ("What a wonderful day, everybody!", "joy", "loud, fast"),
        ("Get out of here right now.", "anger", None),
        ("The train leaves at noon.", "neutral", "an even, medium voice"),
    )
]
FACES = [
    Labelled(Moment(0, 0, None, None, f"face of {label} {i}"), label, "V") for label in ("joy", "anger") for i in "ab"
]
VOICES = [
    Labelled(Moment(0, 1, None, "kids are talking", None, f"voice of {label}"), label, "A", f"{label} by population")
    for label in ("joy", "anger", "neutral")
]
ALL = [*LINES, *FACES, *VOICES]


def drawn(settings: MixtureSettings, labelled: Labelled, times: int = 300) -> list[Moment]:
    mixture, rng = Mixture(ALL, settings), random.Random(0)
    return [mixture.mixed(labelled, rng) for _ in range(times)]


def test_what_a_label_is_about_is_always_there() -> None:
    settings = MixtureSettings(expressions=0, phrases_dropped=0, punctuated=0, unpunctuated=0, misheard=0)
    assert {moment.text for moment in drawn(settings, LINES[0])} == {LINES[0].moment.text}
    assert {moment.face for moment in drawn(settings, FACES[0])} == {FACES[0].moment.face}
    assert {moment.voice for moment in drawn(settings, VOICES[0])} == {"voice of joy", "joy by population"}


def test_now_and_then_nobody_knows_who_spoke() -> None:
    named = Labelled(Moment(0, 1, "Ann", "The train leaves at noon."), "neutral", "T")
    assert {moment.speaker for moment in drawn(MixtureSettings(), named)} == {"Ann"}
    some = Counter(moment.speaker for moment in drawn(MixtureSettings(unnamed=0.25), named))
    assert set(some) == {"Ann", None} and 50 < some[None] < 100


def test_alone_means_alone() -> None:
    moments = drawn(MixtureSettings(alone=1.0), LINES[0])
    assert {(moment.face, moment.voice) for moment in moments} == {(None, None)}


def test_lenders_have_the_same_label_or_openly_another() -> None:
    same = MixtureSettings(alone=0, unknown=0, own=0, same=1, other=0, absent=0, expressions=0, phrases_dropped=0)
    assert {moment.face for moment in drawn(same, LINES[0])} == {"face of joy a", "face of joy b"}
    assert {moment.voice for moment in drawn(same, LINES[1])} == {"voice of anger", "anger by population"}
    other = same.model_copy(update={"same": 0.0, "other": 1.0})
    faces = {moment.face for moment in drawn(other, LINES[0])}
    assert {"face of joy a", "face of anger a"} <= faces


def test_its_own_voice_goes_first() -> None:
    own = MixtureSettings(alone=0, unknown=0, own=1, same=0, other=0, absent=0, phrases_dropped=0, misheard=0)
    assert {moment.voice for moment in drawn(own, LINES[0])} == {"loud, fast"}
    # A line without a voice is lent one instead.
    assert {moment.voice for moment in drawn(own, LINES[1])} == {"voice of anger", "anger by population"}


def test_nothing_is_lent_by_nobody() -> None:
    mixture, rng = Mixture(LINES, MixtureSettings(alone=0, unknown=0)), random.Random(0)
    faces = {mixture.mixed(LINES[1], rng).face for _ in range(200)}
    assert faces <= {NO_FACE, "not looked at", "neutral face"}


def test_some_lines_come_as_recognisers_spell_them() -> None:
    moments = drawn(MixtureSettings(punctuated=0, unpunctuated=0.5, misheard=0), LINES[0])
    texts = Counter(moment.text for moment in moments)
    assert set(texts) == {LINES[0].moment.text, "what a wonderful day everybody"}
    assert 100 < texts["what a wonderful day everybody"] < 200


def test_some_lines_come_as_whisper_spells_them() -> None:
    moments = drawn(MixtureSettings(punctuated=0.5, unpunctuated=0, misheard=0), LINES[0])
    texts = Counter(moment.text for moment in moments)
    assert 130 < texts[LINES[0].moment.text] < 180
    assert 90 < texts["What a wonderful day, everybody."] < 150
    assert "what a wonderful day everybody" not in texts


def test_misheard_lines_keep_most_of_their_words() -> None:
    moments = drawn(MixtureSettings(alone=0, punctuated=0, unpunctuated=0, misheard=1), LINES[0], 500)
    texts = [moment.text or "" for moment in moments]
    assert any(UNCLEAR in text for text in texts)
    words = Counter(word for text in texts for word in text.split())
    assert words["wonderful"] > 250 and words["wonderful"] < 500
    assert not any(f"{UNCLEAR} {UNCLEAR}" in text for text in texts)
    assert 150 < sum(text == text.lower() for text in texts) < 350


def test_rare_labels_are_drawn_less_and_shown_more_by_the_book() -> None:
    common = [Labelled(Moment(0, 0, face="common"), "joy", "V")] * 100
    rare = [Labelled(Moment(0, 0, face="rare"), "fear", "V")] * 5
    mixture, rng = Mixture([*common, *rare], MixtureSettings(expressions=0.2)), random.Random(0)
    labels = Counter(each.label for each in mixture.draw("V", 2000, rng))
    assert 0.05 < labels["fear"] / labels["joy"] < 0.2
    own = sum(mixture.mixed(rare[0], rng).face == "rare" for _ in range(1000))
    assert 50 < own < 160


def test_the_same_seed_draws_the_same() -> None:
    assert drawn(MixtureSettings(), LINES[0]) == drawn(MixtureSettings(), LINES[0])


def test_nothing_to_judge_by() -> None:
    mixture, rng = Mixture(ALL, MixtureSettings()), random.Random(0)
    for _ in range(100):
        nothing = mixture.nothing(rng)
        assert nothing.moment.text in (None, "", UNCLEAR)
        assert not any(word in str((nothing.moment.face, nothing.moment.voice)) for word in ("face of", "voice of"))


@pytest.mark.parametrize("label", BASIC.labels)
def test_the_textbook_speaks_as_faces_are_worded(label: str) -> None:
    assert label in EXPRESSED
    spoken = {*UNIT_WORDS.values(), "neutral face", "lips closed", "jaw closed", "head down"}
    rng = random.Random(0)
    for _ in range(100):
        for phrase in expression(label, rng).split(", "):
            bare = phrase.removeprefix("slight ").removeprefix("strong ")
            rated = bare.startswith(("looks ", "may look ", "perhaps ")) or bare.endswith(("calm", "aroused"))
            assert bare in spoken or rated or "pleasant" in bare
