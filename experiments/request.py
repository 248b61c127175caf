"""What runs are asked, and what they can answer together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..baseline.run import FusionRun
from ..core.context import DEFAULT, Context
from ..core.errors import MediaError, SettingsError
from ..core.labels import BASIC, LabelSet
from ..corpora import table
from ..corpora.corpus import Corpus, CorpusRequest
from ..corpora.registry import read_corpus, reader
from ..llm.by_vllm import Vllm
from ..llm.run import find_run
from ..training.run import Run, Task

# What clips have and runs answer with, in words.
TARGETS: Mapping[Task, str] = {"labels": "a label", "label-sets": "a set of labels", "number": "a number"}


@dataclass(frozen=True)
class EvaluationRequest:
    """Runs on one split of a corpus.

    Attributes:
        corpus: its splits, labels and task follow from the runs.
        runs: folders, or names as `find_run` takes them; of language models
            or of the baseline.
        modalities: letters of TVA, several sets for an ablation; `None` for
            those that each run was trained on.
        window_s, hop_s: read clips in windows, as `analyze` does; the frames
            then decide.  The challenge of C-EXPR-DB is always read so.
            Baselines read frames in any case.
        decide: how frames decide a clip: names in
            `evaluation.deciding.DECISIONS`, by default `vote`.
        blends: thresholds of blends, fitted by an evaluation on dev: its
            `blends.json`; `None` for the default ones.
        vllm: that labels' words are scored by vLLM; `None` for this process.
    """

    corpus: CorpusRequest
    split: str
    runs: Sequence[str | Path]
    modalities: Sequence[str] | None = None
    window_s: float | None = None
    hop_s: float | None = None
    decide: Sequence[str] | None = None
    blends: str | Path | None = None
    vllm: Vllm | None = None


def find_any_run(run: str | Path) -> Run:
    """The run of that name or in that folder, of either kind.

    Raises:
        SettingsError: there is none, or its description is not one.
    """
    return FusionRun.load(run) if (Path(run) / FusionRun.description).is_file() else find_run(run)


def corpus_for(request: EvaluationRequest, runs: Sequence[Run], context: Context = DEFAULT) -> Corpus:
    """The corpus in the runs' labels: all its splits that are there, or that one where others are damaged.

    Raises:
        EmoscribeError: it cannot be read, or the runs do not fit it or each other.
    """
    name = request.corpus.name
    task = common_task(runs)
    labels = common_labels(runs, name) if task != "number" else None
    asked = replace(request.corpus, labels=labels, task=annotation_for(runs, task, name) or "", splits=None)
    if name == table.READER.name and len(scales := {learnt_range(run) for run in runs}) == 1:
        asked = replace(asked, range=scales.pop())
    with suppress(MediaError):
        corpus = read_corpus(asked, context)
        if request.split in corpus.splits:
            return corpus
    return read_corpus(replace(asked, splits=(request.split,)), context)


def common_task(runs: Sequence[Run]) -> Task:
    """What all runs answer with.

    Raises:
        SettingsError: they differ in it.
    """
    if len({run.task for run in runs}) > 1:
        listed = ", ".join(f"{run.name} with {TARGETS[run.task]}" for run in runs)
        raise SettingsError(f"runs that answer in different kinds cannot be compared ({listed}); evaluate them apart")
    return runs[0].task


def learnt_range(run: Run) -> tuple[float, float] | None:
    """The lowest and the highest rating on the scale that a run answers on; `None` where it gives labels."""
    if run.task != "number":
        return None
    return run.range or (reader(run.corpus).range if run.corpus is not None else None)


def annotation_for(runs: Sequence[Run], task: Task, corpus_name: str) -> str | None:
    """Which of a corpus's annotations runs are measured by: what those that were trained on it learnt.

    `None` where their labels tell, or the data do.

    Raises:
        SettingsError: they learnt different ones.
    """
    of_corpus = reader(corpus_name).tasks
    usual = None
    if task != "labels" and task in of_corpus:
        usual = task  # a table is read as what is asked for; that its clips have one label is for it to show
    elif task == "number":
        usual = next((name for name, labels in of_corpus.items() if labels is None), None)
    learnt = {run.annotation or usual for run in runs if run.corpus == corpus_name}
    named = sorted(name for name in learnt if name is not None)
    if len(named) > 1:
        raise SettingsError(
            f"runs that learnt different annotations of {corpus_name} cannot be compared ({', '.join(named)}); "
            "evaluate them apart"
        )
    return named[0] if named else usual


def common_labels(runs: Sequence[Run], corpus_name: str) -> LabelSet | None:
    """The answers that all runs give; of basic ones those made of them, where only such fit the corpus.

    Runs that have learnt none give those of the others, else those of the
    corpus: `None` where the corpus has to be read to know them.

    Raises:
        SettingsError: the runs differ in their labels.
    """
    asked = list(reader(corpus_name).tasks.values())
    trained = [run for run in runs if run.has_learnt]
    if not trained:
        return next((labels for labels in asked if labels is not None), None)
    first = trained[0]
    for run in trained[1:]:
        if run.labels != first.labels:
            raise SettingsError(
                f"runs {first.name} ({', '.join(first.labels)}) and {run.name} ({', '.join(run.labels)}) "
                "give different labels and cannot be compared; evaluate them apart"
            )
    made = [labels for labels in asked if labels is not None and labels.parts is not None]
    if first.label_set == BASIC.name and made and BASIC not in asked:
        return made[0]
    return LabelSet(first.label_set, first.labels)


def check_unlabelled(task: Task, labels: LabelSet | None, corpus_name: str) -> None:
    """Of a split without targets, which cannot show what it asks for.

    Raises:
        SettingsError: the corpus asks for other answers.
    """
    if task != "labels" or labels is None:
        raise SettingsError(f"no clip of this split of {corpus_name} has a target: there is nothing to measure by")
    asked = [task.labels for task in reader(corpus_name).tasks.values() if task is not None]
    if asked and all(set(labels.labels) != set(each) for each in asked):
        raise SettingsError(
            f"{corpus_name} asks for one of {', '.join(asked[0])}, and the runs answer with "
            f"{', '.join(labels.labels)}; evaluate runs of those labels"
        )
