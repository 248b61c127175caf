"""Who is seen talking: the face whose mouth moves while there is speech, and rests in the pauses.

The measure is how far the mouth opens and closes about its mean within nine
tenths of a second, a few syllables.  A woman who speaks to the camera moves it
enough in 81 to 85 % of what she says, sampled at 5 to 15 frames a second (50 to
100 % of two seconds of it); one who cries and laughs under somebody else's
voice in at most 40 % of an utterance.  The correlation of mouth opening with
loudness, the obvious measure, tells less: 0.1 on the same speech, 0.1 on other
sounds, because people open their mouths in pauses to draw breath.

So a mouth that talks to other words, in a stretch without a pause, is taken
for the speaker's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...core.timeline import FaceTrack, Sequence, Transcript, Utterance
from ..media import SAMPLE_RATE, Sound
from .turns import divided

# The lips part, the jaw drops: how far a mouth is open, whatever the engine.
MOUTH_UNITS = ("AU25", "AU26")
# Half the length over which a mouth's movement is measured.
HALF_WINDOW_S = 0.45
# Fewer samples than this in it do not show a movement; there are five at the
# lowest rate that will do, three where a track begins or ends.
MIN_SAMPLES = 3
MIN_SAMPLING_FPS = 5.0
# A mouth that moves less (standard deviation, units of 0–1) rests.
MOVING = 0.065

# Pauses up to this far from the utterance are compared with it.
REACH_S = 3.0
# Loud is what comes within this much of the loudest, a tenth aside.
LOUD_DB = 20.0
# Loudness is measured this often, over four times as long.
STEP_S = 0.05

# The talker's mouth moves in this share of the speech at least, by this much
# more than anybody else's, and at most half as much in pauses, if these
# together last long enough to tell.
TALKING = 0.6
MARGIN = 0.3
MIN_PAUSES_S = 1.0
MIN_SPEECH_FRAMES = 3


def describe() -> dict[str, Any]:
    """What names the speakers, for provenance."""
    return {
        "source": "seen talking",
        "units": list(MOUTH_UNITS),
        "moving": MOVING,
        "talking": TALKING,
        "margin": MARGIN,
    }


def loudness(sound: Sound) -> Sequence:
    """How loud the sound is over time: one value each `STEP_S`, in dB below full scale."""
    step = round(STEP_S * SAMPLE_RATE)
    energy = []
    for _, samples in sound.blocks(200 * STEP_S):
        samples = np.pad(samples, (0, -len(samples) % step))
        energy.append((samples.reshape(-1, step).astype(float) ** 2).mean(axis=1))
    power = np.convolve(np.concatenate(energy or [np.zeros(0)]), np.full(4, 0.25), "same") if energy else np.zeros(0)
    values = 10 * np.log10(power + 1e-10)
    return Sequence(("loudness_db",), sound.start_s + (np.arange(len(values)) + 0.5) * STEP_S, values[:, None])


def name_speakers(transcript: Transcript, face: FaceTrack, loud: Sequence) -> Transcript:
    """The transcript with `person 1`, `person 2`, … for who is seen saying it.

    Utterances that have a speaker keep it; those of somebody who is not seen
    talking, or not surely, stay without.

    Args:
        face: looked at often enough, `MIN_SAMPLING_FPS`; else nobody is named.
        loud: from `loudness`.
    """
    if not len(face.times_s) or not len(loud.times_s):
        return transcript
    moving = _movements(face) >= MOVING
    named = (
        part
        for utterance in transcript.utterances
        for part in ([utterance] if utterance.speaker else _by_talker(utterance, face, moving, loud))
    )
    return replace(transcript, utterances=tuple(named))


def _by_talker(utterance: Utterance, face: FaceTrack, moving: np.ndarray, loud: Sequence) -> list[Utterance]:
    """The utterance with its talker, or in two where one person is seen to say the beginning and another the end."""
    if (talker := _talker(utterance, face, moving, loud)) is not None or len(utterance.words) < 2:
        return [replace(utterance, speaker=talker)]
    words = list(utterance.words)
    # The longest pause first.
    for at in sorted(range(1, len(words)), key=lambda at: words[at - 1].end_s - words[at].start_s):
        first, second = divided(utterance, [(None, words[:at]), (None, words[at:])])
        one, other = (_talker(part, face, moving, loud) for part in (first, second))
        if one is not None and other is not None and one != other:
            return [replace(first, speaker=one), replace(second, speaker=other)]
    return [utterance]


@dataclass(frozen=True)
class Moving:
    """Whose mouth moves in an utterance.

    Attributes:
        by_person: of each face, the loud frames in which its mouth moves, and those in which it is seen.
    """

    utterance: Utterance
    by_person: Mapping[int, tuple[int, int]]


def moving_in_speech(transcript: Transcript, face: FaceTrack, loud: Sequence) -> Iterator[Moving]:
    """Whose mouth moves in each utterance.

    Args:
        loud: from `loudness`.
    """
    moving = _movements(face) >= MOVING
    for utterance in transcript.utterances:
        speech, _ = _speech_and_pauses(utterance, face.frame_times_s, loud)
        near = slice(*np.searchsorted(face.times_s, (utterance.start_s, utterance.end_s)))
        inside = np.isin(face.times_s[near], speech)
        person, moves = face.person[near][inside], moving[near][inside]
        mine = {who: moves[person == who] for who in np.unique(person).tolist()}
        yield Moving(utterance, {who: (int(moves.sum()), len(moves)) for who, moves in mine.items()})


def _talker(utterance: Utterance, face: FaceTrack, moving: np.ndarray, loud: Sequence) -> str | None:
    speech, pause = _speech_and_pauses(utterance, face.frame_times_s, loud)
    if len(speech) < MIN_SPEECH_FRAMES:
        return None
    near = slice(*np.searchsorted(face.times_s, (utterance.start_s - REACH_S, utterance.end_s + REACH_S)))
    times_s, person, moving = face.times_s[near], face.person[near], moving[near]
    # Not seen is not moving: a face that is gone for half of it has not said it.
    shares = {who: np.isin(speech, times_s[moving & (person == who)]).mean() for who in np.unique(person).tolist()}
    first, second = [*sorted(shares.values(), reverse=True), 0.0, 0.0][:2]
    if first < TALKING or first - second < MARGIN:
        return None
    talker = max(shares, key=shares.__getitem__)
    in_pauses = moving[(person == talker) & np.isin(times_s, pause)]
    if len(in_pauses) * interval_s(face) >= MIN_PAUSES_S and in_pauses.mean() > first / 2:
        return None
    return f"person {talker}"


def _speech_and_pauses(utterance: Utterance, times_s: np.ndarray, loud: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """The times at which somebody looked while the utterance was loud, and while it was quiet around it.

    Too near to sound, where a movement is measured together with that in
    speech, is neither.
    """
    near = (loud.times_s >= utterance.start_s - REACH_S) & (loud.times_s < utterance.end_s + REACH_S)
    at_s, level = loud.times_s[near], loud.values[near, 0]
    within = (at_s >= utterance.start_s) & (at_s < utterance.end_s)
    if not within.any():
        return np.zeros(0), np.zeros(0)
    sounding = at_s[level > np.percentile(level[within], 90) - LOUD_DB]
    looked = times_s[(times_s >= utterance.start_s - REACH_S) & (times_s < utterance.end_s + REACH_S)]
    away_s = _distance(looked, sounding)
    said = (looked >= utterance.start_s) & (looked < utterance.end_s)
    return looked[said & (away_s <= STEP_S)], looked[away_s > HALF_WINDOW_S]


def _distance(times_s: np.ndarray, from_s: np.ndarray) -> np.ndarray:
    """How far each time is from the nearest of others, which are sorted."""
    bounds = np.concatenate([[-np.inf], from_s, [np.inf]])
    after = np.searchsorted(bounds, times_s)
    return np.minimum(times_s - bounds[after - 1], bounds[after] - times_s)


def _movements(face: FaceTrack) -> np.ndarray:
    """(N,) how much the mouth of each row moves about that time; 0 where too little is seen."""
    columns = [face.names.index(unit) for unit in MOUTH_UNITS if unit in face.names]
    moves = np.zeros(len(face.times_s))
    opening = np.nan_to_num(face.action_units[:, columns].mean(axis=1)) if columns else moves
    for person in np.unique(face.person):
        rows = np.flatnonzero(face.person == person)
        times_s, opened = face.times_s[rows], opening[rows]
        first = np.searchsorted(times_s, times_s - HALF_WINDOW_S - 1e-6)
        last = np.searchsorted(times_s, times_s + HALF_WINDOW_S + 1e-6)
        count = last - first
        total, squares = (np.concatenate([[0.0], np.cumsum(opened**power)]) for power in (1, 2))
        mean = (total[last] - total[first]) / count
        variance = (squares[last] - squares[first]) / count - mean**2
        moves[rows] = np.where(count >= MIN_SAMPLES, np.sqrt(np.maximum(variance, 0.0)), 0.0)
    return moves


def interval_s(face: FaceTrack) -> float:
    """Seconds from one look to the next; 0 where there is none."""
    return float(np.median(np.diff(face.frame_times_s))) if len(face.frame_times_s) > 1 else 0.0
