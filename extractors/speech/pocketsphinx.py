"""PocketSphinx: the embedded recogniser, English, its model in the wheel.

A floor, not a standard: it mishears much of ordinary speech, and more in noise.
"""

from __future__ import annotations

import importlib.util
import json
import re
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ...core.context import Context
from ...core.errors import EmoscribeError, SettingsError, UnavailableError
from ...core.interrupts import BEFORE_THE_END
from ...core.timeline import Utterance, Word
from ..media import Sound
from ..registry import EngineSpec, Need
from ..settings import SpeechSettings
from .vad import Stretch

# How the decoder deviates from its defaults: with at most this many states a
# frame (of 30,000) it hears as much of clean speech and takes 60 % of the time
# for noisy speech, where it would follow everything at once.
DECODER: dict[str, Any] = {"maxhmmpf": 5000}

FRAME_S = 0.01
# A little silence at either end, which its language model expects there.
_SILENCE = np.zeros(1600, dtype="<i2")


def require() -> None:
    """Raises:
    UnavailableError: PocketSphinx is not installed.
    """
    if importlib.util.find_spec("pocketsphinx") is None:
        raise UnavailableError("PocketSphinx is not installed; pip install 'emoscribe[offline]'")


class Sphinx:
    """The recogniser, running until closed."""

    source = "pocketsphinx en-us"
    language = "en"

    def __init__(self) -> None:
        require()
        # -P: the folder of a script must not come before installed packages.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("sphinx_worker.py")), json.dumps(DECODER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        BEFORE_THE_END.append(self._process.kill)

    def close(self) -> None:
        with suppress(ValueError):  # it was closed before
            BEFORE_THE_END.remove(self._process.kill)
        self._process.kill()
        self._process.communicate()

    def hear(self, sound: Sound, stretches: Iterable[Stretch]) -> Iterator[Utterance]:
        """An utterance a stretch.

        Raises:
            EmoscribeError: the decoder's process has died.
        """
        # What it got used to in the recording before must not colour this one.
        self._send(b"")
        for stretch in stretches:
            words = self._decode(sound.read(stretch.start_s, stretch.end_s), stretch)
            yield Utterance(stretch.start_s, stretch.end_s, " ".join(word.text for word in words), words=words)

    def _decode(self, samples: np.ndarray, stretch: Stretch) -> tuple[Word, ...]:
        segments = self._send(np.concatenate([_SILENCE, (samples * 32767).astype("<i2"), _SILENCE]).tobytes())
        origin_s = stretch.start_s - len(_SILENCE) / 16_000
        return tuple(
            Word(
                max(stretch.start_s, round(origin_s + first * FRAME_S, 3)),
                min(stretch.end_s, round(origin_s + (last + 1) * FRAME_S, 3)),
                re.sub(r"\(\d+\)$", "", text),
                round(min(probability, 1.0), 4),
            )
            for text, first, last, probability in segments
            # Silence and noises: <s>, <sil>, [NOISE].
            if not text.startswith(("<", "[", "+"))
        )

    def _send(self, raw: bytes) -> Any:
        """What the decoder's process answers to 16-bit samples, or to none, which begin a recording."""
        try:
            assert self._process.stdin and self._process.stdout
            self._process.stdin.write(struct.pack("<I", len(raw)) + raw)
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            raise EmoscribeError("the process that runs PocketSphinx has died; it needs 200 MB of memory") from None


# ── in the table ─────────────────────────────────────────────────────────────


def _needs(settings: SpeechSettings) -> list[Need]:
    try:
        _check(settings)
    except UnavailableError as error:
        here = importlib.util.find_spec("pocketsphinx") is not None
        return [Need("PocketSphinx", str(error) if here else "not installed", "pip install 'emoscribe[offline]'")]
    return [Need("PocketSphinx")]


def _complete(settings: SpeechSettings, context: Context) -> SpeechSettings:
    _check(settings)
    return settings.model_copy(update={"model": "en-us", "language": "en", "device": "cpu"})


def _check(settings: SpeechSettings) -> None:
    require()
    if settings.language not in (None, "en"):
        raise UnavailableError(
            f"PocketSphinx hears English only, not {settings.language!r} (speech.language); "
            "give a Whisper checkpoint as speech.model, or a subtitle file"
        )
    if settings.engine == "pocketsphinx" and settings.model not in ("auto", "en-us"):
        raise SettingsError(
            f"speech.model: PocketSphinx has en-us only, got {settings.model!r}; leave it out, or use Whisper"
        )


def _describe(settings: SpeechSettings) -> dict[str, Any]:
    return {
        "language": settings.language,
        "version": version("pocketsphinx"),
        "model": "en-us",
        "decoder": DECODER,
    }


SPEC = EngineSpec(
    kind="speech",
    name="pocketsphinx",
    about="PocketSphinx, English, which mishears much",
    needs=_needs,
    describe=_describe,
    load=lambda settings, context: Sphinx(),
    complete=_complete,
    in_words=lambda settings: "PocketSphinx, which mishears much",
)
