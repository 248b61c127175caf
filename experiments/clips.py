"""The clips of a corpus: perceived as a run perceives, and as the prompts that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ..core.context import Context
from ..core.errors import MediaError
from ..core.files import passing_folder
from ..core.prompt import Prompt
from ..core.timeline import Clip, Cues, Moment
from ..corpora.corpus import Corpus
from ..extractors.batch import cues_of
from ..extractors.perceive import decide
from ..extractors.settings import EMBEDDED_SPEECH, FaceSettings, VoiceSettings
from ..extractors.store import CueStore
from ..llm.run import TextRun
from ..llm.settings import AnalyzeSettings
from ..prompts.render import render
from ..training import processes


def prompts_of(run: TextRun, clips: Sequence[Clip], moments: Sequence[Moment]) -> list[Prompt]:
    """A prompt for each clip; what was said before it in its dialogue is its context."""
    return [
        render([*before, moment], len(before), run.prompt, id=clip.id, labels=run.labels)
        for clip, moment, before in zip(clips, moments, before_each(clips, moments), strict=True)
    ]


def before_each(clips: Sequence[Clip], moments: Sequence[Moment]) -> list[list[Moment]]:
    """Of each clip, the moments before it in its dialogue, in order."""
    so_far: dict[str, list[Moment]] = {}
    before = []
    for clip, moment in zip(clips, moments, strict=True):
        dialogue = so_far.setdefault(clip.dialogue or clip.id, [])
        before.append(list(dialogue))
        dialogue.append(moment)
    return before


@dataclass(frozen=True, eq=False)
class Perceived:
    """By clip id, the cues of a clip's file, or why there are none."""

    cues: Mapping[str, Cues]
    failed: Mapping[str, str]


def perceived(
    corpus: Corpus,
    clips: Sequence[Clip],
    run: TextRun,
    modalities: str,
    context: Context,
    *,
    timed: bool = False,
) -> Perceived:
    """The cues of the clips' files, as the run's own extractors perceive them.

    Args:
        timed: also where words were published: it has to be known when each was said.
    """
    wanted = "".join(dict.fromkeys(modalities)) if timed else unpublished(corpus, clips, modalities)
    if not wanted or all(clip.media is None for clip in clips):
        return Perceived({}, {})
    settings, _ = decide(as_perceived_for(run, AnalyzeSettings(modalities=wanted)), context)

    def perceive(share: list[Clip]) -> list[Cues | MediaError]:
        with keeping(context) as kept:
            return [cues for _, cues in cues_of(share, settings, kept)]

    with_media = [clip for clip in clips if clip.media is not None]
    found: list[tuple[Clip, Cues | MediaError]]
    found = list(zip(with_media, processes.mapped(perceive, with_media), strict=True))
    return Perceived(
        {clip.id: cues for clip, cues in found if isinstance(cues, Cues)},
        {clip.id: str(error) for clip, error in found if isinstance(error, MediaError)},
    )


def unpublished(corpus: Corpus, clips: Sequence[Clip], modalities: str) -> str:
    """The letters of `modalities` that have to be perceived: what a corpus publishes is not measured again."""
    published = set()
    if all(clip.text is not None for clip in clips):
        published.add("T")
    if all(clip.id in corpus.voice for clip in clips):
        published.add("A")
    return "".join(letter for letter in "TVA" if letter in modalities and letter not in published)


def as_perceived_for(run: TextRun, asked: AnalyzeSettings) -> AnalyzeSettings:
    """What was asked for, by the run's own extractors, or else the embedded ones, in all that was not."""
    own = {
        "speech": run.extractors.speech or EMBEDDED_SPEECH,
        "face": run.extractors.face or FaceSettings(engine="landmarker"),
        "voice": run.extractors.voice or VoiceSettings(),
    }
    for name, trained in own.items():
        section = getattr(asked, name)
        own[name] = trained.model_copy(update={key: getattr(section, key) for key in section.model_fields_set})
    return asked.model_copy(update=own).for_corpora()


@contextmanager
def keeping(context: Context) -> Iterator[Context]:
    """The circumstances with a store; where there is none, with one for this block alone: clips may share a file."""
    if context.store is not None:
        yield context
        return
    with passing_folder() as passing:
        yield replace(context, store=CueStore(passing))
