"""The report as a page and as Markdown, from the templates in `page/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.text import bare_value, in_markdown
from . import figures
from .by_clip import ByClip
from .columns import Column, dot, points
from .comparison import Decision, Difference, Paired, p_in_words
from .references import Reference
from .verdict import in_words

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "page"

REFERENCE_NAMES = {
    "majority": "majority label",
    "tfidf_logistic_regression": "TF-IDF + logistic regression",
    "majority_set": "majority set",
    "mean": "mean rating",
}
MODALITY_NAMES = {"T": "what was said", "V": "the face", "A": "the voice"}
COST_NAMES = {"parameters": "parameters", "bytes": "size on disk", "seconds_a_clip": "time a clip"}
# Mistakes shown of each run, the surest first.
MISTAKES = 10
# Runs whose details stand open, pairs put into sentences.
OPEN_RUNS = 2
SENTENCES = 6


@dataclass(frozen=True)
class Kind:
    """What depends on the kind of answers: labels, sets of labels, numbers.

    Attributes:
        page: the stem of its templates.
        units: what the numbers of the headline are in.
        columns: the metrics that have an interval, in order.
        main: two of them, for the picture, the ablation and a run's heading.
        plain: the columns without an interval, by title: from an entry of
            `metrics.json`.
        details: from the report and one run's predictions, what its own
            section shows.
        pictures: likewise, its pictures as SVG.
    """

    page: str
    units: str
    columns: tuple[Column, ...]
    main: tuple[str, str]
    plain: Mapping[str, Callable[[Mapping[str, Any]], float | None]]
    details: Callable[[Report, Any], Mapping[str, Any]]
    pictures: Callable[[Report, Any], Mapping[str, str]]

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


@dataclass(frozen=True, eq=False)
class Report:
    """All that the page shows.

    Attributes:
        predictions: the labelled clips of each run.
        entries: as in `metrics.json`, by key.
        decides: the metric by which one run is better than another.
        comparisons: all pairs, decided.
        texts: what was said, by clip.
        unlabelled: clips of the split that have no label.
        notes: on the data; about: a line on a run, by its name.
        costs: by run, then by the names of `COST_NAMES` or others.
    """

    kind: Kind
    corpus: str
    split: str
    predictions: Sequence[ByClip[Any]]
    entries: Mapping[str, Mapping[str, Any]]
    decides: Column
    comparisons: Sequence[Paired]
    references: Sequence[Reference]
    texts: Mapping[str, str]
    unlabelled: int
    notes: Sequence[str]
    about: Mapping[str, str]
    costs: Mapping[str, Mapping[str, float]]
    resamples: int
    seed: int


@dataclass(frozen=True)
class Mistake:
    """A clip that was answered wrongly, and how sure or how far off the run was."""

    clip: str
    text: str
    truth: str
    answer: str
    by: str


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
    decision: Decision | None


def html_page(report: Report) -> str:
    """One self-contained file: no script, no external request."""
    template = environment(autoescape=True).get_template(f"{report.kind.page}.html.j2")
    return template.render(
        **_context(report),
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
        overview=_overview(report),
        pictures={one.key: report.kind.pictures(report, one) for one in report.predictions},
        open_runs=OPEN_RUNS,
    )


def markdown_page(report: Report) -> str:
    """The same without pictures, for a repository or a terminal."""
    return environment(autoescape=False).get_template(f"{report.kind.page}.md.j2").render(**_context(report))


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
        finalize=bare_value,
    )
    environment.filters |= {
        "points": points,
        "md": in_markdown,
        "p": p_in_words,
        "thousands": "{:,}".format,
    }
    return environment


def _context(report: Report) -> dict[str, Any]:
    kind, entries = report.kind, report.entries
    ablations = _ablations(report)
    against_fullest = {(one.key, one.fullest) for one in ablations}
    others = [
        one
        for one in report.comparisons
        if (one.a, one.b) not in against_fullest and (one.b, one.a) not in against_fullest
    ]
    family = sum(one.decision is not None for one in report.comparisons)
    best = {}
    if len(entries) > 1:
        best = {column.name: column.best([entry[column.name] for entry in entries.values()]) for column in kind.columns}
    return {
        "report": report,
        "kind": kind,
        "entries": entries,
        "first": report.predictions[0],
        "main": [kind.column(name) for name in kind.main],
        "reference_names": REFERENCE_NAMES,
        "best": best,
        "ablations": ablations,
        "pairs": others,
        "family": family,
        "sentences": [in_words(one, report.decides, family) for one in others[:SENTENCES]],
        "details": {one.key: kind.details(report, one) for one in report.predictions},
        "costs": _costs(report.costs),
    }


# ── what the tables hold ─────────────────────────────────────────────────────


def mistakes(report: Report, one: ByClip[Any], rows: Sequence[tuple[int, str, str, str]]) -> list[Mistake]:
    """Clips for the table of mistakes: the row, what is true, what was answered, and by how much."""
    return [
        Mistake(one.clip_ids[row], report.texts.get(one.clip_ids[row], ""), truth, answer, by)
        for row, truth, answer, by in rows
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
            pair = _pair(report.comparisons, fullest, one.key)
            found.append(
                Ablation(
                    key=one.key,
                    run=run,
                    letters=letters,
                    words=" + ".join(MODALITY_NAMES.get(letter, letter) for letter in letters),
                    entry=report.entries[one.key],
                    fullest=fullest,
                    gains=_gains(pair, fullest) if pair is not None else None,
                    decision=pair.decision if pair is not None else None,
                )
            )
    return found


def _pair(comparisons: Sequence[Paired], one: str, other: str) -> Paired | None:
    return next((pair for pair in comparisons if {pair.a, pair.b} == {one, other}), None)


def _gains(pair: Paired, base: str) -> dict[str, Difference]:
    """How much higher the other of the two is than `base`, by metric."""
    if pair.a == base:
        return dict(pair.differences)
    return {
        name: Difference(-found.difference, -found.high, -found.low, found.p)
        for name, found in pair.differences.items()
    }


def _costs(costs: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """The heads of the table of costs, and its cells by run."""
    names = list(dict.fromkeys([*COST_NAMES, *(name for cost in costs.values() for name in cost)]))
    names = [name for name in names if any(name in cost for cost in costs.values())]
    return {
        "heads": [COST_NAMES.get(name, name) for name in names],
        "cells": {run: [_cost(name, cost.get(name)) for name in names] for run, cost in costs.items()},
    }


def _cost(name: str, value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    if name == "bytes":
        return f"{value / 1e6:,.1f} MB"
    if name == "seconds_a_clip":
        return f"{1000 * value:,.3g} ms" if value < 1 else f"{value:,.1f} s"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


# ── pictures ─────────────────────────────────────────────────────────────────


def _overview(report: Report) -> str:
    columns = [report.kind.column(name) for name in report.kind.main]
    measured = [(key, entry, False) for key, entry in report.entries.items()]
    measured += [(REFERENCE_NAMES[one.name], one.measured, True) for one in report.references if one.measured]
    rows = [
        figures.Bar(
            name,
            [dot(column, entry[column.name], entry["intervals"][column.name]) for column in columns],
            is_reference,
        )
        for name, entry, is_reference in measured
    ]
    return figures.intervals_figure(rows, [column.heading for column in columns])
