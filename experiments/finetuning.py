"""From corpora to a run, read as prose.

corpora ─ cues ─▶ moments ─ mixed ─▶ examples ─ render ─▶ prompts ─ fit ─▶ run
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..core.context import DEFAULT, Context
from ..core.errors import SettingsError
from ..core.files import plain, read_json, write_text
from ..core.weights import find_base, weights_sha256
from ..corpora.caveats import caveats_of_training
from ..corpora.corpus import CorpusRequest
from ..corpora.identity import fingerprint
from ..corpora.registry import reader
from ..llm.card import model_card
from ..llm.run import DESCRIPTION, Base, Extractors, TextRun, find_run
from ..llm.train import fit
from ..textualize.levels import read_norms
from ..training import processes
from ..training.callbacks import Report
from ..training.loop import is_whole
from .run_folder import check_free, is_begun, note
from .settings import FinetuneSettings
from .teachers import opinions_of_teachers
from .training_data import TrainingCorpus, labelled_prompts, read_sources, training_data_of

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
    base = find_base(settings.base.id, context=context)
    run = _untrained(folder, base, settings, sources)
    for line in [*(_summary(each) for each in sources), *run.training["caveats"]]:
        report(line)
    noted = plain({what: run.training[what] for what in ("settings", "data")})
    begun = resume and processes.by_main(lambda: is_begun(folder, noted))
    if begun and is_whole(folder, DESCRIPTION):
        report(f"{folder} is trained to its end already")
        return TextRun.load(folder)

    learnt = [training_data_of(each, run, settings, context) for each in sources]
    processes.by_main(lambda: note(folder, noted, [(each.name, each.corpus) for each in sources]))
    asked = settings.teachers
    opinions = (
        opinions_of_teachers(learnt[0], run, base, settings, asked, context, resume=resume, report=report)
        if asked
        else {}
    )
    prompts = labelled_prompts(learnt, run, settings, opinions)
    with Report(folder, settings.epochs, prompts.select, report, context.progress) as callback:
        run = fit(run, base, prompts, settings, resume=resume, callback=callback)
    if processes.is_main():
        write_text(run.folder / CARD, model_card(run))
    return run


# ── the run ──────────────────────────────────────────────────────────────────


def _untrained(folder: Path, base: Path, settings: FinetuneSettings, sources: Sequence[TrainingCorpus]) -> TextRun:
    """The run as it is described before it has learnt anything."""
    labels = sources[0].corpus.label_set
    assert labels is not None
    # A run says nothing of where things lie on this machine.
    here = {"mix": {"__all__": {"data"}}, "teachers": {"opinions"}}
    noted = settings.model_dump(mode="json", exclude=here)
    noted["base"]["id"] = base.name if Path(settings.base.id).is_dir() else settings.base.id
    noted["norms"] = Path(settings.norms).name
    return TextRun(
        folder=folder,
        norms=_norms(settings) if "A" in settings.modalities else None,
        base=Base(id=noted["base"]["id"], sha256=weights_sha256(base), quantization=settings.base.quantization),
        head=settings.head,
        label_set=labels.name,
        labels=labels.labels,
        prompt=settings.prompt,
        wording=settings.wording,
        extractors=Extractors(speech=settings.speech, face=settings.face, voice=settings.voice),
        licence=settings.licence or "; ".join(dict.fromkeys(reader(source.corpus.name).licence for source in sources)),
        seeds=(settings.seed,),
        training={
            "modalities": settings.modalities,
            "data": [_described(source, split) for source in sources for split in ("train", "dev")],
            "caveats": [f"{each.name}: {caveat}" for each in sources for caveat in caveats_of_training(each.corpus)],
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
    return norms


def _described(source: TrainingCorpus, split: str) -> dict[str, Any]:
    """What is remembered of a split that was learnt from, or chosen by."""
    clips = source.corpus.split(split)
    counts = Counter(clip.target for clip in clips if isinstance(clip.target, str))
    assert source.corpus.label_set is not None
    return {
        "corpus": source.name,
        "split": split,
        "clips": len(clips),
        "labels": {label: counts[label] for label in source.corpus.label_set.labels},
        "licence": reader(source.corpus.name).licence,
        "fingerprint": fingerprint(source.corpus),
    }


# ── what is said of it ───────────────────────────────────────────────────────


def _summary(source: TrainingCorpus) -> str:
    train, dev = (len([clip for clip in source.corpus.split(split) if clip.target]) for split in ("train", "dev"))
    return f"{source.name}: {train} clips to train on, {dev} to choose by"
