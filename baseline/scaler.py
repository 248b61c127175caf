"""Features on a common scale: zero mean and unit variance over the training clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..core.errors import EmoscribeError
from ..core.tensors import load_tensors, save_tensors
from .frames import FeatureFrames


@dataclass(frozen=True, eq=False)
class Scaler:
    """What features are normalised by.

    Attributes:
        mean, scale: by feature (D,) float32.
    """

    mean: Mapping[str, np.ndarray]
    scale: Mapping[str, np.ndarray]

    def __call__(self, name: str, values: np.ndarray) -> np.ndarray:
        """(…, D) values of a feature, normalised; what was not measured is the mean, 0."""
        normalised = (values - self.mean[name]) / self.scale[name]
        normalised[~np.isfinite(normalised)] = 0
        return normalised


def fit_scaler(train: Sequence[FeatureFrames], streams: Sequence[str]) -> Scaler:
    """The scaler of the training clips, and of nothing else: not a number of dev or test must get in.

    What never varies keeps its scale, and what was never measured is as if
    its mean were 0.
    """
    mean, scale = {}, {}
    for name in streams:
        values = [clip.streams[name] for clip in train]
        counts = np.maximum(sum(np.isfinite(each).sum(axis=0) for each in values), 1)
        centre = sum(_finite(each).sum(axis=0) for each in values) / counts
        # In two passes: squares of large values far from 0 would swallow a small variance.
        spread = np.sqrt(sum((_finite(each, centre) ** 2).sum(axis=0) for each in values) / counts)
        constant = spread <= 1e-7 * (1 + np.abs(centre))
        mean[name] = centre.astype(np.float32)
        scale[name] = np.where(constant, 1.0, spread).astype(np.float32)
    return Scaler(mean, scale)


def save_scaler(scaler: Scaler, path: Path) -> None:
    """Raises:
    EmoscribeError: the file cannot be written.
    """
    parts = {"mean": scaler.mean, "scale": scaler.scale}
    save_tensors(
        {f"{name}.{part}": torch.from_numpy(array) for part, arrays in parts.items() for name, array in arrays.items()},
        path,
    )


def load_scaler(path: Path, streams: Sequence[str]) -> Scaler:
    """Raises:
    EmoscribeError: it is not there, damaged, or of other features.
    """
    tensors = load_tensors(path)
    if missing := [name for name in streams if f"{name}.mean" not in tensors or f"{name}.scale" not in tensors]:
        raise EmoscribeError(f"{path} does not know {missing[0]}, which the run reads; train the run anew")
    return Scaler(*({name: tensors[f"{name}.{part}"].numpy() for name in streams} for part in ("mean", "scale")))


def _finite(values: np.ndarray, centre: np.ndarray | float = 0.0) -> np.ndarray:
    """Values (T, D) less their centre in double precision, 0 where there are none."""
    return np.where(np.isfinite(values), values.astype(np.float64) - centre, 0.0)
