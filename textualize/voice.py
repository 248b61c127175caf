"""How a voice sounded over a stretch of time, in words.

A measure is graded against the speaker's own other utterances where there
are enough of them, else against the population, and spoken only where it
lies outside the middle half or, by finer grades, the middle quarter.  Which
measures are spoken was chosen on acted speech (RAVDESS, seven emotions, actors
kept apart): all 88 functionals as numbers reach a balanced accuracy of .63,
these eleven measures in words .53, and .45 where nothing but the population is
known.  What grades and words for single vowels do: docs/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core.timeline import Evidence, VoiceTrack
from .levels import MEDIUM, Cuts, Grades, PopulationNorms, cuts_of, grade

Scope = Literal["speaker", "past", "population"]

# What is said of a voice that gives nothing to grade; none of it is evidence.
NOT_LISTENED = "not listened to"
NO_SPEECH = "no speech"
TOO_SHORT = "too short to tell"
NOTHING_TO_COMPARE = "nothing to compare it with"

_NOT_HEARD = frozenset({NOT_LISTENED, NO_SPEECH, TOO_SHORT, NOTHING_TO_COMPARE})

EVEN = "an even, medium voice"

# By measure, the words for very low, low, high and very high; the most
# telling first.  Praat's measures of pitch variation, harmonics and intensity
# are on scales of their own (published MELD measurements hold them).
_LOUDNESS = ("very quiet", "quiet", "loud", "very loud")
_VARIATION = ("very monotone", "monotone", "varied pitch", "very varied pitch")
_HARMONICS = ("very rough", "rough", "clear", "very clear")
WORDS: Mapping[str, tuple[str, str, str, str]] = {
    "loudness": _LOUDNESS,
    "intensity_praat_db": _LOUDNESS,
    "pitch_hz": ("very low pitch", "low pitch", "high pitch", "very high pitch"),
    "speech_rate_syl_per_s": ("very slow", "slow", "fast", "very fast"),
    "pitch_variation_st": _VARIATION,
    "pitch_variation_praat_st": _VARIATION,
    "voiced_fraction": ("very breathy", "breathy", "sonorous", "very sonorous"),
    "slope_0_500_db_per_khz": ("very relaxed", "relaxed", "tense", "very tense"),
    "pitch_end_st": ("steeply falling", "falling", "rising", "steeply rising"),
    "voiced_segment_variation_s": ("very clipped", "clipped", "drawn out", "very drawn out"),
    "jitter": ("very steady", "steady", "shaky", "very shaky"),
    "slope_500_1500_db_per_khz": ("very soft", "soft", "harsh", "very harsh"),
    "hnr_db": _HARMONICS,
    "hnr_praat_db": _HARMONICS,
}
# Six phrases take twenty tokens.  Finer grades leave more to say; a seventh takes two more.
MAX_WORDS: Mapping[Grades, int] = {"tenths": 6, "eighths": 7}

# A louder recording is not a louder voice, and a microphone near the mouth not
# a more relaxed one: the population tells nothing about these.  What is loud,
# the other voices in the recording can tell.
LOUDNESS_MEASURES = frozenset({"loudness", "intensity_praat_db"})
RECORDING_DEPENDENT = LOUDNESS_MEASURES | {"slope_0_500_db_per_khz"}

# From here on a speaker's own norms tell more than the population's: on
# RAVDESS .47 with five other utterances, .52 with fifteen, against .45.
MIN_OTHERS = 5
# More of them tell nothing more, and of a day each would be compared with each: so many around it are.
MOST_OTHERS = 2_000


@dataclass(frozen=True)
class SpeakerNorms:
    """What is usual for a speaker: bounds between the levels, by measure.

    Attributes:
        scope: whose voice they come from, for provenance.
    """

    cuts: Mapping[str, Cuts]
    scope: Scope


@dataclass(frozen=True)
class VoiceWords:
    """The words, and how they came about.

    Attributes:
        scope: what the voice was graded against; `None` where it was not.
    """

    text: str
    scope: Scope | None


def voice_words(
    track: VoiceTrack | None,
    start_s: float,
    end_s: float,
    population: PopulationNorms | None = None,
    scope: Scope = "speaker",
    grades: Grades = "tenths",
) -> VoiceWords:
    """The voice that is heard from `start_s` to `end_s`, in words.

    `track` has the measures of `extractors.voice` or those of Praat.  Where
    utterances overlap the stretch, they count by how far they do; where
    several people speak, it is the one who speaks longest.

    Args:
        population: what to grade against where the speaker has fewer than
            five other utterances, with the bounds between these grades.
        scope: `speaker` compares with all other utterances of the speaker,
            `past` with the earlier ones only, `population` with none.
            Utterances without a speaker count as one speaker's.
        grades: where the levels are cut (`QUANTILES`), and so how much is said.
    """
    if track is None:
        return VoiceWords(NOT_LISTENED, None)
    overlap_s = np.minimum(track.end_s, end_s) - np.maximum(track.start_s, start_s)
    speaking = np.flatnonzero(overlap_s > 0)
    if not len(speaking):
        return VoiceWords(NO_SPEECH, None)

    speaker = _main_speaker(track, speaking, overlap_s)
    rows = np.array([row for row in speaking if track.speaker[row] == speaker])
    measures = _weighted_mean(track.values[rows], overlap_s[rows])
    found = dict(zip(track.names, measures.tolist(), strict=True))
    if np.all(np.isnan(measures)):
        return VoiceWords(TOO_SHORT, None)
    if found.get("voiced_fraction") == 0.0:
        return VoiceWords(NO_SPEECH, None)

    norms = _norms_for(track, rows, found["pitch_hz"], population, scope, grades)
    text = words_for(found, norms, MAX_WORDS[grades])
    return VoiceWords(text or NOTHING_TO_COMPARE, norms.scope if text else None)


def voice_evidence(words: str) -> Evidence:
    """How much a voice's words say, with whatever is said of pauses behind them: a voice alone is a weak cue."""
    return "none" if words.split(", ", 1)[0] in _NOT_HEARD else "weak"


def words_for(measures: Mapping[str, float], norms: SpeakerNorms, most: int) -> str:
    """At most so many phrases for one voice, the extreme ones first; empty where nothing can be graded."""
    graded = {
        measure: grade(measures[measure], norms.cuts[measure])
        for measure in WORDS
        if measure in norms.cuts and np.isfinite(measures.get(measure, np.nan))
    }
    if not graded:
        return ""
    spoken = [measure for measure in graded if graded[measure] != MEDIUM]
    spoken.sort(key=lambda measure: -abs(graded[measure] - MEDIUM))  # stable: then the most telling
    return ", ".join(_word(measure, graded[measure]) for measure in spoken[:most]) or EVEN


def speaker_norms(
    names: tuple[str, ...],
    values: np.ndarray,
    population: PopulationNorms | None,
    scope: Scope,
    grades: Grades,
    pitch_hz: float,
) -> SpeakerNorms:
    """Norms from a speaker's utterances, the population's where these are too few.

    Args:
        values: (W, K) measures of the utterances to compare with.
        scope: what to call these utterances.
        pitch_hz: the pitch that decides the register of the population.
    """
    own = {
        name: cuts_of(finite, grades)
        for name, column in zip(names, values.T, strict=True)
        if name in WORDS and len(finite := column[np.isfinite(column)]) >= MIN_OTHERS
    }
    usual = population.for_voice(pitch_hz) if population is not None else {}
    comparable = {name: cuts for name, cuts in usual.items() if name not in RECORDING_DEPENDENT}
    return SpeakerNorms({**comparable, **own}, scope if len(values) >= MIN_OTHERS else "population")


def _norms_for(
    track: VoiceTrack,
    rows: np.ndarray,
    pitch_hz: float,
    population: PopulationNorms | None,
    scope: Scope,
    grades: Grades,
) -> SpeakerNorms:
    """The norms for what somebody says in `rows`, of pitch `pitch_hz`."""
    around = _around(int(rows[0]), len(track.start_s), scope)
    values = track.values[around]
    others = np.ones(len(values), dtype=bool)
    others[(rows - around.start)[rows < around.stop]] = False
    if "voiced_fraction" in track.names:
        others &= values[:, track.names.index("voiced_fraction")] > 0
    if scope == "past":
        others &= track.end_s[around] <= track.start_s[rows].min()
    elif scope == "population":
        others[:] = False
    own = others & np.array([name == track.speaker[rows[0]] for name in track.speaker[around]])

    pitches_hz = np.append(values[own, track.names.index("pitch_hz")], pitch_hz)
    known_hz = pitches_hz[np.isfinite(pitches_hz)]
    usual_hz = float(np.median(known_hz)) if len(known_hz) else np.nan
    norms = speaker_norms(track.names, values[own], population, scope, grades, usual_hz)
    in_recording = speaker_norms(track.names, values[others], None, scope, grades, usual_hz)
    loudness = {name: cuts for name, cuts in in_recording.cuts.items() if name in LOUDNESS_MEASURES}
    return SpeakerNorms({**loudness, **norms.cuts}, norms.scope)


def _around(row: int, count: int, scope: Scope) -> slice:
    """The utterances that one of `count` is compared with: as many as tell something, half of them before it or all."""
    until = row if scope == "past" else row + MOST_OTHERS // 2
    return slice(max(0, min(until, count) - MOST_OTHERS), max(MOST_OTHERS, until))


def _main_speaker(track: VoiceTrack, rows: np.ndarray, overlap_s: np.ndarray) -> str | None:
    spoken_s: dict[str | None, float] = {}
    for row in rows:
        spoken_s[track.speaker[row]] = spoken_s.get(track.speaker[row], 0.0) + float(overlap_s[row])
    return max(spoken_s, key=spoken_s.__getitem__)


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(K,) means of values (W, K); NaN only where every row is."""
    known = np.isfinite(values)
    total = (known * weights[:, None]).sum(axis=0)
    sums = (np.where(known, values, 0.0) * weights[:, None]).sum(axis=0)
    return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)


def _word(measure: str, level: int) -> str:
    return WORDS[measure][level if level < MEDIUM else level - 1]
