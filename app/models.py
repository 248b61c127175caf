"""The work that needs models: analysing, reading, streams; one `Session` for each distinct settings."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.context import StageProgress
from ..core.files import plain, write_json
from ..core.timeline import LabelledTranscript
from ..extractors.engines import Engines
from ..extractors.perceive import check_given
from ..llm.plan import make_plan
from ..llm.predictors import Predictors
from ..llm.settings import AnalyzeSettings
from ..pipeline import Session, context_for
from . import reading
from .process import Hand
from .requests import Defaults

# Sessions that are kept: each is a plan, since engines and language models are shared.
_SESSIONS = 8
# How stages are called that concern whoever waits for what is being loaded.
_LOADING = "loading "


def models(tell: StageProgress, defaults: Defaults) -> Mapping[str, Callable[[Hand], Any]]:
    """See `process.Work`."""
    place = Models(tell, defaults)
    return {"prepare": place.prepare, "analyze": place.analyze, "read": place.read, "live": place.live}


class Models:
    """Engines and language models of a process, and the sessions that share them."""

    def __init__(self, tell: StageProgress, defaults: Defaults) -> None:
        self._tell, self._defaults = tell, defaults
        self._engines = Engines(context_for(defaults.settings, progress=self._progress))
        # By device.
        self._predictors: dict[str, Predictors] = {}
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        # Whose analysis or stream is going on: one at a time.
        self._hand: Hand | None = None

    def prepare(self, hand: Hand) -> list[str]:
        """Load what the service's own settings need; what `auto` chose, a line each."""
        session = self._session(self._defaults.settings)
        session.load()
        return list(session.plan.choices)

    def analyze(self, hand: Hand) -> None:
        """A file's labelled transcript, written as JSON.

        Its payload: `media`, `name`, `out`, `settings`, `transcript` (or `None`), `start_s`, `end_s`.
        """
        asked, transcript = hand.payload, hand.payload["transcript"]
        with self._in_charge(hand):
            session = self._session(asked["settings"], transcript)
            with closing(session.opened(asked["media"], asked["start_s"], asked["end_s"])) as source:
                check_given(source, session.plan.settings, transcript)
                save_result(session.analyze(source, transcript=transcript), asked)

    def read(self, hand: Hand) -> bytes:
        """The answer to `POST /api/read`, in JSON.

        Its payload: `body`, the file that it is in, or `value`, the body itself; `jobs`, their folder.
        """
        asked = hand.payload
        value = reading.body_in(asked["body"]) if "body" in asked else asked["value"]
        answer = reading.read(value, self._defaults, self._session, Path(asked["jobs"]))
        return json.dumps(plain(answer), ensure_ascii=False).encode("utf-8", "backslashreplace")

    def live(self, hand: Hand) -> None:
        """A stream's labelled transcript, written as JSON; see `live.run_live`.

        Its payload: `start`, the client's first message; `settings`, `name`, `out`.
        """
        from .live import run_live

        with self._in_charge(hand):
            save_result(run_live(hand, self._session(hand.payload["settings"])), hand.payload)

    @contextmanager
    def _in_charge(self, hand: Hand) -> Iterator[None]:
        self._hand = hand
        try:
            yield
        finally:
            self._hand = None

    def _session(self, settings: AnalyzeSettings, transcript: str | None = None) -> Session:
        key = json.dumps([settings.model_dump(mode="json"), sorted(settings.model_fields_set), transcript is None])
        with self._lock:
            session = self._sessions.pop(key, None)
            if session is None:
                context = context_for(settings, progress=self._progress)
                plan = make_plan(settings, context, transcript)
                predictors = self._predictors.setdefault(context.device, Predictors(context))
                session = Session(plan, context, engines=self._engines, predictors=predictors)
            self._sessions[key] = session
            for old in list(self._sessions)[:-_SESSIONS]:
                del self._sessions[old]
            return session

    def _progress(self, stage: str, done: float) -> None:
        if stage.startswith(_LOADING):
            self._tell(stage, done)
        elif self._hand is not None:
            self._hand.progress(stage, done)


def save_result(result: LabelledTranscript, asked: Mapping[str, Any]) -> None:
    """The JSON of a result, in which its file is called as whoever sent it calls it."""
    named = replace(result, media=replace(result.media, path=asked["name"]))
    write_json(Path(asked["out"]), named.to_dict())
