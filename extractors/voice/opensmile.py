"""How the voice sounded: openSMILE eGeMAPSv02 functionals of each utterance, in units.

eGeMAPS (Eyben et al., IEEE Trans. Affective Computing 7(2), 2016) is the
field's standard set of 88 voice measures.  Those that can be put into words
are kept here and converted to the units people use.  Pauses are cut out
before anything is measured, so that neither the padding of an utterance nor
a hesitation in it makes a voice seem quiet or slow.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np

from ...core.timeline import Transcript, Utterance, VoiceTrack
from ..media import SAMPLE_RATE, Sound
from ..registry import EngineSpec, Need
from ..settings import VoiceSettings
from .syllables import syllables

# What openSMILE measures, in the order of `VoiceTrack.values`.
MEASURES = (
    "loudness",
    "loudness_variation",
    "loudness_peaks_per_s",
    "pitch_hz",
    "pitch_variation_st",
    "pitch_end_st",
    "speech_rate_syl_per_s",
    "pause_fraction",
    "voiced_fraction",
    "voiced_segments_per_s",
    "voiced_segment_variation_s",
    "hnr_db",
    "jitter",
    "shimmer_db",
    "alpha_ratio_db",
    "slope_0_500_db_per_khz",
    "slope_500_1500_db_per_khz",
    "hammarberg_db",
)

# A longer one is judged by its first minute: bounded memory, and enough.
MAX_UTTERANCE_S = 60.0

FRAME = SAMPLE_RATE // 100
# The gate between sound and pause lies above the noise, far enough below the
# loud parts (5th and 95th percentiles of the level) …
NOISE_MARGIN_DB = 6.0
QUIETEST_SPEECH_DB = 30.0
LOUDEST_GATE_DB = 8.0
# … if it lasts longer than a stop consonant's closure,
MIN_PAUSE_FRAMES = 25
# and nothing at all is heard below this (full scale is 0 dB).
SILENCE_DB = -70.0
# Left standing around speech: onsets and trails are softer than the gate.
MARGIN_FRAMES = 5

# openSMILE finds less voice in a softer recording and tilts its spectral
# slopes, so it is given all speech at one level (95th percentile).  Loudness
# is scaled back: it grows with the cubic root of power, exponent .33 in
# eGeMAPS, and so with this power of amplitude.
LEVEL_DB = -20.0
LOUDNESS_EXPONENT = 0.66

# How much speech the end of the pitch is looked for in, and its length.
TAIL_S = 1.5
END_FRAMES = 15
# Below this much voiced sound its mean is noise.
MIN_VOICED_S = 0.1


class OpenSmile:
    """The voice of utterances, by openSMILE's two extractors, which are built once."""

    def __init__(self, settings: VoiceSettings) -> None:
        self._min_utterance_s = settings.min_utterance_s
        self._egemaps = _Egemaps()

    def measure(self, sound: Sound, transcript: Transcript) -> VoiceTrack:
        """One row an utterance, in their order.

        A row is NaN throughout where the utterance is not longer than
        `min_utterance_s`; a measure is NaN where it needs voiced sound or
        words and there are none.  Silence has loudness 0 and no voiced fraction.
        """
        utterances = transcript.utterances
        rows = np.full((len(utterances), len(MEASURES)), np.nan)
        for row, utterance in zip(rows, utterances, strict=True):
            if utterance.end_s - utterance.start_s > self._min_utterance_s:
                found = _measures(self._egemaps, sound, utterance)
                row[:] = [found.get(name, np.nan) for name in MEASURES]
        return VoiceTrack(
            names=MEASURES,
            start_s=np.array([u.start_s for u in utterances], dtype=float),
            end_s=np.array([u.end_s for u in utterances], dtype=float),
            speaker=tuple(u.speaker for u in utterances),
            values=rows,
        )


def _measures(egemaps: _Egemaps, sound: Sound, utterance: Utterance) -> dict[str, float]:
    end_s = min(utterance.end_s, utterance.start_s + MAX_UTTERANCE_S)
    samples = sound.read(utterance.start_s, end_s)
    speech, pause_fraction = _speech(samples)
    if not len(speech):
        return {"loudness": 0.0, "pause_fraction": 1.0, "voiced_fraction": 0.0}
    speech_s = len(speech) / SAMPLE_RATE
    measures = egemaps.measure(speech) | {"pause_fraction": pause_fraction}
    # What was said in the part that was read, if not all of it was.
    read = (end_s - utterance.start_s) / (utterance.end_s - utterance.start_s)
    if count := syllables(utterance.text):
        measures["speech_rate_syl_per_s"] = read * count / speech_s
    return measures


# ── openSMILE, at the door ───────────────────────────────────────────────────


class _Egemaps:
    """Functionals and low-level descriptors."""

    def __init__(self) -> None:
        import opensmile

        features = opensmile.FeatureSet.eGeMAPSv02
        self._functionals = opensmile.Smile(features, opensmile.FeatureLevel.Functionals)
        self._frames = opensmile.Smile(features, opensmile.FeatureLevel.LowLevelDescriptors)

    def measure(self, speech: np.ndarray) -> dict[str, float]:
        """Measures of samples (N,) that hold speech without pauses."""
        gain = 10 ** ((LEVEL_DB - np.percentile(_levels_db(speech), 95)) / 20)
        speech = speech * np.float32(gain)
        table = self._functionals.process_signal(speech, SAMPLE_RATE)
        of = dict(zip(table.columns, table.to_numpy()[0].astype(float), strict=True))
        voiced_fraction = min(1.0, of["VoicedSegmentsPerSec"] * of["MeanVoicedSegmentLengthSec"])
        measures = {
            "loudness": of["loudness_sma3_percentile80.0"] / gain**LOUDNESS_EXPONENT,
            "loudness_variation": of["loudness_sma3_stddevNorm"],
            "loudness_peaks_per_s": of["loudnessPeaksPerSec"],
            "voiced_fraction": voiced_fraction,
        }
        if voiced_fraction * len(speech) / SAMPLE_RATE < MIN_VOICED_S:
            return measures

        def mean(name: str) -> float:
            return of[f"{name}_sma3nz_amean"]

        pitch = "F0semitoneFrom27.5Hz"
        return measures | {
            "pitch_hz": 27.5 * 2 ** (mean(pitch) / 12),
            "pitch_variation_st": of[f"{pitch}_sma3nz_stddevNorm"] * mean(pitch),
            "pitch_end_st": self._pitch_end_st(speech) - of[f"{pitch}_sma3nz_percentile50.0"],
            "voiced_segments_per_s": of["VoicedSegmentsPerSec"],
            "voiced_segment_variation_s": of["StddevVoicedSegmentLengthSec"],
            "hnr_db": mean("HNRdBACF"),
            "jitter": mean("jitterLocal"),
            "shimmer_db": mean("shimmerLocaldB"),
            "alpha_ratio_db": mean("alphaRatioV"),
            "slope_0_500_db_per_khz": 1000 * mean("slopeV0-500"),
            "slope_500_1500_db_per_khz": 1000 * mean("slopeV500-1500"),
            "hammarberg_db": mean("hammarbergIndexV"),
        }

    def _pitch_end_st(self, speech: np.ndarray) -> float:
        """F0 at the end, semitones above 27.5 Hz; NaN without voiced sound there."""
        frames = self._frames.process_signal(speech[-round(TAIL_S * SAMPLE_RATE) :], SAMPLE_RATE)
        pitch = frames["F0semitoneFrom27.5Hz_sma3nz"].to_numpy()
        voiced = pitch[pitch > 0]
        return float(np.median(voiced[-END_FRAMES:])) if len(voiced) else float("nan")


# ── what in it is speech ─────────────────────────────────────────────────────


def _speech(samples: np.ndarray) -> tuple[np.ndarray, float]:
    """The samples without silence, and the fraction of pauses inside.

    Empty where all is silent.
    """
    sounding = _sounding(_levels_db(samples))
    if not len(sounding):
        return samples[:0], 1.0
    gaps = np.diff(sounding) - 1
    pauses = np.flatnonzero(gaps >= MIN_PAUSE_FRAMES)
    starts = sounding[np.concatenate([[0], pauses + 1])]
    ends = sounding[np.concatenate([pauses, [-1]])] + 1
    keep = np.zeros(len(samples), dtype=bool)
    for start, end in zip(starts, ends, strict=True):
        keep[max(0, start - MARGIN_FRAMES) * FRAME : (end + MARGIN_FRAMES) * FRAME] = True
    return samples[keep], float(gaps[pauses].sum() / (ends[-1] - starts[0]))


def _sounding(level_db: np.ndarray) -> np.ndarray:
    """Indices of the frames that are louder than a pause, from levels (F,)."""
    if not len(level_db):
        return np.empty(0, dtype=int)
    noise_db, loud_db = np.percentile(level_db, [5, 95])
    gate_db = np.clip(noise_db + NOISE_MARGIN_DB, loud_db - QUIETEST_SPEECH_DB, loud_db - LOUDEST_GATE_DB)
    return np.flatnonzero(level_db > max(gate_db, SILENCE_DB))


def _levels_db(samples: np.ndarray) -> np.ndarray:
    """The level of each frame of 10 ms (F,), decibels below full scale."""
    count = len(samples) // FRAME
    power = np.mean(np.square(samples[: count * FRAME].reshape(count, FRAME), dtype=np.float64), axis=1)
    return 10 * np.log10(power + 1e-12)


# ── in the table ─────────────────────────────────────────────────────────────


def _describe(settings: VoiceSettings) -> dict[str, Any]:
    return {
        "min_utterance_s": settings.min_utterance_s,
        "version": importlib.metadata.version("opensmile"),
        "features": "eGeMAPSv02",
        "measures": list(MEASURES),
    }


SPEC = EngineSpec(
    kind="voice",
    name="opensmile",
    about="openSMILE eGeMAPSv02",
    needs=lambda settings: [Need("openSMILE")],
    describe=_describe,
    load=lambda settings, context: OpenSmile(settings),
)
