"""The engines of a process: each loaded when it is first needed, and kept."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ..core.context import Context
from .registry import (
    AUTOMATIC,
    ENGINES,
    SWITCHED_OFF,
    FaceEngine,
    Kind,
    SpeakersEngine,
    SpeechEngine,
    VoiceEngine,
    engine_spec,
)
from .settings import FaceSettings, PerceiveSettings, SpeakerSettings, SpeechSettings, VoiceSettings

# Settings that are seen to around the engine, and so are no reason to load it anew.
_AROUND = {"sampling_fps", "speakers", "identity", "count", "names"}


@dataclass(frozen=True, eq=False)
class _Loaded:
    settings: Mapping[str, Any]
    engine: Any


class Engines:
    """Loads engines, and keeps one of each kind until other settings are asked for.

    Kinds load side by side, from several threads.

    Attributes:
        loads: how often each engine was loaded, by kind and name.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._loaded: dict[Kind, _Loaded] = {}
        self._locks: dict[Kind, threading.Lock] = {kind: threading.Lock() for kind in ENGINES}
        self.loads: Counter[tuple[Kind, str]] = Counter()

    def speech(self, settings: SpeechSettings) -> SpeechEngine:
        """The recogniser of completed settings.

        Raises:
            UnavailableError: it cannot be loaded.
        """
        return self._get("speech", settings)

    def face(self, settings: FaceSettings) -> FaceEngine:
        """Who sees faces; see `speech`."""
        return self._get("face", settings)

    def voice(self, settings: VoiceSettings) -> VoiceEngine:
        """Who measures voices; see `speech`."""
        return self._get("voice", settings)

    def speakers(self, settings: SpeakerSettings) -> SpeakersEngine:
        """Who tells voices apart; see `speech`."""
        return self._get("speakers", settings)

    def load(self, settings: PerceiveSettings) -> None:
        """Load now all that perceiving with completed settings needs.

        Raises:
            UnavailableError: one of them cannot be loaded.
        """
        needed: dict[Kind, str] = {"speech": "TA", "speakers": "TA", "face": "V", "voice": "A"}
        for kind, letters in needed.items():
            asked = getattr(settings, kind)
            if set(letters) & set(settings.modalities) and asked.engine not in (SWITCHED_OFF, AUTOMATIC):
                self._get(kind, asked)

    def _get(self, kind: Kind, settings: Any) -> Any:
        asked = settings.model_dump(exclude=_AROUND)
        with self._locks[kind]:
            there = self._loaded.get(kind)
            if there is None or there.settings != asked:
                self._drop(kind)
                loading = self._context.stage(f"loading {settings.engine}")
                loading(0.0)
                engine = engine_spec(kind, settings.engine).load(settings, self._context)
                loading(1.0)
                self.loads[kind, settings.engine] += 1
                self._loaded[kind] = there = _Loaded(asked, engine)
            return there.engine

    def close(self) -> None:
        """Let go of all of them."""
        for kind, lock in self._locks.items():
            with lock:
                self._drop(kind)

    def _drop(self, kind: Kind) -> None:
        loaded = self._loaded.pop(kind, None)
        if loaded is not None and hasattr(loaded.engine, "close"):
            loaded.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
