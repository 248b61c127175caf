"""What a report shows of answers that are sets of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import figures
from .columns import Column, dot
from .label_sets import LabelSetPredictions
from .pages import MISTAKES, Kind, Report, mistakes

F1 = Column("macro_f1", "macro F1")
# What a clip without any label is called.
NONE = "none"


def details(report: Report, one: LabelSetPredictions) -> dict[str, Any]:
    """The table by label, what is never true, and the clips furthest from their annotation."""
    entry = report.entries[one.key]
    truth = one.truth_matrix
    off = np.abs(one.scores - truth).sum(axis=1) * (one.answers != truth).any(axis=1)
    furthest = [row for row in np.argsort(-off, kind="stable")[:MISTAKES] if off[row]]
    return {
        "absent": [label for label in one.labels if not entry["per_class"][label]["support"]],
        "rows": [
            {"label": label, "auc": entry["auc"]["per_class"][label], **entry["per_class"][label]}
            for label in one.labels
        ],
        "none": entry["none"],
        "mistakes": mistakes(
            report,
            one,
            [(row, _listed(one, truth[row]), _listed(one, one.answers[row]), f"{off[row]:.2f}") for row in furthest],
        ),
    }


def pictures(report: Report, one: LabelSetPredictions) -> Mapping[str, str]:
    """F1 of each label that the data have, with its interval, and the ROC curves."""
    entry = report.entries[one.key]
    areas = [entry["auc"]["per_class"][label] for label in one.labels]
    of_labels = {label: found for label, found in entry["per_class"].items() if found["support"]}
    bars = [figures.Bar(label, [dot(F1, found["f1"], found["f1_interval"])]) for label, found in of_labels.items()]
    return {
        "f1": figures.intervals_figure(bars, ["F1, %"]) if bars else "",
        "roc": figures.roc_figure(one.truth_matrix, one.scores, one.labels, areas),
    }


def _listed(one: LabelSetPredictions, held: np.ndarray) -> str:
    return ", ".join(label for label, has in zip(one.labels, held, strict=True) if has) or NONE


LABEL_SETS = Kind(
    page="label_sets",
    units="in %, with 95 % intervals",
    columns=(
        F1,
        Column("micro_f1", "micro F1"),
        Column("samples_f1", "samples F1"),
        Column("weighted_accuracy", "weighted accuracy"),
        Column("weighted_f1", "weighted F1"),
        Column("jaccard", "Jaccard"),
        Column("exact_match", "exact match"),
        Column("hamming_loss", "Hamming loss", lower_is_better=True),
    ),
    main=("macro_f1", "weighted_accuracy"),
    plain={"mean AUC": lambda entry: entry["auc"]["macro"]},
    details=details,
    pictures=pictures,
)
