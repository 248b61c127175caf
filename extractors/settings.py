"""How a video is perceived: who hears, who sees, who measures the voice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ..core.errors import SettingsError
from ..core.settings import Device, Settings
from .media.settings import MediaSettings
from .registry import Kind, names_of
from .speakers.turns import AUTO, NOBODY, VOICES


class SpeechSettings(Settings):
    """Who hears the words."""

    engine: str = Field(default="auto", json_schema_extra=lambda schema: schema.update(enum=[*names_of("speech")]))
    """Who hears the words; `auto` is the best that this machine has, `embedded` the best that packages carry."""
    model: str = "auto"
    """A Whisper size (`base`, `turbo`, …), or one's own file or folder; `auto` is `turbo` on a GPU, `base` on a CPU."""
    language: str | None = None
    """What is spoken, as a code like `en`; null to have Whisper tell."""
    device: Device = "auto"
    """Where Whisper runs; `auto` is a GPU where there is one."""
    precision: Literal["auto", "float32", "float16", "int8"] = "auto"
    """What Whisper computes in; `auto` is float16 on a GPU, and on a CPU int8 by faster-whisper, float32 by whisper."""
    batch_size: int = Field(default=8, ge=1, le=256)
    """Windows of speech that Whisper decodes at a time; the words are the same."""
    threads: int | None = Field(default=None, ge=1)
    """Threads that faster-whisper has on a CPU; null is OMP_NUM_THREADS, else the cores but one, up to four."""
    speakers: Literal["auto", "voices", "seen", "none"] | str = "auto"
    """Who says it: `voices`, whose mouth is `seen` to move, `none`, an RTTM or JSON file; `auto`: voices if unnamed."""

    @field_validator("speakers", mode="before")
    @classmethod
    def _none_is_nobody(cls, given: str | None) -> str:
        return "none" if given is None else given

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        return _known("speech", name)


class FaceSettings(Settings):
    """Who sees the faces, and how often it looks."""

    engine: str = Field(default="auto", json_schema_extra=lambda schema: schema.update(enum=[*names_of("face")]))
    """Who sees the faces; `auto` is the best that this machine has."""
    sampling_fps: Literal["auto"] | float = "auto"
    """Frames a second that are looked at, 0.1 to 240; `auto` is what the engine can afford."""
    max_faces: int = Field(default=4, ge=1, le=32)
    """Faces a frame at most: those seen a moment ago, then the largest."""
    identity: str = "look"
    """How people are known again: `look`, by place, time and colours, or an ONNX network of faces (1, 3, 112, 112)."""
    device: Device = "auto"
    """Where py-feat runs; `auto` is a GPU where there is one."""
    batch_size: int | None = Field(default=None, ge=1)
    """Frames that py-feat looks at together; null is 16 on a GPU, and 1 on a CPU, where more are slower."""

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        return _known("face", name)

    @model_validator(mode="after")
    def _positive_rate(self) -> FaceSettings:
        if self.sampling_fps != "auto" and not 0.1 <= self.sampling_fps <= 240:
            raise ValueError("sampling_fps must be auto or from 0.1 to 240 frames a second")
        return self


class VoiceSettings(Settings):
    """How the sound of the voice is measured."""

    engine: str = Field(default="opensmile", json_schema_extra=lambda schema: schema.update(enum=[*names_of("voice")]))
    """Who measures the voice."""
    min_utterance_s: float = Field(default=0.5, ge=0.1)
    """Seconds below which an utterance is not measured, as MELD's published measurements leave those out."""

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        return _known("voice", name)


class SpeakerSettings(Settings):
    """How speakers are told apart by voice, and what they are called."""

    engine: str = Field(default="auto", json_schema_extra=lambda schema: schema.update(enum=[*names_of("speakers")]))
    """Who tells voices apart; `auto` is the best that this machine has, or nobody."""
    model: str = "campplus"
    """`campplus`, or an ONNX file that makes a vector of samples (1, N) or of 80 log-mel bands (1, T, 80)."""
    count: int | None = Field(default=None, ge=1, le=32)
    """How many people speak; null to have that found out."""
    names: Mapping[str, str] = Field(default_factory=dict)
    """What somebody is called instead, by `speaker 1`, `person 2` or the name in a file."""

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        return _known("speakers", name)


# Of each kind of engine.
SETTINGS: Mapping[Kind, type[SpeechSettings | FaceSettings | VoiceSettings | SpeakerSettings]] = {
    "speech": SpeechSettings,
    "face": FaceSettings,
    "voice": VoiceSettings,
    "speakers": SpeakerSettings,
}


class PerceiveSettings(Settings):
    """What is perceived, and by whom."""

    modalities: str = "TVA"
    """What is perceived: letters of TVA, T what was said, V the face, A the voice."""
    speech: SpeechSettings = SpeechSettings()
    face: FaceSettings = FaceSettings()
    voice: VoiceSettings = VoiceSettings()
    speakers: SpeakerSettings = SpeakerSettings()
    media: MediaSettings = MediaSettings()

    @model_validator(mode="after")
    def _known_modalities(self) -> PerceiveSettings:
        check_modalities(self.modalities)
        return self

    def for_corpora(self) -> Self:
        """The same without comparing voices: a corpus says itself who speaks in a clip."""
        if self.speech.speakers not in (AUTO, VOICES):
            return self
        return self.model_copy(update={"speech": self.speech.model_copy(update={"speakers": NOBODY})})


def check_modalities(letters: str) -> None:
    """Raises:
    SettingsError: not letters of TVA, each at most once.
    """
    if not letters or set(letters) - set("TVA") or len(set(letters)) != len(letters):
        raise SettingsError(
            f"modalities must be letters of TVA (T what was said, V the face, A the voice), each once, got {letters!r}"
        )


def _known(kind: Kind, name: str) -> str:
    if name not in names_of(kind):
        raise ValueError(f"there is no such engine; there are: {', '.join(names_of(kind))}")
    return name


# Who hears where nothing else is said and nothing may be chosen.
EMBEDDED_SPEECH = SpeechSettings(engine="faster-whisper", model="base", device="cpu")
