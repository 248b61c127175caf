"""What is read without a file: lines of text, or the moments of a result again, with some of their signals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.errors import MediaError, SettingsError
from ..core.files import read_json
from ..core.labels import LABEL_SETS
from ..core.timeline import LabelledTranscript, Utterance
from ..extractors.speech.subtitles import with_speakers
from ..llm.run import shipped_runs
from ..llm.settings import AnalyzeSettings
from ..outputs.schema import from_json, load_result
from ..pipeline import Session
from .errors import Refused
from .jobs import current_result
from .requests import Asked, Defaults, asked_for

# What is read at once; more than a book takes an afternoon.
MOST_LINES, MOST_CHARACTERS = 5_000, 500_000
# Sets of signals that are read at once: all there are.
_MOST_SETS = 7


def read(value: Any, defaults: Defaults, session: Callable[[AnalyzeSettings], Session], jobs: Path) -> dict[str, Any]:
    """The answer to `POST /api/read`.

    Args:
        value: the body.
        session: that of settings.
        jobs: the folder in which jobs have theirs.

    Raises:
        EmoscribeError: the body asks for nothing that can be read.
    """
    if not isinstance(value, dict):
        raise SettingsError('the body has to be an object, as in {"text": "I did not expect that."}')
    given = dict(value)
    text, speaker, job, result, signals = (
        given.pop(name, None) for name in ("text", "speaker", "job", "result", "signals")
    )
    asked = asked_for(given)
    if text is not None:
        lines, speakers = _lines(text, speaker)
        segments = session(defaults.settings_for(asked)).read(lines, speakers)
        return {"labels": list(segments[0].scores), "segments": [each.to_dict() for each in segments]}
    kept = _kept(job, result, jobs)
    readings = session(_settings_of(kept, asked, defaults)).read_again(kept, _signals(signals))
    parts = ("label", "labels", "rating", "scores", "evidence")
    return {
        "readings": {
            letters: [{name: each[name] for name in parts if name in each} for each in (s.to_dict() for s in segments)]
            for letters, segments in readings.items()
        }
    }


def _lines(text: Any, speaker: Any) -> tuple[list[str], list[str | None]]:
    """Lines, and who says each: by a name and a colon before it, where several have that."""
    lines = [text] if isinstance(text, str) else text
    if not isinstance(lines, list) or not lines or not all(isinstance(line, str) for line in lines):
        raise SettingsError('"text" has to be a line or a list of lines, as in {"text": "I did not expect that."}')
    if not isinstance(speaker, str | None):
        raise SettingsError(f'"speaker" has to be a name, got {speaker!r}')
    count = sum(map(len, lines))
    if len(lines) > MOST_LINES or count > MOST_CHARACTERS:
        raise Refused(
            f"{len(lines):,} lines of {count:,} characters are too many; "
            f"the most that is read at once is {MOST_LINES:,} and {MOST_CHARACTERS:,}",
            413,
        )
    said = with_speakers([Utterance(number, number + 1.0, line, speaker) for number, line in enumerate(lines)])
    return [each.text for each in said], [each.speaker for each in said]


def _kept(job: Any, result: Any, jobs: Path) -> LabelledTranscript:
    """The result that is meant, as it was corrected.

    Args:
        job, result: of the body; either names one.
    """
    if isinstance(result, dict):
        try:
            return from_json(result)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MediaError(f'"result" is no labelled transcript ({type(error).__name__}: {error})') from None
    if not isinstance(job, str):
        raise SettingsError('the body has to have "text", or "signals" with the id of a "job" or a "result"')
    found = current_result(jobs / Path(job).name)
    if found is None:
        raise Refused(f"there is no job {job!r} with a result; GET /api/jobs lists all", 404)
    return load_result(found)


def _signals(given: Any) -> list[str]:
    sets = [given] if isinstance(given, str) else given
    if (
        not isinstance(sets, list)
        or not 1 <= len(sets) <= _MOST_SETS
        or not all(isinstance(each, str) and each and not set(each) - set("TVA") for each in sets)
    ):
        raise SettingsError(f'"signals" has to be sets of letters of TVA, as in ["TVA", "T", "V", "A"], got {given!r}')
    return sets


def _settings_of(kept: LabelledTranscript, asked: Asked, defaults: Defaults) -> AnalyzeSettings:
    """Those that the result was read with, as far as it says so."""
    own = defaults.settings
    run = (kept.provenance.get("model") or {}).get("run")
    if asked.run is None and run in shipped_runs() and run != Path(own.model.run).name:
        asked = asked.model_copy(update={"run": run})
    if asked.labels is None and kept.label_set in LABEL_SETS:
        asked = asked.model_copy(update={"labels": kept.label_set})
    return defaults.settings_for(asked)


def body_in(path: str | Path) -> Any:
    """The JSON in a body that was written to a file."""
    try:
        return read_json(path)
    except (MediaError, RecursionError):
        raise SettingsError("the body is not JSON in UTF-8; send an object") from None
