"""CAM++ (Wang et al., Interspeech 2023), which hears who is speaking, and the spectrogram that it hears.

The network is a small two-dimensional front end over 80 mel bands and three
blocks of densely connected layers over time, in each of which a mask made of
the sound around a moment says what counts.  What it makes of each moment is
pooled over a stretch to a vector of 192 numbers.  Weights are those that
3D-Speaker publishes, trained on 200,000 people who speak Chinese or English
(Apache-2.0).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..media import SAMPLE_RATE

# 80 bands from 20 Hz, in windows of 25 ms every 10 ms.
BANDS = 80
WINDOW, HOP = SAMPLE_RATE // 40, SAMPLE_RATE // 100
# What the network makes of a sound has half as many rows.
FRAME_S = 2 * HOP / SAMPLE_RATE

_FFT = 512
_LOWEST_HZ = 20.0
_PREEMPHASIS = 0.97
# Of a float32: keeps the logarithm of silence finite.
_LEAST_ENERGY = float(np.finfo(np.float32).eps)

# Layers of each dense block, and how far apart the moments are that one looks at.
_BLOCKS = ((12, 1), (24, 2), (16, 2))
# Rows over which the surroundings of a moment are averaged.
_SURROUNDINGS = 100


class Campplus:
    """The network.

    Args:
        weights: by the names under which they are published.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = weights

    @torch.inference_mode()
    def frames(self, samples: np.ndarray) -> np.ndarray:
        """(T, 512) float32 of samples (N,) in −1–1: a row every `FRAME_S`; needs 25 ms or more."""
        with _one_thread():
            return self._frames(samples)

    def _frames(self, samples: np.ndarray) -> np.ndarray:
        bands = log_mel(samples)
        x = self._front(torch.from_numpy(bands - bands.mean(axis=0)).T[None])
        x = F.relu(self._norm("xvector.tdnn.nonlinear.batchnorm", self._conv("xvector.tdnn.linear", x, 2, 2)))
        for number, (layers, spread) in enumerate(_BLOCKS, 1):
            for layer in range(1, layers + 1):
                x = torch.cat([x, self._dense(f"xvector.block{number}.tdnnd{layer}", x, spread)], dim=1)
            x = F.relu(self._norm(f"xvector.transit{number}.nonlinear.batchnorm", x))
            x = self._conv(f"xvector.transit{number}.linear", x)
        return F.relu(self._norm("xvector.out_nonlinear.batchnorm", x))[0].T.numpy()

    @torch.inference_mode()
    def vector(self, frames: np.ndarray) -> np.ndarray:
        """(192,) of length 1, of the rows (T, 512) of a stretch; two or more."""
        rows = torch.from_numpy(frames)
        pooled = torch.cat([rows.mean(dim=0), rows.std(dim=0)])[None, :, None]
        vector = self._norm("xvector.dense.nonlinear.batchnorm", self._conv("xvector.dense.linear", pooled))
        return F.normalize(vector[0, :, 0], dim=0).numpy()

    def _front(self, bands: Tensor) -> Tensor:
        """(1, 80, T) to (1, 320, T): bands are halved three times, and 32 maps of ten remain."""
        x = F.relu(self._norm("head.bn1", self._conv("head.conv1", bands[:, None], 1, 1)))
        for name, stride in (("layer1.0", 2), ("layer1.1", 1), ("layer2.0", 2), ("layer2.1", 1)):
            x = self._residual(f"head.{name}", x, stride)
        x = F.relu(self._norm("head.bn2", self._conv("head.conv2", x, (2, 1), 1)))
        return x.flatten(1, 2)

    def _residual(self, name: str, x: Tensor, stride: int) -> Tensor:
        y = F.relu(self._norm(f"{name}.bn1", self._conv(f"{name}.conv1", x, (stride, 1), 1)))
        y = self._norm(f"{name}.bn2", self._conv(f"{name}.conv2", y, 1, 1))
        if stride > 1:
            x = self._norm(f"{name}.shortcut.1", self._conv(f"{name}.shortcut.0", x, (stride, 1)))
        return F.relu(x + y)

    def _dense(self, name: str, x: Tensor, spread: int) -> Tensor:
        """The 32 channels that a layer adds."""
        x = self._conv(f"{name}.linear1", F.relu(self._norm(f"{name}.nonlinear1.batchnorm", x)))
        x = F.relu(self._norm(f"{name}.nonlinear2.batchnorm", x))
        local = self._conv(f"{name}.cam_layer.linear_local", x, 1, spread, spread)
        around = F.avg_pool1d(x, _SURROUNDINGS, _SURROUNDINGS, ceil_mode=True)
        around = around.repeat_interleave(_SURROUNDINGS, dim=-1)[..., : x.shape[-1]]
        context = F.relu(self._conv(f"{name}.cam_layer.linear1", x.mean(dim=-1, keepdim=True) + around))
        return local * torch.sigmoid(self._conv(f"{name}.cam_layer.linear2", context))

    def _conv(
        self, name: str, x: Tensor, stride: int | tuple[int, int] = 1, padding: int = 0, spread: int = 1
    ) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights.get(f"{name}.bias")
        convolve = F.conv2d if weight.ndim == 4 else F.conv1d
        return convolve(x, weight, bias, stride, padding, spread)

    def _norm(self, name: str, x: Tensor) -> Tensor:
        mean, variance = self._weights[f"{name}.running_mean"], self._weights[f"{name}.running_var"]
        return F.batch_norm(x, mean, variance, self._weights.get(f"{name}.weight"), self._weights.get(f"{name}.bias"))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Its layers are so small that threads wait for each other for longer than they compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def log_mel(samples: np.ndarray) -> np.ndarray:
    """(T, 80) float32 of samples (N,) in −1–1, a row every 10 ms, as Kaldi computes it without dither."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP].astype(np.float64) * 2**15
    windows = windows - windows.mean(axis=1, keepdims=True)
    before = np.concatenate([windows[:, :1], windows[:, :-1]], axis=1)
    spectrum = np.fft.rfft((windows - _PREEMPHASIS * before) * _povey(), _FFT)
    power = spectrum.real**2 + spectrum.imag**2
    return np.log(np.maximum(power @ _filters(), _LEAST_ENERGY)).astype(np.float32)


@lru_cache(maxsize=1)
def _povey() -> np.ndarray:
    return (0.5 - 0.5 * np.cos(2 * np.pi / (WINDOW - 1) * np.arange(WINDOW))) ** 0.85


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """(257, 80) triangles that are straight on the mel scale."""
    from transformers.audio_utils import mel_filter_bank

    return mel_filter_bank(
        num_frequency_bins=_FFT // 2 + 1,
        num_mel_filters=BANDS,
        min_frequency=_LOWEST_HZ,
        max_frequency=SAMPLE_RATE / 2,
        sampling_rate=SAMPLE_RATE,
        mel_scale="kaldi",
        triangularize_in_mel_space=True,
    )
