"""Words against features on the same clips: fine-tuned adapters and feature-based baselines, over seeds.

    python recipes/compare_approaches.py meld --data MELD --out DIR [--seeds 0 1 2]
    python recipes/compare_approaches.py ravdess --data RAVDESS --out DIR [--cues STORE]

MELD is read as it is published without its videos: the lines and one
measurement of the voice each; T, A and TA.  RAVDESS is heard: voices alone.
No source is in two splits: folds are by episode and by actor, of MELD the
first one alone, of RAVDESS all five, whose answers are pooled.  Train learns,
dev chooses the epoch, and what is printed was measured on the fold's test
clips.  A run that is there is not trained again.

Prints a Markdown table: the mean over the seeds, their standard deviation, and
the 95 % interval of the mean, from bootstrap samples of the clips.  The same
is in `table.json`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from emoscribe.baseline.settings import BaselineSettings
from emoscribe.core.context import Context
from emoscribe.core.errors import EmoscribeError
from emoscribe.core.files import make_folder, write_json
from emoscribe.core.settings import load
from emoscribe.corpora.corpus import CorpusRequest
from emoscribe.evaluation.metrics import METRICS, RESAMPLES
from emoscribe.evaluation.predictions import Predictions, read_predictions
from emoscribe.evaluation.resampling import sampled_sums
from emoscribe.experiments import EvaluationRequest, baseline, evaluate, finetune
from emoscribe.experiments.settings import FinetuneSettings
from emoscribe.extractors.store import CueStore

MEASURES = ("weighted_f1", "macro_f1")


@dataclass(frozen=True)
class Way:
    """How a run comes to its answers: the settings it is trained with."""

    settings: type[FinetuneSettings] | type[BaselineSettings]
    config: str
    changed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """What is compared on a corpus."""

    ways: Mapping[str, Way]
    modalities: tuple[str, ...]
    folds: tuple[int, ...]


# As it ships, untuned.
LFAN = {"fusion": "lfan", "dropout": 0.1, "optimizer__learning_rate": 0.001, "epochs": 12}
HEARD = {"features": {"names": ["egemaps"], "rate_hz": 10}, "batch_size": 16, "epochs": 30}

COMPARISONS = {
    "meld": Comparison(
        {
            "textualized": Way(FinetuneSettings, "minilm"),
            "bilstm-attention": Way(BaselineSettings, "baseline-meld"),
            "lfan": Way(BaselineSettings, "baseline-meld", LFAN),
        },
        modalities=("T", "A", "TA"),
        folds=(0,),
    ),
    "ravdess": Comparison(
        {
            "textualized": Way(FinetuneSettings, "minilm", {"epochs": 8}),
            "bilstm-attention": Way(BaselineSettings, "baseline-meld", HEARD),
        },
        modalities=("A",),
        folds=(0, 1, 2, 3, 4),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", choices=COMPARISONS)
    parser.add_argument("--data", type=Path, required=True, help="the corpus")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the runs and the table")
    parser.add_argument("--cues", type=Path, help="a cue store to use and add to")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--set", dest="changed", action="append", default=[], metavar="KEY=VALUE", help="for all ways")
    args = parser.parse_args()
    asked = COMPARISONS[args.corpus]
    try:
        read = [
            one
            for fold in asked.folds
            for one in answers(asked, args, CorpusRequest(args.corpus, args.data, folds="source", fold=fold))
        ]
    except EmoscribeError as error:
        print(f"compare_approaches: {error}", file=sys.stderr)
        return 1
    rows = [
        {"way": way, "modalities": letters} | measured(read, [key(way, letters, seed) for seed in args.seeds])
        for letters in asked.modalities
        for way in asked.ways
    ]
    write_json(make_folder(args.out) / "table.json", rows)
    print(table(rows))
    return 0


def key(way: str, letters: str, seed: int) -> str:
    """What runs of all folds are called."""
    return f"{way}-{letters}-seed{seed}"


def answers(asked: Comparison, args: argparse.Namespace, corpus: CorpusRequest) -> list[Predictions]:
    """What all runs of a fold answer to its test clips; trained where they are not."""
    place = args.out / f"fold{corpus.fold}"
    store = CueStore(args.cues) if args.cues is not None else None
    folders = []
    for name, way in asked.ways.items():
        for letters in asked.modalities:
            for seed in args.seeds:
                folder = place / key(name, letters, seed)
                changed: dict[str, Any] = {**way.changed, "modalities": letters, "seed": seed}
                settings: Any = load(way.settings, way.config, args.changed, **changed)
                print(f"fold {corpus.fold}: {folder.name}", file=sys.stderr, flush=True)
                train = finetune if way.settings is FinetuneSettings else baseline
                train(corpus, folder, settings, resume=True, context=Context(offline=True, store=store))
                folders.append(folder)
    request = EvaluationRequest(corpus, "test", folders)
    found = evaluate(request, place / "report", Context(offline=True, store=store))
    return read_predictions(found.files["predictions.csv"])


def measured(read: Sequence[Predictions], keys: Sequence[str]) -> dict[str, Any]:
    """Of each measure the mean over runs, which differ by their seeds, its spread, and the interval of the mean."""
    whole, samples = [], []
    for name in keys:
        folds = [one.labelled() for one in read if one.run == name]
        labels = len(folds[0].labels)
        # A clip is a cell of the confusion matrix, so that samples of clips are sums.
        cells = np.concatenate([one.truth_index * labels + one.answers for one in folds])
        clips = np.eye(labels * labels)[cells]
        whole.append(clips.sum(axis=0).reshape(labels, labels))
        # The same seed draws the same clips for every run.
        samples.append(sampled_sums(clips, RESAMPLES, 0).reshape(-1, labels, labels))
    found: dict[str, Any] = {"clips": int(whole[0].sum())}
    for measure in MEASURES:
        metric = METRICS[measure]
        of_seeds = [float(metric(each)) for each in whole]
        means = np.mean([metric(each) for each in samples], axis=0)
        found[measure] = {
            "mean": fmean(of_seeds),
            "sd": stdev(of_seeds) if len(of_seeds) > 1 else None,
            "interval": [float(edge) for edge in np.percentile(means, [2.5, 97.5])],
        }
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown, a row a way and set of modalities."""
    lines = ["| reads | approach | weighted F1 | macro F1 |", "|---|---|---|---|"]
    for row in rows:
        cells = " | ".join(_cell(row[measure]) for measure in MEASURES)
        lines.append(f"| {row['modalities']} | {row['way']} | {cells} |")
    return "\n".join(lines)


def _cell(measured: Mapping[str, Any]) -> str:
    low, high = measured["interval"]
    spread = f" ± {_short(measured['sd'])}" if measured["sd"] is not None else ""
    return f"{_short(measured['mean'])}{spread} [{_short(low)}, {_short(high)}]"


def _short(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")


if __name__ == "__main__":
    sys.exit(main())
