"""What is said, as a language model's tokens see it, each over the time of its word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...core.context import DEFAULT, Context
from ...core.errors import UnavailableError
from ...core.timeline import Sequence as Rows
from ...core.timeline import Transcript, Word, timed_words
from .clock import Clock, clock_of, held
from .settings import FeatureSettings
from .weights import columns_of, device_for, fingerprint, model_folder, pretrained, weights_of

NAME = "token-embeddings"

# Of models with at least so many layers, the last ones are summed (Devlin et
# al., 2019, found that nearly as good as fine-tuning); of others, the last one is taken.
LAYERS = 4

# Longer texts are embedded in pieces; most models could not read them whole.
_MOST_TOKENS = 256
# Tokens that are embedded together, padding included.
_BATCH_TOKENS = 4096


def describe(transcript: Transcript, features: FeatureSettings) -> dict[str, Any]:
    """All that the embeddings depend on, for provenance and the store's key."""
    return {
        "feature": NAME,
        "layers": LAYERS,
        # Of words without times: each as long as it and the space behind it are.
        "spread": "with spaces",
        "weights": fingerprint(weights_of(NAME, features)),
        "transcript": asdict(transcript),
        "rate_hz": features.rate_hz,
    }


def columns(features: FeatureSettings, context: Context) -> tuple[str, ...]:
    """The names of an embedding's values, D of them.

    Raises:
        UnavailableError: the model is not here.
    """
    return columns_of(NAME, features, context)


def text_sequences(
    transcripts: Sequence[Transcript],
    durations_s: Sequence[float],
    features: FeatureSettings,
    context: Context = DEFAULT,
) -> list[Rows]:
    """Token embeddings of clips of which no more than the text is known, in their order.

    Args:
        transcripts: each with its words, or utterances, from 0 to the clip's duration.

    Raises:
        UnavailableError: the model or the device is not here.
        EmoscribeError: the model cannot be read.
    """
    clocks = [clock_of(0.0, duration_s, features.rate_hz) for duration_s in durations_s]
    return embed(transcripts, clocks, features, context)


def embed(
    transcripts: Sequence[Transcript],
    clocks: Sequence[Clock],
    features: FeatureSettings,
    context: Context = DEFAULT,
) -> list[Rows]:
    """Token embeddings of transcripts, each on its clock; what is said outside of it is left out.

    The tokens of a word are averaged and held over its time.  NaN where no
    word is said.

    Raises:
        UnavailableError, EmoscribeError: see `text_sequences`.
    """
    folder = model_folder(NAME, weights_of(NAME, features), context)
    tokenizer, model, most = _read_model(folder, fingerprint(str(folder)), device_for(features))
    pieces: list[tuple[int, tuple[Word, ...], Any]] = []
    for index, (transcript, clock) in enumerate(zip(transcripts, clocks, strict=True)):
        for utterance in transcript.utterances:
            if utterance.start_s < clock.end_s and utterance.end_s >= clock.start_s:
                pieces += [(index, *piece) for piece in _pieces(tokenizer, timed_words(utterance), most)]
    said: list[list[tuple[Word, np.ndarray]]] = [[] for _ in transcripts]
    pieces.sort(key=lambda piece: len(piece[2].ids))
    done = 0
    for batch in _batches(pieces):
        for (index, words, encoding), states in zip(batch, _states(model, batch, features), strict=True):
            said[index] += _words_of(words, encoding, states)
        done += len(batch)
        context.progress("embedding words", done / len(pieces))
    names = tuple(map(str, range(model.config.hidden_size)))
    return [
        Rows(names, clock.times_s, _laid(spoken, len(names), clock)) for spoken, clock in zip(said, clocks, strict=True)
    ]


def _laid(spoken: Sequence[tuple[Word, np.ndarray]], width: int, clock: Clock) -> np.ndarray:
    starts = np.array([word.start_s for word, _ in spoken], dtype=float)
    ends = np.array([word.end_s for word, _ in spoken], dtype=float)
    values = np.array([row for _, row in spoken], dtype=np.float32).reshape(len(spoken), width)
    return held(starts, ends, values, clock)


# ── words and tokens ─────────────────────────────────────────────────────────


def _pieces(tokenizer: Any, words: tuple[Word, ...], most: int) -> list[tuple[tuple[Word, ...], Any]]:
    """Words in runs that fit into the model, with their tokens; a word that does not is cut."""
    if not words:
        return []
    encoding = tokenizer.encode(" ".join(word.text.strip() for word in words))
    if len(encoding.ids) > most and len(words) > 1:
        half = len(words) // 2
        return _pieces(tokenizer, words[:half], most) + _pieces(tokenizer, words[half:], most)
    if len(encoding.ids) > most:
        encoding.truncate(most)
    return [(words, encoding)]


def _words_of(words: tuple[Word, ...], encoding: Any, states: np.ndarray) -> list[tuple[Word, np.ndarray]]:
    """Each word that has tokens, with their mean; states are (T, D)."""
    # A token is the word's in which it ends: some tokenizers begin with the space before it.
    ends = np.cumsum([len(word.text.strip()) + 1 for word in words])
    offsets = np.array(encoding.offsets).reshape(-1, 2)
    spoken = (np.array(encoding.special_tokens_mask) == 0) & (offsets[:, 0] < offsets[:, 1])
    word_of = np.searchsorted(ends, offsets[:, 1] - 1, side="right")
    return [
        (word, states[own].mean(axis=0)) for at, word in enumerate(words) if (own := spoken & (word_of == at)).any()
    ]


def _batches(pieces: Sequence[tuple[int, tuple[Word, ...], Any]]) -> list[list[tuple[int, tuple[Word, ...], Any]]]:
    """Pieces, in order of length, in batches of at most `_BATCH_TOKENS`."""
    batches: list[list[tuple[int, tuple[Word, ...], Any]]] = []
    for piece in pieces:
        # The next is the longest so far.
        if batches and (len(batches[-1]) + 1) * len(piece[2].ids) <= _BATCH_TOKENS:
            batches[-1].append(piece)
        else:
            batches.append([piece])
    return batches


# ── the model ────────────────────────────────────────────────────────────────


def _states(
    model: Any, batch: Sequence[tuple[int, tuple[Word, ...], Any]], features: FeatureSettings
) -> list[np.ndarray]:
    """The hidden states (T, D) of each piece."""
    import torch

    longest = max(len(encoding.ids) for *_, encoding in batch)
    ids = np.zeros((len(batch), longest), dtype=np.int64)
    attended = np.zeros_like(ids)
    for row, (*_, encoding) in enumerate(batch):
        ids[row, : len(encoding.ids)] = encoding.ids
        attended[row, : len(encoding.ids)] = 1
    device = device_for(features)
    with torch.inference_mode():
        hidden = model(
            input_ids=torch.from_numpy(ids).to(device),
            attention_mask=torch.from_numpy(attended).to(device),
            output_hidden_states=True,
        ).hidden_states
        # The first are the embeddings that go into the first layer.
        layers = hidden[-LAYERS:] if len(hidden) > LAYERS else hidden[-1:]
        states = torch.stack(layers).sum(dim=0).cpu().numpy()
    return [rows[: len(encoding.ids)] for rows, (*_, encoding) in zip(states, batch, strict=True)]


@lru_cache(maxsize=1)
def _read_model(folder: Path, digest: str, device: str) -> tuple[Any, Any, int]:
    """Tokenizer, model, and how many tokens it is given at most."""
    from tokenizers import Tokenizer
    from transformers import AutoModel

    if not (folder / "tokenizer.json").is_file():
        raise UnavailableError(f"feature {NAME}: no tokenizer.json in {folder}; save the tokenizer as a fast one")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    # What looks like a special token was said by somebody.
    tokenizer.encode_special_tokens = True
    # Some are stored with a cut and padding of their own.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    model = pretrained(NAME, AutoModel, folder, ("pooler.",))
    # Some positions of RoBERTa and its kin mean something else.
    positions = getattr(model.config, "max_position_embeddings", None) or _MOST_TOKENS + 2
    return tokenizer, model.to(device).eval(), min(_MOST_TOKENS, positions - 2)
