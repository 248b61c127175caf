"""The voice, worded: whose voice it is compared with, and what is said when there is nothing to compare."""

from __future__ import annotations

import json

import numpy as np
import pytest
from emoscribe.core.errors import SettingsError
from emoscribe.core.timeline import Transcript, Utterance, VoiceTrack
from emoscribe.corpora.meld import VOICE_MEASURES
from emoscribe.extractors.media import SAMPLE_RATE, sound
from emoscribe.extractors.settings import VoiceSettings
from emoscribe.extractors.voice.opensmile import MEASURES, OpenSmile
from emoscribe.llm.run import find_run
from emoscribe.textualize.levels import LEVELS, QUANTILES, cuts_of, grade, population_norms, read_norms
from emoscribe.textualize.settings import WordingSettings
from emoscribe.textualize.voice import (
    EVEN,
    MAX_WORDS,
    NO_SPEECH,
    NOT_LISTENED,
    NOTHING_TO_COMPARE,
    RECORDING_DEPENDENT,
    TOO_SHORT,
    WORDS,
    voice_evidence,
    voice_words,
)

NORMS = {
    "version": 1,
    "quantiles": [0.1, 0.25, 0.75, 0.9],
    "register_split_hz": 200.0,
    "registers": {
        "low": {"pitch_hz": [90, 100, 150, 180], "loudness": [0.1, 0.2, 0.3, 0.4], "hnr_db": [3, 4, 6, 8]},
        "high": {"pitch_hz": [190, 210, 300, 350], "loudness": [0.1, 0.2, 0.3, 0.4], "hnr_db": [6, 7, 9, 10]},
    },
    "sources": {},
}
POPULATION = population_norms(NORMS, "tenths")


def track(pitches_hz, loudness=None, speakers=None, length_s=2.0) -> VoiceTrack:
    """An utterance every 3 s; what is not given does not vary."""
    count = len(pitches_hz)
    values = np.full((count, len(MEASURES)), 0.5)
    values[:, list(MEASURES).index("pitch_hz")] = pitches_hz
    values[:, list(MEASURES).index("hnr_db")] = 5.0
    values[:, list(MEASURES).index("loudness")] = 1.0 if loudness is None else loudness
    starts_s = np.arange(count) * 3.0
    return VoiceTrack(tuple(MEASURES), starts_s, starts_s + length_s, tuple(speakers or ["A"] * count), values)


def words_at(voices: VoiceTrack, index: int, **options):
    return voice_words(voices, voices.start_s[index], voices.end_s[index], **options)


# ── grading ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("grades", "counts"), [("tenths", [100, 150, 500, 150, 100]), ("eighths", [125, 250, 250, 250, 125])]
)
def test_half_of_all_values_are_medium_or_a_quarter(grades, counts):
    values = np.arange(1000.0)
    levels = np.bincount([grade(v, cuts_of(values, grades)) for v in values], minlength=len(LEVELS))
    assert levels.tolist() == pytest.approx(counts, abs=2)


def test_values_that_do_not_vary_are_medium():
    assert LEVELS[grade(3.0, cuts_of(np.full(5, 3.0), "tenths"))] == "medium"


# ── whose voice it is compared with ──────────────────────────────────────────


def test_a_speaker_is_compared_with_their_own_other_utterances():
    voices = track([110, 112, 114, 116, 118, 160])
    assert words_at(voices, 5).text == "very high pitch"
    assert words_at(voices, 5).scope == "speaker"
    assert words_at(voices, 2).text == EVEN


def test_other_speakers_do_not_count():
    voices = track([110, 112, 114, 116, 118, 300], speakers=["A"] * 5 + ["B"])
    found = words_at(voices, 5, population=POPULATION)
    assert found.scope == "population" and "pitch" not in found.text


def test_past_sees_nothing_that_comes_later():
    earlier, later = [110, 111, 112, 113, 114], [300, 310, 320, 330, 340]
    voices = track([*earlier, 130, *later])
    assert words_at(voices, 5, scope="past").text == "very high pitch"
    assert words_at(voices, 5, scope="speaker").text == EVEN
    assert words_at(voices, 2, scope="past", population=POPULATION).scope == "population"


def test_the_population_is_asked_by_register():
    found = [words_at(track([pitch]), 0, population=POPULATION).text for pitch in (170, 205)]
    assert "high pitch" in found[0] and "low pitch" in found[1]
    assert "rough" in found[1] and "rough" not in found[0]  # 5 dB of harmonics are few for a high voice


def test_register_is_the_speaker_s_not_the_utterance_s():
    """A man who shouts was taken for a woman with a low voice."""
    found = words_at(track([120, 125, 115, 240]), 3, population=POPULATION)
    assert "very high pitch" in found.text and found.scope == "population"


def test_loudness_is_graded_within_the_recording_or_not_at_all():
    alone = words_at(track([120], loudness=[9.0]), 0, population=POPULATION)
    assert "loud" not in alone.text
    among_others = track([120] * 7, loudness=[1, 1.1, 1.2, 1.3, 1.4, 1.5, 9], speakers=[*"AABBCC", "D"])
    found = words_at(among_others, 6, population=POPULATION)
    assert found.text.startswith("very loud") and found.scope == "population"
    assert "loud" not in words_at(among_others, 6, population=POPULATION, scope="population").text


def test_silent_utterances_are_nobody_s_usual_loudness():
    voices = track([120] * 11, loudness=[0, 0, 0, 0, 0, 1, 1.1, 1.2, 1.3, 1.4, 1.2])
    voices.values[:5, list(MEASURES).index("voiced_fraction")] = 0.0
    assert words_at(voices, 10).text == EVEN


# ── stretches of time ────────────────────────────────────────────────────────


def test_a_stretch_takes_utterances_by_how_far_they_overlap():
    voices = track([100, 101, 102, 103, 104, 200, 100])
    mostly_high = voice_words(voices, 15.1, 18.2)
    barely_high = voice_words(voices, 16.99, 20.0)
    assert "very high pitch" in mostly_high.text and "high pitch" not in barely_high.text


def test_where_two_speak_it_is_the_one_who_speaks_longer():
    voices = track([100, 101, 102, 103, 104, 99, 300], speakers=["A"] * 6 + ["B"])
    assert voice_words(voices, 15.0, 18.5).scope == "speaker"


def test_no_speech_not_listened_to_and_too_short_are_different_words():
    voices = track([120, 130])
    voices.values[1] = np.nan
    silent = track([120])
    silent.values[0] = np.nan
    silent.values[0, [list(MEASURES).index(n) for n in ("loudness", "voiced_fraction")]] = 0.0
    found = [
        voice_words(None, 0, 1),
        voice_words(voices, 2.2, 2.8),
        words_at(voices, 1),
        words_at(silent, 0),
        words_at(track([120]), 0),
    ]
    assert [f.text for f in found] == [NOT_LISTENED, NO_SPEECH, TOO_SHORT, NO_SPEECH, NOTHING_TO_COMPARE]
    assert {voice_evidence(f.text) for f in found} == {"none"} and all(f.scope is None for f in found)


# ── the words ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("grades", ["tenths", "eighths"])
def test_the_extreme_comes_first_and_so_many_are_enough(grades):
    rng = np.random.default_rng(0)
    voices = track([120] * 41)
    voices.values[:40] = rng.normal(size=(40, len(MEASURES)))
    voices.values[:, list(MEASURES).index("voiced_fraction")] = rng.uniform(0.4, 0.6, 41)
    voices.values[40] = 5.0
    voices.values[40, list(MEASURES).index("loudness")] = 1.0
    phrases = words_at(voices, 40, grades=grades).text.split(", ")
    assert len(phrases) == MAX_WORDS[grades]
    assert all(phrase.startswith(("very ", "steeply ")) for phrase in phrases)


def test_eighths_say_what_tenths_leave_unsaid():
    voices = track([*range(110, 120), 116.5])
    assert words_at(voices, 10).text == EVEN
    assert words_at(voices, 10, grades="eighths").text == "high pitch"


def test_a_wording_that_does_not_say_grades_by_tenths():
    """Runs that were trained before there was a choice."""
    described = {"face_pooling": 90.0, "voice_scope": "speaker", "unclear_below": 0.4}
    assert WordingSettings.model_validate(described).voice_grades == "tenths"


def test_every_measure_has_words_of_its_own_and_is_measured():
    assert set(WORDS) <= set(MEASURES) | set(VOICE_MEASURES)
    ours = [phrase for measure in MEASURES if measure in WORDS for phrase in WORDS[measure]]
    assert len(set(ours)) == len(ours)


def test_praat_s_measures_are_worded_alike():
    values = np.array(
        [[150.0 + i, 3.0, 4.0, 6.0, 60.0 + i / 10, 8] for i in range(6)] + [[149.0, 9.0, 4.0, 6.0, 90.0, 8]]
    )
    starts_s = np.arange(7) * 3.0
    voices = VoiceTrack(VOICE_MEASURES, starts_s, starts_s + 2, ("A",) * 7, values)
    assert words_at(voices, 6).text == "very loud, very low pitch, very varied pitch"


def test_a_louder_higher_utterance_among_real_sounds_is_said_to_be_both(tmp_path, make_media):
    def hum(pitch_hz: float, gain: float) -> np.ndarray:
        t = np.arange(int(1.2 * SAMPLE_RATE)) / SAMPLE_RATE
        return gain * sum(np.cos(2 * np.pi * h * pitch_hz * t) / h for h in range(1, 12)) * (1 + np.sin(20 * t)) / 4

    hums = [(118, 0.10), (120, 0.11), (122, 0.10), (119, 0.09), (121, 0.10), (120, 0.105), (180, 0.5)]
    samples = np.concatenate([np.concatenate([hum(*h), np.zeros(SAMPLE_RATE // 2)]) for h in hums])
    utterances = tuple(Utterance(1.7 * i, 1.7 * i + 1.2, "", "A") for i in range(len(hums)))
    with sound(make_media(tmp_path / "hums.wav", sound=samples)) as clip:
        voices = OpenSmile(VoiceSettings()).measure(clip, Transcript(utterances, None, "test"))
    found = words_at(voices, 6)
    assert "very loud" in found.text and "very high pitch" in found.text and voice_evidence(found.text) == "weak"


# ── norms as data ────────────────────────────────────────────────────────────


def test_norms_are_read_from_json(tmp_path):
    path = tmp_path / "norms.json"
    path.write_text(json.dumps(NORMS))
    assert read_norms(path, "tenths") == POPULATION


def test_norms_grade_by_the_quantiles_that_they_have():
    both = NORMS | {
        "quantiles": [0.1, 0.125, 0.25, 0.375, 0.625, 0.75, 0.875, 0.9],
        "registers": {"low": {"pitch_hz": [90, 93, 100, 120, 140, 150, 170, 180]}, "high": {}},
    }
    cuts = [population_norms(both, grades).for_voice(120)["pitch_hz"] for grades in QUANTILES]
    assert cuts == [(90, 100, 150, 180), (93, 120, 140, 170)]
    with pytest.raises(SettingsError, match=r"be \[0.125, 0.375, 0.625, 0.875\] .* to grade by eighths, got"):
        population_norms(NORMS, "eighths")


@pytest.mark.parametrize("grades", QUANTILES)
def test_the_norms_that_ship_serve_all_grades(grades):
    norms = population_norms(find_run("meld-minilm").norms, grades)
    assert norms.low.keys() == norms.high.keys() == set(WORDS) - RECORDING_DEPENDENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 1"),
        ({"quantiles": [0.2, 0.8]}, r"quantiles must be \[0.1, 0.25, 0.75, 0.9\] among .* got \[0.2, 0.8\]"),
        ({"register_split_hz": -1}, "register_split_hz must be a positive number, got -1"),
        ({"registers": {"low": {}}}, "under low and high"),
        ({"registers": {"low": {"pitch_hz": [4, 3, 2, 1]}, "high": {}}}, "pitch_hz: expected 4 ascending numbers"),
        ({"registers": {"low": {"pitch_hz": ["a"]}, "high": {}}}, "pitch_hz: expected 4 ascending numbers"),
        ({"registers": {"low": [], "high": {}}}, "under low and high"),
    ],
)
def test_wrong_norms_are_refused_by_name(change, message):
    with pytest.raises(SettingsError, match=message):
        population_norms(NORMS | change, "tenths")


def test_norms_that_cannot_be_read(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SettingsError, match=r"broken.json is not JSON"):
        read_norms(tmp_path / "broken.json", "tenths")
    with pytest.raises(SettingsError, match=r"none.json: no such file"):
        read_norms(tmp_path / "none.json", "tenths")
