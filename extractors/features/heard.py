"""What is heard: descriptors of sound, and what networks make of it.

Each function gives a `Sequence` with the times at which things were measured,
of a whole recording; memory is bounded by the rows alone, since the sound is
read a window at a time.
"""

from __future__ import annotations

import importlib.metadata
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core.context import Context
from ...core.errors import EmoscribeError
from ...core.timeline import Sequence
from ...core.weights import MODELS
from ..media import SAMPLE_RATE, Sound
from .settings import FeatureSettings
from .weights import (
    columns_of,
    device_for,
    fingerprint,
    given_file,
    model_folder,
    pretrained,
    published_file,
    weights_of,
)

if TYPE_CHECKING:
    from torch import nn

# The sound is read so much at a time, with so much before and after it that
# smoothing and attention do not see an end where there is none.
WINDOW_S = 20.0
MARGIN_S = 1.0

# Windows of VGGish overlap, so that one lies about each frame of the clock.
VGGISH_HOP_S = 0.24

_OPENSMILE = {"egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}

# openSMILE's longest analysis window.
_LLD_WINDOW_S = 0.06

# How far from its time a row says something: to the end of what it was measured in.
REACH_S: Mapping[str, float] = {
    "egemaps": _LLD_WINDOW_S,
    "compare": _LLD_WINDOW_S,
    "log-mel": 0.025,
    "wav2vec2": 0.025,
    "vggish": 0.96 / 2 + VGGISH_HOP_S,
}


def measure(
    name: str,
    sound: Sound,
    features: FeatureSettings,
    context: Context,
    progress: Callable[[float], None] = lambda done: None,
) -> Sequence:
    """A feature of a recording, on its own times (N,) from the start.

    Raises:
        UnavailableError: its weights or the device are not here.
        EmoscribeError: the weights are another network's.
    """
    measured: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    if name in _OPENSMILE:
        measured = partial(_descriptors, name)
    elif name == "log-mel":
        measured = _log_mel
    elif name == "vggish":
        measured = partial(_vggish, _load_vggish(features, context), device_for(features))
    else:
        measured = partial(_wav2vec2, *_load_wav2vec2(features, context), device_for(features))
    times, rows = [np.empty(0)], [np.empty((0, len(columns(name, features, context))), dtype=np.float32)]
    for offset_s, start_s, end_s, samples in _windows(sound):
        window_times_s, values = measured(samples)
        window_times_s = window_times_s + offset_s
        kept = (window_times_s >= start_s) & (window_times_s < end_s)
        times.append(window_times_s[kept])
        rows.append(values[kept])
        progress(min(end_s / sound.duration_s, 1.0))
    return Sequence(columns(name, features, context), np.concatenate(times), np.concatenate(rows))


def columns(name: str, features: FeatureSettings, context: Context) -> tuple[str, ...]:
    """The names of a feature's values, D of them.

    Raises:
        UnavailableError: a model of unknown width is not here.
    """
    if name in _OPENSMILE:
        return tuple(_opensmile(name).feature_names)
    if name == "wav2vec2":
        return columns_of(name, features, context)
    from .vggish import BANDS, SIZE

    return tuple(map(str, range(SIZE if name == "vggish" else BANDS)))


def describe(name: str, features: FeatureSettings) -> dict[str, Any]:
    """All that a feature depends on besides the file, for provenance and the store's key."""
    source: dict[str, Any] = {"feature": name, "window_s": WINDOW_S, "margin_s": MARGIN_S}
    if name in _OPENSMILE:
        return source | {"features": _OPENSMILE[name], "version": importlib.metadata.version("opensmile")}
    if name == "vggish":
        source |= {"hop_s": VGGISH_HOP_S}
    return source if name == "log-mel" else source | {"weights": fingerprint(weights_of(name, features))}


def _windows(sound: Sound) -> Iterator[tuple[float, float, float, np.ndarray]]:
    """The sound in turn: where the samples (N,) start, what of them is meant, and they."""
    for index in range(math.ceil(sound.duration_s / WINDOW_S)):
        start_s, end_s = index * WINDOW_S, (index + 1) * WINDOW_S
        offset_s = max(0.0, start_s - MARGIN_S)
        yield offset_s, start_s, end_s, sound.read(offset_s, end_s + MARGIN_S)


# ── openSMILE ────────────────────────────────────────────────────────────────


@lru_cache(maxsize=2)
def _opensmile(name: str) -> Any:
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet[_OPENSMILE[name]], opensmile.FeatureLevel.LowLevelDescriptors)


def _descriptors(name: str, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Low-level descriptors: a row every 10 ms; NaN throughout where there is too little sound."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        table = _opensmile(name).process_signal(samples, SAMPLE_RATE)
    starts = table.index.get_level_values("start").total_seconds().to_numpy()
    return starts, table.to_numpy(dtype=np.float32)


# ── VGGish ───────────────────────────────────────────────────────────────────


def _log_mel(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from . import vggish

    values = vggish.log_mel(samples)
    return (np.arange(len(values)) * vggish.HOP + vggish.WINDOW / 2) / SAMPLE_RATE, values


def _load_vggish(features: FeatureSettings, context: Context) -> nn.Module:
    from .vggish import load_vggish

    path = vggish_file(features, context)
    return load_vggish(path, fingerprint(str(path)), device_for(features))


def vggish_file(features: FeatureSettings, context: Context) -> Path:
    """Where the weights of `vggish` lie; downloaded where they are not here.

    Raises:
        UnavailableError: they cannot be had.
        EmoscribeError: the setting names none that would do.
    """
    weights = weights_of("vggish", features)
    path = given_file("vggish", weights)
    if path is not None:
        return path
    model = MODELS.get(weights)
    if model is None or model.url is None:
        raise EmoscribeError(f"features.weights.vggish must be torchvggish or a file of its weights, got {weights!r}")
    return published_file("vggish", model.url, context, model.sha256)


def _vggish(network: nn.Module, device: str, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A row every `VGGISH_HOP_S`, at the middle of its 0.96 s; what ends sooner ends in silence."""
    import torch

    from . import vggish

    least = (vggish.PATCH - 1) * vggish.HOP + vggish.WINDOW
    mel = vggish.log_mel(np.pad(samples, (0, max(0, least - len(samples)))))
    hop = round(VGGISH_HOP_S * SAMPLE_RATE / vggish.HOP)
    patches = np.lib.stride_tricks.sliding_window_view(mel, vggish.PATCH, axis=0)[::hop].transpose(0, 2, 1)
    with torch.inference_mode():
        values = network(torch.from_numpy(np.ascontiguousarray(patches)).to(device)).cpu().numpy()
    return (np.arange(len(values)) * hop + vggish.PATCH / 2) * vggish.HOP / SAMPLE_RATE, values


# ── wav2vec 2.0 ──────────────────────────────────────────────────────────────


def _load_wav2vec2(features: FeatureSettings, context: Context) -> tuple[Any, Any]:
    weights = weights_of("wav2vec2", features)
    folder = model_folder("wav2vec2", weights, context)
    return _read_wav2vec2(folder, fingerprint(str(folder)), device_for(features))


@lru_cache(maxsize=1)
def _read_wav2vec2(folder: Path, digest: str, device: str) -> tuple[Any, Any]:
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

    described = (folder / "preprocessor_config.json").is_file()
    prepare = Wav2Vec2FeatureExtractor.from_pretrained(folder) if described else Wav2Vec2FeatureExtractor()
    # What hides parts of the sound in training is not needed to hear it.
    model = pretrained("wav2vec2", Wav2Vec2Model, folder, ("masked_spec_embed",))
    return prepare, model.to(device).eval()


def _wav2vec2(prepare: Any, model: Any, device: str, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last hidden state, a row every 20 ms, at the middle of the 25 ms that its convolutions see."""
    import torch

    strides, kernels = model.config.conv_stride, model.config.conv_kernel
    hop = math.prod(strides)
    seen = 1 + sum((kernel - 1) * math.prod(strides[:layer]) for layer, kernel in enumerate(kernels))
    samples = np.pad(samples, (0, max(0, seen - len(samples))))
    prepared = prepare(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_values
    with torch.inference_mode():
        values = model(prepared.to(device)).last_hidden_state[0].cpu().numpy()
    return (np.arange(len(values)) * hop + seen / 2) / SAMPLE_RATE, values
