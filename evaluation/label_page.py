"""What a report shows of answers that are one label a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.blends import are_blends
from . import figures
from .calibration import reliability
from .columns import Column
from .metrics import f1, interval, resampled
from .pages import MISTAKES, Kind, Report, mistakes
from .predictions import Predictions


@dataclass(frozen=True)
class LabelRow:
    """One label of one run, as a line of a table; `f1_interval` in 0–1."""

    label: str
    precision: float
    recall: float
    f1: float
    f1_interval: tuple[float, float]
    auc: float | None
    support: int
    answered: int


def details(report: Report, one: Predictions) -> dict[str, Any]:
    """The table by label, what is never true, and the surest mistakes."""
    entry = report.entries[one.key]
    matrix = np.array(entry["confusion"])
    low, high = interval(f1(resampled(matrix, report.resamples, report.seed)))
    confidence = one.scores.max(axis=1)
    wrong = np.flatnonzero(one.answers != one.truth_index)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    return {
        "absent": [label for label in one.labels if label not in one.truth],
        "rows": [
            LabelRow(
                label=label,
                f1_interval=(low[row], high[row]),
                auc=entry["auc"]["per_class"][label],
                answered=int(matrix[:, row].sum()),
                **entry["per_class"][label],
            )
            for row, label in enumerate(one.labels)
        ],
        "mistakes": mistakes(
            report,
            one,
            [
                (
                    row,
                    one.labels[one.truth_index[row]],
                    one.labels[one.answers[row]],
                    f"{100 * confidence[row]:.1f}",
                )
                for row in surest
            ],
        ),
    }


def pictures(report: Report, one: Predictions) -> Mapping[str, str]:
    """The confusion matrix, the reliability and the ROC curves."""
    entry = report.entries[one.key]
    areas = [entry["auc"]["per_class"][label] for label in one.labels]
    curve = reliability(one.scores.max(axis=1), one.answers == one.truth_index)
    truth = one.truth_index[:, None] == np.arange(len(one.labels))
    return {
        "confusion": figures.confusion_figure(np.array(entry["confusion"]), one.labels),
        "reliability": figures.reliability_figure(curve),
        "roc": figures.roc_figure(truth, one.scores, one.labels, areas),
    }


LABELS = Kind(
    page="labels",
    units="in %, with 95 % intervals",
    columns=(
        Column("accuracy", "accuracy"),
        Column("balanced_accuracy", "balanced accuracy"),
        Column("weighted_f1", "weighted F1"),
        Column("macro_f1", "macro F1"),
    ),
    main=("weighted_f1", "macro_f1"),
    plain={"mean AUC": lambda entry: entry["auc"]["macro"], "ECE": lambda entry: entry["ece"]},
    details=details,
    pictures=pictures,
)


def labels_kind(labels: Sequence[str]) -> Kind:
    """What is shown of these labels: of blends their two metrics first."""
    if not are_blends(labels):
        return LABELS
    presence = Column("presence_accuracy", "presence accuracy")
    salience = Column("salience_accuracy", "salience accuracy")
    return replace(
        LABELS,
        columns=(presence, salience, *LABELS.columns),
        main=(presence.name, salience.name),
    )
