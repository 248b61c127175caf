"""Runs on a split of a corpus: their scores, and the report on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.context import DEFAULT, Context
from ..core.errors import SettingsError
from ..core.files import check_folder, replaced, together
from ..corpora.caveats import caveats, train_overlap
from ..corpora.corpus import Corpus
from ..evaluation.answers import write_answers
from ..evaluation.pages import MODALITY_NAMES
from ..evaluation.predictions import always_the_same, unique_names
from ..evaluation.report import write_report
from ..extractors.settings import check_modalities
from ..llm.by_vllm import check_scorable
from ..training import processes
from ..training.run import Run
from ..training.traces import load_traces
from .blending import Blending, blending_of, write_blends
from .dev_metrics import task_of
from .over_time import frame_times, windows_for, write_over_time
from .predict import RunPredictions, predict
from .reading import EvaluationData
from .request import TARGETS, EvaluationRequest, check_unlabelled, common_task, corpus_for, find_any_run, learnt_range

# What a report may consist of: of an older one nothing stays beside a new one.
REPORT = (
    *("report.html", "report.md", "metrics.json", "comparison.json", "references.json", "predictions.csv"),
    *("blends.json", "frames.parquet", "submission.json", "submission-*.json", "submission.txt", "submission-*.txt"),
)


@dataclass(frozen=True)
class Evaluation:
    """What was written, and what casts doubt on it.

    Attributes:
        files: the path of each file of the report, by name.
        train_overlap: names of the runs that were trained with things of the
            split; the report says which.
    """

    files: Mapping[str, Path]
    train_overlap: tuple[str, ...]


def evaluate(request: EvaluationRequest, out: str | Path, context: Context = DEFAULT) -> Evaluation:
    """Score runs on one split of a corpus and write the report.

    Where no clip of the split has a label, the report holds the answers and
    says that there is nothing to measure them by.

    Raises:
        EmoscribeError: a run, the corpus, or the runs together are not as
            they have to be; nothing is written then.
    """
    for letters in request.modalities or ():
        check_modalities(letters)
    windows = windows_for(request)
    processes.by_main(lambda: check_folder(out))
    found = [find_any_run(run) for run in request.runs]
    for run in found:
        run.check_here(context)  # before hours of perceiving, not after
        if request.vllm is not None:
            check_scorable(run)
    task = common_task(found)
    if windows is not None and task != "labels":
        raise SettingsError(
            f"with --window, frames decide on one label for a clip, and the runs answer with {TARGETS[task]}; "
            "leave it out"
        )
    corpus = corpus_for(request, found, context)
    clips, labels = corpus.split(request.split), corpus.label_set
    # Who has learnt no labels answers in the corpus's.
    runs = {
        name: run if labels is None else run.answering(labels)
        for name, run in zip(unique_names([run.name for run in found]), found, strict=True)
    }
    blending = blending_of(request, runs, labels, over_time=windows is not None)
    known = train_overlap({name: load_traces(run.folder) for name, run in runs.items()}, corpus, request.split)
    labelled = any(clip.target is not None for clip in clips)
    if not labelled:
        check_unlabelled(task, labels, corpus.name)
    elif (wanted := task_of(corpus)) != task:
        raise SettingsError(
            f"clips of {corpus.name} have {TARGETS[wanted]} each, and the runs answer with {TARGETS[task]}; "
            "evaluate runs that were trained for such targets"
        )

    times = frame_times(clips, context) if windows is not None else None
    data = EvaluationData(
        corpus, clips, labels, task, windows, times.times_s if times is not None else {}, request.vllm
    )
    answered = {
        name: predict(name, run, tuple(request.modalities or (run.modalities,)), data, context)
        for name, run in runs.items()
    }
    failed = {**(times.failed if times is not None else {})}
    for each in answered.values():
        failed |= each.failed
    read = "".join(letters for run in runs.values() for letters in request.modalities or (run.modalities,))
    notes = [
        *(note for name, run in runs.items() for note in _untrained(run, name, corpus, request)),
        *known,
        *caveats(corpus, request.split, read),
        *blending.in_words,
        *([windows.in_words] if windows is not None else []),
        *([request.vllm.in_words] if request.vllm is not None else []),
        *(f"{clip}: {why}" for clip, why in failed.items()),
    ]
    about = {name: f"{run.in_words}; {run.licence}" for name, run in runs.items()}
    files = processes.by_main(lambda: _write(out, request, data, answered, blending, notes, about))
    return Evaluation(files, tuple(name for name in runs if any(name in met for met in known.values())))


@together()
def _write(
    out: str | Path,
    request: EvaluationRequest,
    data: EvaluationData,
    answered: Mapping[str, RunPredictions],
    blending: Blending,
    notes: Sequence[str],
    about: Mapping[str, str],
) -> dict[str, Path]:
    """The files of the report, by name; they appear together, and in the place of an older one."""
    if (Path(out) / REPORT[0]).exists():
        for path in (path for pattern in REPORT for path in Path(out).glob(pattern)):
            replaced(path)
    predictions = [blending.applied(one) for each in answered.values() for one in each.predictions]
    notes = [*notes, *always_the_same(predictions)]
    frames = {reading: one for each in answered.values() for reading, one in each.frames.items()}
    corpus, split = data.corpus, request.split
    if all(clip.target is None for clip in data.clips):
        files = write_answers(
            out, predictions, corpus=corpus.name, split=split, frames=frames, notes=notes, about=about
        )
    else:
        files = write_report(
            out,
            predictions,
            corpus=corpus.name,
            split=split,
            split_clips=data.clips,
            train_clips=corpus.split("train") if split != "train" else (),
            notes=notes,
            about=about,
            costs={name: each.cost for name, each in answered.items()},
            metric=corpus.metric,
        )
    files |= write_blends(out, split, data, predictions, blending)
    if data.windows is None or data.labels is None or data.task != "labels":
        return files
    return {**files, **write_over_time(out, corpus.name, frames, data.labels)}


def _untrained(run: Run, name: str, corpus: Corpus, request: EvaluationRequest) -> Iterator[str]:
    """What is asked of a run that it was not trained for."""
    labels = corpus.label_set
    if not run.has_learnt:
        yield f"{name} was asked without any training: its scores are likelihoods of words, and not calibrated"
    if labels is not None and run.labels != labels.labels:
        yield (
            f"{name} gives {run.label_set} labels: its score for a {labels.name} one is put together from its parts, "
            "by a rule that nothing was trained for"
        )
    learnt, asked = learnt_range(run), corpus.range
    if learnt is not None and asked is not None and learnt != asked:
        scales = ", its answers brought to ".join(f"{low:g} to {high:g}" for low, high in (learnt, asked))
        yield f"{name} learnt ratings from {scales} in proportion"
    new = [letter for letter in "TVA" if letter in "".join(request.modalities or ()) and letter not in run.modalities]
    if new:
        listed = " and ".join(f"{MODALITY_NAMES[letter]} ({letter})" for letter in new)
        yield f"{name} was trained on {run.modalities}: it has not learnt to read {listed}"
