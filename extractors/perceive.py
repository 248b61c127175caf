"""A source to its cues: what was said, what the faces did, how the voices sounded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from ..core.context import DEFAULT, Context
from ..core.errors import UnavailableError
from ..core.timeline import Cues, FaceTrack, Media, Transcript, VoiceTrack
from . import registry
from .engines import Engines
from .face.recogniser import check_there, recogniser_of
from .face.recogniser import describe as describe_identity
from .face.track import FaceTracker, with_pictures
from .features.sequences import sequences_of
from .features.settings import FEATURES, FeatureSettings
from .settings import FaceSettings, PerceiveSettings
from .sources import FileSource
from .speakers import naming
from .speakers.turns import SEEN, Turn
from .speech import subtitles
from .speech.transcribe import describe as describe_speech
from .speech.transcribe import transcribe
from .store import kept

P = TypeVar("P", bound=PerceiveSettings)

# What a face did and who was seen, or heard, with what is said of it.
_Looked = tuple[FaceTrack | None, dict[str, Any]]


def decide(settings: P, context: Context, transcript: str | Path | None = None) -> tuple[P, list[str]]:
    """The settings with every `auto` resolved, and what was chosen, a line each.

    Args:
        transcript: a file that tells what is said: nobody has to hear it.

    Raises:
        UnavailableError: an engine that was asked for by name is not here.
        SettingsError: speakers are to be seen, and nobody looks, or too rarely.
    """
    choices = []
    if set(settings.modalities) & set("TA"):
        if transcript is None:
            speech, why = registry.choose("speech", settings.speech, context)
        else:
            speech = settings.speech.model_copy(update={"engine": registry.SWITCHED_OFF})
            why = f"file {Path(transcript).name}"
        settings = settings.model_copy(update={"speech": speech})
        choices.append(f"speech: {why}")
    if "V" in settings.modalities:
        check_there(settings.face.identity)
        face, why = _who_looks(settings, context)
        settings = settings.model_copy(update={"face": face})
        choices.append(f"face: {why}")
    if "A" in settings.modalities:
        voice, _ = registry.choose("voice", settings.voice, context)
        settings = settings.model_copy(update={"voice": voice})
    if set(settings.modalities) & set("TA"):
        speakers, why = naming.decide_speakers(settings.speakers, settings.speech.speakers, context)
        settings = settings.model_copy(update={"speakers": speakers})
        choices += [f"speakers: {why}"] if why else []
    if settings.speech.speakers == SEEN:
        naming.require_sight(settings)
    return settings, choices


def _who_looks(settings: PerceiveSettings, context: Context) -> tuple[FaceSettings, str]:
    """Nobody, where no engine is here and none was asked for: a recording can still be heard."""
    try:
        return registry.choose("face", settings.face, context)
    except UnavailableError as error:
        if settings.face.engine != registry.AUTOMATIC or settings.modalities == "V":
            raise
        return settings.face.model_copy(update={"engine": registry.SWITCHED_OFF}), f"nobody looks ({error})"


def check_given(source: FileSource, settings: PerceiveSettings, transcript: str | Path | None = None) -> None:
    """Read what is given beside a recording, which is better known to be wrong before anything is loaded.

    Raises:
        MediaError: the transcript, or the file that tells who speaks, is none or of another recording.
    """
    naming.turns_from_file(source, settings)
    if transcript is not None:
        subtitles.read_transcript(transcript, source.media.duration_s)


def perceive(
    source: FileSource,
    settings: PerceiveSettings,
    engines: Engines,
    context: Context = DEFAULT,
    *,
    transcript: str | Path | Transcript | None = None,
) -> Cues:
    """What was said, seen and heard; looking and listening run side by side.

    What the store holds is not perceived again: a video whose cues are all
    there is hashed, not opened.

    Args:
        settings: as `decide` leaves them.
        engines: loaded where they are needed and not yet.
        transcript: what was said, or a subtitle or JSON file that tells, instead of
            recognised speech.

    Raises:
        MediaError: the video or the transcript cannot be read.
        UnavailableError: an engine cannot be loaded.
    """
    # What is multiplied is small: threads of BLAS would wait for each other while others want their cores.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(1, thread_name_prefix="looking") as pool:
        looking = pool.submit(_look, source, settings, engines, context)
        # Looking is done before hearing, as a rule: that is when voices can be told apart.
        ahead = None
        if transcript is None and naming.asks_voices(source, settings):
            ahead = pool.submit(naming.by_voice, source, settings.speakers, engines, context)

        def by_voice() -> tuple[Turn, ...]:
            if ahead is not None and not ahead.cancel():
                return ahead.result()
            return naming.by_voice(source, settings.speakers, engines, context)

        witnesses = naming.Witnesses(lambda: looking.result()[0], by_voice)
        said, voices, heard = _listen(source, settings, engines, context, transcript, witnesses)
        faces, seen = looking.result()
    whose = naming.whose_faces(said, faces, source, context)
    if "speakers" in heard:
        heard["speakers"]["faces"] = whose
    provenance = _tracks_of(source.media) | heard | seen
    return Cues(source.media, said, faces, voices, speakers_of_faces=whose, provenance=provenance)


def _tracks_of(media: Media) -> dict[str, Any]:
    """Which of the file's tracks were read, and what else there is in it."""
    lines = {int(line.partition(":")[0]): line for line in media.tracks}
    chosen = {"picture": media.video_track, "sound": media.audio_track}
    read = {what: lines[track] for what, track in chosen.items() if track in lines}
    others = [line for track, line in lines.items() if track not in chosen.values()]
    return {"media": read | ({"not read": others} if others else {})} if lines else {}


def perceive_over_time(
    source: FileSource,
    settings: PerceiveSettings,
    features: FeatureSettings,
    engines: Engines,
    context: Context = DEFAULT,
    *,
    names: Sequence[str] | None = None,
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
    cues = Cues(source.media)
    if letters:
        needed = settings.model_copy(update={"modalities": letters})
        cues = perceive(source, needed, engines, context, transcript=transcript)
    sequences = sequences_of(
        source, cues, features, context, names, interval=interval, face_engine=settings.face.engine
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


# ── looking ──────────────────────────────────────────────────────────────────


def _look(source: FileSource, settings: PerceiveSettings, engines: Engines, context: Context) -> _Looked:
    if "V" not in settings.modalities or settings.face.engine == "none":
        return None, {}
    if not source.media.has_video:
        return None, {"face": {"missing": "the file has no picture"}}
    began = time.perf_counter()
    about = registry.describe("face", settings.face) | describe_identity(settings.face.identity)
    track = kept(
        context.store,
        source.media.sha256,
        "face",
        about | source.read_as("video"),
        lambda: follow_faces(source, settings.face, engines, context),
        source.interval,
    )
    return track, {"face": about | _took(began)}


def follow_faces(source: FileSource, settings: FaceSettings, engines: Engines, context: Context = DEFAULT) -> FaceTrack:
    """The faces of a video, followed; of a still picture, those in it.

    Raises:
        MediaError: the file cannot be read.
        UnavailableError: the engine cannot be loaded.
    """
    engine, progress = engines.face(settings), context.stage("looking")
    fps = None if settings.sampling_fps == "auto" else settings.sampling_fps
    tracker = FaceTracker(engine.vocabulary, recogniser_of(settings.identity))
    begin_s, until_s = source.media.start_s, source.media.until_s
    for seen, image in with_pictures(engine.see, source.frames(fps)):
        tracker.add(seen, image)
        progress(min((seen.time_s - begin_s) / (until_s - begin_s), 1.0) if until_s > begin_s else 1.0)
    return tracker.track()


# ── listening ────────────────────────────────────────────────────────────────


def _listen(
    source: FileSource,
    settings: PerceiveSettings,
    engines: Engines,
    context: Context,
    given: str | Path | Transcript | None,
    witnesses: naming.Witnesses,
) -> tuple[Transcript | None, VoiceTrack | None, dict[str, Any]]:
    """The words, who says them and, where they were said, the voices.

    Faces are waited for only where they tell who speaks.
    """
    if not set(settings.modalities) & set("TA") or (settings.speech.engine == "none" and given is None):
        return None, None, {}
    # Read first, since hearing takes long.
    turns = naming.turns_from_file(source, settings)
    said, provenance = _heard(source, settings, engines, context, given)
    said, named = naming.named(said, turns, source, settings, context, witnesses)
    provenance |= named
    if "A" not in settings.modalities or settings.voice.engine == "none" or not source.media.has_audio:
        return said, None, provenance
    began = time.perf_counter()
    about = registry.describe("voice", settings.voice)
    voices = kept(
        context.store,
        source.media.sha256,
        "voice",
        # Voices are measured where somebody speaks, so they hang on the words.
        about | {"transcript": asdict(said)} | source.read_as("audio"),
        lambda: engines.voice(settings.voice).measure(source.sound(), said),
        source.interval,
    )
    return said, voices, provenance | {"voice": about | _took(began)}


def _heard(
    source: FileSource,
    settings: PerceiveSettings,
    engines: Engines,
    context: Context,
    given: str | Path | Transcript | None,
) -> tuple[Transcript, dict[str, Any]]:
    """The words, given or recognised, and where they are from."""
    began = time.perf_counter()
    about: dict[str, Any]
    if isinstance(given, Transcript):
        about, said = {"engine": given.source}, subtitles.inside(given, source.media)
    elif given is not None:
        about = {"engine": "file", "file": Path(given).name}
        said = subtitles.inside(subtitles.read_transcript(given, source.media.duration_s), source.media)
    elif source.media.has_audio:
        about = describe_speech(settings.speech)
        said = kept(
            context.store,
            source.media.sha256,
            "transcript",
            about | source.read_as("audio"),
            lambda: transcribe(source.sound(), engines.speech(settings.speech), context.stage("listening")),
            source.interval,
        )
    else:
        about = {"missing": "the file has no sound"}
        said = Transcript((), language=None, source="no sound")
    return said, {"speech": about | _took(began)}


def _took(began: float) -> dict[str, float]:
    return {"seconds": round(time.perf_counter() - began, 2)}
