"""From a corpus to a run of the feature-based baseline, read as prose.

corpus ─ frames_of ─▶ frames ─ fit ─▶ run
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..baseline.frames import FeatureFrames
from ..baseline.learner import LabelledFeatures
from ..baseline.run import BASELINE, FusionRun
from ..baseline.search import search
from ..baseline.settings import BaselineSettings
from ..baseline.train import fit
from ..core.context import DEFAULT, Context
from ..core.errors import EmoscribeError, SettingsError
from ..core.files import plain
from ..core.labels import label_set
from ..core.timeline import Clip
from ..corpora.caveats import caveats_of_training
from ..corpora.corpus import Corpus, CorpusRequest, label_counts
from ..corpora.identity import fingerprint
from ..corpora.registry import read_corpus, reader
from ..training.callbacks import Report
from ..training.loop import is_whole
from .dev_metrics import metrics_of, task_of
from .featuring import frames_of, widths_of
from .run_folder import check_free, is_begun, note
from .seeds import distinct, folder_of, write_spread


def baseline(
    request: CorpusRequest,
    out: str | Path,
    settings: BaselineSettings,
    *,
    seeds: Sequence[int] = (),
    resume: bool = False,
    report: Callable[[str], None] = lambda line: None,
    context: Context = DEFAULT,
) -> list[FusionRun]:
    """Train a fusion model on a corpus's features; returns the run, or with several seeds each one's.

    Train learns, dev chooses the epoch; what the two share is told first.

    Args:
        out: the run's folder: new, or one to resume.  With several seeds,
            runs are in `seed-N` there, and `seeds.json` has means and standard deviations.
        seeds: instead of the one in the settings.
        report: told what is trained on, what is doubtful about it, and how it goes.

    Raises:
        EmoscribeError: a setting or the corpus is not as it has to be, or a
            file cannot be read; nothing is written then.
    """
    folder = Path(out)
    check_free(folder, resume)
    chosen = [settings.model_copy(update={"seed": seed}) for seed in distinct(seeds)] or [settings]
    labels = label_set(settings.labels) if settings.labels is not None else None
    asked = replace(request, labels=labels, task=settings.task or "", range=settings.range)
    corpus = read_corpus(asked, context)
    splits = {split: [clip for clip in corpus.split(split) if clip.target is not None] for split in ("train", "dev")}
    for split, clips in splits.items():
        if not clips:
            raise SettingsError(
                f"{corpus.name} in {request.data} has no labelled clips in its {split} split; try --folds source"
            )
    report(f"{corpus.name}: {len(splits['train'])} clips to train on, {len(splits['dev'])} to choose by")
    if corpus.recognised:
        report(f"{corpus.name}: {corpus.recognised}")
    doubts = caveats_of_training(corpus, settings.modalities)
    for doubt in doubts:
        report(f"{corpus.name}: {doubt}")

    begun = [
        FusionRun(
            folder=folder_of(folder, of_seed.seed) if seeds else folder,
            settings=of_seed,
            task=task_of(corpus),
            label_set=corpus.label_set.name if corpus.label_set is not None else "",
            labels=corpus.label_set.labels if corpus.label_set is not None else (),
            range=corpus.range,
            streams={},
            licence=reader(corpus.name).licence,
            training={
                "corpus": corpus.name,
                "folds": corpus.folds,
                "fold": corpus.fold,
                "clips": {split: len(clips) for split, clips in splits.items()},
                "labels": dict(sorted(label_counts(splits["train"]).items())),
                "fingerprint": fingerprint(corpus),
                "caveats": doubts,
                "versions": {name: version(name) for name in ("emoscribe", "torch", "scikit-learn")},
            },
        )
        for of_seed in chosen
    ]
    trained: dict[Path, FusionRun] = {}
    for run in begun if resume else ():
        if is_begun(run.folder, _noted(run)) and is_whole(run.folder, BASELINE):
            report(f"{run.folder} is trained to its end already")
            trained[run.folder] = FusionRun.load(run.folder)
    if len(trained) < len(begun):
        learnt, streams = _features(corpus, splits, settings, report, context)
        for run in begun:
            if run.folder not in trained:
                note(run.folder, _noted(run), [(corpus.name, corpus)])
                run = run.model_copy(update={"streams": streams})
                trained[run.folder] = _trained(run, learnt, resume, report, context)
    runs = [trained[run.folder] for run in begun]
    if seeds:
        write_spread(folder, seeds, runs, report)
    return runs


def _features(
    corpus: Corpus,
    splits: Mapping[str, Sequence[Clip]],
    settings: BaselineSettings,
    report: Callable[[str], None],
    context: Context,
) -> tuple[LabelledFeatures, dict[str, int]]:
    """What is learnt from and measured on, and the width of each feature that the corpus has anything of."""
    train = frames_of(corpus, splits["train"], settings, settings.streams, context)
    streams = _streams(corpus, settings, train.frames, report)
    dev = frames_of(corpus, splits["dev"], settings, tuple(streams), context, streams)
    failed = {**train.failed, **dev.failed}
    for id, why in list(failed.items())[:1]:
        raise EmoscribeError(f"{len(failed)} clips of {corpus.name} cannot be read, the first {id}: {why}")
    return LabelledFeatures(
        train.frames, dev.frames, *metrics_of(corpus, [clip.target for clip in splits["dev"]])
    ), streams


def _trained(
    run: FusionRun, data: LabelledFeatures, resume: bool, report: Callable[[str], None], context: Context
) -> FusionRun:
    def callback_of(run: FusionRun) -> Report:
        return Report(run.folder, data.select, report, context.progress)

    def callback_of_trial(trial: FusionRun) -> Report:
        report(f"{trial.folder.name}: learning rate {trial.settings.optimizer.learning_rate:g}")
        return callback_of(trial)

    if run.settings.search is not None:
        return search(run, data, run.settings.search, resume=resume, callback_of=callback_of_trial)
    with callback_of(run) as callback:
        return fit(run, data, resume=resume, callback=callback)


def _streams(
    corpus: Corpus, settings: BaselineSettings, train: Sequence[FeatureFrames], report: Callable[[str], None]
) -> dict[str, int]:
    """The width of each feature that the corpus has anything of."""
    widths = widths_of(train)
    lacking = [name for name in settings.streams if name not in widths]
    if lacking:
        report(f"{corpus.name} has nothing of {', '.join(lacking)}: left out")
    if not widths:
        missing = next(iter(corpus.missing.values()), None)
        raise SettingsError(
            f"{corpus.name} has nothing of {', '.join(settings.streams)}"
            + (f": no {missing}" if missing else "; choose other features.names")
        )
    return widths


def _noted(run: FusionRun) -> dict[str, Any]:
    data = {name: run.training[name] for name in ("corpus", "folds", "fold", "clips", "fingerprint")}
    return plain({"settings": run.settings.model_dump(mode="json"), "data": data})
