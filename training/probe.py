"""What a model answered when it was saved, kept with its run, and compared when it is read.

Weights that do not load, labels in another order, a head that is not the
adapter's: what is read then is a model all the same, and its scores are scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ..core.errors import EmoscribeError
from ..core.settings import Settings
from ..core.text import shortened

# Logits differ by so much between machines; by so much where weights have fewer bits, or other kernels add them up.
EXACT, ROUGH = 0.1, 1.0
# Of large ones, by this part of them besides.
_RELATIVE = 2e-3


class Probe(Settings):
    """Logits of what is asked, by label.

    Attributes:
        exact: whether they are from a processor, and weights in float32.
        logits: by what is asked.
    """

    exact: bool
    logits: Mapping[str, Mapping[str, float]]


class Probed(Protocol):
    """Of a run, what a probe is about."""

    @property
    def folder(self) -> Path: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def probe(self) -> Probe | None: ...


def probe_of(run: Probed, asked: Sequence[str], logits: np.ndarray, *, exact: bool) -> Probe:
    """What a model answers.

    Args:
        logits: (N, L), a row for what is asked.
    """
    rows = [dict(zip(_names(run), np.round(row, 4).tolist(), strict=True)) for row in logits]
    return Probe(exact=exact, logits=dict(zip(asked, rows, strict=True)))


def check_probe(run: Probed, now: Probe) -> None:
    """
    Args:
        run: one that remembers a probe, of what `now` was asked.

    Raises:
        EmoscribeError: its weights or labels are not those that it was saved with.
    """
    assert run.probe is not None
    allowed = EXACT if run.probe.exact and now.exact else ROUGH
    for asked, then in run.probe.logits.items():
        found = now.logits[asked]
        for label in sorted({*then, *found}):
            was, got = then.get(label), found.get(label)
            if was is None or got is None or not abs(got - was) <= allowed + _RELATIVE * abs(was):
                raise EmoscribeError(
                    f"run {run.folder} is not as it was saved: its weights or labels are others; to {shortened(asked)} "
                    f"it gave {label} {_shown(was)}, and gives {_shown(got)}; copy the whole run anew, or train again"
                )


def _names(run: Probed) -> tuple[str, ...]:
    return run.labels or ("rating",)


def _shown(logit: float | None) -> str:
    return "nothing" if logit is None else f"{logit:.2f}"
