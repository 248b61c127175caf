"""Cues ahead of time: of a file, a folder of media, or a corpus, into a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..core.context import DEFAULT, Context
from ..core.errors import EmoscribeError, MediaError, SettingsError
from ..core.settings import load
from ..core.timeline import Clip
from ..corpora.corpus import CorpusRequest
from ..corpora.registry import read_corpus
from ..extractors.batch import Extraction
from ..extractors.executors import Executor, Lost, executor_for
from ..extractors.finding import media_files
from ..extractors.perceive import decide
from ..extractors.speakers.turns import check_several
from ..extractors.store import CueStore
from ..llm.run import find_run
from ..llm.settings import AnalyzeSettings
from .clips import as_perceived_for, unpublished


def extraction_settings(
    config: str | Path | None = None,
    run: str | None = None,
    modalities: str | None = None,
    assignments: Sequence[str] = (),
    context: Context = DEFAULT,
) -> tuple[AnalyzeSettings, list[str]]:
    """How to perceive, and what `auto` chose where a config says so, a line each.

    Without a config, the extractors are those of the run (`meld-minilm`
    unless named), so that it finds in the store what it would perceive.

    Raises:
        SettingsError: a config and a run, or a setting that is not one.
        UnavailableError: an engine is not here.
    """
    if config is not None and run is not None:
        raise SettingsError(f"--config {config} and --run {run} both say how to perceive; give one of them")
    asked = load(AnalyzeSettings, config, assignments, model__run=run, modalities=modalities)
    if config is None:
        asked = as_perceived_for(find_run(asked.model.run), asked)
    return decide(asked.for_corpora(), context)


def extract(
    source: str | Path | CorpusRequest,
    settings: AnalyzeSettings,
    store: str | Path,
    context: Context = DEFAULT,
    *,
    executor: Executor | None = None,
) -> Iterator[tuple[Clip, EmoscribeError | None]]:
    """Perceive each clip that has a file and keep its cues in a store, telling what went wrong, as each is done.

    What the store holds is not perceived again, so that an interrupted
    extraction goes on where it stopped.  What another process is at work on is
    left to it.

    Args:
        source: a file, a folder of media, or a corpus.
        settings: as `extraction_settings` gives them.
        store: a folder or a URL; see `CueStore`.
        executor: who does the work; by default as many processes as suit this machine and the number of clips.

    Raises:
        EmoscribeError: the source or the corpus is not as it has to be, or the
            store cannot be read or written.
    """
    if not isinstance(source, CorpusRequest):
        clips = _files(Path(source))
    else:
        corpus = read_corpus(source, context)
        # A clip that is in two splits is perceived once.
        clips = list({clip.id: clip for clip in corpus.clips}.values())
        letters = unpublished(corpus, clips, settings.modalities)
        if not letters:
            raise SettingsError(
                f"{corpus.name} publishes all that modalities {settings.modalities} need: nothing to extract"
            )
        if all(clip.media is None for clip in clips):
            raise MediaError(
                f"none of the {len(clips)} clips of {corpus.name} in {source.data} has its media"
                + "".join(f"; no {missing}" for missing in list(corpus.missing.values())[:1])
            )
        settings = settings.model_copy(update={"modalities": letters})
    check_several(settings.speech.speakers, len({clip.media for clip in clips}))
    with_media = [clip for clip in clips if clip.media is not None]
    kept = CueStore(store)
    yield from _worked(Extraction(settings, str(store), context.device, context.offline), with_media, executor, context)
    kept.join()


def _worked(
    extraction: Extraction, clips: Sequence[Clip], executor: Executor | None, context: Context
) -> Iterator[tuple[Clip, EmoscribeError | None]]:
    done, elsewhere = 0, []
    # What others are at work on comes last, when it is likely to be there.
    for make, left in ((extraction, clips), (replace(extraction, wait=True), elsewhere)):
        for clip, outcome in (executor or executor_for(len(left))).map(make, left):
            if isinstance(outcome, Lost):
                yield clip, EmoscribeError(f"{clip.media}: {outcome.reason}")
            elif outcome.elsewhere:
                elsewhere.append(clip)
                continue
            else:
                yield clip, outcome.error
            done += 1
            context.progress("perceiving", done / len(clips))


def _files(source: Path) -> list[Clip]:
    """A clip for the file, or for each in the folder and those below."""
    if not source.is_dir():
        return [Clip(id=source.name, media=str(source))]
    found = media_files([source], recursive=True)
    return [Clip(id=str(path.relative_to(source)), media=str(path)) for path in found]
