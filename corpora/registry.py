"""Which corpora there are, and the one way to read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..core.errors import MediaError, SettingsError
from ..core.labels import LabelSet, label_set
from . import c_expr_db, c_expr_db_challenge, meld, ravdess, table
from .corpus import FOLDS, SPLITS, Corpus, Reader, Request, known
from .folds import grouped_by_source

READERS: Mapping[str, Reader] = {
    module.READER.name: module.READER for module in (meld, c_expr_db, c_expr_db_challenge, ravdess, table)
}


def reader(name: str) -> Reader:
    """The reader of that name.

    Raises:
        SettingsError: there is none; the message lists those there are.
    """
    return READERS[known(name, READERS, "corpus")]


def read_corpus(
    name: str,
    data: str | Path,
    *,
    splits: Sequence[str] | None = None,
    folds: str = "published",
    fold: int = 0,
    columns: Mapping[str, str] | None = None,
    labels: LabelSet | str | Sequence[str] | None = None,
    task: str | None = None,
) -> Corpus:
    """The labelled clips of a corpus.

    Args:
        data: the folder that holds it, laid out as published.
        splits: those that are needed; `None` for all that are there.
        folds: `published`, or `source`: what is there is divided anew, and no
            source is in two splits.
        columns: of tables, what their columns are called, by role.
        labels: the answers there may be, of a run for example: a label set,
            its name, or the labels.  Every target has to be among them.
        task: which of the corpus's annotations; by default the one whose
            answers are `labels`, or else the first.

    Raises:
        SettingsError: an unknown corpus, split, task or label set, or a fold
            that is not there.
        MediaError: a file is missing or not as it should be, a target is not
            among the labels, or a split is empty.
    """
    source, data = reader(name), Path(data)
    wanted = None if splits is None else tuple(known(split, SPLITS, "split") for split in splits)
    known(folds, FOLDS, "kind of folds")
    if folds == "published" and not 0 <= fold < source.published_folds:
        there = f"0 to {source.published_folds - 1}" if source.published_folds > 1 else "only 0"
        raise SettingsError(
            f"fold {fold} of {name} is not there: published folds are {there}; there are folds by source too"
        )
    if columns and source is not table.READER:
        raise SettingsError(f"--column goes with table: the columns of {name} are known")
    if not data.is_dir():
        raise MediaError(f"no folder {data}; {source.obtain}")
    answers = _answers(labels)
    task = known(task, source.tasks, f"task of {name}") if task is not None else _task(source, answers)

    request = Request(task, wanted if folds == "published" else None, folds, fold, columns or {}, answers)
    corpus = replace(source.read(data, request), fold=fold)
    if folds == "source":
        corpus = grouped_by_source(corpus, fold)
        corpus = replace(corpus, clips=tuple(clip for clip in corpus.clips if wanted is None or clip.split in wanted))
    for split in wanted or ():
        if not corpus.split(split):
            raise MediaError(f"the {split} split of {name} in {data} is empty")
    return corpus if answers is None else _answered(corpus, answers)


def _answers(labels: LabelSet | str | Sequence[str] | None) -> LabelSet | None:
    if labels is None or isinstance(labels, LabelSet):
        return labels
    return label_set(labels) if isinstance(labels, str) else LabelSet(table.CUSTOM, tuple(labels))


def _task(source: Reader, answers: LabelSet | None) -> str:
    fitting = (
        name
        for name, labels in source.tasks.items()
        if answers is not None and labels is not None and set(labels.labels) == set(answers.labels)
    )
    return next(fitting, next(iter(source.tasks)))


def _answered(corpus: Corpus, answers: LabelSet) -> Corpus:
    """The corpus with the label set it is to be read with, if that has all its targets."""
    for clip in corpus.clips:
        targets = {clip.target} if isinstance(clip.target, str) else clip.target
        for label in sorted(targets) if isinstance(targets, set | frozenset) else ():
            if label not in answers.labels:
                raise MediaError(
                    f"{corpus.name}, clip {clip.id}: label {label!r} is none of {', '.join(answers.labels)}"
                )
    return replace(corpus, label_set=answers)
