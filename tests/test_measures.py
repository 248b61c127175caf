"""Measures are declared once, and nothing else travels."""

from __future__ import annotations

import numpy as np
import pytest
from emoscribe.core import measures
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.timeline import FaceTrack, VoiceTrack
from emoscribe.corpora import meld
from emoscribe.corpora.corpus import Corpus
from emoscribe.extractors.face.units import shipped_calibration
from emoscribe.extractors.voice import opensmile as voice
from emoscribe.textualize.face import UNIT_WORDS
from emoscribe.textualize.levels import population_norms
from emoscribe.textualize.voice import WORDS


def test_an_undeclared_measure_is_refused_where_a_record_is_made() -> None:
    none = np.empty(0)
    with pytest.raises(
        EmoscribeError, match="voice track: 'intensity_db' is no declared measure; there are: loudness, "
    ):
        VoiceTrack(("intensity_db",), none, none, (), np.empty((0, 1)))
    with pytest.raises(EmoscribeError, match="face track: 'smile' is no declared measure; there are: AU01, "):
        FaceTrack("engine", ("smile",), none, none, np.empty((0, 4)), np.empty((0, 1)), none)
    with pytest.raises(EmoscribeError, match="voices of table: 'hnr' is no declared measure"):
        Corpus("table", (), None, "macro_f1", voice={"clip": {"hnr": 1.0}})
    bounds = {"low": {"hnr": [1, 2, 3, 4]}, "high": {}}
    norms = {"version": 1, "quantiles": [0.1, 0.25, 0.75, 0.9], "register_split_hz": 200, "registers": bounds}
    with pytest.raises(EmoscribeError, match=r"norms\.json: 'hnr' is no declared measure"):
        population_norms(norms, "tenths", "norms.json")


def test_what_is_measured_and_what_is_worded_is_declared() -> None:
    assert {*voice.MEASURES, *meld.VOICE_MEASURES} == set(measures.VOICE)
    assert set(WORDS) <= set(measures.VOICE)
    assert set(UNIT_WORDS) <= set(measures.FACE)
    assert set(shipped_calibration().units) <= set(measures.FACE)


def test_a_name_that_two_tools_share_is_on_no_tool_s_scale() -> None:
    shared = set(voice.MEASURES) & set(meld.VOICE_MEASURES)
    assert shared == {"pitch_hz", "speech_rate_syl_per_s"}
    assert {measures.VOICE[name].scale for name in shared} == {""}
    assert {measures.VOICE[name].scale for name in meld.VOICE_MEASURES if name not in shared} == {"Praat"}
    assert {measures.VOICE[name].scale for name in voice.MEASURES if name not in shared} == {"openSMILE"}
