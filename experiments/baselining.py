"""From a corpus to a run of the feature-based baseline, read as prose.

corpus ─ frames_of ─▶ frames ─ fit ─▶ run
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..baseline.frames import Frames
from ..baseline.resume import CHECKPOINT
from ..baseline.run import BASELINE, SEARCH, TRIALS, BaselineRun, load_baseline
from ..baseline.search import search
from ..baseline.seeds import over_seeds
from ..baseline.settings import BaselineSettings
from ..baseline.train import Judge, fit, is_whole
from ..core.context import DEFAULT, Context
from ..core.errors import EmoscribeError, SettingsError
from ..core.files import check_folder, make_folder, plain, read_json, write_json
from ..core.timeline import Clip
from ..corpora.caveats import caveats_of_training
from ..corpora.corpus import Corpus
from ..corpora.identity import fingerprint, traces
from ..corpora.registry import read_corpus, reader
from ..llm.run import DESCRIPTION
from ..training.callbacks import Watcher
from ..training.traces import save_traces
from .featuring import frames_of, widths_of
from .finetuning import SETTINGS, first_difference
from .judging import judge_of, task_of
from .watching import Told

SEEDS = "seeds.json"


def baseline(
    corpus_name: str,
    data: str | Path,
    out: str | Path,
    settings: BaselineSettings,
    *,
    folds: str = "published",
    fold: int = 0,
    columns: Mapping[str, str] | None = None,
    seeds: Sequence[int] = (),
    resume: bool = False,
    report: Callable[[str], None] = lambda line: None,
    context: Context = DEFAULT,
) -> list[BaselineRun]:
    """Train a fusion model on a corpus's features; returns the run, or with several seeds each one's.

    Train learns, dev chooses the epoch; what the two share is told first.

    Args:
        out: the run's folder: new, or one to resume.  With several seeds,
            runs are in `seed-N` there, and `seeds.json` has means and standard deviations.
        folds, fold, columns: of the corpus, as `read_corpus` takes them.
        seeds: instead of the one in the settings.
        report: told what is trained on, what is doubtful about it, and how it goes.

    Raises:
        EmoscribeError: a setting or the corpus is not as it has to be, or a
            file cannot be read; nothing is written then.
    """
    folder = Path(out)
    _check_folder(folder, resume)
    chosen = [settings.model_copy(update={"seed": seed}) for seed in _distinct(seeds)] or [settings]
    corpus = read_corpus(
        corpus_name, data, folds=folds, fold=fold, columns=columns, labels=settings.labels, task=settings.task
    )
    splits = {split: [clip for clip in corpus.split(split) if clip.target is not None] for split in ("train", "dev")}
    for split, clips in splits.items():
        if not clips:
            raise SettingsError(
                f"{corpus.name} in {data} has no labelled clips in its {split} split; try --folds source"
            )
    report(f"{corpus.name}: {len(splits['train'])} clips to train on, {len(splits['dev'])} to choose by")
    doubts = caveats_of_training(corpus)
    for doubt in doubts:
        report(f"{corpus.name}: {doubt}")

    judge, select = judge_of(corpus, splits["dev"])

    begun = [
        BaselineRun(
            folder=folder / f"seed-{of_seed.seed}" if seeds else folder,
            settings=of_seed.model_copy(update={"offline": False}),
            task=task_of(corpus),
            label_set=corpus.label_set.name if corpus.label_set is not None else "",
            labels=corpus.label_set.labels if corpus.label_set is not None else (),
            streams={},
            licence=reader(corpus.name).licence,
            training={
                "corpus": corpus.name,
                "folds": corpus.folds,
                "fold": corpus.fold,
                "clips": {split: len(clips) for split, clips in splits.items()},
                "labels": _counts(splits["train"]),
                "fingerprint": fingerprint(corpus),
                "caveats": doubts,
                "versions": {name: version(name) for name in ("emoscribe", "torch", "scikit-learn")},
            },
        )
        for of_seed in chosen
    ]
    trained: dict[Path, BaselineRun] = {}
    for run in begun if resume else ():
        if _is_same(run) and is_whole(run.folder):
            report(f"{run.folder} is trained to its end already")
            trained[run.folder] = load_baseline(run.folder)
    if len(trained) < len(begun):
        train, dev, streams = _features(corpus, splits, settings, report, context)
        for run in begun:
            if run.folder not in trained:
                run = run.model_copy(update={"streams": streams})
                trained[run.folder] = _trained(run, corpus, train, dev, judge, select, resume, report, context)
    runs = [trained[run.folder] for run in begun]
    if seeds:
        measured = over_seeds([run.metrics["dev"] for run in runs])
        spread = {name: {"mean": mean, "sd": sd} for name, (mean, sd) in measured.items()}
        write_json(folder / SEEDS, {"seeds": list(seeds), "selected_on": select, "dev": spread})
        mean, sd = measured[select]
        report(f"{len(runs)} seeds: {select} {mean:.3f} ± {sd:.3f}")
    return runs


def _features(
    corpus: Corpus,
    splits: Mapping[str, Sequence[Clip]],
    settings: BaselineSettings,
    report: Callable[[str], None],
    context: Context,
) -> tuple[list[Frames], list[Frames], dict[str, int]]:
    """What is learnt from and judged by, and the width of each feature that the corpus has anything of."""
    failed: dict[str, str] = {}
    told = (context, failed)
    train = frames_of(corpus, splits["train"], settings, settings.streams, *told)
    streams = _streams(corpus, settings, train, report)
    dev = frames_of(corpus, splits["dev"], settings, tuple(streams), *told, streams)
    for id, why in list(failed.items())[:1]:
        raise EmoscribeError(f"{len(failed)} clips of {corpus.name} cannot be read, the first {id}: {why}")
    return train, dev, streams


def _trained(
    run: BaselineRun,
    corpus: Corpus,
    train: Sequence[Frames],
    dev: Sequence[Frames],
    judge: Judge,
    select: str,
    resume: bool,
    report: Callable[[str], None],
    context: Context,
) -> BaselineRun:
    write_json(make_folder(run.folder) / SETTINGS, _noted(run))
    save_traces(run.folder, {f"{corpus.name} {split}": traces(corpus, split) for split in ("train", "dev")})
    asked = run.settings.search
    if asked is not None:

        def told(trial: BaselineRun) -> Watcher:
            report(f"{trial.folder.name}: learning rate {trial.settings.optimizer.learning_rate:g}")
            return Told(trial.folder, trial.settings.epochs, select, report, context.progress)

        return search(run, train, dev, asked, judge=judge, select=select, resume=resume, watcher_of=told)
    with Told(run.folder, run.settings.epochs, select, report, context.progress) as watcher:
        return fit(run, train, dev, judge=judge, select=select, resume=resume, watcher=watcher)


def _streams(
    corpus: Corpus, settings: BaselineSettings, train: Sequence[Frames], report: Callable[[str], None]
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


def _counts(clips: Sequence[Clip]) -> dict[str, int]:
    """Clips by label; none of numbers."""
    counts: Counter[str] = Counter()
    for clip in clips:
        if isinstance(clip.target, str):
            counts[clip.target] += 1
        elif isinstance(clip.target, frozenset):
            counts.update(clip.target)
    return dict(sorted(counts.items()))


def _distinct(seeds: Sequence[int]) -> Sequence[int]:
    """Raises:
    SettingsError: one is given twice, or is none.
    """
    for seed in seeds:
        if seeds.count(seed) > 1 or not 0 <= seed < 2**32:
            what = "is given twice" if seeds.count(seed) > 1 else "is not from 0 to 4294967295"
            raise SettingsError(f"seed {seed} {what}; give seeds that differ")
    return seeds


def _check_folder(folder: Path, resume: bool) -> None:
    check_folder(folder)
    begun = (BASELINE, CHECKPOINT, SEARCH, TRIALS, SEEDS, DESCRIPTION)
    places = (folder, *folder.glob("seed-*"))
    if not resume and any((place / name).exists() for place in places for name in begun):
        raise SettingsError(f"{folder} holds a run already; --resume goes on with it, or choose another folder")


def _is_same(run: BaselineRun) -> bool:
    """Whether this training was begun in the run's folder.

    Raises:
        SettingsError: it is another one that was begun there.
    """
    path = run.folder / SETTINGS
    if not path.is_file():
        return False
    if (then := read_json(path)) != _noted(run):
        difference = first_difference(then, _noted(run))
        raise SettingsError(f"{run.folder} cannot be resumed: it was begun otherwise ({difference})")
    return True


def _noted(run: BaselineRun) -> dict[str, Any]:
    data = {name: run.training[name] for name in ("corpus", "folds", "fold", "clips", "fingerprint")}
    return plain({"settings": run.settings.model_dump(mode="json"), "data": data})
