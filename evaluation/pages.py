"""The report as a page and as Markdown, from the templates in `page/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import figures
from .calibration import reliability
from .comparison import Comparison, Difference, in_words, p_in_words, signed_points
from .metrics import METRICS, f1, interval, resampled
from .predictions import Predictions
from .references import Reference

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "page"

METRIC_NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "weighted_f1": "weighted F1",
    "macro_f1": "macro F1",
}
REFERENCE_NAMES = {"majority": "majority label", "tfidf_logistic_regression": "TF-IDF + logistic regression"}
MODALITY_NAMES = {"T": "what was said", "V": "the face", "A": "the voice"}
# Mistakes shown of each run, the surest first.
MISTAKES = 10
# Runs whose details stand open, pairs put into sentences.
OPEN_RUNS = 2
SENTENCES = 6


@dataclass(frozen=True, eq=False)
class Report:
    """All that the page shows.

    Attributes:
        predictions: the labelled clips of each run.
        entries: as in `metrics.json`, by key.
        texts: what was said, by clip.
        unlabelled: clips of the split that have no label.
        notes: on the data; about: a line on a run, by its name.
    """

    corpus: str
    split: str
    predictions: Sequence[Predictions]
    entries: Mapping[str, Mapping[str, Any]]
    comparisons: Sequence[Comparison]
    references: Sequence[Reference]
    texts: Mapping[str, str]
    unlabelled: int
    notes: Sequence[str]
    about: Mapping[str, str]
    resamples: int
    seed: int


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


@dataclass(frozen=True)
class Mistake:
    """A clip that was answered wrongly, and how sure the run was."""

    clip: str
    text: str
    truth: str
    answer: str
    confidence: float


@dataclass(frozen=True)
class Ablation:
    """A set of modalities of a run, against the run's fullest set (`None` for that one)."""

    key: str
    run: str
    letters: str
    words: str
    entry: Mapping[str, Any]
    fullest: str
    gains: Mapping[str, Difference] | None


def html_page(report: Report) -> str:
    """One self-contained file: no script, no external request."""
    template = environment(autoescape=True).get_template("report.html.j2")
    return template.render(
        **_context(report),
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        overview=_overview(report),
        pictures={one.key: _pictures(report, one) for one in report.predictions},
        open_runs=OPEN_RUNS,
    )


def markdown_page(report: Report) -> str:
    """The same without pictures, for a repository or a terminal."""
    return environment(autoescape=False).get_template("report.md.j2").render(**_context(report))


def environment(autoescape: bool) -> Environment:
    """The templates of `page/`, with the filters that they use."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "points": _points,
        "signed": signed_points,
        "md": _markdown,
        "p": p_in_words,
        "thousands": "{:,}".format,
    }
    return environment


def _context(report: Report) -> dict[str, Any]:
    ablations = _ablations(report)
    against_fullest = {(one.key, one.fullest) for one in ablations}
    others = [
        one
        for one in report.comparisons
        if (one.a, one.b) not in against_fullest and (one.b, one.a) not in against_fullest
    ]
    first = report.predictions[0]
    return {
        "report": report,
        "metric_names": METRIC_NAMES,
        "reference_names": REFERENCE_NAMES,
        "modality_names": MODALITY_NAMES,
        "best": {name: max(entry[name] for entry in report.entries.values()) for name in METRICS},
        "ablations": ablations,
        "pairs": others,
        "sentences": [in_words(one) for one in others[:SENTENCES]],
        "absent": [label for label in first.labels if label not in first.truth],
        "label_rows": {one.key: _label_rows(report, one) for one in report.predictions},
        "mistakes": {one.key: _mistakes(report, one) for one in report.predictions},
    }


# ── what the tables hold ─────────────────────────────────────────────────────


def _label_rows(report: Report, one: Predictions) -> list[LabelRow]:
    entry = report.entries[one.key]
    matrix = np.array(entry["confusion"])
    low, high = interval(f1(resampled(matrix, report.resamples, report.seed)))
    return [
        LabelRow(
            label=label,
            f1_interval=(low[row], high[row]),
            auc=entry["auc"]["per_class"][label],
            answered=int(matrix[:, row].sum()),
            **entry["per_class"][label],
        )
        for row, label in enumerate(one.labels)
    ]


def _mistakes(report: Report, one: Predictions) -> list[Mistake]:
    confidence = one.scores.max(axis=1)
    wrong = np.flatnonzero(one.answers != one.truth_index)
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    return [
        Mistake(
            clip=one.clip_ids[row],
            text=report.texts.get(one.clip_ids[row], ""),
            truth=one.labels[one.truth_index[row]],
            answer=one.labels[one.answers[row]],
            confidence=float(confidence[row]),
        )
        for row in surest
    ]


def _ablations(report: Report) -> list[Ablation]:
    """The runs that were read with more than one set of modalities, each set against the fullest."""
    found = []
    for run, decision in dict.fromkeys((one.run, one.decision) for one in report.predictions):
        sets = [one for one in report.predictions if (one.run, one.decision) == (run, decision) and one.modalities]
        if len(sets) < 2:
            continue
        sets.sort(key=lambda one: (-len(one.modalities or ""), report.predictions.index(one)))
        fullest = sets[0].key
        for one in sets:
            letters = one.modalities or ""
            found.append(
                Ablation(
                    key=one.key,
                    run=run,
                    letters=letters,
                    words=" + ".join(MODALITY_NAMES.get(letter, letter) for letter in letters),
                    entry=report.entries[one.key],
                    fullest=fullest,
                    gains=_gains(report.comparisons, fullest, one.key),
                )
            )
    return found


def _gains(comparisons: Sequence[Comparison], base: str, other: str) -> dict[str, Difference] | None:
    """How much higher `other` is than `base`, by metric; `None` for the same one."""
    for one in comparisons:
        if (one.a, one.b) == (base, other):
            return dict(one.differences)
        if (one.b, one.a) == (base, other):
            return {
                name: Difference(-found.difference, -found.high, -found.low, found.p)
                for name, found in one.differences.items()
            }
    return None


# ── pictures ─────────────────────────────────────────────────────────────────


def _overview(report: Report) -> str:
    metrics = ("weighted_f1", "macro_f1")
    measured = [(key, entry, False) for key, entry in report.entries.items()]
    measured += [(REFERENCE_NAMES[one.name], one.measured, True) for one in report.references if one.measured]
    rows = [
        figures.Bar(name, [(entry[metric], *entry["intervals"][metric]) for metric in metrics], is_reference)
        for name, entry, is_reference in measured
    ]
    return figures.intervals_figure(rows, [METRIC_NAMES[metric] for metric in metrics])


def _pictures(report: Report, one: Predictions) -> dict[str, str]:
    entry = report.entries[one.key]
    areas = [entry["auc"]["per_class"][label] for label in one.labels]
    curve = reliability(one.scores.max(axis=1), one.answers == one.truth_index)
    return {
        "confusion": figures.confusion_figure(np.array(entry["confusion"]), one.labels),
        "reliability": figures.reliability_figure(curve),
        "roc": figures.roc_figure(one.truth_index, one.scores, one.labels, areas),
    }


# ── numbers and names in words ───────────────────────────────────────────────


def _points(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    text = " ".join(str(text).split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]|~#<>&!" else letter for letter in text)
