"""Whose face a speaker's is: the one whose mouth moves when they speak, and rests when others do.

One utterance tells little: mouths are hidden, chew, and smile.  All that
somebody says together tells more, so a speaker has the same face throughout,
also where it is turned away, and each face has one speaker.
"""

from __future__ import annotations

import numpy as np

from ...core.timeline import FaceTrack, Sequence, Transcript
from .talking import MIN_SAMPLING_FPS, interval_s, moving_in_speech

# The mouth moves in this share of what is said while it is seen, at least,
# and by this much more than while others speak, or than another face's.
LEAST_MOVING = 0.45
MARGIN = 0.15
# Seen for less of what somebody says, a face is not theirs, whatever it does.
LEAST_SEEN_S = 1.0


def faces_of(transcript: Transcript, face: FaceTrack, loud: Sequence) -> dict[str, int]:
    """By speaker, the person whose face is theirs; without those for whom that is not known.

    Args:
        face: looked at often enough, `MIN_SAMPLING_FPS`; else nobody is known among several.
        loud: from `talking.loudness`.
    """
    speakers = sorted({utterance.speaker for utterance in transcript.utterances if utterance.speaker})
    persons = np.unique(face.person).tolist()
    step_s = interval_s(face)
    if step_s <= 0 or step_s > 1.2 / MIN_SAMPLING_FPS:
        # Two that are alone in a recording belong together, unless they are seen not to.
        return dict(zip(speakers, persons, strict=True)) if len(speakers) == len(persons) == 1 else {}
    moved, seen = np.zeros((2, len(speakers), len(persons)))
    for each in moving_in_speech(transcript, face, loud):
        for person, (moving, there) in each.by_person.items() if each.utterance.speaker else ():
            at = speakers.index(each.utterance.speaker), persons.index(person)
            moved[at] += moving
            seen[at] += there
    return _matched(speakers, persons, moved, seen, step_s)


def _matched(
    speakers: list[str], persons: list[int], moved: np.ndarray, seen: np.ndarray, step_s: float
) -> dict[str, int]:
    """The surest pairs first, each speaker and each face once."""
    own = np.divide(moved, seen, out=np.zeros_like(moved), where=seen > 0)
    others_moved, others_seen = moved.sum(axis=0) - moved, seen.sum(axis=0) - seen
    idle = np.divide(others_moved, others_seen, out=np.zeros_like(moved), where=others_seen > 0)
    # A face that is there for half of it speaks at most half of it.
    share = own * np.minimum(1.0, seen / np.maximum(seen.max(axis=1, keepdims=True), 1))
    telling = (own >= LEAST_MOVING) & (own - idle >= MARGIN) & (seen * step_s >= LEAST_SEEN_S)
    found: dict[str, int] = {}
    for flat in np.argsort(-share * telling, axis=None, kind="stable"):
        row, column = divmod(int(flat), len(persons))
        rivals = np.delete(share[row], column)
        if not telling[row, column] or speakers[row] in found or persons[column] in found.values():
            continue
        if share[row, column] - max(rivals, default=0.0) >= MARGIN:
            found[speakers[row]] = persons[column]
    return found
