"""VGGish (Hershey et al., ICASSP 2017) and the log-mel spectrogram that it hears.

The spectrogram is that of its authors: 64 bands on the mel scale from 125 to
7500 Hz, of magnitudes in windows of 25 ms every 10 ms.  Weights are in the
layout of torchvggish, a port of theirs to PyTorch.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..media import SAMPLE_RATE
from .weights import fill, read_checkpoint

BANDS = 64
SIZE = 128
# 25 ms every 10 ms, and 96 of them are 0.96 s.
WINDOW, HOP = SAMPLE_RATE // 40, SAMPLE_RATE // 100
PATCH = 96

_FFT = 512
_LOWEST_HZ, _HIGHEST_HZ = 125.0, 7500.0
# Keeps the logarithm of silence finite.
_OFFSET = 0.01


class VGGish(nn.Module):
    """Six convolutions and three dense layers."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inward = 1
        for block in ((64,), (128,), (256, 256), (512, 512)):
            for outward in block:
                layers += [nn.Conv2d(inward, outward, 3, padding=1), nn.ReLU()]
                inward = outward
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            *(nn.Linear(512 * 4 * 6, 4096), nn.ReLU()),
            *(nn.Linear(4096, 4096), nn.ReLU()),
            *(nn.Linear(4096, SIZE), nn.ReLU()),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Embeddings (N, 128) of log-mel patches (N, 96, 64)."""
        maps = self.features(patches[:, None])
        # TensorFlow, whose weights these are, has channels last.
        return self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))


@lru_cache(maxsize=1)
def load_vggish(path: Path, digest: str, device: str) -> VGGish:
    """The network with the weights of a file, kept for the clips to come.

    Raises:
        EmoscribeError: the file holds something else.
    """
    # Built without weights of its own: they would take longer to draw than to read.
    with torch.device("meta"):
        network = VGGish()
    network = network.to_empty(device="cpu")
    fill("vggish", network, read_checkpoint("vggish", path), path)
    return network.to(device).eval()


def log_mel(samples: np.ndarray) -> np.ndarray:
    """(N, 64) float32 of samples (S,), a row every 10 ms; N is 0 for less than 25 ms."""
    if len(samples) < WINDOW:
        return np.empty((0, BANDS), dtype=np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    magnitudes = np.abs(np.fft.rfft(windows * _hann(), _FFT)).astype(np.float32)
    return np.log(magnitudes @ _filters() + _OFFSET)


@lru_cache(maxsize=1)
def _hann() -> np.ndarray:
    """Periodic."""
    return (0.5 - 0.5 * np.cos(2 * np.pi / WINDOW * np.arange(WINDOW))).astype(np.float32)


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """(257, 64) triangles that are straight on the mel scale."""
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(
        num_frequency_bins=_FFT // 2 + 1,
        num_mel_filters=BANDS,
        min_frequency=_LOWEST_HZ,
        max_frequency=_HIGHEST_HZ,
        sampling_rate=SAMPLE_RATE,
        mel_scale="htk",
        triangularize_in_mel_space=True,
    )
    return filters.astype(np.float32)
