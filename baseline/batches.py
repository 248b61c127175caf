"""Windows in batches: similar lengths together, normalised, padded to the longest of the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import SettingsError
from .frames import FeatureFrames
from .scaler import Scaler
from .windows import Window

if TYPE_CHECKING:
    from torch import Tensor


def shuffled_batches(windows: Sequence[Window], size: int, seed: int) -> list[np.ndarray]:
    """Indices in random batches of `size`, each of similar length."""
    rng = np.random.default_rng(seed)
    lengths = np.array([len(window) for window in windows])
    order = np.lexsort((rng.random(len(windows)), lengths))
    batches = [order[first : first + size] for first in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def sorted_batches(windows: Sequence[Window], size: int) -> list[np.ndarray]:
    """Indices in batches of `size`, the longest windows first: what does not fit into memory shows at once."""
    order = np.argsort([-len(window) for window in windows], kind="stable")
    return [order[first : first + size] for first in range(0, len(order), size)]


def collate(
    clips: Sequence[FeatureFrames], windows: Sequence[Window], scaler: Scaler, device: str
) -> tuple[dict[str, Tensor], Tensor]:
    """B windows as tensors: by feature (B, T, D) float32, and which of the frames are there, (B, T) bool.

    Padding is 0, which is every feature's mean.
    """
    import torch

    lengths = np.array([len(window) for window in windows])
    there = np.arange(lengths.max()) < lengths[:, None]
    streams = {}
    for name, mean in scaler.mean.items():
        padded = np.zeros((*there.shape, len(mean)), dtype=np.float32)
        rows = [clips[window.clip].streams[name][window.first : window.end] for window in windows]
        padded[there] = scaler(name, np.concatenate(rows))
        streams[name] = torch.from_numpy(padded).to(device, non_blocking=True)
    return streams, torch.from_numpy(there).to(device, non_blocking=True)


def check_streams(clips: Sequence[FeatureFrames], streams: Mapping[str, int]) -> None:
    """Raises:
    SettingsError: a clip lacks one of the features, or has it in another width or length.
    """
    for clip in clips:
        for name, width in streams.items():
            if name not in clip.streams:
                raise SettingsError(
                    f"clip {clip.id} lacks {name}, which the run reads; extract the features {', '.join(streams)}"
                )
            wanted, shape = (len(clip.times_s), width), clip.streams[name].shape
            if shape != wanted or not len(clip.times_s):
                raise SettingsError(
                    f"clip {clip.id}: {name} is {' × '.join(map(str, shape))}, the run reads {wanted[0]} × {width} "
                    "(frames × width, at least one frame); extract it with the run's own settings"
                )
