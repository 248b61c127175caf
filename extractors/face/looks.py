"""What a face looks like: the mean of what a classifier sees in its picture, and what that and its movements add up to.

The classifier alone is taken in by lighting and age, movements alone by tears:
crying moves the mouth as laughing does.  Their sum is a logistic regression
on labelled stills; the mean keeps what those stills hardly show, which is
fear.  `recipes/calibrate_face_units.py` made the numbers in `looks.json`.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LOOKS = Path(__file__).with_name("looks.json")

# Probabilities are told apart down to this; so are movements, of either end.
_LEAST = 1e-3


@dataclass(frozen=True, eq=False)
class Looks:
    """A logistic regression over what a classifier sees and the movements of a face.

    Attributes:
        source: data behind the numbers.
        weights: (E, E + B), of the features of `features`.
        bias: (E,).
    """

    source: str
    weights: np.ndarray
    bias: np.ndarray

    def rate(self, emotions: np.ndarray, blendshapes: np.ndarray) -> np.ndarray:
        """(N, E) probabilities, of the classifier's (N, E) and of blendshapes (N, B)."""
        scores = features(emotions, blendshapes) @ self.weights.T + self.bias
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (emotions + likely / likely.sum(axis=1, keepdims=True)) / 2


def features(emotions: np.ndarray, blendshapes: np.ndarray) -> np.ndarray:
    """(N, E + B): logarithms of probabilities (N, E) and logits of movements (N, B)."""
    moved = np.log((blendshapes + _LEAST) / (1.0 - blendshapes + _LEAST))
    return np.concatenate([np.log(np.maximum(emotions, _LEAST)), moved], axis=1)


@functools.cache
def shipped_looks() -> Looks:
    """The regression in the package."""
    values = json.loads(LOOKS.read_text(encoding="utf-8"))
    return Looks(values["source"], np.array(values["weights"]), np.array(values["bias"]))
