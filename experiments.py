"""Corpora, read as prose: describe, evaluate.

corpus ─ cues_of ─▶ cues ─ moments_of_clips ─▶ moments ─ render ─▶ prompts ─ score ─▶ predictions ─▶ report
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from .core.errors import MediaError, SettingsError
from .core.labels import BASIC, COMPOUND, LabelSet, compound_from_basic
from .core.runs import Run, find_run
from .core.settings import AnalyzeSettings, FaceSettings, SpeechSettings, VoiceSettings, check_modalities
from .core.timeline import Clip, Cues, Moment, Prompt, Scored
from .corpora.corpus import Corpus
from .corpora.identity import Shared, overlap_within
from .corpora.registry import read_corpus, reader
from .evaluation.predictions import Predictions, predictions_of, unique_names
from .evaluation.report import write_report
from .extractors.batch import cues_of
from .extractors.perceive import Progress, decide, unwatched
from .extractors.store import CueStore
from .prompts.render import render
from .textualize.clips import moments_of_clips
from .textualize.levels import population_norms


def evaluate(
    corpus_name: str,
    data: str | Path,
    split: str,
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    modalities: Sequence[str] = ("TVA",),
    cues: str | Path | None = None,
    folds: str = "published",
    fold: int = 0,
    columns: Mapping[str, str] | None = None,
    device: str = "auto",
    offline: bool = False,
    progress: Progress = unwatched,
) -> dict[str, Path]:
    """Score runs on one split of a corpus and write the report.

    Args:
        modalities: letters of TVA; several sets for an ablation.
        cues: a cue store to use and add to.

    Returns:
        the path of each file of the report, by name.

    Raises:
        EmoscribeError: a run, the corpus, or the runs together are not as
            they have to be; nothing is written then.
    """
    for letters in modalities:
        check_modalities(letters)
    loaded = [find_run(run) for run in runs]
    labels = _common_labels(loaded, corpus_name)
    corpus = _corpus_with(split, corpus_name, data, folds=folds, fold=fold, columns=columns, labels=labels)
    clips = corpus.split(split)
    predictions: list[Predictions] = []
    failed: dict[str, str] = {}
    for run, name in zip(loaded, unique_names([run.name for run in loaded]), strict=True):
        seen = _perceived(corpus, clips, run, "".join(modalities), cues, failed, progress, offline)
        for letters in modalities:
            moments = moments_of_clips(clips, seen, corpus.voice, run.wording, _norms(run), letters)
            scored = read_clips(run, clips, moments, labels, device=device, offline=offline, progress=progress)
            several = letters if len(modalities) > 1 else None
            predictions.append(predictions_of(name, labels.labels, clips, scored, several))
    return write_report(
        out,
        predictions,
        corpus=corpus_name,
        split=split,
        split_clips=clips,
        train_clips=corpus.split("train") if split != "train" else (),
        notes=[*_notes(corpus, split), *(f"{clip}: {why}" for clip, why in failed.items())],
        about={run.name: f"{run.base.id}; {run.licence}" for run in loaded},
    )


def read_clips(
    run: Run,
    clips: Sequence[Clip],
    moments: Sequence[Moment],
    labels: LabelSet,
    *,
    device: str = "auto",
    offline: bool = False,
    progress: Progress = unwatched,
) -> list[Scored]:
    """The scores of each clip, read by a run."""
    from .llm.reader import load_reader
    from .llm.score import score

    reader = load_reader(run, device=device, offline=offline)  # type: ignore[arg-type]
    scored = score(reader, prompts_of(run, clips, moments), progress=partial(progress, "reading"))
    if labels.constituents is None:
        return scored
    return [Scored(one.id, compound_from_basic(one.scores)) for one in scored]


def prompts_of(run: Run, clips: Sequence[Clip], moments: Sequence[Moment]) -> list[Prompt]:
    """A prompt for each clip; what was said before it in its dialogue is its context."""
    dialogues: dict[str, list[int]] = {}
    for at, clip in enumerate(clips):
        dialogues.setdefault(clip.dialogue or clip.id, []).append(at)
    prompts: dict[int, Prompt] = {}
    for turns in dialogues.values():
        spoken = [moments[at] for at in turns]
        for turn, at in enumerate(turns):
            prompts[at] = render(spoken, turn, run.prompt, id=clips[at].id, labels=run.labels)
    return [prompts[at] for at in range(len(clips))]


# ── what a corpus gives ──────────────────────────────────────────────────────


def _common_labels(runs: Sequence[Run], corpus_name: str) -> LabelSet:
    """The answers that all runs give; compound ones where only those fit the corpus."""
    first = runs[0]
    for run in runs[1:]:
        if run.labels != first.labels:
            raise SettingsError(
                f"runs {first.name} ({', '.join(first.labels)}) and {run.name} ({', '.join(run.labels)}) "
                "give different labels and cannot be compared; evaluate them apart"
            )
    compound_only = COMPOUND in reader(corpus_name).tasks.values() and BASIC not in reader(corpus_name).tasks.values()
    if first.label_set == BASIC.name and compound_only:
        return COMPOUND
    return LabelSet(first.label_set, first.labels)


def _corpus_with(split: str, name: str, data: str | Path, **given: Any) -> Corpus:
    """The corpus with all its splits that are there, among them `split`."""
    corpus = read_corpus(name, data, **given)
    return corpus if split in corpus.splits else read_corpus(name, data, splits=(split,), **given)


def _perceived(
    corpus: Corpus,
    clips: Sequence[Clip],
    run: Run,
    modalities: str,
    store: str | Path | None,
    failed: dict[str, str],
    progress: Progress,
    offline: bool,
) -> dict[str, Cues]:
    """The cues of the clips' files, as the run's own extractors perceive them."""
    # What a corpus publishes is not measured again.
    wanted = set(modalities)
    if all(clip.text is not None for clip in clips):
        wanted -= {"T"}
    if all(clip.id in corpus.voice for clip in clips):
        wanted -= {"A"}
    if not wanted or all(clip.media is None for clip in clips):
        return {}
    settings, _ = decide(
        AnalyzeSettings(
            modalities="".join(letter for letter in "TVA" if letter in wanted),
            offline=offline,
            speech=run.extractors.speech or SpeechSettings(engine="pocketsphinx"),
            face=run.extractors.face or FaceSettings(engine="mediapipe"),
            voice=run.extractors.voice or VoiceSettings(),
        )
    )
    seen: dict[str, Cues] = {}
    with _store(store) as kept:
        for clip, cues in cues_of(clips, settings, store=kept, progress=partial(progress, "perceiving")):
            if isinstance(cues, MediaError):
                failed[clip.id] = str(cues)
            else:
                seen[clip.id] = cues
    return seen


@contextmanager
def _store(folder: str | Path | None) -> Iterator[CueStore]:
    """The store in a folder, or one for this call alone: clips may share a file."""
    if folder is not None:
        yield CueStore(folder)
        return
    with tempfile.TemporaryDirectory(prefix="emoscribe-") as passing:
        yield CueStore(passing)


def _norms(run: Run) -> Any:
    return population_norms(run.norms, f"run {run.name}") if run.norms is not None else None


def _notes(corpus: Corpus, split: str) -> list[str]:
    """What a reader of the report has to know of the data."""
    notes = [_shared_in_words(shared) for shared in overlap_within(corpus) if shared.b == split or shared.a == split]
    clips = corpus.split(split)
    missing = sum(clip.id in corpus.missing for clip in clips)
    if missing:
        notes.append(f"{missing} of {len(clips)} clips have no media on disk: they were read without face and voice")
    broken = [f"{clip.id}: {corpus.broken[clip.id]}" for clip in clips if clip.id in corpus.broken]
    return [note for note in notes if note] + broken


def _shared_in_words(shared: Shared) -> str:
    if not shared.shared:
        return ""
    return (
        f"{shared.shared} of {shared.of} {shared.what}s of the {shared.b} split are in the {shared.a} split too: "
        "scores may be flattered"
    )
