"""Where blends begin, for one run: thresholds fitted on dev, and answers by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.derived import DEFAULT, BlendSettings, log_weights
from ..core.errors import MediaError, SettingsError
from ..core.files import read_json
from ..core.settings import validate
from .metrics import confusion, presence_accuracy, salience_accuracy
from .predictions import Predictions

FILE = "blends.json"

# What is tried of either threshold, in hundredths.
_TRIED = range(2, 50, 2)


def with_thresholds(predictions: Predictions, settings: BlendSettings) -> Predictions:
    """What a run answers with these thresholds, from what it answered with the default ones."""
    labels = predictions.labels
    # A score's factor depends on the kind of blend alone, so that nothing has to be read again.
    scores = predictions.scores * np.exp(log_weights(labels, settings) - log_weights(labels, DEFAULT))
    return replace(predictions, scores=scores / scores.sum(axis=1, keepdims=True))


def fit(predictions: Predictions) -> dict[str, float]:
    """The thresholds with the best mean of presence and salience accuracy, and both accuracies.

    Of equally good ones those nearest to the default.  The clips must not be
    those that the thresholds are then measured on.

    Args:
        predictions: with the default thresholds.

    Raises:
        EmoscribeError: no clip has a label.
    """
    predictions = predictions.labelled()
    pairs = [(there, even) for there in _TRIED for even in _TRIED if there <= even]
    return max((_tried(predictions, there / 100, even / 100) for there, even in pairs), key=_goodness)


def _tried(predictions: Predictions, presence: float, balance: float) -> dict[str, float]:
    answered = with_thresholds(predictions, BlendSettings(presence=presence, balance=balance))
    matrix = confusion(answered.truth_index, answered.answers, len(answered.labels))
    return {
        "presence": presence,
        "balance": balance,
        "presence_accuracy": float(presence_accuracy(matrix, answered.labels)),
        "salience_accuracy": float(salience_accuracy(matrix, answered.labels)),
    }


def _goodness(tried: Mapping[str, float]) -> tuple[float, float]:
    off = abs(tried["presence"] - DEFAULT.presence) + abs(tried["balance"] - DEFAULT.balance)
    return round(tried["presence_accuracy"] + tried["salience_accuracy"], 9), -off


def read_thresholds(path: str | Path, keys: Sequence[str]) -> dict[str, BlendSettings]:
    """The thresholds that were fitted for each of these keys of predictions.

    Args:
        path: a `blends.json` as an evaluation on dev writes it.

    Raises:
        SettingsError: it is none, or lacks one of the keys.
    """
    try:
        fitted: Any = read_json(path)
    except MediaError as error:
        raise SettingsError(f"--blends: {error}") from None
    if not isinstance(fitted, dict) or not all(isinstance(one, dict) for one in fitted.values()):
        raise SettingsError(f"--blends {path} must map runs to thresholds, as {FILE} of an evaluation on dev does")
    missing = next((key for key in keys if key not in fitted), None)
    if missing is not None:
        raise SettingsError(
            f"--blends {path} has thresholds for {', '.join(fitted) or 'no run'}, not for {missing}; "
            "evaluate the same runs and signals with --split dev first"
        )
    named = BlendSettings.model_fields
    return {
        key: validate(BlendSettings, {name: value for name, value in fitted[key].items() if name in named}, str(path))
        for key in keys
    }
