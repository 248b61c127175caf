"""From a sound to a transcript, whoever hears it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from ...core.timeline import Transcript, Utterance, Word
from .. import registry
from ..media import Sound
from ..registry import SpeechEngine
from ..settings import SpeechSettings
from . import vad


def describe(settings: SpeechSettings) -> dict[str, Any]:
    """What produces a transcript with these (completed) settings, for provenance and the store's key."""
    finds = {"vad": f"silero-vad {version('silero-vad')}", "end": vad.END, "pause_s": vad.MIN_PAUSE_S}
    return registry.describe("speech", settings) | finds


def transcribe(sound: Sound, engine: SpeechEngine, progress: Callable[[float], None] = lambda done: None) -> Transcript:
    """What is said in a sound: an utterance for each stretch of speech without a pause.

    Args:
        progress: told how much is done, in 0–1.
    """
    utterances = []
    for utterance in engine.hear(sound, vad.stretches(sound)):
        utterances.append(understood(utterance))
        progress((utterance.end_s - sound.start_s) / sound.duration_s)
    progress(1.0)
    return Transcript(tuple(utterances), engine.language, engine.source)


def understood(utterance: Utterance) -> Utterance:
    """The utterance; where no word was understood, with one without text and of probability 0 in its place."""
    if utterance.words:
        return utterance
    return replace(utterance, words=(Word(utterance.start_s, utterance.end_s, "", 0.0),))
