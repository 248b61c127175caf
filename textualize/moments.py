"""Moments: for each window, what was said, seen and heard in it, in words."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from dataclasses import replace

from ..core.timeline import Cues, Evidence, Moment, Word
from .face import FacesInTime, SeenFaces, face_evidence, of_speaker, seen_in
from .levels import PopulationNorms
from .pauses import pause_words
from .settings import WindowSettings, WordingSettings
from .voice import VoiceWords, voice_evidence, voice_words
from .windows import Window, cut

UNCLEAR = "[unclear]"

# Fewer clear words are as likely a mishearing as a sentence.
FEW_WORDS = 3


def moments_of(
    cues: Cues,
    windows: WindowSettings,
    wording: WordingSettings,
    norms: PopulationNorms | None = None,
    modalities: Collection[str] = "TVA",
) -> list[Moment]:
    """The clip's moments in order of time; at least one.

    Args:
        norms: what is usual for voices, for speakers with few utterances.
        modalities: those to put into words: T, V, A.  Speech that is not to
            be put into words still says when somebody speaks.
    """
    # Behaviour is told by what is usual for somebody, all along.
    faces = FacesInTime(cues.face) if cues.face is not None and not wording.behaviour else None
    moments = []
    for window in cut(cues, windows):
        seen = cues if faces is None else replace(cues, face=faces.around(window.start_s, window.end_s))
        moments.append(moment_in(window, seen, wording, norms, modalities))
    return moments


def moment_in(
    window: Window, cues: Cues, wording: WordingSettings, norms: PopulationNorms | None, modalities: Collection[str]
) -> Moment:
    """What was said, seen and heard in a window; see `moments_of`."""
    text = voice = None
    if "T" in modalities and cues.transcript is not None:
        text = clear_text(window.words, wording.unclear_below)
    if "A" in modalities and cues.voice is not None:
        voice = voice_words(cues.voice, window.start_s, window.end_s, norms, wording.voice_scope, wording.voice_grades)
    seen = None
    if "V" in modalities and cues.face is not None:
        seen = seen_in(cues.face, window.start_s, window.end_s, wording)
        if window.speaker is not None:
            seen = of_speaker(seen, window.speaker, cues.speakers_of_faces)
    return moment_of(window, text, seen, voice, wording)


def moment_of(
    window: Window, text: str | None, face: SeenFaces | None, voice: VoiceWords | None, wording: WordingSettings
) -> Moment:
    """What was said, seen and heard in a window, weighed as evidence."""
    heard = None
    if voice is not None:
        paused = pause_words(window.words, window.start_s, window.end_s) if wording.pauses else []
        heard = ", ".join([voice.text, *paused])
    return weighed(
        Moment(
            start_s=window.start_s,
            end_s=window.end_s,
            speaker=window.speaker,
            text=text,
            face=face.text if face is not None else None,
            voice=heard,
            faces=face.faces if face is not None else {},
        )
    )


def with_signals(moment: Moment, signals: Collection[str]) -> Moment:
    """The moment as if only these of its signals had been looked for, weighed by what is left.

    Args:
        signals: letters of T, V, A; those that were not looked for stay so.
    """
    return weighed(
        replace(
            moment,
            text=moment.text if "T" in signals else None,
            face=moment.face if "V" in signals else None,
            faces=moment.faces if "V" in signals else {},
            voice=moment.voice if "A" in signals else None,
        )
    )


def weighed(moment: Moment) -> Moment:
    """The moment with the evidence that its words are."""
    cues: list[Evidence] = []
    if moment.text is not None:
        cues.append(_text_evidence(moment.text))
    if moment.face is not None:
        cues.append(face_evidence(moment.face))
    if moment.voice is not None:
        cues.append(voice_evidence(moment.voice))
    return replace(moment, evidence=_together(cues))


def clear_text(words: Iterable[Word], unclear_below: float) -> str:
    """The words in a row, those the recogniser doubts as one `[unclear]` a run."""
    said = (
        UNCLEAR if word.probability is not None and word.probability < unclear_below else word.text for word in words
    )
    return " ".join(
        text for text, run in itertools.groupby(said) for text in ([UNCLEAR] if text == UNCLEAR else list(run))
    )


def _text_evidence(text: str) -> Evidence:
    clear = len(text.replace(UNCLEAR, "").split())
    if clear >= FEW_WORDS:
        return "enough"
    return "weak" if text else "none"


def _together(cues: list[Evidence]) -> Evidence:
    """One cue that says much is enough, and so are two weak ones."""
    if "enough" in cues or cues.count("weak") >= 2:
        return "enough"
    return "weak" if "weak" in cues else "none"
