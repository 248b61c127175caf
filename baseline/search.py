"""A random search for better settings: trials beside each other, the best of them on dev kept.

What a trial draws depends on the seed and its number alone, so that a search
that was stopped goes on, and one that is to be longer goes on from its end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..core.errors import EmoscribeError, SettingsError
from ..core.files import atomic_path, make_folder, read_mapping, write_json
from ..training.callbacks import Callback
from ..training.loop import is_whole
from ..training.progress import quality
from ..training.updates import Diverged
from .learner import LabelledFeatures
from .run import BASELINE, MODEL, SCALER, SEARCH, SVM, TRIALS, FusionRun
from .settings import BaselineSettings, SearchSettings
from .train import fit


def search(
    run: FusionRun,
    data: LabelledFeatures,
    asked: SearchSettings,
    *,
    resume: bool = False,
    callback_of: Callable[[FusionRun], Callback] = lambda trial: Callback(),
) -> FusionRun:
    """Train as often as asked, each time with other settings; returns the best run, written into the run's folder.

    `search.json` says what every trial drew and reached.

    Args:
        resume: keep the trials that are done, and go on with the one that was begun.
        callback_of: who is called as a trial trains, by its run.

    Raises:
        SettingsError: a trial that is done had drawn something else; see `fit`.
        EmoscribeError: the loss diverged in every trial; see `fit`.
    """
    folder = make_folder(run.folder)
    known = read_mapping(folder / SEARCH).get("trials") if resume and (folder / SEARCH).is_file() else []
    if not isinstance(known, list) or not all(isinstance(each, dict) for each in known):
        raise SettingsError(f"{folder / SEARCH} holds no trials; search anew")
    trials: list[dict[str, Any]] = []
    for number in range(asked.trials):
        drawn = draw(asked, run.settings.seed, number)
        trial = _trial(run, number, drawn)
        if number < len(known):
            if {name: known[number].get(name) for name in drawn} != drawn:
                raise SettingsError(f"{folder} cannot be resumed: trial {number} had drawn other settings; search anew")
            trials.append(known[number])
            continue
        try:
            if not (resume and is_whole(trial.folder, BASELINE)):
                with callback_of(trial) as callback:
                    fit(trial, data, resume=resume, callback=callback)
            reached = FusionRun.load(trial.folder).metrics
            trials.append({"trial": number, **drawn, "best_epoch": reached["best_epoch"], "dev": reached["dev"]})
        except Diverged as error:
            trials.append({"trial": number, **drawn, "diverged": str(error)})
        write_json(folder / SEARCH, {"selected_on": data.select, "trials": trials})
    ended = [each for each in trials if "dev" in each]
    if not ended:
        raise EmoscribeError(
            f"the loss diverged in all {len(trials)} trials; search anew with a lower search.learning_rate "
            f"(it was {asked.learning_rate[0]:g} to {asked.learning_rate[1]:g})"
        )
    best = max(ended, key=lambda each: quality(each["dev"], data.select))
    write_json(folder / SEARCH, {"selected_on": data.select, "best": best["trial"], "trials": trials})
    return _kept(run, FusionRun.load(_trial(run, best["trial"], {}).folder), best["trial"])


def draw(asked: SearchSettings, seed: int, number: int) -> dict[str, float]:
    """What a trial is trained with: `learning_rate`, `dropout` and `weight_decay`."""
    rng = np.random.default_rng((seed, number))
    low, high = np.log(asked.learning_rate)
    return {
        # As many digits as people read.
        "learning_rate": float(f"{np.exp(rng.uniform(low, high)):.4g}"),
        "dropout": float(rng.choice(asked.dropout)),
        "weight_decay": float(rng.choice(asked.weight_decay)),
    }


def _trial(run: FusionRun, number: int, drawn: Mapping[str, float]) -> FusionRun:
    optimizer = {name: value for name, value in drawn.items() if name != "dropout"}
    settings: BaselineSettings = run.settings.model_copy(
        update={
            "optimizer": run.settings.optimizer.model_copy(update=optimizer),
            "dropout": drawn.get("dropout", run.settings.dropout),
        }
    )
    return run.model_copy(update={"folder": run.folder / TRIALS / f"{number:02d}", "settings": settings})


def _kept(run: FusionRun, best: FusionRun, number: int) -> FusionRun:
    """The best trial as the run itself."""
    for name in (MODEL, SCALER, *([SVM] if best.settings.svm else [])):
        with atomic_path(run.folder / name) as partial:
            shutil.copyfile(best.folder / name, partial)
    run = best.model_copy(update={"folder": run.folder, "metrics": {**best.metrics, "trial": number}})
    run.save()
    return run
