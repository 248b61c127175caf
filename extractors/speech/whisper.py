"""openai-whisper: all the languages it knows, with word times.

Weights are a size (`base`, `turbo`, …), kept where whisper itself keeps them,
or a checkpoint file.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...core.context import Context, gpu_is_here, resolve_device
from ...core.digests import sha256_of
from ...core.downloads import DownloadProgress, cache_folder, fetch_file, status, unwatched
from ...core.errors import SettingsError, UnavailableError
from ...core.timeline import Utterance
from ..media import Sound
from ..registry import EngineSpec, Need
from ..settings import SpeechSettings
from .spelled import Spelled, check_language, described, in_words, preferred, utterance
from .vad import Stretch

# Whisper reads 30 s at a time and takes as long for less: stretches share.
WINDOW_S = 28.0

_HOST = "https://openaipublic.azureedge.net"
_SIZES = "tiny, base, small, medium, large or turbo"
# Where the file is not named after the size.
_FILES = {"turbo": "large-v3-turbo", "large": "large-v3"}


# ── which weights, on which device ───────────────────────────────────────────


def complete(settings: SpeechSettings, context: Context) -> SpeechSettings:
    """The settings with weights, device and precision decided.

    `auto` is `turbo` on a GPU and `base` on a CPU, or the other of the two
    where only that is on disk.

    Raises:
        UnavailableError: the weights are not here and cannot be had, or the
            device is not here.
        SettingsError: no such size, checkpoint file, language or precision.
    """
    _check_language(settings.language)
    device = resolve_device(settings.device, "speech.device")
    model = settings.model
    if model != "auto":
        if not on_disk(model):
            _require_hub(model, context)
    else:
        here = [size for size in ("turbo", "base") if on_disk(size)]
        if not here:
            _require_hub("base", context)
        model = preferred(device)
        if model not in here and here and (context.offline or status(_url(model)) != 200):
            model = here[0]
    decided = {"model": model, "device": device, "precision": _precision(settings, device)}
    return settings.model_copy(update=decided)


def weights_sha256(model: str) -> str:
    """The SHA-256 of a size's weights, as published, or of a file's."""
    return sha256_of(model) if Path(model).is_file() else _url(model).split("/")[-2]


def on_disk(model: str) -> bool:
    """Whether the weights of a size, or a checkpoint file, are on this machine."""
    return Path(model).is_file() or (_folder() / f"{_FILES.get(model, model)}.pt").is_file()


def is_size(model: str) -> bool:
    """Whether that is the name of a size, rather than of a file."""
    import whisper

    return model in whisper.available_models()


def fetch(size: str, progress: DownloadProgress = unwatched) -> None:
    """Download the weights of a size to where whisper looks for them, unless they are there and whole.

    Raises:
        UnavailableError: they cannot be had.
        SettingsError: there is no such size.
    """
    path = _folder() / _url(size).rpartition("/")[2]
    # Whisper's own download leaves half a file behind when it is interrupted.
    if not path.is_file() or sha256_of(path) != weights_sha256(size):
        fetch_file(_url(size), path, weights_sha256(size), progress)


def _folder() -> Path:
    """Where whisper keeps what it fetches."""
    return cache_folder() / "whisper"


def _require_hub(size: str, context: Context) -> None:
    if Path(size).suffix == ".pt" or os.sep in size:
        raise SettingsError(f"speech.model: there is no checkpoint file {size}; give one, or {_SIZES}")
    missing = f"the weights of Whisper {size!r} are not in {_folder()}"
    if context.offline:
        raise UnavailableError(f"{missing} and are not fetched offline; give {_SIZES}, or a checkpoint file")
    if status(_HOST) is None or status(_url(size)) != 200:
        raise UnavailableError(f"{missing} and {_HOST} does not deliver them; put them there, or use a checkpoint file")


def _url(size: str) -> str:
    import whisper

    if size not in whisper.available_models():
        raise SettingsError(
            f"speech.model: no Whisper size {size!r}; there are {', '.join(whisper.available_models())}"
        )
    return whisper._MODELS[size]


def _precision(settings: SpeechSettings, device: str) -> str:
    if settings.precision == "float16" and device == "cpu":
        raise SettingsError("speech.precision: float16 is for a GPU, and Whisper runs on the CPU here; use auto")
    if settings.precision == "int8":
        raise SettingsError("speech.precision: int8 is what faster-whisper computes in, and not whisper; use auto")
    if settings.precision == "auto":
        return "float16" if device == "cuda" else "float32"
    return settings.precision


def _check_language(language: str | None) -> None:
    if language is None or language == "en":
        return
    from whisper.tokenizer import LANGUAGES

    check_language(language, LANGUAGES)


# ── hearing ──────────────────────────────────────────────────────────────────


class Whisper:
    """The recogniser; loads its weights when made, fetching them first if need be.

    Args:
        settings: completed.
        context: told how much of a download is done.

    Attributes:
        language: as asked for; else what the first half minute of speech is in.
    """

    def __init__(self, settings: SpeechSettings, context: Context) -> None:
        import whisper

        model = settings.model
        self.source = f"whisper {Path(model).stem}"
        self.language = self._asked_language = settings.language
        self._device = settings.device
        self._half = settings.precision == "float16"
        self._batch_size = settings.batch_size
        if not on_disk(model):
            fetch(model, context.stage(self.source))
        try:
            self._model = whisper.load_model(model, device=self._device)
        except Exception as error:  # whatever torch and whisper make of a file that is none
            reason = " ".join(str(error).split())[:100]
            raise UnavailableError(
                f"the Whisper weights {model} cannot be loaded ({type(error).__name__}: {reason}); "
                "give another file or size as speech.model"
            ) from error
        # What the window at hand was decoded to with others, and by which options.
        self._ahead: _Decoded | None = None
        self._model.decode = self._decode_once  # type: ignore[method-assign]

    def close(self) -> None:
        del self._model

    def hear(self, sound: Sound, stretches: Iterable[Stretch]) -> Iterator[Utterance]:
        """An utterance a stretch: the words whose middle is in it, or nearest to it.

        Several windows are decoded at a time, to the words that each would
        be decoded to alone.  Of a sound that still grows, each stretch is
        decoded as soon as it has ended.
        """
        self.language = self._asked_language
        windows = ([stretch] for stretch in stretches) if sound.growing else fitted(stretches)
        at_once = 1 if sound.growing else self._batch_size
        # Which language it is shows in the first window; the others need it.
        while batch := list(itertools.islice(windows, at_once if self.language else 1)):
            samples = [sound.read(window[0].start_s, window[-1].end_s) for window in batch]
            decoded = self._decode_together(samples) if len(batch) > 1 else [None]
            for window, heard, self._ahead in zip(batch, samples, decoded, strict=True):
                yield from self._hear_window(window, heard)

    def _hear_window(self, window: list[Stretch], samples: np.ndarray) -> Iterator[Utterance]:
        spoken: list[list[Spelled]] = [[] for _ in window]
        for word in self._transcribe(samples, window[0].start_s):
            middle_s = (word.start_s + word.end_s) / 2
            away_s = [max(s.start_s - middle_s, middle_s - s.end_s, 0.0) for s in window]
            spoken[away_s.index(min(away_s))].append(word)
        for stretch, words in zip(window, spoken, strict=True):
            yield utterance(stretch, words)

    def _transcribe(self, samples: np.ndarray, start_s: float) -> Iterator[Spelled]:
        import torch

        gpus = [torch.cuda.current_device()] if self._device == "cuda" else []
        with torch.random.fork_rng(gpus), _threads_kept():
            # Where it is unsure it draws words by chance: by the same each time.
            torch.manual_seed(0)
            result: dict[str, Any] = self._model.transcribe(
                samples,
                language=self.language,
                word_timestamps=True,
                # Else one mishearing can go on through the rest of the video.
                condition_on_previous_text=False,
                fp16=self._half,
            )
        self.language = self.language or result["language"]
        for segment in result["segments"]:
            for word in segment["words"]:
                yield Spelled(start_s + word["start"], start_s + word["end"], word["word"], word["probability"])

    def _decode_together(self, recordings: Sequence[np.ndarray]) -> list[_Decoded]:
        """What `transcribe` decodes first of each recording, which is all of most."""
        import torch
        from whisper import DecodingOptions, decode
        from whisper.audio import N_FRAMES, N_SAMPLES, log_mel_spectrogram, pad_or_trim

        mels = []
        for samples in recordings:
            mel = log_mel_spectrogram(samples, self._model.dims.n_mels, padding=N_SAMPLES)
            mels.append(pad_or_trim(mel[:, : mel.shape[-1] - N_FRAMES], N_FRAMES))
        together = torch.stack(mels).to(self._device, torch.float16 if self._half else torch.float32)
        options = DecodingOptions(language=self.language, prompt=[], fp16=self._half)
        results: Any = decode(self._model, together, options)
        return [_Decoded(mel, options, result) for mel, result in zip(together, results, strict=True)]

    def _decode_once(self, mel: Any, options: Any) -> Any:
        """In place of the model's own `decode`: known already, or else decoded.

        What `transcribe` asks for again at a higher temperature, or for what
        is left of a window, has not been decoded with others.
        """
        import torch
        import whisper

        ahead = self._ahead
        if ahead is not None and options == ahead.options and torch.equal(mel, ahead.mel):
            return ahead.result
        return whisper.decode(self._model, mel, options)


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Word times are aligned by Numba, which gives torch, too, a thread for each core."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True, eq=False)
class _Decoded:
    """A window's spectrogram (n_mels, 3000), and the `DecodingResult` that the options led to."""

    mel: Any
    options: Any
    result: Any


def fitted(stretches: Iterable[Stretch]) -> Iterator[list[Stretch]]:
    """Neighbouring stretches that together, pauses included, fit into one window."""
    window: list[Stretch] = []
    for stretch in stretches:
        if window and stretch.end_s - window[0].start_s > WINDOW_S:
            yield window
            window = []
        window.append(stretch)
    if window:
        yield window


# ── in the table ─────────────────────────────────────────────────────────────


def _needs(settings: SpeechSettings) -> list[Need]:
    model = settings.model
    if model == "auto":
        model = preferred("cuda" if settings.device != "cpu" and gpu_is_here() else "cpu")
    name = f"Whisper {Path(model).stem}"
    if not is_size(model):
        return [Need(name, None if on_disk(model) else f"there is no file {model}, and no such size")]
    if on_disk(model):
        return [Need(name, fetch=partial(fetch, model))]
    others = [size for size in ("turbo", "base") if settings.model == "auto" and on_disk(size)]
    instead = f"Whisper {others[0]}" if others else None
    return [Need(name, "not downloaded", fetch=partial(fetch, model), instead=instead)]


def _describe(settings: SpeechSettings) -> dict[str, Any]:
    return described(settings, "openai-whisper", weights_sha256(settings.model))


SPEC = EngineSpec(
    kind="speech",
    name="whisper",
    about="openai-whisper, in all its languages",
    needs=_needs,
    describe=_describe,
    load=Whisper,
    complete=complete,
    in_words=partial(in_words, "Whisper"),
)
