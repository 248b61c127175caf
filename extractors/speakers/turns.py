"""Who speaks when, as a diarisation tells: RTTM or JSON, laid over a transcript."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...core.errors import MediaError, SettingsError
from ...core.in_time import InTime
from ...core.limits import check_count, check_speakers, check_times
from ...core.text import one_line, shortened
from ...core.timeline import Transcript, Utterance, Word
from ..speech.text_files import json_of, lines_of, name_of, seconds_of, text_of

# What the setting `speech.speakers` can be besides a file.
METHODS = AUTO, VOICES, SEEN, NOBODY = "auto", "voices", "seen", "none"


@dataclass(frozen=True)
class Turn:
    """Somebody speaks, perhaps while others do."""

    start_s: float
    end_s: float
    speaker: str


def read_turns(path: str | Path, recording: str, duration_s: float | None = None) -> tuple[Turn, ...]:
    """The turns in a file, in order of time.

    RTTM (NIST, 2009) has a line `SPEAKER file 1 start duration <NA> <NA> name
    <NA> <NA>` a turn.  JSON is a list of turns, or an object with one under
    `segments`, or with one a recording under `recordings`; a turn has
    `start_s` and `end_s` (or `start` and `end`) and `speaker`.

    Args:
        recording: the video's name without its ending.  A file about several
            recordings tells by it which turns are meant; what a file about
            one alone calls it does not matter.
        duration_s: of the recording, which the turns must fit.

    Raises:
        MediaError: the file is missing, of another kind, malformed, or about
            other recordings.
    """
    recordings = _recordings(Path(path))
    if len(recordings) == 1:
        (turns,) = recordings.values()
    elif recording in recordings:
        turns = recordings[recording]
    elif (spelled := re.sub(r"\s+", "_", recording)) in recordings:  # as those write it who know of the spaces
        turns = recordings[spelled]
    else:
        others = ", ".join(one_line(str(name))[:60] for name in list(recordings)[:3])
        raise MediaError(f"{path} is about {others} …, not about {recording!r}")
    check_times(path, turns, "turns", duration_s)
    check_count(path, len(turns), "turns", duration_s)
    check_speakers(path, (turn.speaker for turn in turns))
    return tuple(sorted(turns, key=lambda turn: (turn.start_s, turn.end_s)))


def check_several(asked: str | Path, count: int) -> None:
    """Whether what `speech.speakers` asks for can tell who speaks in so many videos.

    Raises:
        SettingsError: it is about one of them, and would be laid over all.
        MediaError: as for `read_turns`.
    """
    if asked in METHODS or count < 2:
        return
    if len(_recordings(Path(asked))) == 1:
        raise SettingsError(
            f"speech.speakers: {asked} is about one recording, and {count} videos are given; give one video, an RTTM "
            "file that names each, or JSON with the turns of each under 'recordings' by the video's name"
        )


def _recordings(path: Path) -> dict[str | None, list[Turn]]:
    """The turns of each recording that the file names, or of the one that it does not."""
    readers = {".rttm": _read_rttm, ".json": _read_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise MediaError(f"{path} does not tell who speaks when; give one of {', '.join(readers)}")
    return reader(path, text_of(path, "file of speakers"))


def _read_rttm(path: Path, text: str) -> dict[str | None, list[Turn]]:
    turns: dict[str | None, list[Turn]] = {}
    for number, line in enumerate(lines_of(text), start=1):
        # Other types of line describe the speakers, not their turns.
        if line.split(maxsplit=1)[:1] != ["SPEAKER"]:
            continue
        where = f"{path}, line {number}"
        fields = _rttm_fields(line)
        if fields is None:
            raise MediaError(f"{where}: not as in 'SPEAKER file 1 start duration <NA> <NA> name <NA> <NA>'")
        try:
            times = {"start": float(fields[3]), "duration": float(fields[4])}
        except ValueError:
            raise MediaError(f"{where}: start and duration must be seconds, got {shortened(fields[3:5])}") from None
        start_s = seconds_of(where, times, "start")
        end_s = start_s + seconds_of(where, times, "duration")
        turns.setdefault(fields[1], []).append(Turn(start_s, end_s, name_of(fields[7]) or fields[7]))
    if not turns:
        raise MediaError(f"{path} names no speakers: no line begins with SPEAKER")
    return turns


# With spaces in names fields shift, and a channel would be taken for a time: they are found from what
# surrounds them.  The two before the name are never given for a turn; of the two after it, a confidence may be.
_RTTM = re.compile(
    r"(SPEAKER) (\S.*?) (\S+) ([\d.+-]+) ([\d.+-]+) (<NA>) (<NA>) (\S.*?)"
    r"(?: (?:<NA>|\d*\.\d+))?(?: (?:<NA>|\d*\.\d+))?"
)


def _rttm_fields(line: str) -> Sequence[str] | None:
    """The fields of a line, eight at least; `None` where they cannot be told apart."""
    fields = line.strip().split("\t")
    if len(fields) >= 8:
        return fields
    # Where something else is given, a line of the right length with a channel in its place.
    fields = line.split()
    # With single spaces: a pattern that may begin at any of many would try them all.
    if found := _RTTM.fullmatch(" ".join(fields)):
        return found.groups()
    return fields if len(fields) == 10 and fields[2].isdecimal() else None


def _read_json(path: Path, text: str) -> dict[str | None, list[Turn]]:
    content = json_of(path, text)
    named = content.get("recordings") if isinstance(content, dict) else None
    if isinstance(named, dict) and named:
        return {name: _turns(f"{path}, {name!r}", items) for name, items in named.items()}
    return {None: _turns(str(path), content.get("segments") if isinstance(content, dict) else content)}


def _turns(where: str, items: Any) -> list[Turn]:
    if not isinstance(items, list):
        raise MediaError(f"{where} must be a list of turns, or an object with one under 'segments'")
    turns = [_turn(f"{where}, turn {number}", item) for number, item in enumerate(items, start=1)]
    return [turn for turn in turns if turn is not None]


def _turn(where: str, item: Any) -> Turn | None:
    """A turn; nothing where the speaker is left open."""
    if not isinstance(item, dict) or not isinstance(item.get("speaker"), str | None):
        raise MediaError(f"{where}: must be an object with start_s, end_s and speaker, got {str(item)[:40]!r}")
    start_s, end_s = seconds_of(where, item, "start"), seconds_of(where, item, "end")
    if end_s < start_s:
        raise MediaError(f"{where}: ends before it begins, at {end_s:g} s")
    name = name_of(item.get("speaker") or "")
    return Turn(start_s, end_s, name) if name else None


# ── laid over what was said ──────────────────────────────────────────────────


def name_speakers(transcript: Transcript, turns: Sequence[Turn], *, keep_names: bool = False) -> Transcript:
    """The transcript with the speakers of the turns.

    A word is whose turn overlaps it most, and belongs with the word before it
    where none does.  An utterance in which the speaker changes is divided
    there; one without word times stays whole and is whose turn overlaps it
    most.  Where no turn overlaps, speakers stay as they were.

    Args:
        keep_names: utterances that have a speaker keep it, and give their
            name to whose turns they mostly are.
    """
    if keep_names:
        called = _names_of(transcript.utterances, turns)
        turns = [replace(turn, speaker=called.get(turn.speaker, turn.speaker)) for turn in turns]
    spoken = InTime(turns)
    utterances = [
        part
        for utterance in transcript.utterances
        for part in ([utterance] if keep_names and utterance.speaker else _named(utterance, spoken))
    ]
    utterances.sort(key=lambda utterance: (utterance.start_s, utterance.end_s))
    return replace(transcript, utterances=tuple(utterances))


def _names_of(utterances: Sequence[Utterance], turns: Sequence[Turn]) -> dict[str, str]:
    """By speaker of turns, the name that more than half of their named time has."""
    shared_s: dict[str, dict[str, float]] = {}
    spoken = InTime(turns)
    for utterance in utterances:
        for turn in spoken.during(utterance) if utterance.speaker else ():
            overlap_s = min(utterance.end_s, turn.end_s) - max(utterance.start_s, turn.start_s)
            names = shared_s.setdefault(turn.speaker, {})
            names[str(utterance.speaker)] = names.get(str(utterance.speaker), 0.0) + overlap_s
    likeliest = {speaker: max(names, key=names.__getitem__) for speaker, names in shared_s.items()}
    return {
        speaker: name
        for speaker, name in likeliest.items()
        if 2 * shared_s[speaker][name] > sum(shared_s[speaker].values())
    }


def _named(utterance: Utterance, spoken: InTime[Turn]) -> list[Utterance]:
    near = spoken.during(utterance)
    if not near:
        return [utterance]
    whole = _speaker_of(utterance, near, utterance.speaker)
    if not utterance.words:
        return [replace(utterance, speaker=whole)]
    by_word = [_speaker_of(word, spoken.during(word), None) for word in utterance.words]
    speaker = next((name for name in by_word if name), whole)
    runs: list[tuple[str | None, list[Word]]] = []
    for word in utterance.words:
        speaker = _speaker_of(word, spoken.during(word), speaker)
        if not runs or runs[-1][0] != speaker:
            runs.append((speaker, []))
        runs[-1][1].append(word)
    return divided(utterance, runs)


def _speaker_of(said: Utterance | Word, turns: Sequence[Turn], otherwise: str | None) -> str | None:
    """Whose turns overlap it most; `otherwise` where none does, or as many as any."""
    overlap_s: dict[str | None, float] = {otherwise: 0.0}
    for turn in turns:
        shared_s = min(said.end_s, turn.end_s) - max(said.start_s, turn.start_s)
        if shared_s > 0:
            overlap_s[turn.speaker] = overlap_s.get(turn.speaker, 0.0) + shared_s
    return max(overlap_s, key=overlap_s.__getitem__)


def divided(utterance: Utterance, runs: Sequence[tuple[str | None, list[Word]]]) -> list[Utterance]:
    """The utterance in parts, a run of words each; its outer bounds stay."""
    parts, start_s = [], utterance.start_s
    texts = _texts(utterance.text, [words for _, words in runs])
    for index, ((speaker, words), text) in enumerate(zip(runs, texts, strict=True)):
        if index:
            start_s = min(max(words[0].start_s, start_s), utterance.end_s)
        last = index == len(runs) - 1
        end_s = utterance.end_s if last else min(max(words[-1].end_s, start_s), utterance.end_s)
        parts.append(Utterance(start_s, end_s, text, speaker, tuple(words)))
        start_s = end_s
    return parts


def _texts(text: str, runs: Sequence[Sequence[Word]]) -> list[str]:
    """The text cut before the first word of each run but the first.

    As spelled, since not every language has spaces between words; where the
    words are not found in the text, they are put together anew.
    """
    cuts, at = [], 0
    for run in runs:
        for number, word in enumerate(run):
            found = text.find(word.text, at)
            if found < 0:
                return [" ".join(word.text for word in run).strip() for run in runs]
            if number == 0:
                cuts.append(found)
            at = found + len(word.text)
    bounds = [0, *cuts[1:], len(text)]
    return [text[first:last].strip() for first, last in itertools.pairwise(bounds)]
