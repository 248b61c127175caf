"""`emoscribe prompt`: the exact text that a model reads."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import (
    PERHAPS_CORPUS,
    READING,
    WithEngines,
    context_of,
    corpus_request,
    names_corpus,
    plan_of,
)
from .terminal import Terminal, terminal

if TYPE_CHECKING:
    from ..core.prompt import PrecedingTurn, Prompt

# Of a video; how a corpus is read is the run's to say.
_OF_VIDEO = {
    **{name: name for name in ("config", "labels", "transcript", "speakers", "language", "model", "device")},
    **{"start_s": "from", "end_s": "to", "assignments": "set"},
}


@click.command("prompt", cls=WithEngines)
@click.argument("source", metavar="VIDEO|CORPUS")
@READING
@PERHAPS_CORPUS
@click.option("--split", default="test", show_default=True, help="Of a corpus: train, dev or test.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Of a corpus: the first N clips.")
@click.pass_context
def command(ctx: click.Context, source: str, split: str, limit: int | None, **given: Any) -> None:
    """Print the exact prompts that the model reads for VIDEO, or for the clips of CORPUS.

    Of a corpus they are those that `evaluate` scores; the run says how they
    are worded.  Turns that are remembered, each a prompt of its own before,
    stand below in one line each, the oldest first.
    """
    with terminal(ctx.obj) as place:
        if names_corpus(source, given["data"]):
            for option, name in _OF_VIDEO.items():
                if ctx.get_parameter_source(option) is not click.core.ParameterSource.DEFAULT:
                    raise click.UsageError(f"--{name} goes with a video; how a corpus is read is the run's to say")
            prompts = _of_corpus(source, given, place, split, limit)
        else:
            prompts = _of_video(Path(source), given, place)
        for each in prompts:
            place.say(f"── {each.id}")
            place.show("\n".join((each.text, *map(_remembered, each.history), "")))


def _of_corpus(corpus: str, given: dict[str, Any], place: Terminal, split: str, limit: int | None) -> list[Prompt]:
    from ..experiments import EvaluationRequest, prompts
    from ..llm.settings import ModelSettings

    context = context_of(given, place)
    request = EvaluationRequest(
        corpus_request(corpus, given),
        split,
        (given["run"] or ModelSettings().run,),
        modalities=(given["modalities"],) if given["modalities"] is not None else None,
        window_s=given["window"],
        hop_s=given["hop"],
    )
    return prompts(request, limit=limit, context=context)


def _of_video(video: Path, given: dict[str, Any], place: Terminal) -> list[Prompt]:
    from ..pipeline import Session

    transcript = given["transcript"]
    with (
        Session(*plan_of(given, place)) as session,
        closing(session.opened(video, given["start_s"] or 0.0, given["end_s"])) as source,
    ):
        return session.prompts(source, transcript=transcript)


_WHO = {True: "same speaker", False: "someone else", None: "unknown speaker"}


def _remembered(turn: PrecedingTurn) -> str:
    return f"remembered, {_WHO[turn.same_speaker]}: " + turn.prompt.text.replace("\n", " · ")
