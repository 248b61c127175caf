"""From corpora to a run, read as prose.

corpora ─ cues ─▶ moments ─ mixed ─▶ examples ─ render ─▶ prompts ─ fit ─▶ run
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..core.context import DEFAULT, Context
from ..core.errors import SettingsError
from ..core.files import plain, read_json, write_text
from ..core.weights import find_base, weights_sha256
from ..corpora.caveats import caveats_of_training
from ..corpora.corpus import CorpusRequest, label_counts
from ..corpora.identity import fingerprint
from ..corpora.registry import reader
from ..llm.card import model_card
from ..llm.run import DESCRIPTION, Base, Extractors, TextRun, find_run
from ..llm.start import started
from ..llm.train import fit
from ..textualize.levels import population_norms, read_norms
from ..training import processes
from ..training.callbacks import Report
from ..training.loop import is_whole
from ..training.traces import load_traces
from .clips import keeping
from .dev_metrics import task_of
from .run_folder import check_free, is_begun, note
from .seeds import distinct, folder_of, write_spread
from .settings import FinetuneSettings
from .teachers import opinions_of_teachers
from .training_data import TrainingCorpus, check_settings, labelled_prompts, read_sources, training_data_of

CARD = "README.md"


def finetune(
    request: CorpusRequest,
    out: str | Path,
    settings: FinetuneSettings,
    *,
    resume: bool = False,
    report: Callable[[str], None] = lambda line: None,
    context: Context = DEFAULT,
) -> TextRun:
    """Fine-tune an adapter on a corpus, and on others mixed in; returns the run.

    Args:
        out: the run's folder: new, or one to resume.
        report: told what is trained on, what is doubtful about it, and how it goes.

    Raises:
        EmoscribeError: a setting, a corpus or the base model is not as it has
            to be; nothing is written then.
    """
    folder = Path(out)
    processes.by_main(lambda: check_free(folder, resume))
    sources = read_sources(request, settings, context)
    settings, start = started(settings, sum(map(_examples, sources)), settings.modalities)
    # What training starts from decides on the head, which may not suit the task.
    check_settings(settings, task_of(sources[0].corpus), sources[0].name)
    base = find_base(settings.base.id, context=context)
    run = _untrained(folder, base, settings, sources, start)
    said = [f"{each.name}: {each.corpus.recognised}" for each in sources if each.corpus.recognised]
    for line in [*(_summary(each) for each in sources), *said, *run.training["caveats"]]:
        report(line)
    if start is not None:
        report(f"starts from {start.name} ({start.licence})")
    noted = plain({what: run.training[what] for what in ("settings", "data")})
    begun = resume and processes.by_main(lambda: is_begun(folder, noted))
    if begun and is_whole(folder, DESCRIPTION):
        report(f"{folder} is trained to its end already")
        run = TextRun.load(folder)
        if processes.is_main() and not (folder / CARD).is_file():
            write_text(folder / CARD, model_card(run))
        return run

    learnt = [training_data_of(each, run, settings, context) for each in sources]
    before = load_traces(start.folder) if start is not None else {}
    processes.by_main(lambda: note(folder, noted, [(each.name, each.corpus) for each in sources], before))
    asked = settings.teachers
    opinions = (
        opinions_of_teachers(learnt[0], run, base, settings, asked, context, resume=resume, report=report)
        if asked
        else {}
    )
    prompts = labelled_prompts(learnt, run, settings, opinions)
    with Report(folder, prompts.select, report, context.progress) as callback:
        run = fit(run, base, prompts, settings, resume=resume, callback=callback)
    if processes.is_main():
        write_text(run.folder / CARD, model_card(run))
    if len(run.answered) == 1:
        report(
            f"on dev every answer is {run.answered[0]!r}: nothing is told apart yet; train for more epochs, on more "
            "clips, or from a run (--from)"
        )
    return run


def finetune_seeds(
    request: CorpusRequest,
    out: str | Path,
    settings: FinetuneSettings,
    seeds: Sequence[int],
    *,
    resume: bool = False,
    report: Callable[[str], None] = lambda line: None,
    context: Context = DEFAULT,
) -> list[TextRun]:
    """Fine-tune an adapter a seed, in `seed-N` below `out`, where `seeds.json` has means and standard deviations.

    Args:
        seeds: instead of the one in the settings.
        resume, report: see `finetune`, of each.

    Raises:
        EmoscribeError: see `finetune`; or a seed is given twice.
    """
    folder = Path(out)
    processes.by_main(lambda: check_free(folder, resume))
    runs = []
    # What one has perceived, the next need not.
    with keeping(context) as kept:
        for seed in distinct(seeds):
            of_seed = settings.model_copy(update={"seed": seed})
            how = {"resume": resume, "report": report, "context": kept}
            runs.append(finetune(request, folder_of(folder, seed), of_seed, **how))
    if processes.is_main():
        write_spread(folder, seeds, runs, report)
    return runs


# ── the run ──────────────────────────────────────────────────────────────────


def _untrained(
    folder: Path, base: Path, settings: FinetuneSettings, sources: Sequence[TrainingCorpus], start: TextRun | None
) -> TextRun:
    """The run as it is described before it has learnt anything."""
    corpus = sources[0].corpus
    # A run says nothing of where things lie on this machine.
    here = {"mix": {"__all__": {"data"}}, "teachers": {"opinions"}}
    noted = settings.model_dump(mode="json", exclude=here)
    noted["base"]["id"] = base.name if Path(settings.base.id).is_dir() else settings.base.id
    noted["norms"] = Path(settings.norms).name
    noted["init"] = start.name if start is not None else None
    licences = [settings.licence] if settings.licence else [reader(each.corpus.name).licence for each in sources]
    if start is not None:
        licences.append(f"{start.licence} (of {start.name}, which it starts from)")
    return TextRun(
        folder=folder,
        norms=_norms(settings) if "A" in settings.modalities else None,
        base=Base(id=noted["base"]["id"], sha256=weights_sha256(base), quantization=settings.base.quantization),
        head=settings.head,
        task=task_of(corpus),
        label_set=corpus.label_set.name if corpus.label_set is not None else "",
        labels=corpus.label_set.labels if corpus.label_set is not None else (),
        range=corpus.range,
        prompt=settings.prompt,
        wording=settings.wording,
        extractors=Extractors(speech=settings.speech, face=settings.face, voice=settings.voice),
        licence="; ".join(dict.fromkeys(licences)),
        seeds=(settings.seed,),
        training={
            "modalities": settings.modalities,
            "data": [_described(source, split) for source in sources for split in ("train", "dev")],
            "caveats": [
                f"{each.name}: {caveat}"
                for each in sources
                for caveat in caveats_of_training(each.corpus, settings.modalities)
            ],
            **({"init": _started_from(start)} if start is not None else {}),
            "settings": noted,
            "versions": {name: version(name) for name in ("emoscribe", "torch", "transformers", "peft")},
        },
    )


def _norms(settings: FinetuneSettings) -> Mapping[str, Any]:
    if Path(settings.norms).is_file():
        read_norms(Path(settings.norms), settings.wording.voice_grades)
        return read_json(Path(settings.norms))
    norms = find_run(settings.norms).norms
    if norms is None:
        raise SettingsError(f"run {settings.norms} has no norms of voices; give norms the name of one that has")
    population_norms(norms, settings.wording.voice_grades, f"run {settings.norms}")
    return norms


def _described(source: TrainingCorpus, split: str) -> dict[str, Any]:
    """What is remembered of a split that was learnt from, or chosen by."""
    clips, labels = source.corpus.split(split), source.corpus.label_set.labels if source.corpus.label_set else ()
    counts = label_counts(clips)
    return {
        "corpus": source.name,
        "split": split,
        "clips": len(clips),
        "labels": {label: counts[label] for label in labels},
        "licence": reader(source.corpus.name).licence,
        "fingerprint": fingerprint(source.corpus, split),
    }


def _started_from(start: TextRun) -> dict[str, Any]:
    """What is remembered of the run that training starts from, and of those that it started from."""
    known = start.training
    data = [*known.get("data", ()), *known.get("init", {}).get("data", ())]
    return {"run": start.name, "licence": start.licence, "data": data}


# ── what is said of it ───────────────────────────────────────────────────────


def _examples(source: TrainingCorpus) -> int:
    """How many an epoch has of it."""
    return source.examples or sum(clip.target is not None for clip in source.corpus.split("train"))


def _summary(source: TrainingCorpus) -> str:
    train, dev = (
        len([clip for clip in source.corpus.split(split) if clip.target is not None]) for split in ("train", "dev")
    )
    return f"{source.name}: {train} clips to train on, {dev} to choose by"
