"""Labels that are made of basic emotions, scored from the scores of those: a rule, not a trained judgement.

Compound expressions and blends go the same way: a label set says which basic
emotions each label is made of (`LabelSet.parts`), and what is here makes its
scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field, model_validator

from .blends import are_blends, shares_in
from .errors import SettingsError
from .labels import LabelSet
from .settings import Settings

# Shares are counted in tenths, as coarsely as BLEMORE's (3 : 7, 5 : 5).
_TENTHS = 10
# Smaller probabilities are taken as this one where their logarithm is.
_SMALLEST = 1e-12


class BlendSettings(Settings):
    """Where one emotion becomes a blend: by what the weaker of the two likeliest has of both scores together."""

    presence: float = Field(default=0.15, gt=0, lt=0.5)
    """From this share on the weaker one is there, as 30 %; the default is half way between none and .3."""
    balance: float = Field(default=0.4, gt=0, lt=0.5)
    """From this share on both are even, 50 %; the default is half way between .3 and .5."""

    @model_validator(mode="after")
    def _in_order(self) -> BlendSettings:
        if self.presence > self.balance:
            raise ValueError(
                f"presence {self.presence} is above balance {self.balance}: what is not there cannot be half; "
                "lower presence or raise balance"
            )
        return self


DEFAULT = BlendSettings()


def from_basic(scores: Mapping[str, float], labels: LabelSet, settings: BlendSettings = DEFAULT) -> dict[str, float]:
    """Scores for labels that are made of basic emotions, from those for the basic ones; see `rows_from_basic`."""
    (row,) = rows_from_basic(np.array([list(scores.values())]), list(scores), labels, settings)
    return dict(zip(labels.labels, row.tolist(), strict=True))


def rows_from_basic(
    scores: np.ndarray, given: Sequence[str], labels: LabelSet, settings: BlendSettings = DEFAULT
) -> np.ndarray:
    """(N, L) scores for labels that are made of basic emotions, each row summing to 1.

    A compound label gets the mean of its two parts, so that what is plainly
    there is always part of the answer (a product would call a broad smile
    anything but happy for want of surprise).

    A blend gets how likely its tenths are in ten draws from the basic scores
    (p₁⁷·p₂³ for 70 : 30), times a weight for each kind of blend that puts the
    borders between kinds where the settings say.  The best answer is then the
    likeliest emotion alone or the two likeliest together; or neutral, which is
    in no blend, where it outweighs them.

    Args:
        scores: (N, B) probabilities.
        given: the B basic emotions that they are of.
        labels: with `parts`.

    Raises:
        SettingsError: a part has no score.
    """
    assert labels.parts is not None
    shares = np.zeros((len(labels.labels), len(given)))
    for row, label in enumerate(labels.labels):
        for part, share in labels.parts[label].items():
            if part not in given:
                raise SettingsError(
                    f"{labels.name} labels need scores for the basic emotions; {part!r} is not among {', '.join(given)}"
                )
            shares[row, given.index(part)] = share
    if not are_blends(labels.labels):
        return _normalised(scores @ shares.T)
    drawn = _TENTHS * np.log(np.maximum(scores, _SMALLEST)) @ shares.T + log_weights(labels.labels, settings)
    return _normalised(np.exp(drawn - drawn.max(axis=1, keepdims=True)))


def log_weights(labels: Sequence[str], settings: BlendSettings) -> np.ndarray:
    """(L,) logarithms of what the likelihood of each label's tenths is multiplied by.

    70 : 30 comes level with the stronger emotion alone, p₁¹⁰ = w·p₁⁷·p₂³, where
    p₂ / (p₁ + p₂) is `presence`; and 50 : 50 with 70 : 30 where it is `balance`.
    """
    there, even = (np.log(1 - share) - np.log(share) for share in (settings.presence, settings.balance))
    of_kind = {0: 0.0, 3: 3 * there, 5: 3 * there + 2 * even}
    weaker = [round(_TENTHS * (1 - max(shares_in(label).values()))) for label in labels]
    return np.array([of_kind[tenths] for tenths in weaker])


def _normalised(raw: np.ndarray) -> np.ndarray:
    total = raw.sum(axis=1, keepdims=True)
    return np.where(total > 0, raw / np.where(total > 0, total, 1), 1 / raw.shape[1])
