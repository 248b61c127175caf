"""Who says it, by whatever way there is: a file of turns, voices, or whose mouth moves; and whose face it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...core.context import Context
from ...core.errors import SettingsError, UnavailableError
from ...core.timeline import FaceTrack, Sequence, Transcript
from .. import registry
from ..engines import Engines
from ..media import sha256_of
from ..settings import PerceiveSettings, SpeakerSettings
from ..sources import FileSource
from ..store import kept
from . import clustering, talking
from .faces import speakers_of_faces
from .turns import AUTO, METHODS, NOBODY, SEEN, VOICES, Turn, name_speakers, read_turns


def decide_speakers(settings: SpeakerSettings, asked: str, context: Context) -> tuple[SpeakerSettings, str | None]:
    """Who tells voices apart, and what was chosen in one line.

    Nobody where that is not asked for, and where `auto` finds nobody here.

    Args:
        asked: the setting `speech.speakers`.

    Raises:
        UnavailableError: it was asked for and is not here.
    """
    if asked not in (AUTO, VOICES):
        return settings.model_copy(update={"engine": registry.SWITCHED_OFF}), None
    try:
        return registry.choose("speakers", settings, context)
    except UnavailableError as error:
        if asked == VOICES or settings.engine != registry.AUTOMATIC:
            raise
        nobody = settings.model_copy(update={"engine": registry.SWITCHED_OFF})
        return nobody, f"not told apart by voice ({error})"


def require_sight(settings: PerceiveSettings) -> None:
    """Raises:
    SettingsError: with these settings no mouth is seen to move.
    """
    if "V" not in settings.modalities or settings.face.engine == registry.SWITCHED_OFF:
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


def turns_from_file(source: FileSource, settings: PerceiveSettings) -> tuple[Turn, ...] | None:
    """Who speaks when, where a file tells.

    Raises:
        MediaError: see `read_turns`.
    """
    asked = settings.speech.speakers
    return None if asked in METHODS else read_turns(asked, Path(source.media.path).stem, source.media.duration_s)


@dataclass(frozen=True)
class Witnesses:
    """What may tell who speaks, each asked only where it is needed.

    Attributes:
        faces: waits for them.
        by_voice: who speaks when, told by voice.
    """

    faces: Callable[[], FaceTrack | None]
    by_voice: Callable[[], tuple[Turn, ...]]


def asks_voices(source: FileSource, settings: PerceiveSettings) -> bool:
    """Whether words of nobody's are given to who speaks by voice."""
    asked, engine = settings.speech.speakers, settings.speakers.engine
    return (
        asked in (AUTO, VOICES) and engine not in (registry.SWITCHED_OFF, registry.AUTOMATIC) and source.media.has_audio
    )


def named(
    said: Transcript,
    turns: tuple[Turn, ...] | None,
    source: FileSource,
    settings: PerceiveSettings,
    context: Context,
    witnesses: Witnesses,
) -> tuple[Transcript, dict[str, Any]]:
    """The transcript with who says it, divided where the speaker changes, and how that is known.

    Args:
        turns: from `turns_from_file`.
    """
    asked, heard = settings.speech.speakers, source.media.has_audio
    nameless = any(utterance.speaker is None for utterance in said.utterances)
    about: dict[str, Any] = {"source": "transcript"}
    if turns is not None:
        said = name_speakers(said, turns)
        about = {"source": f"file {Path(asked).name}", "sha256": sha256_of(asked)}
    elif asked == SEEN:
        about = talking.describe()
        track = witnesses.faces() if nameless and heard else None
        said = talking.name_speakers(said, track, loudness(source, context)) if track is not None else said
    elif asks_voices(source, settings) and nameless:
        turns = witnesses.by_voice()
        several = len({turn.speaker for turn in turns}) > 1
        if asked == VOICES or several:
            said = name_speakers(said, turns, keep_names=True)
            about = registry.describe("speakers", settings.speakers) | {"source": VOICES}
    called = settings.speakers.names
    said = replace(
        said, utterances=tuple(replace(u, speaker=called.get(u.speaker or "", u.speaker)) for u in said.utterances)
    )
    count = sum(utterance.speaker is not None for utterance in said.utterances)
    if not count and asked in (AUTO, NOBODY):
        return said, {}
    return said, {"speakers": about | {"named": count, "of": len(said.utterances)}}


def by_voice(source: FileSource, settings: SpeakerSettings, engines: Engines, context: Context) -> tuple[Turn, ...]:
    """Who speaks when, told by voice."""
    prints = kept(
        context.store,
        source.media.sha256,
        "voiceprints",
        registry.describe("speakers", settings) | source.read_as("audio"),
        lambda: engines.speakers(settings).voiceprints(source.sound()),
        source.interval,
    )
    return clustering.turns_of(prints, settings.count)


def whose_faces(
    said: Transcript | None, faces: FaceTrack | None, source: FileSource, context: Context
) -> dict[int, str]:
    """By person, the speaker whose face it is, where that is known."""
    speakers = {utterance.speaker for utterance in said.utterances if utterance.speaker} if said is not None else set()
    if said is None or faces is None or not speakers or not len(faces.times_s) or not source.media.has_audio:
        return {}
    return speakers_of_faces(said, faces, loudness(source, context))


def loudness(source: FileSource, context: Context) -> Sequence:
    """How loud the sound is over time."""
    return kept(
        context.store,
        source.media.sha256,
        "loudness",
        {"step_s": talking.STEP_S} | source.read_as("audio"),
        lambda: talking.loudness(source.sound()),
        source.interval,
    )
