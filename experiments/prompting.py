"""The prompts of a corpus, to read: exactly those that an evaluation scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..core.context import DEFAULT, Context
from ..core.timeline import Clip, Prompt
from ..extractors.settings import check_modalities
from ..llm.run import find_run
from ..llm.settings import ModelSettings
from .answering import prompts_for
from .clips import perceived
from .evaluating import common_labels, corpus_with
from .over_time import cut_into_windows, windows_for


def prompts(
    corpus_name: str,
    data: str | Path,
    split: str,
    run: str | Path | None = None,
    *,
    modalities: str | None = None,
    limit: int | None = None,
    folds: str = "published",
    fold: int = 0,
    columns: Mapping[str, str] | None = None,
    window_s: float | None = None,
    hop_s: float | None = None,
    context: Context = DEFAULT,
) -> list[Prompt]:
    """What `evaluate` lets a run read of the clips of a split; arguments as there.

    Args:
        run: `None` for the one that `analyze` takes.
        limit: how many clips, from the first.

    Raises:
        EmoscribeError: the run or the corpus is not as it has to be.
    """
    if modalities is not None:
        check_modalities(modalities)
    windows = windows_for(corpus_name, window_s, hop_s, None)
    reading = find_run(run or ModelSettings().run)
    labels = common_labels([reading], corpus_name)
    corpus = corpus_with(split, corpus_name, data, folds=folds, fold=fold, columns=columns, labels=labels)
    clips = corpus.split(split)
    wanted = clips if limit is None else clips[:limit]
    clips = _with_company(wanted, clips)
    letters = modalities or reading.modalities
    failed: dict[str, str] = {}
    seen = perceived(corpus, clips, reading, letters, context, failed, timed=windows is not None)
    shown = {clip.id for clip in wanted}
    if windows is not None:
        pieces = cut_into_windows(corpus, clips, seen, windows)
        shown = {window.id for clip, its in pieces.of if clip.id in shown for window in its}
        corpus, clips, seen = pieces.corpus, pieces.clips, pieces.cues
    return [prompt for prompt in prompts_for(reading, corpus, clips, seen, letters) if prompt.id in shown]


def _with_company(wanted: Sequence[Clip], clips: Sequence[Clip]) -> tuple[Clip, ...]:
    """The wanted clips and all that their prompts hang on: the speakers' other clips, and the dialogues' turns."""
    speakers, dialogues = ({clip.speaker or clip.source for clip in wanted}, {clip.dialogue for clip in wanted})
    ids = {clip.id for clip in wanted}
    return tuple(
        clip
        for clip in clips
        if clip.id in ids or (clip.speaker or clip.source) in speakers - {None} or clip.dialogue in dialogues - {None}
    )
