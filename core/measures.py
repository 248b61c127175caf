"""Every measure that travels between the stages: its name, unit, range, and on which tool's scale it is.

Two tools may measure the same thing on scales of their own.  Then each has a
name of its own, so that nothing is ever graded by the other's norms: Praat's
harmonics lie decibels from openSMILE's.  A record with a measure that is not
declared here is refused when it is made.

What a face extractor computes its units from (`FaceTrack.geometry`) stays
with that extractor and is not declared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import SettingsError


@dataclass(frozen=True)
class Measure:
    """What a number says.

    Attributes:
        unit: empty where it has none.
        scale: the tool on whose scale it is; empty where tools agree.
        low, high: the lowest and highest value it can have.
    """

    name: str
    about: str
    unit: str
    scale: str = ""
    low: float = -math.inf
    high: float = math.inf


def _by_name(*measures: Measure) -> Mapping[str, Measure]:
    return {measure.name: measure for measure in measures}


_SMILE, _PRAAT = "openSMILE", "Praat"

# Of a voice over an utterance.  Those of pitch, harmonics and the spectrum are
# means over voiced sound.
VOICE: Mapping[str, Measure] = _by_name(
    Measure("loudness", "80th percentile; depends on the recording's gain", "sone, about", _SMILE, 0),
    Measure("loudness_variation", "standard deviation over mean", "", _SMILE, 0),
    Measure("loudness_peaks_per_s", "about one a syllable", "1/s", _SMILE, 0),
    Measure("pitch_hz", "mean F0", "Hz", low=0),
    Measure("pitch_variation_st", "standard deviation of F0", "semitones", _SMILE, 0),
    Measure("pitch_end_st", "F0 of the last 0.15 s of voiced sound above the median", "semitones", _SMILE),
    Measure("speech_rate_syl_per_s", "syllables a second of speech", "1/s", low=0),
    Measure("pause_fraction", "silence between the first and the last sound", "", _SMILE, 0, 1),
    Measure("voiced_fraction", "voiced part of the speech", "", _SMILE, 0, 1),
    Measure("voiced_segments_per_s", "unbroken voiced stretches a second of speech", "1/s", _SMILE, 0),
    Measure("voiced_segment_variation_s", "standard deviation of their lengths", "s", _SMILE, 0),
    Measure("hnr_db", "harmonics-to-noise ratio", "dB", _SMILE),
    Measure("jitter", "variation of F0 from period to period", "", _SMILE, 0),
    Measure("shimmer_db", "variation of amplitude from period to period", "dB", _SMILE, 0),
    Measure("alpha_ratio_db", "energy at 50–1000 Hz over that at 1–5 kHz", "dB", _SMILE),
    Measure("slope_0_500_db_per_khz", "slope of the spectrum up to 500 Hz", "dB/kHz", _SMILE),
    Measure("slope_500_1500_db_per_khz", "slope of the spectrum from 500 to 1500 Hz", "dB/kHz", _SMILE),
    Measure("hammarberg_db", "strongest peak at 0–2 kHz over that at 2–5 kHz", "dB", _SMILE),
    Measure("pitch_variation_praat_st", "standard deviation of F0", "semitones", _PRAAT, 0),
    Measure("hnr_praat_db", "harmonics-to-noise ratio", "dB", _PRAAT),
    Measure("intensity_praat_db", "mean intensity; depends on the recording's gain", "dB", _PRAAT),
    Measure("intensity_variation_praat_db", "standard deviation of intensity", "dB", _PRAAT, 0),
)

# Of a face at a time: units of the Facial Action Coding System (Ekman et al., 2002), and two that have no code there.
FACE: Mapping[str, Measure] = _by_name(
    *(
        Measure(name, about, "", low=0, high=1)
        for name, about in (
            ("AU01", "inner brow raiser"),
            ("AU02", "outer brow raiser"),
            ("AU04", "brow lowerer"),
            ("AU05", "upper lid raiser"),
            ("AU06", "cheek raiser"),
            ("AU07", "lid tightener"),
            ("AU09", "nose wrinkler"),
            ("AU10", "upper lip raiser"),
            ("AU11", "nasolabial deepener"),
            ("AU12", "lip corner puller"),
            ("AU14", "dimpler"),
            ("AU15", "lip corner depressor"),
            ("AU17", "chin raiser"),
            ("AU20", "lip stretcher"),
            ("AU23", "lip tightener"),
            ("AU24", "lip pressor"),
            ("AU25", "lips part"),
            ("AU26", "jaw drop"),
            ("AU28", "lip suck"),
            ("AU43", "eyes closed"),
            ("teeth", "teeth that show"),
            ("uneven", "how far the two sides differ"),
        )
    )
)

# What a face's mesh is read as, by ARKit's names: how far each movement goes,
# of the person's own left or right side.
_ON_EACH_SIDE, _IN_THE_MIDDLE = ("Left", "Right"), ("",)
BLENDSHAPES: Mapping[str, Measure] = _by_name(
    *(
        Measure(name + side, about, "", "FaceLandmarker", 0, 1)
        for name, about, sides in (
            ("browDown", "brow lowered", _ON_EACH_SIDE),
            ("browInnerUp", "inner brows raised", _IN_THE_MIDDLE),
            ("browOuterUp", "outer brow raised", _ON_EACH_SIDE),
            ("eyeBlink", "eye closed", _ON_EACH_SIDE),
            ("eyeLookDown", "gaze down", _ON_EACH_SIDE),
            ("eyeLookIn", "gaze to the nose", _ON_EACH_SIDE),
            ("eyeLookOut", "gaze from the nose", _ON_EACH_SIDE),
            ("eyeLookUp", "gaze up", _ON_EACH_SIDE),
            ("eyeSquint", "eye narrowed", _ON_EACH_SIDE),
            ("eyeWide", "eye widened", _ON_EACH_SIDE),
            ("jawForward", "jaw forward", _IN_THE_MIDDLE),
            ("jawLeft", "jaw to the left", _IN_THE_MIDDLE),
            ("jawOpen", "jaw open", _IN_THE_MIDDLE),
            ("jawRight", "jaw to the right", _IN_THE_MIDDLE),
            ("mouthClose", "lips closed over an open jaw", _IN_THE_MIDDLE),
            ("mouthDimple", "lip corner drawn back", _ON_EACH_SIDE),
            ("mouthFrown", "lip corner lowered", _ON_EACH_SIDE),
            ("mouthFunnel", "lips open and round", _IN_THE_MIDDLE),
            ("mouthLeft", "mouth to the left", _IN_THE_MIDDLE),
            ("mouthLowerDown", "lower lip lowered", _ON_EACH_SIDE),
            ("mouthPress", "lips pressed", _ON_EACH_SIDE),
            ("mouthPucker", "lips puckered", _IN_THE_MIDDLE),
            ("mouthRight", "mouth to the right", _IN_THE_MIDDLE),
            ("mouthRollLower", "lower lip rolled in", _IN_THE_MIDDLE),
            ("mouthRollUpper", "upper lip rolled in", _IN_THE_MIDDLE),
            ("mouthShrugLower", "lower lip pushed up", _IN_THE_MIDDLE),
            ("mouthShrugUpper", "upper lip pushed up", _IN_THE_MIDDLE),
            ("mouthSmile", "lip corner raised", _ON_EACH_SIDE),
            ("mouthStretch", "lip corner stretched", _ON_EACH_SIDE),
            ("mouthUpperUp", "upper lip raised", _ON_EACH_SIDE),
        )
        for side in sides
    )
)


@dataclass(frozen=True)
class UnitScale:
    """What values of an extractor's action units mean.

    Attributes:
        grades: from which value on a unit is slight, plain, strong.
        unspoken: units and emotions that it cannot be trusted on, and that are not put into words.
        shut_is_read: whether the value 0 of parting lips means that they are closed.
    """

    grades: tuple[float, float, float] = (0.4, 0.5, 0.8)
    unspoken: tuple[str, ...] = ()
    shut_is_read: bool = False


def check_declared(names: Iterable[str], declared: Mapping[str, Measure], what: str) -> None:
    """Raises:
    SettingsError: one of the names is not among the declared measures.
    """
    for name in names:
        if name not in declared:
            raise SettingsError(f"{what}: {name!r} is no declared measure; there are: {', '.join(declared)}")
