"""Which corpora there are, and the one way to read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..core.context import DEFAULT, Context
from ..core.errors import MediaError, SettingsError
from ..core.labels import LabelSet, counterpart, is_emotion
from ..core.timeline import Clip
from . import blemore, c_expr_db, c_expr_db_challenge, ch_sims, cmu_mosei, emorynlp, hub, iemocap, meld, ravdess, table
from .corpus import FOLDS, SPLITS, Corpus, CorpusRequest, Reader, known
from .corrected import is_corrected
from .folds import grouped_by_source

READERS: Mapping[str, Reader] = {
    module.READER.name: module.READER
    for module in (
        *(meld, c_expr_db, c_expr_db_challenge, iemocap, cmu_mosei, ch_sims, emorynlp, ravdess, blemore),
        table,
    )
}

# What clips that show no emotion, or several, are said to be labelled.
NONE, SEVERAL = "none of its emotions", "several emotions"


def reader(name: str) -> Reader:
    """The reader of that name.

    Raises:
        SettingsError: there is none; the message lists those there are.
    """
    return READERS[known(name, READERS, "corpus")]


def read_corpus(request: CorpusRequest, context: Context = DEFAULT) -> Corpus:
    """The labelled clips of a corpus.

    Raises:
        SettingsError: an unknown corpus, split, task or label set, a fold
            that is not there, or answers of which the corpus has not even two.
        MediaError: a file is missing or not as it should be, a target is no
            answer and no known emotion, or a split is empty.
    """
    source = _checked(request)
    task = known(request.task or _task(source, request.labels), source.tasks, f"task of {source.name}")
    wanted = request.splits
    pooled = replace(request, task=task, splits=wanted if request.folds == "published" else None)
    clips = hub.read(pooled, context) if hub.is_hub(request.data) else source.read(pooled)
    corpus = replace(clips, fold=request.fold)
    if request.folds == "source":
        corpus = grouped_by_source(corpus, request.fold)
        corpus = replace(corpus, clips=tuple(clip for clip in corpus.clips if wanted is None or clip.split in wanted))
    for split in wanted or ():
        if not corpus.split(split):
            raise MediaError(f"the {split} split of {source.name} in {request.data} is empty")
    return corpus if request.labels is None else _answered(corpus, request.labels)


def _checked(request: CorpusRequest) -> Reader:
    """The reader of what is asked for, if that can be asked of it."""
    source = reader(request.name)
    for split in request.splits or ():
        known(split, SPLITS, "split")
    known(request.folds, FOLDS, "kind of folds")
    if request.folds == "published" and not 0 <= request.fold < source.published_folds:
        there = f"0 to {source.published_folds - 1}" if source.published_folds > 1 else "only 0"
        raise SettingsError(
            f"fold {request.fold} of {source.name} is not there: published folds are {there}; "
            "there are folds by source too"
        )
    if request.columns and source is not table.READER:
        raise SettingsError(f"--column goes with table: the columns of {source.name} are known")
    if request.range is not None:
        if source is not table.READER:
            raise SettingsError(f"range goes with table: what {source.name} asks for is known")
        if not request.range[0] < request.range[1]:
            raise SettingsError(
                "range must go from a lower to a higher number, got {:g} to {:g}".format(*request.range)
            )
    if hub.is_hub(request.data):
        if source is not table.READER:
            raise SettingsError(f"--data {request.data} goes with table: {source.name} is read as it was published")
    elif not Path(request.data).is_dir() and not (source is table.READER and is_corrected(request.data)):
        raise MediaError(f"no folder {request.data}; {source.obtain}")
    return source


def _task(source: Reader, answers: LabelSet | None) -> str:
    fitting = (
        name
        for name, labels in source.tasks.items()
        if answers is not None and labels is not None and set(labels.labels) == set(answers.labels)
    )
    return next(fitting, next(iter(source.tasks)))


def _answered(corpus: Corpus, answers: LabelSet) -> Corpus:
    """The corpus with its targets as the answers asked for call them."""
    if corpus.label_set is None:
        raise SettingsError(
            f"{corpus.name} has numbers to predict, and {', '.join(answers.labels)} are labels; "
            f"its tasks with labels are: {', '.join(_with_labels(corpus.name)) or 'none'}"
        )
    if set(corpus.label_set.labels) == set(answers.labels):
        return replace(corpus, label_set=answers)
    single = {clip.id: label for clip in corpus.clips if (label := _single(clip)) is not None}
    meant = {label: counterpart(label, answers.labels) for label in (*corpus.label_set.labels, *single.values())}
    for id, label in single.items():
        if meant[label] is None and not is_emotion(label) and label not in (NONE, SEVERAL):
            raise MediaError(f"{corpus.name}, clip {id}: label {label!r} is none of {', '.join(answers.labels)}")
    shared = sorted({answer for answer in meant.values() if answer is not None})
    if single and len(shared) < 2:
        raise SettingsError(
            f"{corpus.name} has {', '.join(corpus.label_set.labels)}, and {', '.join(answers.labels)} are asked for: "
            f"{f'only {shared[0]} is' if shared else 'nothing is'} in both, so there is nothing to tell apart"
        )
    targets = {id: meant[label] for id, label in single.items()}
    return replace(
        corpus,
        clips=tuple(replace(clip, target=targets.get(clip.id)) for clip in corpus.clips),
        label_set=answers,
        unmapped={id: label for id, label in single.items() if targets[id] is None},
    )


def _single(clip: Clip) -> str | None:
    """The one label of a clip; `None` where it has no target."""
    if isinstance(clip.target, frozenset):
        return next(iter(clip.target)) if len(clip.target) == 1 else SEVERAL if clip.target else NONE
    return clip.target if isinstance(clip.target, str) else None


def _with_labels(name: str) -> list[str]:
    return [task for task, labels in reader(name).tasks.items() if labels is not None]
