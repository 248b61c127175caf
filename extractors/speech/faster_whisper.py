"""faster-whisper: Whisper by CTranslate2, in eight bits on a CPU, with word times.

Weights are a size (`base`, `turbo`, …), which packages carry or the hub has,
the id of a model on the hub, or a folder that holds one.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.context import Context, cores_here, gpu_is_here, resolve_device
from ...core.errors import SettingsError, UnavailableError
from ...core.timeline import Utterance
from ..media import SAMPLE_RATE, Sound
from ..registry import EngineSpec, Need
from ..settings import SpeechSettings
from .faster_whisper_weights import fetch, on_disk, require_to_be_had, weights_sha256
from .languages import CERTAIN, ENOUGH_S, language_of
from .loops import CLOSING, LOOP, MOST_PER_S, PHRASE, before_loop, repeats_itself
from .pieces import LONGEST_S, SILENCE_S, Piece, enough_of, joined, piece_of
from .spelled import Spelled, check_language, described, in_words, preferred, utterance
from .vad import Stretch

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from faster_whisper.tokenizer import Tokenizer

_INSTALL = "pip install 'emoscribe[offline]'"

# ── which weights, on which device ───────────────────────────────────────────


def require() -> None:
    """Raises:
    UnavailableError: faster-whisper is not installed.
    """
    if importlib.util.find_spec("faster_whisper") is None:
        raise UnavailableError(f"faster-whisper is not installed; {_INSTALL}")


def complete(settings: SpeechSettings, context: Context) -> SpeechSettings:
    """The settings with weights, device and precision decided; `auto` is `turbo` on a GPU and `base` on a CPU.

    Raises:
        UnavailableError: the weights are not here and cannot be had, they are
            not for that language, or the device is not here.
        SettingsError: no such size, folder, language or precision.
    """
    require()
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    check_language(settings.language, _LANGUAGE_CODES)
    device = resolve_device(settings.device, "speech.device")
    model = preferred(device) if settings.model == "auto" else settings.model
    language = settings.language
    if _is_english(model):
        if language not in (None, "en"):
            raise UnavailableError(f"Whisper {model} hears English only, not {language!r} (speech.language)")
        language = "en"
    require_to_be_had(model, context)
    decided = {"model": model, "device": device, "precision": _precision(settings, device), "language": language}
    return settings.model_copy(update=decided)


def _is_english(model: str) -> bool:
    return Path(model).name.endswith(".en")


def _threads() -> int:
    """Up to four, and one less than there are cores, on which somebody looks meanwhile; 0 is what the system says."""
    if "OMP_NUM_THREADS" in os.environ:
        return 0
    return min(4, max(1, len(cores_here()) - 1))


def _precision(settings: SpeechSettings, device: str) -> str:
    if settings.precision == "float16" and device == "cpu":
        raise SettingsError("speech.precision: float16 is for a GPU, and Whisper runs on the CPU here; use auto")
    if settings.precision == "auto":
        return "float16" if device == "cuda" else "int8"
    return settings.precision


# ── hearing ──────────────────────────────────────────────────────────────────

# Samples from one column of the spectrogram to the next.
HOP = 160

# Punctuation that belongs to the word behind it (openai-whisper's default).
OPENING = "\"'“¿([{-"

# In whatever language, more tokens are not said in a second; and so many at least are given.
_TOKENS_PER_S, _FEWEST_TOKENS, _MOST_TOKENS = 20, 16, 224

# Words that have less than the second (the mean logarithm of their tokens'
# probabilities), where nobody speaks with more than the first, are not said.
# Radford et al. (2022, section 4.5) have .6; of a thousand acted lines none has
# .4, and noises, tones and music have .4 to .9.
NO_SPEECH, LOGARITHM = 0.4, -1.0

# Words of less than this are listened to once more, for longest, and the likelier
# ones believed: one stretch in thirty where speech is clear, of a poor voice one in four.
DOUBTFUL = -0.8


@dataclass(frozen=True)
class Decoded:
    """What was heard in a piece.

    Attributes:
        logarithm: the mean logarithm of its tokens' probabilities.
        silent: nobody speaks, as likely as it is nowhere that somebody does.
    """

    words: list[Spelled]
    logarithm: float
    silent: bool


class FasterWhisper:
    """The recogniser; loads its weights when made, fetching them first if need be.

    Args:
        settings: completed.
        context: told how much of a download is done.

    Attributes:
        language: as asked for; else what the speech so far is in.
    """

    def __init__(self, settings: SpeechSettings, context: Context) -> None:
        from faster_whisper import WhisperModel

        self.source = f"faster-whisper {Path(settings.model).name}"
        self.language = self._asked_language = settings.language
        self._batch_size = settings.batch_size
        self._on_gpu = settings.device == "cuda"
        # What was encoded to tell its language, and has yet to be decoded: pieces and their windows.
        self._ahead: dict[tuple[Piece, int], np.ndarray] = {}
        folder = on_disk(settings.model) or fetch(settings.model, context.stage(self.source))
        try:
            self._whisper = WhisperModel(
                str(folder),
                device=settings.device,
                compute_type=settings.precision,
                cpu_threads=settings.threads or _threads(),
            )
        except Exception as error:  # whatever CTranslate2 and the tokenizer make of files that are none
            reason = " ".join(str(error).split())[:100]
            raise UnavailableError(
                f"the Whisper weights in {folder} cannot be loaded ({type(error).__name__}: {reason}); "
                "give another size or folder as speech.model"
            ) from error

    def close(self) -> None:
        del self._whisper

    def hear(self, sound: Sound, stretches: Iterable[Stretch]) -> Iterator[Utterance]:
        """An utterance a stretch, each heard by itself.

        Several are decoded at a time, to the words that each would be decoded
        to alone, all in the language of the first.  Of a sound that still
        grows, each is decoded as soon as it has ended.
        """
        self._ahead.clear()
        self.language = self._asked_language or (None if self._whisper.model.is_multilingual else "en")
        pieces = (piece_of(sound, stretch) for stretch in stretches)
        for batch in self._as_they_come(pieces) if sound.growing else self._batches(pieces):
            words = self._decode(batch, self._tokenizer(self.language))
            for piece, heard in zip(batch, words, strict=True):
                yield utterance(piece.stretch, heard)

    def _batches(self, pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
        """The pieces in batches, when it is settled which language they are in."""
        first: list[Piece] = []
        if self.language is None and (first := list(itertools.islice(pieces, 1))) and not self._tell_language(first):
            first += enough_of(pieces, ENOUGH_S - first[0].duration_s)
            self._tell_language(first)
        pieces = itertools.chain(first, pieces)
        while batch := list(itertools.islice(pieces, self._batch_size)):
            yield batch

    def _as_they_come(self, pieces: Iterator[Piece]) -> Iterator[list[Piece]]:
        """Each piece by itself, in the language that those so far are most likely in."""
        settled, first = self.language is not None, []
        for piece in pieces:
            if not settled:
                # What goes on comes again, longer.
                first = [each for each in first if not each.stretch.goes_on] + [piece]
                settled = self._tell_language(first)
            yield [piece]

    def _tell_language(self, pieces: Sequence[Piece]) -> bool:
        """Say which language all of it is in; whether that is settled."""
        piece = joined(pieces)
        encoded = self._encode([piece], piece.window_s)
        if piece is pieces[0] and not self._on_gpu:
            self._ahead[piece, piece.window_s] = np.asarray(encoded)
        found = self._whisper.model.detect_language(encoded)[0]
        self.language = language_of(found, piece.duration_s)
        return found[0][1] >= CERTAIN or piece.duration_s >= ENOUGH_S

    def _tokenizer(self, language: str | None) -> Tokenizer:
        from faster_whisper.tokenizer import Tokenizer

        whisper = self._whisper
        return Tokenizer(whisper.hf_tokenizer, whisper.model.is_multilingual, task="transcribe", language=language)

    def _decode(self, pieces: Sequence[Piece], tokenizer: Tokenizer) -> list[list[Spelled]]:
        """The words of each piece; those of one length are decoded together."""
        decoded: dict[Piece, Decoded] = {}
        alike: dict[int, list[Piece]] = defaultdict(list)
        for piece in pieces:
            alike[piece.window_s].append(piece)
        for window_s, together in alike.items():
            decoded |= zip(together, self._transcribe(together, window_s, tokenizer), strict=True)
        return [self._settled(piece, decoded[piece], tokenizer) for piece in pieces]

    def _settled(self, piece: Piece, heard: Decoded, tokenizer: Tokenizer) -> list[Spelled]:
        """The words of a piece, listened to once more where they are in doubt; one that goes on is so anyway."""
        if piece.stretch.goes_on:
            return before_loop(heard.words)
        if repeats_itself(heard.words, piece.duration_s):
            return self._again(piece, heard.words, tokenizer)
        if heard.logarithm < DOUBTFUL:
            (longer,) = self._transcribe([piece], LONGEST_S, tokenizer)
            if heard.silent and longer.silent and not longer.words:
                return []
            if longer.logarithm > heard.logarithm and not repeats_itself(longer.words, piece.duration_s):
                return longer.words
        return heard.words

    def _again(self, piece: Piece, heard: list[Spelled], tokenizer: Tokenizer) -> list[Spelled]:
        """What was heard to repeat itself, listened to for longest, and at last without leave to repeat anything."""
        for no_repeat in (0, PHRASE):
            before = [word.text for word in heard]
            heard = self._transcribe([piece], LONGEST_S, tokenizer, no_repeat)[0].words
            possible = len(heard) <= MOST_PER_S * piece.duration_s
            # What is heard twice is said, for all that it repeats itself.
            if possible and (not repeats_itself(heard, piece.duration_s) or [word.text for word in heard] == before):
                return heard
        return []

    def _transcribe(
        self, pieces: Sequence[Piece], window_s: int, tokenizer: Tokenizer, no_repeat: int = 0
    ) -> list[Decoded]:
        """What is heard in each piece, decoded together."""
        encoded = self._encode(pieces, window_s)
        if any(piece.stretch.goes_on for piece in pieces):
            no_repeat = LOOP
        results = self._whisper.model.generate(
            encoded,
            # Without times of its own (the words get better ones) it would say short things again and again.
            [self._whisper.get_prompt(tokenizer, [], without_timestamps=False)] * len(pieces),
            # Greedily, at temperature 0: what it doubts is worded as unclear, not drawn by chance.
            beam_size=1,
            max_length=min(_FEWEST_TOKENS + _TOKENS_PER_S * (window_s - SILENCE_S), _MOST_TOKENS),
            no_repeat_ngram_size=no_repeat,
            return_scores=True,
            return_no_speech_prob=True,
        )
        tokens = [
            [] if each.no_speech_prob > NO_SPEECH and each.scores[0] < LOGARITHM else text_tokens(each, tokenizer)
            for each in results
        ]
        return [
            Decoded(
                [
                    Spelled(
                        piece.start_s + word["start"], piece.start_s + word["end"], word["word"], word["probability"]
                    )
                    for word in timed
                ],
                result.scores[0],
                result.no_speech_prob > NO_SPEECH,
            )
            for piece, timed, result in zip(
                pieces, self._align(pieces, tokens, encoded, tokenizer), results, strict=True
            )
        ]

    def _align(
        self, pieces: Sequence[Piece], tokens: list[list[int]], encoded: StorageView, tokenizer: Tokenizer
    ) -> list[list[dict[str, Any]]]:
        """The words of each piece with times from where it starts, punctuation at the word that it belongs to."""
        from faster_whisper.transcribe import merge_punctuations

        frames = [max(len(piece.samples) // HOP, 1) for piece in pieces]
        timed: Any = self._whisper.find_alignment(tokenizer, tokens, encoded, frames)  # pyright: ignore[reportArgumentType]
        for words in timed:
            merge_punctuations(words, OPENING, CLOSING)
        return timed

    def _encode(self, pieces: Sequence[Piece], window_s: int) -> StorageView:
        """What the decoder hears of the pieces: (pieces, 50 · window_s, width)."""
        from ctranslate2 import StorageView

        if self._on_gpu:
            return self._whisper.encode(np.concatenate([self._spectrogram(piece, window_s) for piece in pieces]))
        # A CPU's caches hold one at a time, and all are the slower for it together.
        return StorageView.from_array(np.concatenate([self._encode_alone(piece, window_s) for piece in pieces]))

    def _encode_alone(self, piece: Piece, window_s: int) -> np.ndarray:
        """(1, 50 · window_s, width); as it was for its language, if it was listened to for that."""
        if (encoded := self._ahead.pop((piece, window_s), None)) is not None:
            return encoded
        return np.asarray(self._whisper.encode(self._spectrogram(piece, window_s)))

    def _spectrogram(self, piece: Piece, window_s: int) -> np.ndarray:
        """(1, bands, 100 · window_s)."""
        samples = window_s * SAMPLE_RATE
        # Silence as it sounds, not zeros in the spectrogram.
        padded = np.pad(piece.samples[:samples], (0, max(samples - len(piece.samples), 0)))
        return self._whisper.feature_extractor(padded)[None, :, : samples // HOP]


def text_tokens(result: Any, tokenizer: Tokenizer) -> list[int]:
    """What was decoded, without the times in between."""
    return [token for token in result.sequences_ids[0] if token < tokenizer.eot]


# ── in the table ─────────────────────────────────────────────────────────────


def _needs(settings: SpeechSettings) -> list[Need]:
    if importlib.util.find_spec("faster_whisper") is None:
        return [Need("faster-whisper", "not installed", _INSTALL)]
    model = settings.model
    if model == "auto":
        model = preferred("cuda" if settings.device != "cpu" and gpu_is_here() else "cpu")
    name = f"Whisper {Path(model).name}"
    if Path(model).is_dir():
        return [Need(name)]
    return [Need(name, None if on_disk(model) else "not on this machine", fetch=partial(fetch, model))]


def _describe(settings: SpeechSettings) -> dict[str, Any]:
    return described(settings, "faster-whisper", weights_sha256(settings.model))


SPEC = EngineSpec(
    kind="speech",
    name="faster-whisper",
    about="Whisper by CTranslate2, in all its languages",
    needs=_needs,
    describe=_describe,
    load=FasterWhisper,
    complete=complete,
    in_words=partial(in_words, "faster-whisper"),
)
