"""Several runs of one recipe, which differ in their seed: where they lie, and what they reach together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..baseline.seeds import over_seeds
from ..core.errors import SettingsError
from ..core.files import write_json
from ..training.run import Run
from .run_folder import SEEDS


def distinct(seeds: Sequence[int]) -> Sequence[int]:
    """Raises:
    SettingsError: one is given twice, or is none.
    """
    for seed in seeds:
        if seeds.count(seed) > 1 or not 0 <= seed < 2**32:
            what = "is given twice" if seeds.count(seed) > 1 else "is not from 0 to 4294967295"
            raise SettingsError(f"seed {seed} {what}; give seeds that differ")
    return seeds


def folder_of(out: Path, seed: int) -> Path:
    """The run of a seed, in the folder of all."""
    return out / f"seed-{seed}"


def write_spread(out: Path, seeds: Sequence[int], runs: Sequence[Run], report: Callable[[str], None]) -> None:
    """Write means and standard deviations over the runs, one a seed, and tell those that epochs were chosen by."""
    measured = over_seeds([run.metrics["dev"] for run in runs])
    spread = {name: {"mean": mean, "sd": sd} for name, (mean, sd) in measured.items()}
    select = runs[0].metrics["selected_on"]
    write_json(out / SEEDS, {"seeds": list(seeds), "selected_on": select, "dev": spread})
    mean, sd = measured[select]
    report(f"{len(runs)} seeds: {select} {mean:.3f} ± {sd:.3f}")
