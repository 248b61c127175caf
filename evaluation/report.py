"""A split's evaluation as files: numbers for programs, a page for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import EmoscribeError
from ..core.files import make_folder, together, write_json, write_text
from ..core.timeline import Clip
from . import comparison, label_sets, metrics, multilabel, ratings, references, regression
from .label_page import labels_kind
from .label_set_page import LABEL_SETS
from .label_sets import LabelSetPredictions
from .metrics import LEVEL, RESAMPLES
from .number_page import numbers
from .pages import Kind, Report, html_page, markdown_page
from .predictions import Predictions, to_csv
from .ratings import NumberPredictions
from .references import Reference
from .verdict import decided


@dataclass(frozen=True)
class _Measures:
    """How answers of one kind are measured and written down; `kind` says how they are shown."""

    measure: Callable[..., dict[str, Any]]
    compare: Callable[..., Sequence[Any]]
    references: Callable[..., Sequence[Reference]]
    to_csv: Callable[[Sequence[Any]], str]
    kind: Callable[[Any], Kind]


_MEASURES: Mapping[type, _Measures] = {
    Predictions: _Measures(
        metrics.measure, comparison.compare, references.references, to_csv, lambda first: labels_kind(first.labels)
    ),
    LabelSetPredictions: _Measures(
        multilabel.measure,
        multilabel.compare,
        lambda first, train, split, **bootstrap: multilabel.references(first, train, **bootstrap),
        label_sets.to_csv,
        lambda first: LABEL_SETS,
    ),
    NumberPredictions: _Measures(
        regression.measure,
        regression.compare,
        lambda first, train, split, **bootstrap: regression.references(first, train, **bootstrap),
        ratings.to_csv,
        lambda first: numbers(first.range),
    ),
}


@together()
def write_report(
    folder: str | Path,
    predictions: Sequence[Predictions] | Sequence[LabelSetPredictions] | Sequence[NumberPredictions],
    *,
    corpus: str,
    split: str,
    split_clips: Sequence[Clip],
    train_clips: Sequence[Clip] = (),
    notes: Sequence[str] = (),
    about: Mapping[str, str] | None = None,
    costs: Mapping[str, Mapping[str, float]] | None = None,
    metric: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Path]:
    """Measure and compare the runs, and write everything to `folder`.

    Args:
        predictions: one a run, or a run and a set of modalities; all of one
            kind, distinct keys, the same labels (or scale) and clips.
        corpus, split: their names, for the headline.
        split_clips: the clips that were scored, for their texts.
        train_clips: what the references are fitted on; may be empty.
        notes: what a reader has to know of the data: overlaps, missing media.
        about: a line on a run, by run name.
        costs: what a run takes, by run name: `parameters`, `bytes`,
            `seconds_a_clip`; kept as `cost` in its entries of `metrics.json`.
        metric: the one that decides whether a run is better than another;
            null for the first that the report draws.
        resamples, seed: of the bootstrap.

    Returns:
        the path of each file by its name, such as `metrics.json`.

    Raises:
        EmoscribeError: nothing to score, runs that cannot be compared, a
            folder that cannot be written to.  Nothing is written then, and what
            was there stays.
    """
    if not predictions:
        raise EmoscribeError("nothing to evaluate: name at least one run")
    keys = [one.key for one in predictions]
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise EmoscribeError(f"{twice!r} is given twice; a run (and its set of modalities) is evaluated once")
    first: Any = predictions[0]
    for one in predictions[1:]:
        if type(one) is not type(first):
            raise EmoscribeError(
                f"{first.key} and {one.key} cannot be compared: one label, a set of labels and a number are "
                "different kinds of answers; evaluate them one by one"
            )

    how = _MEASURES[type(first)]
    ordered: list[Any] = [first, *(one.in_order_of(first) for one in predictions[1:])]
    bootstrap: dict[str, int] = {"resamples": resamples, "seed": seed}
    entries = {one.key: how.measure(one, **bootstrap) for one in ordered}
    for one in ordered:
        if one.run in (costs or {}):
            entries[one.key]["cost"] = dict((costs or {})[one.run])
    kind = how.kind(first)
    decides = kind.column(metric or kind.main[0])
    report = Report(
        kind=kind,
        corpus=corpus,
        split=split,
        predictions=[one.labelled() for one in ordered],
        entries=entries,
        decides=decides,
        comparisons=decided(how.compare(ordered, **bootstrap), decides),
        references=how.references(first, train_clips, split_clips, **bootstrap),
        texts={clip.id: clip.text or "" for clip in split_clips},
        unlabelled=first.truth.count(None),
        notes=list(notes),
        about=dict(about or {}),
        costs=dict(costs or {}),
        resamples=resamples,
        seed=seed,
    )
    page, twin = html_page(report), markdown_page(report)

    folder = make_folder(folder)
    write_json(folder / "metrics.json", report.entries)
    tested = {"test": "paired bootstrap", "metric": decides.name, "correction": "holm"}
    compared = {"bootstrap": {**bootstrap, "level": LEVEL}, "decided_by": tested, "pairs": report.comparisons}
    write_json(folder / "comparison.json", compared)
    write_json(folder / "references.json", {one.name: one.as_json() for one in report.references})
    write_text(folder / "predictions.csv", how.to_csv(ordered))
    write_text(folder / "report.html", page)
    write_text(folder / "report.md", twin)
    names = ("metrics.json", "comparison.json", "references.json", "predictions.csv", "report.html", "report.md")
    return {name: folder / name for name in names}
