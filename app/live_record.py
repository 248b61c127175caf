"""What is kept of a stream while it goes on, for the result that it becomes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.timeline import Cues, FaceTrack, LabelledTranscript, Media, Segment, Utterance

if TYPE_CHECKING:
    from ..pipeline import Session

# What is kept of a row of a face track: half a kilobyte, nine megabytes an hour a face.
_OF_A_ROW = ("action_units", "pose", "blendshapes", "emotions", "valence", "arousal")


class LiveRecord:
    """The segments, words and faces of a stream so far."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._said: list[Utterance] = []
        self._faces: list[FaceTrack] = []
        self._latest: Cues | None = None
        self._began = time.perf_counter()

    def add(self, segment: Segment, cues: Cues) -> None:
        """The next window, and what was perceived around it."""
        self._segments.append(segment)
        self._latest = cues
        if cues.transcript is not None:
            self._said = with_more(self._said, cues.transcript.utterances)
        if cues.face is not None:
            seen_s = self._faces[-1].frame_times_s[-1] if self._faces else -np.inf
            if np.any(cues.face.frame_times_s > seen_s):
                self._faces.append(seen_after(cues.face, seen_s))

    def transcript(self, media: Media, session: Session) -> LabelledTranscript:
        """All of it, as an analysis of a file would give it."""
        from ..llm.live import live_plan
        from ..pipeline import labelled

        cues = self._latest or Cues(media)
        said = replace(cues.transcript, utterances=tuple(self._said)) if cues.transcript is not None else None
        # Live, nothing is hashed, and a camera may have shown nothing.
        media = replace(media, sha256="", width=media.width or None, height=media.height or None)
        whole = replace(cues, media=media, transcript=said, face=joined(self._faces), voice=None)
        return labelled(self._segments, whole, live_plan(session.plan), time.perf_counter() - self._began)


def with_more(said: list[Utterance], utterances: Sequence[Utterance]) -> list[Utterance]:
    """What was said, and what comes after it; an utterance that begins where the last one ended goes on with it."""
    for each in utterances:
        last = said[-1] if said else None
        if last is not None and each.start_s < last.end_s:
            continue
        if last is not None and each.start_s == last.end_s:
            text = " ".join(part for part in (last.text, each.text) if part)
            said[-1] = replace(last, end_s=each.end_s, text=text, words=last.words + each.words)
        else:
            said.append(each)
    return said


def seen_after(track: FaceTrack, time_s: float) -> FaceTrack:
    """The rows and frames after a time, without what only words are made of."""
    rows = track.times_s > time_s
    kept = {name: values[rows].astype(np.float32) for name in _OF_A_ROW if (values := getattr(track, name)) is not None}
    return replace(
        track,
        times_s=track.times_s[rows],
        person=track.person[rows],
        boxes=track.boxes[rows].astype(np.float32),
        frame_times_s=track.frame_times_s[track.frame_times_s > time_s],
        geometry_names=(),
        geometry=None,
        **kept,
    )


def joined(tracks: Sequence[FaceTrack]) -> FaceTrack | None:
    """The tracks, one after another."""
    if not tracks:
        return None
    names = ("times_s", "person", "boxes", "frame_times_s", *_OF_A_ROW)
    there = [name for name in names if getattr(tracks[0], name) is not None]
    return replace(tracks[0], **{name: np.concatenate([getattr(track, name) for track in tracks]) for name in there})
