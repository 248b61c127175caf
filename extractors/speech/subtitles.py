"""A transcript that somebody already has: subtitles (.srt, .vtt, .ass, .ssa), tiers (.eaf, .TextGrid) or JSON."""

from __future__ import annotations

import html
import itertools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ...core.errors import MediaError
from ...core.limits import check_characters, check_count, check_speakers, check_times
from ...core.text import one_line
from ...core.tiers import SUFFIXES, holds_tiers
from ...core.timeline import Media, Transcript, Utterance, timed_words
from .captions import layered, unrolled
from .spoken_tiers import read_spoken
from .substation import read_substation
from .text_files import lines_of, name_of, plain_lines, text_of, up_to_last
from .tools_json import read_json

# A cue that gives no end is read at this many characters a second, and takes
# a second at least.
READING_SPEED = 15.0
MIN_READING_S = 1.0


def read_transcript(path: str | Path, duration_s: float | None = None) -> Transcript:
    """The utterances in a file, in order of time; cues without words are left out.

    JSON is a list of utterances, or an object with such a list under
    `segments` or `utterances` and perhaps a `language`; an utterance has
    `start_s` and `end_s` (or `start` and `end`), `text`, and perhaps a
    `speaker` and `words`.  Whisper's own JSON is such a file; other tools'
    are read too, see `tools_json`.

    Of ELAN's and Praat's tiers, those are read that hold what is said, see
    `core/tiers.py`; `source` names them.

    A speaker is who the format names (`<v Clara>`, the ASS name field, the tier), or a
    `CLARA:` in front of a line.  Two speakers in a cue say it in turn, for as
    long as their words are.  Formatting is taken off; whatever else is in
    pointed brackets stays as it is written.  Captions that roll up or lie in
    layers are read once.

    Args:
        duration_s: of the recording, which the transcript must fit.

    Raises:
        MediaError: the file is missing, of another kind, malformed, or of
            another recording.
    """
    path = Path(path)
    readers: Mapping[str, Callable[[Path, str], tuple[list[Utterance], str | None]]] = {
        ".srt": _read_srt,
        ".vtt": _read_vtt,
        ".ass": read_substation,
        ".ssa": read_substation,
        ".json": partial(read_json, duration_s=duration_s),
    }
    source, reader = f"file {path.name}", readers.get(path.suffix.lower())
    if reader is not None:
        found, language = reader(path, text_of(path))
    elif holds_tiers(path):
        found, language, names = read_spoken(path)
        source += f", tiers {', '.join(names)}"
    else:
        raise MediaError(f"{path} is not a transcript that can be read; give one of {', '.join([*readers, *SUFFIXES])}")
    for utterance in found:
        if utterance.end_s < utterance.start_s:
            raise MediaError(
                f"{path}: the cue at {utterance.start_s:g} s ends before it begins, at {utterance.end_s:g} s"
            )
    check_count(path, len(found), "cues")
    check_characters(path, sum(len(utterance.text) for utterance in found))
    spoken = layered(with_speakers([u for u in found if u.text]))
    check_speakers(path, (utterance.speaker for utterance in spoken))
    check_times(path, spoken, "cues", duration_s)
    check_count(path, len(spoken), "cues", duration_s)
    if duration_s:
        spoken = _within(spoken, duration_s)
    return Transcript(_with_lengths(spoken, duration_s), language, source)


def _within(utterances: Sequence[Utterance], duration_s: float) -> list[Utterance]:
    """What is said in the recording."""
    return [
        replace(
            utterance,
            end_s=min(utterance.end_s, duration_s),
            words=tuple(replace(w, end_s=min(w.end_s, duration_s)) for w in utterance.words if w.start_s < duration_s),
        )
        for utterance in utterances
        if utterance.start_s < duration_s
    ]


def inside(said: Transcript, media: Media) -> Transcript:
    """What is said in the stretch of a recording that is meant; a word belongs where its middle lies."""
    begin_s, until_s = media.start_s, media.until_s
    utterances = []
    for each in said.utterances:
        if begin_s <= each.start_s and each.end_s <= until_s:
            utterances.append(each)
            continue
        words = tuple(w for w in timed_words(each) if begin_s <= (w.start_s + w.end_s) / 2 < until_s)
        if words:
            text = " ".join(word.text for word in words)
            times = {"start_s": max(each.start_s, begin_s), "end_s": min(each.end_s, until_s)}
            utterances.append(replace(each, **times, text=text, words=words))
    return replace(said, utterances=tuple(utterances))


# ── SubRip and WebVTT ────────────────────────────────────────────────────────

_CLOCK = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[\w.-]*)?\s+([^>]*)>")
_TAGS = re.compile(r"</?(?:b|c|font|i|lang|rt|ruby|s|u|v)(?:[.\s][^>]*)?>|<[\d:.]+>", re.IGNORECASE)
_OVERRIDES = re.compile(r"\{\\[^}]*\}")


@dataclass(frozen=True)
class _Cue:
    start_s: float
    end_s: float
    lines: list[str]


def _read_srt(path: Path, text: str) -> tuple[list[Utterance], None]:
    cues = _once(_cues(path, text, blank_ends=False))
    return [Utterance(cue.start_s, cue.end_s, _plain("\n".join(cue.lines))) for cue in cues], None


def _read_vtt(path: Path, text: str) -> tuple[list[Utterance], None]:
    utterances: list[Utterance] = []
    for cue in _once(_cues(path, text, blank_ends=True)):
        head, tail = up_to_last(">", "\n".join(cue.lines))
        unnamed, *voices = _VOICE.split(head)
        if voices:
            voices[-1] += tail
        else:
            unnamed += tail
        said: list[tuple[str | None, str]] = [(None, _unescaped(_plain(unnamed)))]
        for speaker, part in zip(voices[::2], voices[1::2], strict=True):
            said.append((name_of(_unescaped(speaker)), _unescaped(_plain(part))))
        utterances += _in_turn(Utterance(cue.start_s, cue.end_s, ""), said)
    return utterances, None


def _unescaped(text: str) -> str:
    try:
        return html.unescape(text)
    except ValueError:  # the number of a character has thousands of digits
        return text


def _once(cues: list[_Cue]) -> list[_Cue]:
    """The cues without the lines that roll up from the one before."""
    shown = [{number: plain for number, line in enumerate(cue.lines) if (plain := _plain(line))} for cue in cues]
    plain = [(cue.start_s, cue.end_s, list(lines.values())) for cue, lines in zip(cues, shown, strict=True)]
    return [
        replace(cue, lines=[cue.lines[number] for number in list(lines)[repeated:]])
        for cue, lines, repeated in zip(cues, shown, unrolled(plain), strict=True)
    ]


def _cues(path: Path, text: str, *, blank_ends: bool) -> list[_Cue]:
    """The cues as written.

    Args:
        blank_ends: an empty line ends a cue, and until the next time come
            names of cues and comments; else it is part of what is said.
    """
    cues: list[_Cue] = []
    inside = False
    for number, line in enumerate(lines_of(text), start=1):
        if "-->" in line and re.match(r"\s*-?\d", line):
            timing = _TIMING.fullmatch(line)
            if timing is None:
                raise MediaError(
                    f"{path}, line {number}: {line.strip()[:60]!r} is not a time as in 00:00:01,000 --> 00:00:02,500"
                )
            said = cues[-1].lines if cues else []
            # In WebVTT a number behind a line of spaces, which does not end a cue, as editors leave it there.
            if said and said[-1].strip().isdecimal() and (not blank_ends or (said[-2:-1] and not said[-2].strip())):
                said.pop()  # the number of this cue
            cues.append(_Cue(_clock_s(timing.groups()[:4]), _clock_s(timing.groups()[4:]), []))
            inside = True
        elif blank_ends and not line:
            inside = False
        elif inside:
            cues[-1].lines.append(line)
    if not cues:
        raise MediaError(f"{path} holds no subtitles: no line is a time as in 00:00:01,000 --> 00:00:02,500")
    return cues


def _clock_s(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")


def _plain(text: str) -> str:
    if not text or text.isspace():
        return ""
    for closing, formatting in ((">", _TAGS), ("}", _OVERRIDES)):
        head, tail = up_to_last(closing, text)
        text = formatting.sub("", head) + tail
    return plain_lines(text)


# ── who says it, and for how long ────────────────────────────────────────────

# `CLARA:`, `MR. JONES:`, `Clara:`, `- Clara:`, `>> CLARA:`
_DASH = re.compile(r"[->]+\s*")
_PREFIX = re.compile(r"(?:[->]+\s*)?((?:[^\W\d_][\w.'’-]*)(?: [^\W\d_][\w.'’-]*){0,2})\s?:\s+(?=\S)")

# Words that are said with a colon after them.
_SAID_BEFORE_COLONS = frozenset(
    (
        *("answer", "attention", "but", "caution", "example", "fact", "first", "hint", "important", "look", "note"),
        *("now", "one", "question", "remember", "result", "rule", "second", "so", "step", "sorry", "then", "third"),
        *("tip", "two", "three", "warning", "well"),
    )
)


def with_speakers(utterances: list[Utterance]) -> list[Utterance]:
    """Speakers taken from the front of the lines, where that is surely a name.

    Capitals before words that are not, a capitalised name that comes more
    than once, or one that comes once among lines that are named: “Note: …”
    and “But then: …” are said, not names.
    """
    lines = [[] if u.speaker or u.words else u.text.split("\n") for u in utterances]
    prefixes = {line: prefix for of_one in lines for line in of_one if (prefix := _PREFIX.match(line))}
    named = Counter(prefixes[line][1] for of_one in lines for line in of_one if line in prefixes)

    def is_capitalised(name: str) -> bool:
        return all(part[0].isupper() for part in name.split()) and name.casefold() not in _SAID_BEFORE_COLONS

    def is_name(prefix: re.Match[str]) -> bool:
        name, said = prefix[1], prefix.string[prefix.end() :]
        if named[name] > 1 or usual:
            return is_capitalised(name)
        return name.isupper() and len(name) > 1 and not said.isupper()

    # Where half of the lines have names, and not all the same, a name before one line alone is one.
    capitalised = sum(count for name, count in named.items() if is_capitalised(name))
    usual = len(named) > 1 and 2 * capitalised >= sum(map(len, lines))
    names = {line: prefix for line, prefix in prefixes.items() if is_name(prefix)}
    return [part for u, of_one in zip(utterances, lines, strict=True) for part in _by_line(u, of_one, names)]


def _by_line(utterance: Utterance, lines: list[str], names: Mapping[str, re.Match[str]]) -> list[Utterance]:
    """The utterance, divided where a line begins with a name, or with a dash in a cue that has names."""
    if not any(line in names for line in lines):
        return [replace(utterance, text=one_line(utterance.text))]
    said: list[tuple[str | None, list[str]]] = []
    for line in lines:
        if line in names:
            said.append((names[line][1], [line[names[line].end() :]]))
        elif not said or _DASH.match(line):
            said.append((None, [_DASH.sub("", line)]))
        else:
            said[-1][1].append(line)
    return _in_turn(utterance, [(speaker, " ".join(parts)) for speaker, parts in said])


def _in_turn(utterance: Utterance, said: list[tuple[str | None, str]]) -> list[Utterance]:
    """An utterance for each speaker and text, its share of the time by its length."""
    spoken = [(speaker, text) for speaker, text in said if text]
    length_s = utterance.end_s - utterance.start_s
    *inner, whole = itertools.accumulate((len(text) for _, text in spoken), initial=0)
    bounds = [*(utterance.start_s + length_s * end / whole for end in inner), utterance.end_s]
    return [
        replace(utterance, start_s=start_s, end_s=end_s, text=text, speaker=speaker)
        for (start_s, end_s), (speaker, text) in zip(itertools.pairwise(bounds), spoken, strict=True)
    ]


def _with_lengths(utterances: list[Utterance], duration_s: float | None) -> tuple[Utterance, ...]:
    """A cue without length lasts as long as it takes to read, or until the next, or the end."""
    timed = []
    for utterance, following in itertools.zip_longest(utterances, utterances[1:]):
        if utterance.end_s == utterance.start_s:
            end_s = utterance.start_s + max(MIN_READING_S, len(utterance.text) / READING_SPEED)
            if following is not None and following.start_s > utterance.start_s:
                end_s = min(end_s, following.start_s)
            end_s = min(end_s, duration_s or end_s)
            utterance = replace(utterance, end_s=end_s)
        timed.append(utterance)
    return tuple(timed)
