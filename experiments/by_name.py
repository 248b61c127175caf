"""Trainings, evaluations and packs by keywords, those of the command line, for whoever imports emoscribe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.context import Context, unwatched
from ..core.errors import SettingsError
from ..core.files import read_json
from ..core.settings import load
from ..corpora.corpus import CorpusRequest
from ..extractors.store import CueStore
from ..llm.pack import Precision
from ..llm.run import TextRun, find_run
from . import deploying, evaluating, finetuning
from .request import EvaluationRequest
from .settings import FinetuneSettings


def finetune(
    corpus: str, data: str | Path, out: str | Path, config: str | Path = "minilm", *, resume: bool = False, **given: Any
) -> TextRun:
    """Fine-tune a language model on a corpus, as `emoscribe finetune` does; the run, whose `metrics` are those on dev.

    >>> finetune("meld", "MELD", "my-run", modalities="TV", seed=1).metrics["dev"]["weighted_f1"]

    Args:
        corpus: its name, as the command line takes it.
        data: its folder, laid out as published, or of a table `hf:NAME`, a data set of the hub.
        out: the run's folder: new, or one to resume.
        config: a shipped config's name or a YAML file.
        given: `folds`, `fold`, and `columns` by role, as for `CorpusRequest`;
            `device`, `offline`, `store=`, a folder to keep cues in, and
            `progress=`, which is told the name of a stage and how much of it is
            done; `report=`, told how it goes, a line at a time.  What else is
            given are settings, with `__` for the dot (`optimizer__learning_rate=1e-4`).

    Raises:
        EmoscribeError: a setting, the corpus or the base model is not as it has to be.
    """
    request, context = CorpusRequest(corpus, data, **_cut(given)), _context(given)
    report = given.pop("report", lambda line: None)
    settings = load(FinetuneSettings, config, **given)
    return finetuning.finetune(request, out, settings, resume=resume, report=report, context=context)


def evaluate(
    corpus: str,
    data: str | Path,
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    split: str = "test",
    **given: Any,
) -> dict[str, dict[str, Any]]:
    """Score runs on a split of a corpus and write the report, as `emoscribe evaluate` does; the measures of each run.

    >>> evaluate("meld", "MELD", ["meld-minilm", "my-run"], "report", split="dev")["my-run"]["weighted_f1"]

    Args:
        runs: folders, or names of adapters that ship.
        out: the folder for the report.
        given: `modalities`, several sets for an ablation, `window_s`, `hop_s`,
            `decide` and `blends`, as for `EvaluationRequest`; those of `finetune` about corpus and circumstances.

    Returns:
        what `metrics.json` holds: by the run's name, its measures; nothing where no clip has a label.

    Raises:
        EmoscribeError: a run, the corpus, or the runs together are not as they have to be.
    """
    asked, context = CorpusRequest(corpus, data, **_cut(given)), _context(given)
    named = (runs,) if isinstance(runs, str | Path) else runs
    files = evaluating.evaluate(EvaluationRequest(asked, split, named, **given), out, context).files
    return read_json(files["metrics.json"]) if "metrics.json" in files else {}


def pack(
    run: str | Path,
    out: str | Path,
    data: str | Path | None = None,
    corpus: str | None = None,
    split: str = "dev",
    precision: Precision | None = None,
    **given: Any,
) -> TextRun:
    """Write a run out for onnxruntime, as `emoscribe pack` does; the run that the pack is.

    >>> pack("my-run", "my-pack", "MELD").pack.agreement.answers

    Args:
        run: a folder, or the name of an adapter that ships.
        out: the pack's folder, new or empty.
        data: of a corpus, whose labels are to stay as the run gives them; without it, weights stay in float32.
        corpus: whose data they are, if not of the run's own corpus.
        precision: of the weights, if not the smallest at which labels stay.
        given: `modalities`, several sets to be compared on; those of `finetune` about corpus and circumstances.

    Raises:
        EmoscribeError: the run has no pack, or the corpus is not as it has to be.
    """
    modalities, cut, context = given.pop("modalities", None), _cut(given), _context(given)
    if given:
        raise SettingsError(f"pack takes no {', '.join(given)}")
    compared, named = None, corpus or find_run(run).corpus
    if data is not None:
        if named is None:
            raise SettingsError(f"run {run} does not say what corpus it learnt; name the one whose data are given")
        compared = EvaluationRequest(CorpusRequest(named, data, **cut), split, (run,), modalities=modalities)
    elif corpus is not None:
        raise SettingsError(f"the corpus {corpus} needs its data, too")
    return deploying.pack(run, Path(out), compared, precision, context)


def _cut(given: dict[str, Any]) -> dict[str, Any]:
    """What keywords ask for of a corpus, as `CorpusRequest` takes it; taken out of `given`."""
    return {key: given.pop(key) for key in ("folds", "fold", "columns") if key in given}


def _context(given: dict[str, Any]) -> Context:
    """The circumstances that keywords ask for; takes theirs out of `given`."""
    store = given.pop("store", None)
    return Context(
        device=given.pop("device", "auto"),
        offline=given.pop("offline", False),
        progress=given.pop("progress", unwatched),
        store=CueStore(store) if store is not None else None,
    )
