"""Runs on a split of a corpus: their scores, and the report on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import processes
from ..core.errors import MediaError, SettingsError
from ..core.files import check_folder
from ..core.labels import BASIC, COMPOUND, LabelSet, compound_from_basic
from ..core.runs import Run, find_run, load_traces
from ..core.settings import Device, check_modalities
from ..core.timeline import Clip, Cues, Moment, Prompt, Scored
from ..core.weights import find_base
from ..corpora.caveats import caveats, familiar
from ..corpora.corpus import Corpus
from ..corpora.registry import read_corpus, reader
from ..evaluation.answers import write_answers
from ..evaluation.over_time import Frames, decided
from ..evaluation.pages import MODALITY_NAMES
from ..evaluation.predictions import Predictions, predictions_of, unique_names
from ..evaluation.report import write_report
from ..extractors.perceive import Progress, unwatched
from ..textualize.clips import moments_of_clips
from .clips import norms_of, perceived, prompts_of
from .over_time import frame_times, read_over_time, windows_for, write_over_time

if TYPE_CHECKING:
    from ..llm.reader import Reader


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
    cues: str | Path | None = None,
    folds: str = "published",
    fold: int = 0,
    columns: Mapping[str, str] | None = None,
    window_s: float | None = None,
    hop_s: float | None = None,
    decide: Sequence[str] | None = None,
    device: Device = "auto",
    offline: bool = False,
    progress: Progress = unwatched,
) -> Evaluation:
    """Score runs on one split of a corpus and write the report.

    Where no clip of the split has a label, the report holds the answers and
    says that there is nothing to measure them by.

    Args:
        modalities: letters of TVA, several sets for an ablation; `None` for
            those that each run was trained on.
        cues: a cue store to use and add to.
        window_s, hop_s: read clips in windows, as `analyze` does; the frames
            then decide.  The challenge of C-EXPR-DB is always read so.
        decide: how frames decide a clip: names in
            `evaluation.over_time.DECISIONS`, by default `vote`.

    Raises:
        EmoscribeError: a run, the corpus, or the runs together are not as
            they have to be; nothing is written then.
    """
    for letters in modalities or ():
        check_modalities(letters)
    windows = windows_for(corpus_name, window_s, hop_s, decide)
    processes.by_main(lambda: check_folder(out))
    loaded = [find_run(run) for run in runs]
    for id, sha256 in dict.fromkeys((run.base.id, run.base.sha256) for run in loaded):
        find_base(id, sha256, offline=offline)  # before hours of perceiving, not after
    labels = common_labels(loaded, corpus_name)
    corpus = corpus_with(split, corpus_name, data, folds=folds, fold=fold, columns=columns, labels=labels)
    clips = corpus.split(split)
    named = dict(zip(unique_names([run.name for run in loaded]), loaded, strict=True))
    known = {name: familiar(name, load_traces(run), corpus, split) for name, run in named.items()}
    labelled = any(clip.target is not None for clip in clips)
    if not labelled:
        _check_answers(labels, corpus_name)

    predictions: list[Predictions] = []
    frames: dict[str, list[Frames]] = {}
    failed: dict[str, str] = {}
    timed = windows is not None
    times_s = frame_times(clips, failed, progress) if timed else {}
    for name, run in named.items():
        sets = modalities or (run.modalities,)
        seen = perceived(corpus, clips, run, "".join(sets), cues, failed, progress, offline, timed=timed)
        language_model = _reader(run, device, offline)
        for letters in sets:
            read = partial(_read, run, language_model, labels, letters, progress)
            several = letters if len(sets) > 1 else None
            if windows is None:
                scored = read(corpus, clips, seen)
                predictions.append(predictions_of(name, labels.labels, clips, scored, several))
                continue
            over_time = read_over_time(corpus, clips, seen, windows, read, labels, times_s)
            for decision in windows.decisions:
                scored = decided(over_time, labels.labels, decision)
                how = decision if len(windows.decisions) > 1 else None
                predictions.append(predictions_of(name, labels.labels, clips, scored, several, how))
            frames[predictions[-1].reading] = over_time

    notes = [
        *(note for name, run in named.items() for note in _untrained(run, name, labels, modalities)),
        *(note for found in known.values() for note in found),
        *caveats(corpus, split),
        *([windows.in_words] if windows is not None else []),
        *(f"{clip}: {why}" for clip, why in failed.items()),
    ]
    about = {name: f"{run.base.id}; {run.licence}" for name, run in named.items()}

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
            )
        return files if windows is None else {**files, **write_over_time(out, corpus_name, frames, labels)}

    files = processes.by_main(write)
    return Evaluation(files, tuple(name for name, found in known.items() if found))


def prompts_for(
    run: Run, corpus: Corpus, clips: Sequence[Clip], cues: Mapping[str, Cues], modalities: str
) -> list[Prompt]:
    """The prompt of each clip, in the run's own wording."""
    moments: list[Moment] = moments_of_clips(clips, cues, corpus.voice, run.wording, norms_of(run), modalities)
    return prompts_of(run, clips, moments)


def _read(
    run: Run,
    language_model: Reader,
    labels: LabelSet,
    modalities: str,
    progress: Progress,
    corpus: Corpus,
    clips: Sequence[Clip],
    cues: Mapping[str, Cues],
) -> list[Scored]:
    """The scores of each clip; of compound labels by the rule, where the run gives basic ones."""
    from ..llm.score import score

    prompts = prompts_for(run, corpus, clips, cues, modalities)
    scored: list[Scored] = processes.mapped(
        lambda share: score(language_model, share, progress=partial(progress, "reading")), prompts
    )
    if run.labels == labels.labels:
        return scored
    return [Scored(one.id, compound_from_basic(one.scores)) for one in scored]


def _reader(run: Run, device: Device, offline: bool) -> Reader:
    from ..llm.reader import load_reader

    return load_reader(run, device=device, offline=offline)


# ── what a run gives ─────────────────────────────────────────────────────────


def common_labels(runs: Sequence[Run], corpus_name: str) -> LabelSet:
    """The answers that all runs give; compound ones where only those fit the corpus.

    Raises:
        SettingsError: the runs differ in their labels.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.labels != first.labels:
            raise SettingsError(
                f"runs {first.name} ({', '.join(first.labels)}) and {run.name} ({', '.join(run.labels)}) "
                "give different labels and cannot be compared; evaluate them apart"
            )
    asked = reader(corpus_name).tasks.values()
    if first.label_set == BASIC.name and COMPOUND in asked and BASIC not in asked:
        return COMPOUND
    return LabelSet(first.label_set, first.labels)


def _check_answers(labels: LabelSet, corpus_name: str) -> None:
    """Raises:
    SettingsError: the corpus, whose own labels cannot show it, asks for other answers.
    """
    asked = [task.labels for task in reader(corpus_name).tasks.values() if task is not None]
    if asked and all(set(labels.labels) != set(each) for each in asked):
        raise SettingsError(
            f"{corpus_name} asks for one of {', '.join(asked[0])}, and the runs answer with "
            f"{', '.join(labels.labels)}; evaluate runs of those labels"
        )


def _untrained(run: Run, name: str, labels: LabelSet, modalities: Sequence[str] | None) -> list[str]:
    """What is asked of a run that it was not trained for."""
    notes = []
    if run.labels != labels.labels:
        notes.append(
            f"{name} gives {run.label_set} labels: its score for a {labels.name} one is put together from its two "
            "parts, by a rule that nothing was trained for"
        )
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
