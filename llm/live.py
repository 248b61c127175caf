"""Windows of what a camera and a microphone give, each labelled as soon as it is over."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.context import Context
from ..core.errors import SettingsError
from ..core.timeline import Cues, Moment, Segment
from ..extractors.live import LiveCues
from ..extractors.speakers.turns import AUTO, NOBODY
from ..prompts.render import was_spoken
from ..textualize.moments import moment_in
from ..textualize.windows import clock_bounds, shortest_s, window_at
from .plan import Plan
from .reading import prompt_of, segments_from

if TYPE_CHECKING:
    from .predictors import AnyPredictor

LIVE_WINDOW_S = 2.0


def stream_windows(
    live: LiveCues, plan: Plan, predictor: Callable[[], AnyPredictor], context: Context
) -> Iterator[tuple[Segment, Cues]]:
    """See `Session.stream_with_cues`."""
    window_s, hop_s = plan.settings.windows.window_s or LIVE_WINDOW_S, plan.settings.windows.hop_s
    # No prompt looks further back.
    before: deque[Moment] = deque(maxlen=max(1, plan.prompt.turns_before))
    for start_s, end_s in clock_bounds(window_s, hop_s or window_s, 0.0, math.inf):
        cues = live.until(start_s, end_s)
        if cues is None:
            return
        if cues.media.duration_s is not None:
            end_s = min(end_s, cues.media.duration_s)
        utterances = cues.transcript.utterances if cues.transcript is not None else ()
        window = window_at(utterances, start_s, end_s)
        if start_s > 0 and end_s - start_s < shortest_s(hop_s or window_s) and not window.words:
            return  # of a file it would belong to the window before, which is given already
        moment = moment_in(window, cues, plan.wording, plan.run.population, plan.settings.modalities)
        prompt = prompt_of([*before, moment], len(before), plan)
        if was_spoken(moment):
            before.append(moment)
        (segment,) = segments_from([moment], [prompt], plan, predictor(), context.stage("reading"))
        yield segment, cues


def live_plan(plan: Plan) -> Plan:
    """What of the plan is different where only the past is known.

    Raises:
        SettingsError: who speaks is to be told by a file, or seen afterwards.
    """
    if plan.settings.speech.speakers not in (AUTO, NOBODY):
        raise SettingsError("speech.speakers is for files; of a live source, leave it out")
    face = plan.settings.face.model_copy(update={"batch_size": 1})
    scope = plan.wording.voice_scope
    return replace(
        plan,
        settings=plan.settings.model_copy(update={"face": face}),
        wording=plan.wording.model_copy(update={"voice_scope": "past" if scope == "speaker" else scope}),
    )
