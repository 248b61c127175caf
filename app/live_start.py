"""What a client of a stream says: how it begins, and the frame around each chunk."""

from __future__ import annotations

import math
import struct
import time
from typing import Any, Literal

from pydantic import Field, model_validator

from ..core.errors import EmoscribeError
from ..core.settings import Settings, validate

SOUND, PICTURE = 1, 2
_HEAD, _ARRIVAL = struct.Struct("<Bd"), struct.Struct("<d")
# Of a chunk: five seconds of sound, and a picture that is large for its purpose.
_MOST_BYTES = {SOUND: 5 * 16_000 * 2, PICTURE: 1_000_000}


class LiveStart(Settings):
    """How a stream begins: the message of type `start`."""

    type: Literal["start"] = "start"
    signals: str = "TVA"
    """T what is said, V the face, A the voice."""
    labels: str | None = None
    """Label set, as `GET /api/options` lists them; null for the run's."""
    run: str | None = None
    """An adapter that ships; null for the service's own."""
    config: str | None = None
    """A config that ships; null for the service's own."""
    language: str | None = None
    """What is spoken, as a code like `en`; null for what is heard."""
    model: str | None = None
    """A size of Whisper's: `base`, `small`, `turbo`."""
    sound: bool = True
    """Whether sound will come."""
    picture: bool = True
    """Whether pictures will come."""
    window_s: float = Field(default=2.0, ge=0.5, le=30.0)
    """Seconds that are read together."""
    name: str = Field(default="Live", max_length=200)
    """What the job is called."""

    @model_validator(mode="after")
    def _something_comes(self) -> LiveStart:
        if not self.sound and not self.picture:
            raise ValueError("neither sound nor picture is to come; at least one has to be true")
        return self

    @property
    def asked(self) -> dict[str, Any]:
        """The settings of an analysis that it asks for, by the names of `Asked`."""
        same = ("config", "run", "labels", "language", "model")
        return {name: getattr(self, name) for name in same} | {"modalities": self.signals, "window": self.window_s}


def begun(said: dict[str, Any]) -> LiveStart:
    """
    Raises:
        SettingsError: a key is unknown, or not as it has to be.
    """
    return validate(LiveStart, said, "start")


def arrived(chunk: bytes) -> bytes:
    """The chunk with when it came before it, for `live.run_live`."""
    return _ARRIVAL.pack(time.monotonic()) + chunk


def arrival_of(chunk: bytes) -> tuple[float, bytes]:
    """When a chunk came, and the chunk; see `arrived`."""
    return _ARRIVAL.unpack_from(chunk)[0], chunk[_ARRIVAL.size :]


def unframed(chunk: bytes) -> tuple[int, float, memoryview]:
    """A chunk's kind, its time in seconds, and what it holds.

    Raises:
        EmoscribeError: it is not as it has to be.
    """
    if len(chunk) <= _HEAD.size:
        raise EmoscribeError(f"a chunk of {len(chunk)} bytes; send <u8 kind><f64 time in s> and what it holds")
    kind, time_s = _HEAD.unpack_from(chunk)
    payload = memoryview(chunk)[_HEAD.size :]
    if kind not in _MOST_BYTES:
        raise EmoscribeError(f"a chunk of kind {kind}; there are {SOUND}, sound, and {PICTURE}, a picture")
    if not (math.isfinite(time_s) and time_s >= 0):
        raise EmoscribeError(f"a chunk's time is {time_s}; give seconds since the start of the stream")
    if len(payload) > _MOST_BYTES[kind]:
        raise EmoscribeError(
            f"a chunk of kind {kind} with {len(payload):,} bytes; at most {_MOST_BYTES[kind]:,}: send less at a time"
        )
    if kind == SOUND and len(payload) % 2:
        raise EmoscribeError("sound with half a sample; send 16-bit integers, mono, 16 kHz")
    return kind, time_s, payload
