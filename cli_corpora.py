"""The command line's commands on corpora; see `cli.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from .cli import FILE, HOP, OFFLINE, SET, WINDOW, context_of, corpus_options, main, names_corpus, perhaps_corpus_options

# Of what `evaluate` measures, what it prints: of labels, of sets of labels, of numbers.
_SHOWN = (
    *("accuracy", "balanced_accuracy", "weighted_f1", "macro_f1", "micro_f1", "jaccard"),
    *("mae", "pearson", "accuracy_2_non_negative", "accuracy_7", "accuracy_2", "accuracy_5"),
)
_MOST_SHOWN = 4
TASK = click.option("--task", metavar="NAME", help="Which of the corpus's annotations, where it has several.")


@main.command()
@corpus_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--trim", is_flag=True, help="Of c-expr-db: cut the videos by annotation, instead of describing them.")
@TASK
@click.pass_obj
def corpus(
    debug: bool, corpus: str, data: Path, columns: tuple[str, ...], as_json: bool, trim: bool, **cut: Any
) -> None:
    """Describe CORPUS: splits, labels, what is missing, what the splits share.

    CORPUS is meld, c-expr-db, c-expr-db-challenge, iemocap, cmu-mosei,
    ch-sims, emorynlp, ravdess or table.
    """
    from .core.files import dumps
    from .corpora.describe import describe
    from .corpora.table import column_names

    if trim:
        _trim(debug, corpus, data)
        return
    found = describe(corpus, data, columns=column_names(columns), **cut)
    click.echo(dumps(found.as_json()) if as_json else found.as_text())


def _trim(debug: bool, corpus: str, data: Path) -> None:
    from .core.console import Bars, quiet

    with quiet(debug) as console:
        from .core.errors import SettingsError
        from .corpora import c_expr_db
        from .corpora.registry import reader

        if reader(corpus).name != c_expr_db.READER.name:
            raise SettingsError(f"--trim goes with {c_expr_db.READER.name}: the clips of {corpus} are read as they are")
        bars = Bars(console)
        done = c_expr_db.trim(data, lambda part: bars("trimming", part))
        bars.clear()
        for reason in dict.fromkeys(done.failed.values()):
            print(f"emoscribe: {reason}", file=console)
        click.echo(f"{len(done.written)} clips cut, {len(done.kept)} kept, {len(done.failed)} failed")
    if done.failed:
        sys.exit(1)


@main.command()
@click.argument("source", metavar="SOURCE")
@perhaps_corpus_options
@click.option("--split", "splits", multiple=True, help="Of a corpus: train, dev or test; repeatable.  [default: all]")
@click.option("--out", type=FILE, required=True, metavar="STORE", help="The folder for the cues; it may hold some.")
@click.option("--config", metavar="NAME|FILE", help="How to perceive.  [default: as for --run]")
@click.option("--run", metavar="RUN", help="Perceive as this run's data were.  [default: meld-minilm]")
@click.option("--modalities", metavar="TVA", help="T what was said, V the face, A the voice.  [default: TVA]")
@SET
@OFFLINE
@click.pass_obj
def extract(
    debug: bool,
    source: str,
    data: Path | None,
    splits: tuple[str, ...],
    columns: tuple[str, ...],
    out: Path,
    folds: str,
    fold: int,
    **given: Any,
) -> None:
    """Perceive SOURCE, a file, a folder or a corpus, and keep the cues in STORE.

    What is there is not perceived again, so an interrupted extraction goes on.
    """
    from .core.console import Bars, quiet

    with quiet(debug) as console:
        from .core.errors import EmoscribeError
        from .corpora.table import column_names
        from .experiments import extract as extract_cues
        from .experiments import extraction_settings

        division: dict[str, Any] = {"splits": splits or None, "folds": folds, "fold": fold}
        if not names_corpus(source, data):
            division = {}
        bars, done, failed = Bars(console), 0, []
        context = context_of(out, given.pop("offline"), bars)
        settings, choices = extraction_settings(**given, context=context)
        for choice in choices if given["config"] is not None else ():
            print(choice, file=console)
        for clip, cues in extract_cues(source, settings, context, data=data, columns=column_names(columns), **division):
            if isinstance(cues, EmoscribeError):
                bars.clear()
                failed.append(clip.id)
                print(f"emoscribe: {' '.join(str(cues).split())}", file=console)
            else:
                done += 1
        bars.clear()
        click.echo(f"{done} of {done + len(failed)} perceived" + (f"; failed: {', '.join(failed)}" if failed else ""))
        print(f"→ {out}", file=console)
    if failed:
        sys.exit(1)


@main.command()
@corpus_options
@click.option("--out", type=FILE, required=True, metavar="RUN", help="The run's folder.")
@click.option(
    "--config", default="minilm", show_default=True, metavar="NAME|FILE", help="A shipped config or a YAML file."
)
@click.option(
    "--mix",
    multiple=True,
    metavar="NAME=DIR",
    help="Another corpus to learn from, or where the config's lies; repeatable.",
)
@click.option("--cues", type=FILE, metavar="STORE", help="Keep what was perceived here, and reuse it.")
@click.option("--modalities", metavar="TVA", help="T what was said, V the face, A the voice.  [default: TVA]")
@click.option("--seed", type=int, metavar="N", help="Of all that is random.  [default: the config's]")
@click.option("--resume", is_flag=True, help="Go on with a training that was stopped.")
@SET
@OFFLINE
@click.pass_obj
def finetune(
    debug: bool,
    corpus: str,
    data: Path,
    out: Path,
    config: str,
    mix: tuple[str, ...],
    assignments: tuple[str, ...],
    columns: tuple[str, ...],
    modalities: str | None,
    seed: int | None,
    cues: Path | None,
    offline: bool | None,
    **given: Any,
) -> None:
    """Fine-tune a language model on CORPUS: train learns, dev chooses the epoch.

    On several GPUs or processes: accelerate launch -m emoscribe finetune ...
    """
    from .core.console import Bars, quiet

    with quiet(debug) as console:
        from .core.settings import load
        from .corpora.table import column_names
        from .experiments import finetune as finetune_run
        from .experiments.settings import FinetuneSettings
        from .experiments.training_data import mixed_in

        bars = Bars(console)

        def report(line: str) -> None:
            bars.clear()
            click.echo(line)

        settings = load(FinetuneSettings, config, assignments, modalities=modalities, seed=seed, offline=offline)
        run = finetune_run(
            corpus,
            data,
            out,
            mixed_in(settings, mix),
            columns=column_names(columns),
            report=report,
            context=context_of(cues, offline, bars),
            **given,
        )
        select, best = run.metrics["selected_on"], run.metrics["best_epoch"]
        report(f"→ {run.folder}: epoch {best + 1}, {select} {run.metrics['dev'][select]:.3f}")


@main.command()
@corpus_options
@click.option("--out", type=FILE, required=True, metavar="RUN", help="The run's folder.")
@click.option(
    "--config", default="baseline", show_default=True, metavar="NAME|FILE", help="A shipped config or a YAML file."
)
@click.option("--fusion", metavar="NAME", help="lfan, can, jmt, bilstm-attention, tfn, ...  [default: the config's]")
@click.option("--cues", type=FILE, metavar="STORE", help="Keep what was perceived here, and reuse it.")
@click.option("--modalities", metavar="TVA", help="T what was said, V the face, A the voice.  [default: the config's]")
@TASK
@click.option("--seed", "seeds", type=int, multiple=True, metavar="N", help="Several give a run each and their spread.")
@click.option("--resume", is_flag=True, help="Go on with a training that was stopped.")
@SET
@OFFLINE
@click.pass_obj
def baseline(
    debug: bool,
    corpus: str,
    data: Path,
    out: Path,
    config: str,
    fusion: str | None,
    assignments: tuple[str, ...],
    columns: tuple[str, ...],
    modalities: str | None,
    task: str | None,
    seeds: tuple[int, ...],
    cues: Path | None,
    offline: bool | None,
    **given: Any,
) -> None:
    """Train a feature-based model on CORPUS: train learns, dev chooses the epoch.

    Features over time are fused by a small network of its own, without any
    words between; what fine-tuned language models are compared with.
    """
    from .core.console import Bars, quiet

    with quiet(debug) as console:
        from .baseline.settings import BaselineSettings
        from .core.settings import load
        from .corpora.table import column_names
        from .experiments import baseline as train_baseline

        bars = Bars(console)

        def report(line: str) -> None:
            bars.clear()
            click.echo(line)

        seed = seeds[0] if len(seeds) == 1 else None
        asked = {"fusion": fusion, "modalities": modalities, "task": task, "seed": seed, "offline": offline}
        runs = train_baseline(
            corpus,
            data,
            out,
            load(BaselineSettings, config, assignments, **asked),
            columns=column_names(columns),
            seeds=seeds if len(seeds) > 1 else (),
            report=report,
            context=context_of(cues, offline, bars),
            **given,
        )
        for run in runs:
            select, best = run.metrics["selected_on"], run.metrics["best_epoch"]
            report(f"→ {run.folder}: epoch {best + 1}, {select} {run.metrics['dev'][select]:.3f}")


@main.command()
@corpus_options
@click.option("--split", default="test", show_default=True, help="train, dev or test.")
@click.option(
    "--run", "runs", multiple=True, required=True, metavar="RUN", help="A run folder or a shipped adapter; repeatable."
)
@click.option("--out", type=FILE, required=True, metavar="REPORT", help="The folder for the report.")
@click.option("--cues", type=FILE, metavar="STORE", help="Keep what was perceived here, and reuse it.")
@click.option("--modalities", metavar="TVA[,T,...]", help="Several sets for an ablation.  [default: the run's]")
@WINDOW
@HOP
@click.option(
    "--decide", metavar="HOW[,HOW]", help="With windows: vote, mean-probability, mean-logit.  [default: vote]"
)
@OFFLINE
@click.pass_obj
def evaluate(
    debug: bool,
    corpus: str,
    data: Path,
    split: str,
    runs: tuple[str, ...],
    out: Path,
    modalities: str | None,
    columns: tuple[str, ...],
    window: float | None,
    hop: float | None,
    decide: str | None,
    cues: Path | None,
    offline: bool | None,
    **given: Any,
) -> None:
    """Score runs on a split of CORPUS, and write the report.

    With --window, clips that last are read in windows, and their frames decide.
    """
    from .core.console import Bars, quiet

    with quiet(debug) as console:
        from .core.files import read_json
        from .corpora.table import column_names
        from .experiments import evaluate as evaluate_runs

        bars = Bars(console)
        found = evaluate_runs(
            corpus,
            data,
            split,
            runs,
            out,
            modalities=modalities.split(",") if modalities is not None else None,
            columns=column_names(columns),
            window_s=window,
            hop_s=hop,
            decide=decide.split(",") if decide is not None else None,
            context=context_of(cues, offline, bars),
            **given,
        )
        bars.clear()
        measures = read_json(found.files["metrics.json"]) if "metrics.json" in found.files else {}
        for run, measured in measures.items():
            shown = [name for name in _SHOWN if measured.get(name) is not None]
            figures = "  ".join(f"{name.replace('_', ' ')} {measured[name]:.3f}" for name in shown[:_MOST_SHOWN])
            click.echo(f"{run}  {figures}  ({measured['n']} clips)")
        if not measures:
            click.echo(f"no clip of the {split} split has a label: answers were written, and nothing was measured")
        print(f"→ {found.files['report.html']}", file=console)
        if found.familiar:
            names = ", ".join(found.familiar)
            print(f"the {split} split and what {names} was trained with overlap: the report says in what", file=console)
