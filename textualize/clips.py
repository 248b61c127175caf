"""Clips of a corpus in words: one moment each, voices graded across the corpus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ..core.timeline import Clip, Cues, Moment, VoiceTrack, Word, timed_words
from .face import seen_in
from .levels import PopulationNorms
from .moments import clear_text, moment_of
from .settings import WordingSettings
from .voice import VoiceWords, voice_words
from .windows import Window


def moments_of_clips(
    clips: Sequence[Clip],
    cues: Mapping[str, Cues],
    measured: Mapping[str, Mapping[str, float]],
    wording: WordingSettings,
    norms: PopulationNorms | None = None,
    modalities: Collection[str] = "TVA",
) -> list[Moment]:
    """A moment for each clip, in their order.

    A voice is compared with the speaker's other clips among these, as with
    the other utterances of a recording.

    Args:
        cues: what was perceived, by clip id, of the clips that have a file.
        measured: published measurements of the voice, by clip id; they go
            before those of the file.
    """
    voices = _voices(clips, cues, measured, wording, norms) if "A" in modalities else {}
    moments = []
    for clip in clips:
        seen = cues.get(clip.id)
        start_s = clip.start_s or 0.0
        end_s = clip.end_s if clip.end_s is not None else seen.media.duration_s if seen else start_s
        window = Window(start_s, end_s, clip.speaker, _words(seen, start_s, end_s))
        text = _text(clip, seen, window, wording) if "T" in modalities else None
        face = None
        if seen is not None and seen.face is not None and "V" in modalities:
            face = seen_in(seen.face, start_s, end_s, wording)
        moments.append(moment_of(window, text, face, voices.get(clip.id), wording))
    return moments


def _words(seen: Cues | None, start_s: float, end_s: float) -> tuple[Word, ...]:
    """Those that were recognised in the clip."""
    if seen is None or seen.transcript is None:
        return ()
    spoken = [word for utterance in seen.transcript.utterances for word in timed_words(utterance)]
    return tuple(word for word in spoken if start_s <= (word.start_s + word.end_s) / 2 <= end_s)


def _text(clip: Clip, seen: Cues | None, window: Window, wording: WordingSettings) -> str | None:
    if clip.text is not None:
        return clip.text
    if seen is None or seen.transcript is None:
        return None
    return clear_text(window.words, wording.unclear_below)


def _voices(
    clips: Sequence[Clip],
    cues: Mapping[str, Cues],
    measured: Mapping[str, Mapping[str, float]],
    wording: WordingSettings,
    norms: PopulationNorms | None,
) -> dict[str, VoiceWords]:
    """Words for the voice of each clip that has one."""
    by_speaker: dict[str, list[tuple[str, Mapping[str, float]]]] = defaultdict(list)
    for clip in clips:
        values = measured.get(clip.id) or _row(cues.get(clip.id), clip)
        if values is not None:
            # Who is unknown is compared with nobody.
            by_speaker[clip.speaker or clip.source or clip.id].append((clip.id, values))
    words = {}
    for speaker, rows in by_speaker.items():
        names = tuple(dict.fromkeys(name for _, values in rows for name in values))
        # Time is the order of the clips: a second each.
        order = np.arange(len(rows), dtype=float)
        track = VoiceTrack(
            names=names,
            start_s=order,
            end_s=order + 1.0,
            speaker=(speaker,) * len(rows),
            values=np.array([[values.get(name, np.nan) for name in names] for _, values in rows]),
        )
        for at, (clip_id, _) in enumerate(rows):
            words[clip_id] = voice_words(track, at, at + 1.0, norms, wording.voice_scope, wording.voice_grades)
    return words


def _row(cues: Cues | None, clip: Clip) -> dict[str, float] | None:
    """The measures of a clip's file, over the stretches of it that are the clip."""
    if cues is None or cues.voice is None or not len(cues.voice.start_s):
        return None
    track = cues.voice
    start_s, end_s = clip.start_s or 0.0, clip.end_s if clip.end_s is not None else np.inf
    inside_s = np.minimum(track.end_s, end_s) - np.maximum(track.start_s, start_s)
    inside_s = np.where(inside_s > 0, inside_s, 0.0)
    if not inside_s.any():
        return None
    weights = inside_s[:, None] * np.isfinite(track.values)
    total = weights.sum(axis=0)
    sums = (np.nan_to_num(track.values) * weights).sum(axis=0)
    means = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
    return dict(zip(track.names, means.tolist(), strict=True))
