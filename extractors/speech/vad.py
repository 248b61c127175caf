"""Where somebody speaks: Silero VAD over streamed sound.

The network (Silero Team, 2021–2025; MIT) comes with its weights in the wheel
`silero-vad`.  It is small enough for NumPy, which spares everybody who waits
for a transcript the import of torch, and runs a block at a time where the
wheel's own TorchScript takes one frame a call: a tenth of the time.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...core.errors import UnavailableError
from ..media import SAMPLE_RATE, Sound

# A probability for every 512 samples (32 ms), judged with the 64 before them.
FRAME = 512
CONTEXT = 64
FRAME_S = FRAME / SAMPLE_RATE
# A multiple of a frame, about ten seconds.
BLOCK_S = 312 * FRAME_S

# Speech begins above the first and ends below the second.  Silero's default for
# that is 0.35, which cuts short who shouts or weeps: 4 in 360 acted recordings,
# and this 1.  Still lower, and in noise pauses are no longer found.
BEGIN = 0.5
END = 0.25
# Shorter sounds are clicks and coughs.
MIN_SPEECH_S = 0.2
# A longer pause ends an utterance.
MIN_PAUSE_S = 0.6
# Added at either end: consonants are softer than what the network asks for.
MARGIN_S = 0.1
# Who speaks longer without a pause is cut where speech is least sure.
MAX_STRETCH_S = 15.0

# Of a stretch that goes on, the last words may turn out to be others when more of it is heard.
UNSETTLED_S = 0.8
# It is heard again from a quiet place on, rather than from its beginning, once it is so long.
CONTEXT_S = 4.0

Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Stretch:
    """Somebody speaks without a pause.

    Attributes:
        goes_on: whether this is only as far as it has come.
    """

    start_s: float
    end_s: float
    goes_on: bool = False


def stretches(
    sound: Sound,
    settled: Callable[[float], None] = lambda time_s: None,
    min_pause_s: float = MIN_PAUSE_S,
    due: Callable[[float], bool] = lambda time_s: False,
) -> Iterator[Stretch]:
    """The stretches of speech in a sound, in order, each as soon as it has ended.

    Args:
        min_pause_s: a longer pause ends one.
        settled: told up to when it is known who speaks: to where a stretch
            that goes on began, or else to what was heard last.
        due: told how far a stretch that goes on has come; whether it is
            wanted as far as that.  What of it is settled is not given anew
            once it is long, but the rest with what came before.

    Raises:
        UnavailableError: the weights are not installed.
    """
    start: int | None = None
    start_s = 0.0
    speaking = 0
    history: list[float] = []
    index = -1
    origin_s = sound.start_s

    def at(frame: int) -> float:
        return origin_s + frame * FRAME_S

    for index, probability in enumerate(probabilities(sound, silero_weights())):
        if start is None:
            settled(at(index) - MARGIN_S)
            if probability < BEGIN:
                continue
            start, start_s, history = index, max(origin_s, at(index) - MARGIN_S), []
        history.append(probability)
        if probability >= END:
            speaking = index
        elif (index - speaking) * FRAME_S >= min_pause_s:
            if (speaking + 1 - start) * FRAME_S >= MIN_SPEECH_S:
                yield Stretch(start_s, at(speaking + 1) + MARGIN_S)
            start = None
            continue
        if due(at(index + 1)):
            yield Stretch(start_s, at(index + 1), goes_on=True)
            if (index - start) * FRAME_S >= CONTEXT_S:
                half, known = len(history) // 2, round(UNSETTLED_S / FRAME_S)
                cut = half + int(np.argmin(history[half:-known]))
                start, start_s, history = start + cut, at(start + cut), history[cut:]
        if (index - start) * FRAME_S >= MAX_STRETCH_S:
            half = len(history) // 2
            cut = half + int(np.argmin(history[half:]))
            yield Stretch(start_s, at(start + cut))
            start, start_s, history = start + cut, at(start + cut), history[cut:]
            settled(start_s)
    if start is not None and (speaking + 1 - start) * FRAME_S >= MIN_SPEECH_S:
        yield Stretch(start_s, min(sound.end_s, at(speaking + 1) + MARGIN_S))


def probabilities(sound: Sound, weights: Weights) -> Iterator[float]:
    """The probability of speech in each frame of 32 ms; the last is filled up with silence."""
    before = np.zeros(CONTEXT, dtype=np.float32)
    state = np.zeros((2, 128), dtype=np.float32)
    for _, samples in sound.blocks(BLOCK_S):
        samples = np.pad(samples, (0, -len(samples) % FRAME))
        judged, state = _judge(weights, np.concatenate([before, samples]), state)
        before = samples[-CONTEXT:]
        yield from judged.tolist()


@cache
def silero_weights() -> Weights:
    """The weights in the wheel, by the names that they have there.

    Raises:
        UnavailableError: they are not installed.
    """
    from safetensors.numpy import load_file

    # The package itself is not imported: that sets torch's number of threads.
    spec = importlib.util.find_spec("silero_vad")
    path = Path(spec.origin).parent / "data" / "silero_vad_16k.safetensors" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise UnavailableError("the weights that find speech are not installed; pip install 'silero-vad>=6.2.1'")
    return load_file(path)


# ── the network ──────────────────────────────────────────────────────────────


def _judge(weights: Weights, samples: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N,) of the N frames in (64 + N · 512,) samples, and the LSTM's next state (2, 128)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, CONTEXT + FRAME)[::FRAME]
    frames = np.pad(frames, ((0, 0), (0, 64)), mode="reflect")
    # Short-time Fourier transform: four windows of 256 a frame, real and imaginary part.
    windows = np.lib.stride_tricks.sliding_window_view(frames, 256, axis=1)[:, ::128]
    real, imaginary = np.split(windows @ weights["stft_conv.weight"][:, 0].T, 2, axis=-1)
    features = np.sqrt(real**2 + imaginary**2)
    for layer, stride in ((1, 1), (2, 2), (3, 2), (4, 1)):
        features = _convolve(features, weights[f"conv{layer}.weight"], weights[f"conv{layer}.bias"], stride)
    hidden = _lstm(weights, features[:, 0], state)
    logits = np.maximum(hidden[:, 0], 0) @ weights["final_conv.weight"][0, :, 0] + weights["final_conv.bias"][0]
    return _sigmoid(logits), hidden[-1]


def _convolve(features: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """(N, T, in) to (N, T / stride, out): three steps wide, zeros around, rectified."""
    padded = np.pad(features, ((0, 0), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1)[:, ::stride]
    flat = windows.reshape(*windows.shape[:2], -1)
    return np.maximum(flat @ weight.reshape(len(weight), -1).T + bias, 0)


def _lstm(weights: Weights, inputs: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Hidden and cell state after each of N inputs (N, 128): (N, 2, 128)."""
    from_inputs = (
        inputs @ weights["lstm_cell.weight_ih"].T + weights["lstm_cell.bias_ih"] + weights["lstm_cell.bias_hh"]
    )
    from_hidden = weights["lstm_cell.weight_hh"].T.copy()
    states = np.empty((len(inputs), 2, 128), dtype=np.float32)
    hidden, cell = state
    for step, gates in enumerate(from_inputs):
        gates = gates + hidden @ from_hidden
        sigmoid = _sigmoid(gates)
        cell = sigmoid[128:256] * cell + sigmoid[:128] * np.tanh(gates[256:384])
        hidden = sigmoid[384:] * np.tanh(cell)
        states[step] = hidden, cell
    return states


def _sigmoid(x: np.ndarray) -> np.ndarray:
    # In terms of tanh, which does not overflow.
    return 0.5 * (1 + np.tanh(0.5 * x))
