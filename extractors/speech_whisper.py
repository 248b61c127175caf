"""openai-whisper: all the languages it knows, with word times.

Weights are a size (`base`, `turbo`, …), kept where whisper itself keeps them,
or a checkpoint file.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ..core.errors import SettingsError, UnavailableError
from ..core.settings import SpeechSettings
from ..core.timeline import Utterance, Word
from .media import Sound
from .vad import Stretch

# Whisper reads 30 s at a time and takes as long for less: stretches share.
WINDOW_S = 28.0

# A host that has not answered by then is not going to deliver a gigabyte.
_TIMEOUT_S = 2.0
_HOST = "https://openaipublic.azureedge.net"
_SIZES = "tiny, base, small, medium, large or turbo"
# Where the file is not named after the size.
_FILES = {"turbo": "large-v3-turbo", "large": "large-v3"}


# ── which weights, on which device ───────────────────────────────────────────


def choose(settings: SpeechSettings, *, offline: bool) -> tuple[str, str]:
    """The weights and the device for these settings, `auto` decided.

    `auto` is `turbo` on a GPU and `base` on a CPU, or the other of the two
    where only that is on disk.

    Raises:
        UnavailableError: the weights are not here and cannot be had, or the
            device is not here.
        SettingsError: no such size, checkpoint file or language.
    """
    _check_language(settings.language)
    if settings.model != "auto":
        if not _on_disk(settings.model):
            _require_hub(settings.model, offline)
        return settings.model, _device(settings)
    here = [size for size in ("turbo", "base") if _on_disk(size)]
    if not here:  # asked before torch is imported to look for a GPU: that takes seconds
        _require_hub("base", offline)
    device = _device(settings)
    size = "turbo" if device == "cuda" else "base"
    if size not in here and here and (offline or _status(_url(size)) != 200):
        size = here[0]
    return size, device


def weights_sha256(model: str) -> str:
    """The SHA-256 of a size's weights, which whisper itself checks, or of a file's."""
    if Path(model).is_file():
        with Path(model).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return _url(model).split("/")[-2]


def _on_disk(model: str) -> bool:
    return Path(model).is_file() or (_folder() / f"{_FILES.get(model, model)}.pt").is_file()


def _folder() -> Path:
    """Where whisper keeps what it fetches."""
    return Path(os.getenv("XDG_CACHE_HOME", Path.home() / ".cache")) / "whisper"


def _require_hub(size: str, offline: bool) -> None:
    if Path(size).suffix == ".pt" or os.sep in size:
        raise SettingsError(f"speech.model: there is no checkpoint file {size}; give one, or {_SIZES}")
    missing = f"the weights of Whisper {size!r} are not in {_folder()}"
    if offline:
        raise UnavailableError(f"{missing} and are not fetched offline; give {_SIZES}, or a checkpoint file")
    if _status(_HOST) is None or _status(_url(size)) != 200:
        raise UnavailableError(f"{missing} and {_HOST} does not deliver them; put them there, or use a checkpoint file")


def _url(size: str) -> str:
    import whisper

    if size not in whisper.available_models():
        raise SettingsError(
            f"speech.model: no Whisper size {size!r}; there are {', '.join(whisper.available_models())}"
        )
    return whisper._MODELS[size]


def _status(url: str) -> int | None:
    """The HTTP status that a host answers with; `None` where it does not."""
    answers: list[int] = []

    def ask() -> None:
        try:
            with urlopen(Request(url, method="HEAD"), timeout=_TIMEOUT_S) as answer:
                answers.append(answer.status)
        except HTTPError as error:
            answers.append(error.code)
        except (OSError, HTTPException):
            pass

    # A thread, because looking up a host's name minds no timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_TIMEOUT_S)
    return answers[0] if answers else None


def _device(settings: SpeechSettings) -> str:
    if settings.device == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if settings.device == "cuda":
        raise UnavailableError("speech.device is cuda, but there is no CUDA device here; use cpu or auto")
    return "cpu"


def _check_language(language: str | None) -> None:
    if language is None or language == "en":
        return
    from whisper.tokenizer import LANGUAGES

    if language not in LANGUAGES:
        raise SettingsError(
            f"speech.language: Whisper does not know {language!r}; give a code such as {', '.join(list(LANGUAGES)[:6])}"
        )


# ── hearing ──────────────────────────────────────────────────────────────────


class Whisper:
    """The recogniser; loads its weights when made, fetching them first if need be.

    Attributes:
        language: as asked for; else what the first half minute of speech is in.
    """

    def __init__(self, model: str, device: str, language: str | None) -> None:
        import whisper

        self.source = f"whisper {Path(model).stem}"
        self.language = language
        self._device = device
        try:
            self._model = whisper.load_model(model, device=device)
        except Exception as error:  # whatever torch and whisper make of a file that is none
            reason = " ".join(str(error).split())[:100]
            raise UnavailableError(
                f"the Whisper weights {model} cannot be loaded ({type(error).__name__}: {reason}); "
                "give another file or size as speech.model"
            ) from error

    def close(self) -> None:
        del self._model

    def hear(self, sound: Sound, stretches: Iterable[Stretch]) -> Iterator[Utterance]:
        """An utterance a stretch: the words whose middle is in it, or nearest to it."""
        for window in _windows(stretches):
            spoken: list[list[tuple[Word, str]]] = [[] for _ in window]
            for word, spelled in self._decode(sound, window[0].start_s, window[-1].end_s):
                middle_s = (word.start_s + word.end_s) / 2
                away_s = [max(s.start_s - middle_s, middle_s - s.end_s, 0.0) for s in window]
                spoken[away_s.index(min(away_s))].append((word, spelled))
            for stretch, words in zip(window, spoken, strict=True):
                # As spelled: not every language has spaces between words.
                text = "".join(spelled for _, spelled in words).strip()
                yield Utterance(stretch.start_s, stretch.end_s, text, words=tuple(word for word, _ in words))

    def _decode(self, sound: Sound, start_s: float, end_s: float) -> Iterator[tuple[Word, str]]:
        import torch

        gpus = [torch.cuda.current_device()] if self._device == "cuda" else []
        with torch.random.fork_rng(gpus):
            # Where it is unsure it draws words by chance: by the same each time.
            torch.manual_seed(0)
            result: dict[str, Any] = self._model.transcribe(
                sound.read(start_s, end_s),
                language=self.language,
                word_timestamps=True,
                # Else one mishearing can go on through the rest of the video.
                condition_on_previous_text=False,
                fp16=self._device == "cuda",
            )
        self.language = self.language or result["language"]
        for segment in result["segments"]:
            for word in segment["words"]:
                if text := word["word"].strip():
                    first_s, last_s = (round(start_s + float(word[at]), 3) for at in ("start", "end"))
                    yield Word(first_s, last_s, text, round(float(word["probability"]), 4)), word["word"]


def _windows(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """Neighbouring stretches that together, pauses included, fit into one window."""
    window: list[Stretch] = []
    for stretch in stretches:
        if window and stretch.end_s - window[0].start_s > WINDOW_S:
            yield window
            window = []
        window.append(stretch)
    if window:
        yield window
