"""The prompts of a corpus, to read: exactly those that an evaluation scores."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.context import DEFAULT, Context
from ..core.prompt import Prompt
from ..core.timeline import Clip
from ..extractors.settings import check_modalities
from ..llm.run import find_run
from .clips import perceived
from .from_words import prompts_for
from .over_time import cut_into_windows, windows_for
from .request import EvaluationRequest, corpus_for


def prompts(request: EvaluationRequest, *, limit: int | None = None, context: Context = DEFAULT) -> list[Prompt]:
    """What `evaluate` lets a run, the first of those asked, read of the clips of a split.

    Args:
        limit: how many clips, from the first.

    Raises:
        EmoscribeError: the run or the corpus is not as it has to be.
    """
    run = find_run(request.runs[0])
    letters = request.modalities[0] if request.modalities else run.modalities
    check_modalities(letters)
    windows = windows_for(request)
    corpus = corpus_for(request, [run], context)
    clips = corpus.split(request.split)
    wanted = clips if limit is None else clips[:limit]
    clips = _with_company(wanted, clips)
    seen = perceived(corpus, clips, run, letters, context, timed=windows is not None).cues
    shown = {clip.id for clip in wanted}
    if windows is not None:
        pieces = cut_into_windows(corpus, clips, seen, windows)
        shown = {window.id for clip, its in pieces.of if clip.id in shown for window in its}
        corpus, clips, seen = pieces.corpus, pieces.clips, pieces.cues
    return [prompt for prompt in prompts_for(run, corpus, clips, seen, letters) if prompt.id in shown]


def _with_company(wanted: Sequence[Clip], clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """The wanted clips and all that their prompts hang on: the speakers' other clips, and the dialogues' turns."""
    speakers, dialogues = ({clip.speaker or clip.source for clip in wanted}, {clip.dialogue for clip in wanted})
    ids = {clip.id for clip in wanted}
    return tuple(
        clip
        for clip in clips
        if clip.id in ids or (clip.speaker or clip.source) in speakers - {None} or clip.dialogue in dialogues - {None}
    )
