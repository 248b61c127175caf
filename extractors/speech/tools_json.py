"""Transcripts in JSON, as ours, Whisper, WhisperX, whisper.cpp, AssemblyAI, Deepgram and transformers write them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import MediaError
from ...core.limits import is_number
from ...core.text import one_line
from ...core.timeline import Utterance, Word
from .text_files import json_of, name_of, seconds_of

# Where the list of utterances is; of Deepgram's, under `results`.
_LISTS = ("segments", "utterances", "transcription", "chunks")
_TEXTS = ("text", "transcript", "sentence")
_WORDS = ("text", "punctuated_word", "word")
_PROBABILITIES = ("probability", "confidence", "score")
_STARTS = ("start_s", "start", "start_time", "begin")
_ENDS = ("end_s", "end", "end_time")

# Whole numbers at which nobody speaks so slowly (a character in twenty seconds) are milliseconds.
_SLOWEST_CHARACTERS_PER_S = 0.05
# No recording has as many milliseconds.
_MOST_MS = 1e15
# A transcript may end so much after the recording and still be in seconds.
_SLACK_S = 1.0


def read_json(path: Path, text: str, duration_s: float | None) -> tuple[list[Utterance], str | None]:
    """The utterances as they stand in the file, and their language.

    Whole numbers are milliseconds where as seconds they were beyond the
    recording, or nobody speaks so slowly.

    Args:
        duration_s: of the recording, where it is known.

    Raises:
        MediaError: there is none, or one lacks a text or times.
    """
    content = json_of(path, text)
    items = _items(content)
    if items is None:
        raise MediaError(f"{path} must be a list of utterances, or an object with one under 'segments' or 'utterances'")
    places = [f"{path}, utterance {number}" for number in range(1, len(items) + 1)]
    for where, item in zip(places, items, strict=True):
        _check(where, item)
    spans = [_span(where, item) for where, item in zip(places, items, strict=True)]
    unit_s = 0.001 if _in_milliseconds(items, spans, duration_s) else 1.0
    found = [_utterance(*each, unit_s) for each in zip(places, items, spans, strict=True)]
    return found, _language(content)


def _items(content: Any) -> list[Any] | None:
    if isinstance(content, dict):
        if not any(name in content for name in _LISTS) and isinstance(content.get("results"), dict):
            content = content["results"]
        content = next((content[name] for name in _LISTS if name in content), None)
    return content if isinstance(content, list) else None


def _language(content: Any) -> str | None:
    if not isinstance(content, dict):
        return None
    result = content.get("result")
    within = result.get("language") if isinstance(result, dict) else None
    language = content.get("language", content.get("language_code", within))
    return language if isinstance(language, str) else None


def _check(where: str, item: Any) -> None:
    if not isinstance(item, dict):
        raise MediaError(f"{where}: must be an object with start_s, end_s and text, got {str(item)[:40]!r}")
    if not any(name in item for name in _TEXTS):
        raise MediaError(f"{where}: no text; its keys are {', '.join(map(str, item))[:80]}; text is read from 'text'")
    text = _first(item, _TEXTS)
    if not isinstance(text, str | None):
        raise MediaError(f"{where}: text must be a string, got {str(text)[:40]!r}")


# ── times ────────────────────────────────────────────────────────────────────


def _span(where: str, item: Mapping[str, Any]) -> tuple[Any, Any]:
    """Start and end as they stand there; those that say that they are milliseconds, in seconds."""
    offsets, stamps = item.get("offsets"), item.get("timestamp")
    if isinstance(offsets, dict):  # whisper.cpp
        return tuple(_milliseconds(offsets.get(name)) for name in ("from", "to"))
    if isinstance(stamps, list) and len(stamps) == 2:  # transformers; the last of them is open
        return stamps[0], stamps[0] if stamps[1] is None else stamps[1]
    if "start_ms" in item and "end_ms" in item:
        return _milliseconds(item["start_ms"]), _milliseconds(item["end_ms"])
    return _first(item, _STARTS), _first(item, _ENDS)


def _milliseconds(value: Any) -> Any:
    # Whole numbers of any length can stand in JSON, and no fraction is as large.
    return value / 1000 if is_number(value) and abs(value) < _MOST_MS else value


def _in_milliseconds(
    items: Sequence[Mapping[str, Any]], spans: Sequence[tuple[Any, Any]], duration_s: float | None
) -> bool:
    bounds = [bound for span in spans for bound in span]
    # Numbers of any length can stand in JSON.
    if not bounds or not all(type(bound) is int and 0 <= bound < _MOST_MS for bound in bounds):
        return False
    last = max(bounds)
    if duration_s and last > duration_s + _SLACK_S and last / 1000 <= duration_s + _SLACK_S:
        return True
    spoken = sum(len(_first(item, _TEXTS) or "") for item in items)
    return 0 < spoken < _SLOWEST_CHARACTERS_PER_S * sum(end - start for start, end in spans)


def _times(where: str, span: tuple[Any, Any], unit_s: float) -> tuple[float, float]:
    # Of what is no number, the message shows what stands there.
    start, end = (bound * unit_s if unit_s != 1.0 else bound for bound in span)
    return seconds_of(where, {"start": start}, "start"), seconds_of(where, {"end": end}, "end")


# ── utterances and words ─────────────────────────────────────────────────────


def _utterance(where: str, item: Mapping[str, Any], span: tuple[Any, Any], unit_s: float) -> Utterance:
    start_s, end_s = _times(where, span, unit_s)
    text = one_line(_first(item, _TEXTS) or "")
    words = _words(where, item.get("words"), start_s, end_s, unit_s)
    if _letters("".join(word.text for word in words)) != _letters(text):
        words = []  # some are missing in the list: what was said is the text
    return Utterance(start_s, end_s, text, _speaker(item.get("speaker")), tuple(words))


def _speaker(value: Any) -> str | None:
    if isinstance(value, str):
        return name_of(value)
    return f"speaker {value}" if isinstance(value, int) and not isinstance(value, bool) else None


def _words(where: str, items: Any, start_s: float, end_s: float, unit_s: float) -> list[Word]:
    """The words; those without times (aligners give numerals none) share what their neighbours leave."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return []
    spoken = [(one_line(str(_first(item, _WORDS) or "")), item) for item in items]
    spoken = [(text, item, _span(where, item)) for text, item in spoken if text]
    timed = [
        _times(where, span, unit_s) if None not in span and (span[0] or span[1] is not None) else None
        for _, _, span in spoken
    ]
    if not any(timed):
        return []
    found: list[Word] = []
    at_s = start_s
    for has_times, group in itertools.groupby(range(len(spoken)), key=lambda number: timed[number] is not None):
        numbers = list(group)
        if has_times:
            shares = [timed[number] or (at_s, at_s) for number in numbers]
        else:
            following = timed[numbers[-1] + 1] if numbers[-1] + 1 < len(timed) else None
            until_s = max(following[0] if following else end_s, at_s)
            step_s = (until_s - at_s) / len(numbers)
            shares = [(at_s + step_s * index, at_s + step_s * (index + 1)) for index in range(len(numbers))]
        for number, (from_s, to_s) in zip(numbers, shares, strict=True):
            text, item, _ = spoken[number]
            begin_s, until_s = sorted(min(max(time_s, start_s), max(start_s, end_s)) for time_s in (from_s, to_s))
            found.append(Word(begin_s, until_s, text, _probability(item)))
        at_s = shares[-1][1]
    return found


def _probability(item: Mapping[str, Any]) -> float | None:
    value = _first(item, _PROBABILITIES)
    return float(value) if is_number(value) and 0 <= value <= 1 else None


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def _first(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    """What stands under the first of the names that is there."""
    return next((item[name] for name in names if name in item), None)
