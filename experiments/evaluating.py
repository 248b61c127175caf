"""Runs on a split of a corpus: their scores, and the report on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..baseline.run import BASELINE, FusionRun
from ..core.context import DEFAULT, Context
from ..core.errors import MediaError, SettingsError
from ..core.files import check_folder
from ..core.labels import BASIC, COMPOUND, LabelSet
from ..core.weights import find_base
from ..corpora.caveats import caveats, familiar
from ..corpora.corpus import Corpus
from ..corpora.registry import read_corpus, reader
from ..evaluation.answers import write_answers
from ..evaluation.over_time import Frames
from ..evaluation.pages import MODALITY_NAMES
from ..evaluation.predictions import unique_names
from ..evaluation.report import write_report
from ..extractors.settings import check_modalities
from ..llm.run import TextRun, answering, find_run
from ..training import processes
from ..training.run import Task
from ..training.traces import load_traces
from .answering import Asked, answers_of_baseline, answers_of_run
from .dev_metrics import task_of
from .over_time import frame_times, windows_for, write_over_time

AnyRun = TextRun | FusionRun

# What clips have and runs answer with, in words.
_TARGETS: Mapping[Task, str] = {"labels": "a label", "label-sets": "a set of labels", "number": "a number"}


@dataclass(frozen=True)
class Evaluation:
    """What was written, and what casts doubt on it.

    Attributes:
        files: the path of each file of the report, by name.
        familiar: names of the runs that were trained with things of the
            split; the report says which.
    """

    files: Mapping[str, Path]
    familiar: tuple[str, ...]


def evaluate(
    corpus_name: str,
    data: str | Path,
    split: str,
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    modalities: Sequence[str] | None = None,
    folds: str = "published",
    fold: int = 0,
    columns: Mapping[str, str] | None = None,
    window_s: float | None = None,
    hop_s: float | None = None,
    decide: Sequence[str] | None = None,
    context: Context = DEFAULT,
) -> Evaluation:
    """Score runs on one split of a corpus and write the report.

    Where no clip of the split has a label, the report holds the answers and
    says that there is nothing to measure them by.

    Args:
        runs: folders, or names as `find_run` takes them; of the textualized
            approach or the baseline.
        modalities: letters of TVA, several sets for an ablation; `None` for
            those that each run was trained on.
        window_s, hop_s: read clips in windows, as `analyze` does; the frames
            then decide.  The challenge of C-EXPR-DB is always read so.
            Baselines read frames in any case.
        decide: how frames decide a clip: names in
            `evaluation.deciding.DECISIONS`, by default `vote`.

    Raises:
        EmoscribeError: a run, the corpus, or the runs together are not as
            they have to be; nothing is written then.
    """
    for letters in modalities or ():
        check_modalities(letters)
    windows = windows_for(corpus_name, window_s, hop_s, decide)
    processes.by_main(lambda: check_folder(out))
    loaded = [load_any(run) for run in runs]
    for base in dict.fromkeys((run.base.id, run.base.sha256) for run in loaded if isinstance(run, TextRun)):
        find_base(*base, context)  # before hours of perceiving, not after
    task = _common_task(loaded)
    labels = common_labels(loaded, corpus_name) if task != "number" else None
    corpus = corpus_with(
        split,
        corpus_name,
        data,
        folds=folds,
        fold=fold,
        columns=columns,
        labels=labels,
        task=annotation_for(loaded, task, corpus_name),
    )
    # Who has learnt no labels answers in the corpus's.
    labels = labels or corpus.label_set
    clips = corpus.split(split)
    named: dict[str, AnyRun] = {
        name: answering(run, labels) if isinstance(run, TextRun) and run.zero_shot and labels is not None else run
        for name, run in zip(unique_names([run.name for run in loaded]), loaded, strict=True)
    }
    known = familiar({name: load_traces(run.folder) for name, run in named.items()}, corpus, split)
    labelled = any(clip.target is not None for clip in clips)
    if not labelled:
        _check_answers(task, labels, corpus_name)
    elif (wanted := task_of(corpus)) != task:
        raise SettingsError(
            f"clips of {corpus_name} have {_TARGETS[wanted]} each, and the runs answer with {_TARGETS[task]}; "
            "evaluate runs that were trained for such targets"
        )

    failed: dict[str, str] = {}
    times_s = frame_times(clips, failed, context) if windows is not None else {}
    asked = Asked(corpus, clips, labels, task, windows, times_s, context)
    answers = []
    for name, run in named.items():
        sets = tuple(modalities or (run.modalities,))
        if isinstance(run, TextRun):
            answers.append(answers_of_run(name, run, sets, asked, failed))
        else:
            answers.append(answers_of_baseline(name, run, sets, asked, failed))
    predictions: list[Any] = [one for each in answers for one in each.predictions]
    frames: dict[str, list[Frames]] = {reading: one for each in answers for reading, one in each.frames.items()}

    notes = [
        *(note for name, run in named.items() for note in _untrained(run, name, labels, modalities, corpus_name)),
        *known,
        *caveats(corpus, split),
        *([windows.in_words] if windows is not None else []),
        *(f"{clip}: {why}" for clip, why in failed.items()),
    ]
    about = {name: _about(run) for name, run in named.items()}

    def write() -> dict[str, Path]:
        if not labelled:
            files = write_answers(
                out, predictions, corpus=corpus_name, split=split, frames=frames, notes=notes, about=about
            )
        else:
            files = write_report(
                out,
                predictions,
                corpus=corpus_name,
                split=split,
                split_clips=clips,
                train_clips=corpus.split("train") if split != "train" else (),
                notes=notes,
                about=about,
                costs={name: each.cost for name, each in zip(named, answers, strict=True)},
            )
        if windows is None or labels is None or task != "labels":
            return files
        return {**files, **write_over_time(out, corpus_name, frames, labels)}

    files = processes.by_main(write)
    return Evaluation(files, tuple(name for name in named if any(name in runs for runs in known.values())))


# ── what a run gives ─────────────────────────────────────────────────────────


def load_any(run: str | Path) -> AnyRun:
    """The run of that name or in that folder, of either approach.

    Raises:
        SettingsError: there is none, or its description is not one.
    """
    return FusionRun.load(run) if (Path(run) / BASELINE).is_file() else find_run(run)


def _about(run: AnyRun) -> str:
    what = run.base.id if isinstance(run, TextRun) else f"{run.settings.fusion} on {', '.join(run.streams)}"
    return f"{what}; {run.licence}"


def _common_task(runs: Sequence[AnyRun]) -> Task:
    tasks: list[Task] = [run.task if isinstance(run, FusionRun) else "labels" for run in runs]
    if len(set(tasks)) > 1:
        listed = ", ".join(f"{run.name} with {_TARGETS[task]}" for run, task in zip(runs, tasks, strict=True))
        raise SettingsError(f"runs that answer in different kinds cannot be compared ({listed}); evaluate them apart")
    return tasks[0]


def annotation_for(runs: Sequence[AnyRun], task: Task, corpus_name: str) -> str | None:
    """Which of a corpus's annotations runs are measured by: what those that were trained on it learnt.

    `None` where their labels tell.

    Raises:
        SettingsError: they learnt different ones.
    """
    of_corpus = reader(corpus_name).tasks
    usual = next((name for name, labels in of_corpus.items() if labels is None), None) if task == "number" else None
    learnt = {
        run.settings.task or usual
        for run in runs
        if isinstance(run, FusionRun) and run.training.get("corpus") == corpus_name
    }
    named = sorted(name for name in learnt if name is not None)
    if len(named) > 1:
        raise SettingsError(
            f"runs that learnt different annotations of {corpus_name} cannot be compared ({', '.join(named)}); "
            "evaluate them apart"
        )
    return named[0] if named else usual


def common_labels(runs: Sequence[AnyRun], corpus_name: str) -> LabelSet | None:
    """The answers that all runs give; compound ones where only those fit the corpus.

    Runs that have learnt none give those of the others, else those of the
    corpus: `None` where the corpus has to be read to know them.

    Raises:
        SettingsError: the runs differ in their labels.
    """
    asked = list(reader(corpus_name).tasks.values())
    trained = [run for run in runs if not (isinstance(run, TextRun) and run.zero_shot)]
    if not trained:
        return next((labels for labels in asked if labels is not None), None)
    first = trained[0]
    for run in trained[1:]:
        if run.labels != first.labels:
            raise SettingsError(
                f"runs {first.name} ({', '.join(first.labels)}) and {run.name} ({', '.join(run.labels)}) "
                "give different labels and cannot be compared; evaluate them apart"
            )
    if first.label_set == BASIC.name and COMPOUND in asked and BASIC not in asked:
        return COMPOUND
    return LabelSet(first.label_set, first.labels)


def _check_answers(task: Task, labels: LabelSet | None, corpus_name: str) -> None:
    """Raises:
    SettingsError: the corpus, whose own labels cannot show it, asks for other answers.
    """
    if task != "labels" or labels is None:
        raise SettingsError(f"no clip of this split of {corpus_name} has a target: there is nothing to measure by")
    asked = [task.labels for task in reader(corpus_name).tasks.values() if task is not None]
    if asked and all(set(labels.labels) != set(each) for each in asked):
        raise SettingsError(
            f"{corpus_name} asks for one of {', '.join(asked[0])}, and the runs answer with "
            f"{', '.join(labels.labels)}; evaluate runs of those labels"
        )


def _untrained(
    run: AnyRun, name: str, labels: LabelSet | None, modalities: Sequence[str] | None, corpus_name: str
) -> list[str]:
    """What is asked of a run that it was not trained for."""
    notes = []
    if isinstance(run, TextRun) and run.zero_shot:
        notes.append(f"{name} was asked without any training: its scores are likelihoods of words, and not calibrated")
    if labels is not None and run.labels != labels.labels:
        notes.append(
            f"{name} gives {run.label_set} labels: its score for a {labels.name} one is put together from its two "
            "parts, by a rule that nothing was trained for"
        )
    if isinstance(run, FusionRun) and run.task == "number":
        learnt, asked = (reader(corpus).range for corpus in (run.training.get("corpus", corpus_name), corpus_name))
        if learnt != asked:
            scales = ", its answers brought to ".join(f"{low:g} to {high:g}" for low, high in (learnt, asked))
            notes.append(f"{name} learnt ratings from {scales} in proportion")
    new = [letter for letter in "TVA" if letter in "".join(modalities or ()) and letter not in run.modalities]
    if new:
        listed = " and ".join(f"{MODALITY_NAMES[letter]} ({letter})" for letter in new)
        notes.append(f"{name} was trained on {run.modalities}: it has not learnt to read {listed}")
    return notes


# ── what a corpus gives ──────────────────────────────────────────────────────


def corpus_with(split: str, name: str, data: str | Path, **given: Any) -> Corpus:
    """The corpus with all its splits that are there, among them `split`; with it alone where others are damaged."""
    with suppress(MediaError):
        corpus = read_corpus(name, data, **given)
        if split in corpus.splits:
            return corpus
    return read_corpus(name, data, splits=(split,), **given)
