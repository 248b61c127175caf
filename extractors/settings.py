"""How a video is perceived: who hears, who sees, who measures the voice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ..core.errors import SettingsError
from ..core.settings import Device, Settings
from .registry import Kind, names_of


class SpeechSettings(Settings):
    """Who hears the words."""

    engine: str = "auto"
    # A Whisper size (`base`, `turbo`, …) or a checkpoint file; `auto` is
    # `turbo` on a GPU and `base` on a CPU.
    model: str = "auto"
    language: str | None = None
    device: Device = "auto"
    # `auto` is float16 on a GPU and float32 on a CPU, which has no fast float16.
    precision: Literal["auto", "float32", "float16"] = "auto"
    # Windows of speech that Whisper decodes at a time; the words are the same.
    batch_size: int = Field(default=8, ge=1, le=256)
    # Who says it: an RTTM or JSON file of turns, or `seen` for the face whose
    # mouth moves; `None` leaves it to the transcript.
    speakers: Literal["seen"] | str | None = None

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        return _known("speech", name)


class FaceSettings(Settings):
    """Who sees the faces, and how often it looks."""

    engine: str = "auto"
    # Frames a second; `auto` is what the engine can afford.
    sampling_fps: Literal["auto"] | float = "auto"
    max_faces: int = Field(default=4, ge=1, le=32)
    device: Device = "auto"
    # Frames that py-feat looks at together; `None` is what suits the device:
    # 16 on a GPU, and one on a CPU, where more are slower.
    batch_size: int | None = Field(default=None, ge=1)

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

    engine: str = "opensmile"
    # Shorter utterances are not measured: MELD's published voice measurements
    # leave them out as well.
    min_utterance_s: float = Field(default=0.5, ge=0.1)

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, name: str) -> str:
        return _known("voice", name)


# Of each kind of engine.
SETTINGS: Mapping[Kind, type[SpeechSettings | FaceSettings | VoiceSettings]] = {
    "speech": SpeechSettings,
    "face": FaceSettings,
    "voice": VoiceSettings,
}


class PerceiveSettings(Settings):
    """What is perceived, and by whom."""

    modalities: str = "TVA"
    speech: SpeechSettings = SpeechSettings()
    face: FaceSettings = FaceSettings()
    voice: VoiceSettings = VoiceSettings()

    @model_validator(mode="after")
    def _known_modalities(self) -> PerceiveSettings:
        check_modalities(self.modalities)
        return self


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
