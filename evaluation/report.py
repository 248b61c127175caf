"""A split's evaluation as files: numbers for programs, a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..core.errors import EmoscribeError
from ..core.files import make_folder, write_json, write_text
from ..core.timeline import Clip
from .comparison import compare
from .metrics import LEVEL, RESAMPLES, measure
from .pages import Report, html_page, markdown_page
from .predictions import Predictions, to_csv
from .references import references


def write_report(
    folder: str | Path,
    predictions: Sequence[Predictions],
    *,
    corpus: str,
    split: str,
    split_clips: Sequence[Clip],
    train_clips: Sequence[Clip] = (),
    notes: Sequence[str] = (),
    about: Mapping[str, str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Path]:
    """Measure and compare the runs, and write everything to `folder`.

    Args:
        predictions: one a run, or a run and a set of modalities; distinct
            keys, the same labels and clips.
        corpus, split: their names, for the headline.
        split_clips: the clips that were scored, for their texts.
        train_clips: what the TF-IDF reference is fitted on; may be empty.
        notes: what a reader has to know of the data: overlaps, missing media.
        about: a line on a run, by run name.
        resamples, seed: of the bootstrap.

    Returns:
        the path of each file by its name, such as `metrics.json`.

    Raises:
        EmoscribeError: nothing to score, runs that cannot be compared, a
            folder that cannot be written to.  Nothing is written then.
    """
    if not predictions:
        raise EmoscribeError("nothing to evaluate: name at least one run")
    keys = [one.key for one in predictions]
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise EmoscribeError(f"{twice!r} is given twice; a run (and its set of modalities) is evaluated once")

    first = predictions[0]
    predictions = [first, *(one.in_order_of(first) for one in predictions[1:])]
    report = Report(
        corpus=corpus,
        split=split,
        predictions=[one.labelled() for one in predictions],
        entries={one.key: measure(one, resamples=resamples, seed=seed) for one in predictions},
        comparisons=compare(predictions, resamples=resamples, seed=seed),
        references=references(first, train_clips, split_clips, resamples=resamples, seed=seed),
        texts={clip.id: clip.text or "" for clip in split_clips},
        unlabelled=first.truth.count(None),
        notes=list(notes),
        about=dict(about or {}),
        resamples=resamples,
        seed=seed,
    )
    page, twin = html_page(report), markdown_page(report)

    folder = make_folder(folder)
    bootstrap = {"resamples": resamples, "seed": seed, "level": LEVEL}
    write_json(folder / "metrics.json", report.entries)
    write_json(folder / "comparison.json", {"bootstrap": bootstrap, "pairs": report.comparisons})
    write_json(folder / "references.json", {one.name: one.as_json() for one in report.references})
    write_text(folder / "predictions.csv", to_csv(predictions))
    write_text(folder / "report.html", page)
    write_text(folder / "report.md", twin)
    names = ("metrics.json", "comparison.json", "references.json", "predictions.csv", "report.html", "report.md")
    return {name: folder / name for name in names}
