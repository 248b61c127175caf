"""How much of anything can be meant: what is beyond these bounds is wrong, not long."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeGuard

from .errors import MediaError

# Of a transcript, or of a file that tells who speaks.  A day of talk, word by word in JSON, takes 25 MB.
MOST_TEXT_BYTES = 50_000_000
# Of a table of clips, or of a kept result with all that is drawn of it: a million clips, or a day of four faces, take
# half of it.
MOST_TABLE_BYTES = 500_000_000
# Of a config, which somebody wrote.
MOST_CONFIG_BYTES = 1_000_000

# Cues, or turns: a day has fewer where there is one a second.
MOST_CUES = 100_000
# What they say: five days of talk without a pause, at 12 characters a second.
MOST_CHARACTERS = 5_000_000
# So many begin in a second of a recording, on average: people say five words in one, and lettering that moves is a cue
# a frame.  Of a short recording so many are believed in any case.
MOST_CUES_PER_S, CUES_IN_ANY = 30.0, 500
# Tiers of an annotation file: a handful a speaker.
MOST_TIERS = 1_000
# Names in one recording: a parliament has fewer.
MOST_SPEAKERS = 1_000

# No recording lasts longer: eleven days and a half.
LONGEST_S = 1e6
# Of a recording; slides that stand for hours have several.
LEAST_BYTES_PER_S = 1.0
# A cue may begin so much after the end, since containers disagree on it; what begins later is of another cut.
LATE_START_S = 1.0
# The last one may be shown so much longer than the recording lasts, as the same subtitles go with several cuts.
LATE_END_S = 60.0

# Moments of one recording, by the clock: a window a second has as many in two days.
MOST_WINDOWS = 200_000
# Of them, those that lie over one time: each word is read in as many.
MOST_OVERLAPPING = 200


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether what stood in JSON is a number: Python takes truth values for some, and reads NaN and infinities."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


class Timed(Protocol):
    """Whatever lasts."""

    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...


def check_size(path: Path, what: str, most_bytes: int = MOST_TEXT_BYTES) -> None:
    """
    Raises:
        MediaError: the file is too large to be what it should be.
        OSError: it is not there.
    """
    size = path.stat().st_size
    if size > most_bytes:
        raise MediaError(f"the {what} {path} has {size:,} bytes, and at most {most_bytes:,} are read; divide it")


def check_duration(path: Path, duration_s: float) -> None:
    """
    Raises:
        MediaError: the file tells of a length that no recording has, or not one of its size.
    """
    most_s = min(LONGEST_S, path.stat().st_size / LEAST_BYTES_PER_S)
    if not duration_s <= most_s:
        raise MediaError(
            f"{path} says that it lasts {duration_s:,.0f} s, and of its size none is longer than {most_s:,.0f} s; its "
            "times are damaged: write it anew with a converter"
        )


def check_count(where: object, count: int, what: str, duration_s: float | None = None) -> None:
    """
    Args:
        what: there are so many of, in the plural.
        duration_s: of the recording that they are in, where it is known.

    Raises:
        MediaError: there are more than anybody can mean.
    """
    most, of = MOST_CUES, ""
    if duration_s:
        fitting = max(CUES_IN_ANY, int(MOST_CUES_PER_S * duration_s))
        most, of = (fitting, f" of a recording of {duration_s:.1f} s") if fitting < MOST_CUES else (most, of)
    if count > most:
        raise MediaError(f"{where} has {count:,} {what}, and at most {most:,}{of} are read; give those of this one")


def check_characters(where: object, count: int) -> None:
    """
    Raises:
        MediaError: more is said than anybody can mean.
    """
    if count > MOST_CHARACTERS:
        raise MediaError(f"{where} has {count:,} characters, and at most {MOST_CHARACTERS:,} are read; divide it")


def check_speakers(where: object, names: Iterable[str | None]) -> None:
    """
    Raises:
        MediaError: more people speak than can be told apart, as where something else stands in the place of names.
    """
    count = len({name for name in names if name is not None})
    if count > MOST_SPEAKERS:
        raise MediaError(f"{where} names {count:,} speakers, and at most {MOST_SPEAKERS:,} are told apart; divide it")


def check_times(where: object, stretches: Sequence[Timed], what: str, duration_s: float | None) -> None:
    """
    Args:
        what: they are called, in the plural.
        duration_s: of the recording, where it is known.

    Raises:
        MediaError: one begins, or lasts, long after the end of the recording, or of any.
    """
    endless = next((each for each in stretches if each.end_s > LONGEST_S), None)
    if endless is not None:
        raise MediaError(
            f"{where} has {what} as of another kind of file: one lasts from {endless.start_s:,.1f} to "
            f"{endless.end_s:,.1f} s, and no recording is longer than {LONGEST_S:,.0f} s; give times in seconds"
        )
    if not duration_s:
        return
    late = [each for each in stretches if each.start_s > duration_s + LATE_START_S]
    if late:
        raise MediaError(
            f"{where} has {len(late)} of {len(stretches)} {what} after the end of the recording: one begins at "
            f"{late[0].start_s:.1f} s, and it lasts {duration_s:.1f} s; give the file of this cut, in seconds"
        )
    long = next((each for each in stretches if each.end_s > duration_s + LATE_END_S), None)
    if long is not None:
        raise MediaError(
            f"{where} has {what} that go on after the recording: one lasts from {long.start_s:.1f} to {long.end_s:.1f} "
            f"s, and the recording {duration_s:.1f} s, after which {LATE_END_S:g} s are allowed; give the file of this "
            "cut, in seconds"
        )
