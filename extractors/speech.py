"""What was said: stretches of speech, and the words that a recogniser hears in them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from ..core.context import DEFAULT, Context
from ..core.errors import SettingsError, UnavailableError
from ..core.timeline import Transcript, Utterance, Word
from . import speech_sphinx, speech_whisper, vad
from .media import Sound
from .settings import SpeechSettings


def resolve(settings: SpeechSettings, context: Context) -> tuple[SpeechSettings, str]:
    """The settings with every `auto` decided, and why, in a few words.

    `auto` is Whisper where its weights are on disk or can be had, else
    PocketSphinx.  Gives up on a host that does not answer within seconds.

    Raises:
        UnavailableError: what was asked for by name is not here, or nothing
            that knows the language is.
        SettingsError: no such model or language.
    """
    if settings.engine == "none":
        return settings, "none (switched off)"
    if settings.engine == "pocketsphinx":
        return _sphinx(settings), "PocketSphinx, which mishears much (asked for)"
    try:
        model, device = speech_whisper.choose(settings, context)
    except UnavailableError as error:
        if settings.engine == "whisper":
            raise
        return _sphinx(settings), f"PocketSphinx, which mishears much ({error})"
    decided = {"engine": "whisper", "model": model, "device": device, "precision": _precision(settings, device)}
    return settings.model_copy(update=decided), f"Whisper {model} on {device}"


def describe(settings: SpeechSettings) -> dict[str, Any]:
    """What produces a transcript with these (resolved) settings, for provenance.

    Whatever changes the transcript is in here; nothing else is.
    """
    source: dict[str, Any] = {"engine": settings.engine, "language": settings.language}
    if settings.engine == "whisper":
        weights = {"model": settings.model, "sha256": speech_whisper.weights_sha256(settings.model)}
        source |= {"version": version("openai-whisper"), "device": settings.device} | weights
        source |= {"precision": settings.precision}
    else:
        source |= {"version": version("pocketsphinx"), "model": "en-us", "decoder": speech_sphinx.DECODER}
    return source | {"vad": f"silero-vad {version('silero-vad')}", "pause_s": vad.MIN_PAUSE_S}


def transcribe(
    sound: Sound,
    settings: SpeechSettings,
    context: Context = DEFAULT,
) -> Transcript:
    """What is said in a sound: an utterance for each stretch of speech without a pause.

    Speech in which no word was understood is an utterance without text, with
    one word without text and of probability 0 in its place.

    Raises:
        UnavailableError: the recogniser is not here.
    """
    settings, _ = resolve(settings, context)
    progress = context.stage("listening")
    if settings.engine == "whisper":
        recogniser = speech_whisper.Whisper(
            settings.model,
            settings.device,
            settings.language,
            half=settings.precision == "float16",
            batch_size=settings.batch_size,
        )
    else:
        recogniser = speech_sphinx.Sphinx()
    utterances = []
    with closing(recogniser):
        for utterance in recogniser.hear(sound, vad.stretches(sound)):
            utterances.append(utterance if utterance.words else _not_understood(utterance))
            progress(utterance.end_s / sound.duration_s)
    progress(1.0)
    return Transcript(tuple(utterances), recogniser.language, recogniser.source)


def _not_understood(utterance: Utterance) -> Utterance:
    return replace(utterance, words=(Word(utterance.start_s, utterance.end_s, "", 0.0),))


def _precision(settings: SpeechSettings, device: str) -> str:
    if settings.precision == "float16" and device == "cpu":
        raise SettingsError("speech.precision: float16 is for a GPU, and Whisper runs on the CPU here; use auto")
    if settings.precision == "auto":
        return "float16" if device == "cuda" else "float32"
    return settings.precision


def _sphinx(settings: SpeechSettings) -> SpeechSettings:
    speech_sphinx.require()
    if settings.language not in (None, "en"):
        raise UnavailableError(
            f"PocketSphinx hears English only, not {settings.language!r} (speech.language); "
            "give a Whisper checkpoint as speech.model, or a subtitle file"
        )
    if settings.engine == "pocketsphinx" and settings.model not in ("auto", "en-us"):
        raise SettingsError(
            f"speech.model: PocketSphinx has en-us only, got {settings.model!r}; leave it out, or use Whisper"
        )
    return settings.model_copy(update={"engine": "pocketsphinx", "model": "en-us", "language": "en", "device": "cpu"})
