"""A language model before the clips of a split: perceived, in words, scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.context import Context
from ..core.derived import from_basic
from ..core.prompt import Prompt, Scored
from ..core.timeline import Clip, Cues, Moment
from ..corpora.corpus import Corpus
from ..evaluation.over_time import decided
from ..llm.by_vllm import load_vllm
from ..llm.predictors import load
from ..llm.run import TextRun
from ..textualize.clips import moments_of_clips
from ..training import processes
from .clips import perceived, prompts_of
from .over_time import read_over_time
from .reading import EvaluationData, Reading, ReadyRun


def ready_for_words(run: TextRun, letters: str, data: EvaluationData, context: Context) -> ReadyRun:
    """
    Raises:
        EmoscribeError: the run cannot be loaded, or an extractor.
    """
    labels, windows = data.labels, data.windows
    seen = perceived(data.corpus, data.clips, run, letters, context, timed=windows is not None)
    predictor = load(run, context) if data.vllm is None else load_vllm(run, data.vllm, context)

    def scored(letters: str, corpus: Corpus, clips: Sequence[Clip], cues: Mapping[str, Cues]) -> list[Scored]:
        prompts = prompts_for(run, corpus, clips, cues, letters)
        answers: list[Scored] = processes.mapped(
            lambda share: predictor.predict(share, progress=context.stage("reading")), prompts
        )
        if labels is None or run.labels == labels.labels:
            return answers
        # By the rule, where the run gives basic labels and others are asked for.
        return [Scored(one.id, from_basic(one.scores, labels)) for one in answers]

    def read(letters: str) -> Reading:
        if windows is None:
            answered = scored(letters, data.corpus, data.clips, seen.cues)
            return Reading({"": {one.id: one.scores if one.rating is None else one.rating for one in answered}})
        assert labels is not None
        frames = read_over_time(data, seen.cues, windows, lambda *pieces: scored(letters, *pieces))
        ways = {
            decision: {one.id: one.scores for one in decided(frames, labels.labels, decision)}
            for decision in windows.decisions
        }
        return Reading(ways, frames)

    return ReadyRun(read, predictor.sizes, seen.failed)


def prompts_for(
    run: TextRun, corpus: Corpus, clips: Sequence[Clip], cues: Mapping[str, Cues], modalities: str
) -> list[Prompt]:
    """The prompt of each clip, in the run's own wording."""
    moments: list[Moment] = moments_of_clips(clips, cues, corpus.voice, run.wording, run.population, modalities)
    return prompts_of(run, clips, moments)
