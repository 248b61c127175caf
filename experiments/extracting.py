"""Cues ahead of time: of a file, a folder of media, or a corpus, into a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..core.context import DEFAULT, Context
from ..core.errors import MediaError, SettingsError
from ..core.settings import load
from ..core.timeline import Clip, Cues
from ..corpora.corpus import CorpusRequest
from ..corpora.registry import read_corpus
from ..extractors.batch import cues_of
from ..extractors.finding import media_files
from ..extractors.perceive import decide
from ..extractors.speakers.turns import check_several
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
    source: str | Path | CorpusRequest, settings: AnalyzeSettings, context: Context
) -> Iterator[tuple[Clip, Cues | MediaError]]:
    """Perceive each clip that has a file and keep its cues in a store, telling how it went.

    What the store holds is not perceived again, so that an interrupted
    extraction goes on where it stopped.

    Args:
        source: a file, a folder of media, or a corpus.
        context: with the store to keep them in.
        settings: as `extraction_settings` gives them.

    Raises:
        EmoscribeError: the source or the corpus is not as it has to be, or the
            store cannot be written.
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
    yield from cues_of(clips, settings, context)


def _files(source: Path) -> list[Clip]:
    """A clip for the file, or for each in the folder and those below."""
    if not source.is_dir():
        return [Clip(id=source.name, media=str(source))]
    found = media_files([source], recursive=True)
    return [Clip(id=str(path.relative_to(source)), media=str(path)) for path in found]
