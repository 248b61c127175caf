"""What a report shows of answers that are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from . import figures
from .columns import Column
from .pages import MISTAKES, Kind, Report, mistakes
from .ratings import NumberPredictions
from .regression import in_words, metrics_for

MAE = Column("mae", "MAE", is_share=False, lower_is_better=True)
# What stands behind `accuracy_` and `f1_` in the names of metrics, as papers write it.
CUTS = {"2": "2", "2_non_negative": "2 (−/0+)", "2_nonzero": "2 (−/+)", "3": "3", "5": "5", "7": "7"}


def details(report: Report, one: NumberPredictions) -> dict[str, Any]:
    """The scale, its classes, and the clips furthest from their rating."""
    entry = report.entries[one.key]
    truth = np.array(one.truth, dtype=float)
    off = np.abs(one.values - truth)
    furthest = [row for row in np.argsort(-off, kind="stable")[:MISTAKES] if off[row]]
    return {
        "absent": [],
        "range": " to ".join(f"{bound:g}".replace("-", "−") for bound in one.range),
        "classes": [
            {
                "title": CUTS[name],
                "names": ", ".join(found["names"]),
                "n": found["n"],
                "accuracy": entry[f"accuracy_{name}"],
                "f1": entry.get(f"f1_{name}"),
            }
            for name, found in entry["classes"].items()
        ],
        "mistakes": mistakes(
            report,
            one,
            [
                (int(row), in_words(float(truth[row])), in_words(float(one.values[row])), in_words(float(off[row])))
                for row in furthest
            ],
        ),
    }


def pictures(report: Report, one: NumberPredictions) -> Mapping[str, str]:
    """What was answered over what is true, and how the classes are taken for each other."""
    entry = report.entries[one.key]
    drawn = {"scatter": figures.scatter_figure(np.array(one.truth, dtype=float), one.values, one.range)}
    if entry["classes"]:
        finest = list(entry["classes"].values())[-1]
        drawn["confusion"] = figures.confusion_figure(np.array(finest["confusion"]), finest["names"])
    return drawn


def numbers(bounds: tuple[float, float]) -> Kind:
    """For ratings on that scale, which says what classes there are."""
    columns = [MAE, Column("pearson", "Pearson r", is_share=False), Column("ccc", "CCC", is_share=False)]
    for name in metrics_for(bounds):
        score, _, cut = name.partition("_")
        if cut in CUTS:
            columns.append(Column(name, f"{'Acc' if score == 'accuracy' else 'F1'}-{CUTS[cut]}"))
    return Kind(
        page="numbers",
        units="with 95 % intervals; accuracies and F1 in %" if len(columns) > 3 else "with 95 % intervals",
        columns=tuple(columns),
        main=("mae", "ccc"),
        plain={},
        details=details,
        pictures=pictures,
    )
