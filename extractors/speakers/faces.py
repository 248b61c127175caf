"""Whose a face is: the speaker's with whose words its mouth moves, and who is not heard while it rests.

One utterance tells little: mouths are hidden, chew, and smile.  All that
somebody says together tells more, so a face has the same speaker throughout,
also where it is turned away.  A speaker may have several: who comes back after
a cut may be taken for a new person.
"""

from __future__ import annotations

import numpy as np

from ...core.timeline import FaceTrack, Sequence, Transcript
from .talking import MIN_SAMPLING_FPS, interval_s, moving_in_speech

# The mouth moves in this share of what the speaker says while it is seen, at least,
# and by this much more than while others speak, or than a mouth beside it.
LEAST_MOVING = 0.45
MARGIN = 0.15
# Seen for less of what somebody says, a face is not theirs, whatever it does.
LEAST_SEEN_S = 1.5


def speakers_of_faces(transcript: Transcript, face: FaceTrack, loud: Sequence) -> dict[int, str]:
    """By person, the speaker whose face it is; without those of whom that is not known.

    Args:
        face: looked at often enough, `MIN_SAMPLING_FPS`; else nobody is known among several.
        loud: from `talking.loudness`.
    """
    speakers = sorted({utterance.speaker for utterance in transcript.utterances if utterance.speaker})
    persons = np.unique(face.person).tolist()
    step_s = interval_s(face)
    if step_s <= 0 or step_s > 1.2 / MIN_SAMPLING_FPS:
        # Two that are alone in a recording belong together, unless they are seen not to.
        return dict(zip(persons, speakers, strict=True)) if len(speakers) == len(persons) == 1 else {}
    moved, seen = np.zeros((2, len(speakers), len(persons)))
    for each in moving_in_speech(transcript, face, loud):
        if (speaker := each.utterance.speaker) is None:
            continue
        for person, (moving, there) in each.by_person.items():
            at = speakers.index(speaker), persons.index(person)
            moved[at] += moving
            seen[at] += there
    own, idle = _share(moved, seen), _share(moved.sum(axis=0) - moved, seen.sum(axis=0) - seen)
    telling = (own >= LEAST_MOVING) & (own - idle >= MARGIN) & (seen * step_s >= LEAST_SEEN_S)
    beside = _beside(face, persons)
    found: dict[int, str] = {}
    # The surest first.
    for flat in np.argsort(-own * telling, axis=None, kind="stable")[: int(telling.sum())].tolist():
        row, column = divmod(flat, len(persons))
        rivals = own[row, beside[column]]
        if persons[column] not in found and own[row, column] - max(rivals, default=0.0) >= MARGIN:
            found[persons[column]] = speakers[row]
    return found


def _share(moved: np.ndarray, seen: np.ndarray) -> np.ndarray:
    return np.divide(moved, seen, out=np.zeros_like(moved), where=seen > 0)


def _beside(face: FaceTrack, persons: list[int]) -> np.ndarray:
    """(P, P) whether two people are seen in one frame."""
    frames = np.unique(face.times_s, return_inverse=True)[1]
    there = np.zeros((frames.max(initial=-1) + 1, len(persons)), dtype=int)
    there[frames, np.searchsorted(persons, face.person)] = 1
    return (there.T @ there > 0) & ~np.eye(len(persons), dtype=bool)
