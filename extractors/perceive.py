"""A video to its cues: what was said, what the faces did, how the voices sounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from ..core.context import DEFAULT, Context
from ..core.errors import SettingsError
from ..core.timeline import Cues, FaceTrack, Media, Transcript, VoiceTrack
from . import diarization, face, media, speech, subtitles, talking, voice
from .features.sequences import sequences_of
from .features.settings import FEATURES, FeatureSettings
from .settings import PerceiveSettings
from .store import Part, settings_hash
from .talking import SEEN

P = TypeVar("P", bound=PerceiveSettings)


def decide(settings: P, context: Context) -> tuple[P, list[str]]:
    """The settings with every `auto` resolved, and what was chosen, a line each.

    Raises:
        UnavailableError: an engine that was asked for by name is not here.
        SettingsError: speakers are to be seen, and nobody looks, or too rarely.
    """
    choices = []
    if set(settings.modalities) & set("TA"):
        speech_settings, why = speech.resolve(settings.speech, context)
        settings = settings.model_copy(update={"speech": speech_settings})
        choices.append(f"speech: {why}")
    if "V" in settings.modalities:
        face_settings, why = face.resolve(settings.face, context)
        settings = settings.model_copy(update={"face": face_settings})
        choices.append(f"face: {why}")
    if settings.speech.speakers == SEEN:
        _require_sight(settings)
    return settings, choices


def _require_sight(settings: PerceiveSettings) -> None:
    """Raises:
    SettingsError: with these settings no mouth is seen to move.
    """
    if "V" not in settings.modalities or settings.face.engine == "none":
        raise SettingsError(
            f"speech.speakers: {SEEN} needs the faces, which are not looked at; "
            "add V to the modalities and have a face engine, or give an RTTM or JSON file"
        )
    fps = settings.face.sampling_fps
    if fps != "auto" and fps < talking.MIN_SAMPLING_FPS:
        raise SettingsError(
            f"speech.speakers: {SEEN} needs {talking.MIN_SAMPLING_FPS:g} frames a second or more, "
            f"{settings.face.engine} on {settings.face.device} looks at {fps:g}; set face.sampling_fps, "
            "or give an RTTM or JSON file"
        )


def identify(video: str | Path, context: Context = DEFAULT) -> Media:
    """What the file is: told by the store, or else probed.

    Raises:
        MediaError: it cannot be read as video, sound or picture.
    """
    if context.store is None:
        return media.probe(video)
    sha256 = media.sha256_of(video)
    known = _kept(context, sha256, "media", {}, lambda: media.probe(video))
    # The same content may lie under another name today.
    return replace(known, path=str(video))


def perceive(
    clip: Media,
    settings: PerceiveSettings,
    context: Context = DEFAULT,
    *,
    transcript: str | Path | Transcript | None = None,
) -> Cues:
    """What was said, seen and heard; looking and listening run side by side.

    What the store holds is not perceived again: a video whose cues are all
    there is hashed, not opened.

    Args:
        clip: as `identify` found it.
        settings: as `decide` leaves them.
        transcript: what was said, or a subtitle or JSON file that tells, instead of
            recognised speech.

    Raises:
        MediaError: the video or the transcript cannot be read.
        UnavailableError: an engine cannot be loaded.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="looking") as pool:
        looking = pool.submit(_look, clip, settings, context)
        said, voices, heard = _listen(clip, settings, transcript, context, looking)
        faces, seen = looking.result()
    return Cues(clip, said, faces, voices, provenance=heard | seen)


def perceive_over_time(
    clip: Media,
    settings: PerceiveSettings,
    features: FeatureSettings,
    context: Context = DEFAULT,
    names: Sequence[str] | None = None,
    *,
    interval: tuple[float | None, float | None] = (None, None),
    transcript: str | Path | Transcript | None = None,
) -> Cues:
    """Features over time, of the file or of a stretch of it, with the cues that they are made of and no others.

    Args:
        settings: as `decide` leaves them for `modalities_for` the features.
        names: which features; by default those of their settings.
        interval: seconds of the file; `None` is its start, or its end.

    Raises:
        MediaError, UnavailableError: see `perceive` and `sequences_of`.
        EmoscribeError: weights that were given are another network's.
    """
    names = features.names if names is None else names
    letters = modalities_for(names)
    cues = Cues(clip)
    if letters:
        needed = settings.model_copy(update={"modalities": letters})
        cues = perceive(clip, needed, context, transcript=transcript)
    sequences = sequences_of(
        clip,
        cues,
        features,
        context,
        names,
        interval=interval,
        face_engine=settings.face.engine,
    )
    about = {"features": features.model_dump(mode="json")}
    return replace(cues, sequences=sequences, provenance={**cues.provenance, **about})


def modalities_for(names: Iterable[str]) -> str:
    """The letters of what has to be perceived for features; most of those of sound need the sound alone."""
    names = set(names)
    needed = {
        "T": "token-embeddings" in names,
        "V": any(FEATURES[name].letter == "V" for name in names),
        "A": "voice-measures" in names,
    }
    return "".join(letter for letter, so in needed.items() if so)


def _look(clip: Media, settings: PerceiveSettings, context: Context) -> tuple[FaceTrack | None, dict[str, Any]]:
    if "V" not in settings.modalities or settings.face.engine == "none":
        return None, {}
    if not clip.has_video:
        return None, {"face": {"missing": "the file has no picture"}}
    began = time.perf_counter()
    source = face.describe(settings.face)
    track = _kept(
        context,
        clip.sha256,
        "face",
        source,
        lambda: face.track_faces(clip.path, settings.face, progress=context.stage("looking")),
    )
    return track, {"face": source | _took(began)}


def _listen(
    clip: Media,
    settings: PerceiveSettings,
    given: str | Path | Transcript | None,
    context: Context,
    looking: Future[tuple[FaceTrack | None, dict[str, Any]]],
) -> tuple[Transcript | None, VoiceTrack | None, dict[str, Any]]:
    """The words, who says them and, where they were said, the voices.

    The sound is decoded once, if at all.  Faces are waited for only where
    they tell who speaks.
    """
    if not set(settings.modalities) & set("TA") or (settings.speech.engine == "none" and given is None):
        return None, None, {}
    turns = _turns(clip, settings)
    with ExitStack() as stack:
        sound = cache(lambda: stack.enter_context(media.sound(clip.path)))

        began = time.perf_counter()
        source: dict[str, Any]
        if isinstance(given, Transcript):
            source, said = {"engine": given.source}, given
        elif given is not None:
            source, said = {"engine": "file", "file": Path(given).name}, subtitles.read_transcript(given)
        elif clip.has_audio:
            source = speech.describe(settings.speech)
            said = _kept(
                context,
                clip.sha256,
                "transcript",
                source,
                lambda: speech.transcribe(sound(), settings.speech, context),
            )
        else:
            source = {"missing": "the file has no sound"}
            said = Transcript((), language=None, source="no sound")
        provenance = {"speech": source | _took(began)}
        if turns is not None:
            said = diarization.name_speakers(said, turns)
        elif settings.speech.speakers == SEEN and clip.has_audio:
            said = _seen_talking(said, clip, looking.result()[0], sound, context)
        provenance |= _named_by(said, settings)
        if "A" not in settings.modalities or settings.voice.engine == "none" or not clip.has_audio:
            return said, None, provenance

        began = time.perf_counter()
        source = voice.describe(settings.voice)
        voices = _kept(
            context,
            clip.sha256,
            "voice",
            # Voices are measured where somebody speaks, so they hang on the words.
            source | {"transcript": asdict(said)},
            lambda: voice.measure_voice(sound(), said, settings.voice),
        )
        return said, voices, provenance | {"voice": source | _took(began)}


def _turns(clip: Media, settings: PerceiveSettings) -> tuple[diarization.Turn, ...] | None:
    """Who speaks when, where a file tells; read first, since hearing takes long."""
    if settings.speech.speakers in (None, SEEN):
        return None
    return diarization.read_turns(str(settings.speech.speakers), Path(clip.path).stem)


def _seen_talking(
    said: Transcript, clip: Media, faces: FaceTrack | None, sound: Callable[[], media.Sound], context: Context
) -> Transcript:
    if faces is None or all(utterance.speaker for utterance in said.utterances):
        return said
    source = {"step_s": talking.STEP_S}
    loud = _kept(context, clip.sha256, "loudness", source, lambda: talking.loudness(sound()))
    return talking.name_speakers(said, faces, loud)


def _named_by(said: Transcript, settings: PerceiveSettings) -> dict[str, Any]:
    """Where the speakers came from, and how many utterances have one."""
    named = sum(utterance.speaker is not None for utterance in said.utterances)
    asked = settings.speech.speakers
    if asked == SEEN:
        source = talking.describe()
    elif asked is not None:
        source = {"source": f"file {Path(asked).name}", "sha256": media.sha256_of(asked)}
    elif named:
        source = {"source": "transcript"}
    else:
        return {}
    return {"speakers": source | {"named": named, "of": len(said.utterances)}}


def _took(began: float) -> dict[str, float]:
    return {"seconds": round(time.perf_counter() - began, 2)}


Q = TypeVar("Q", bound=Part)


def _kept(context: Context, sha256: str, part: str, source: Mapping[str, Any], make: Callable[[], Q]) -> Q:
    """The part from the store, or else made, and kept there."""
    store = context.store
    if store is None:
        return make()
    key = settings_hash(source)
    found = store.get(sha256, part, key)
    if found is None:
        found = make()
        store.put(sha256, part, key, found)
    return found  # type: ignore[return-value]
