"""Lines that a synthesiser speaks, and how what is heard of them compares: what the recipes about hearing share."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from emoscribe.core.errors import UnavailableError

# Voices by synthesiser, none whispering or croaking.
VOICES: Mapping[str, tuple[str, ...]] = {
    "espeak-ng": tuple(
        f"{accent}+{variant}"
        for variant in ("f2", "m3", "f4", "m1", "f3", "m7", "f1", "m2", "f5", "m4")
        for accent in ("en-us", "en-gb")
    ),
    "flite": ("slt", "rms", "awb", "kal16"),
}


def find_synthesiser(name: str | None) -> str:
    """Raises:
    UnavailableError: that one, or any, is not on PATH.
    """
    for candidate in VOICES if name is None else (name,):
        if shutil.which(candidate):
            return candidate
    wanted = " or ".join(VOICES) if name is None else name
    raise UnavailableError(f"no {wanted} on PATH; get it with: apt-get install {name or next(iter(VOICES))}")


def speak(text: str, synthesiser: str, voice: str, folder: Path) -> Path:
    """The sound file in the folder, which the next one takes the place of."""
    # From a file: a line that begins with a dash is no option.
    script, spoken = folder / "line.txt", folder / "line.wav"
    script.write_text(text, encoding="utf-8")
    command = {
        "espeak-ng": ["espeak-ng", "-v", voice, "-f", str(script), "-w", str(spoken)],
        "flite": ["flite", "-voice", voice, "-f", str(script), "-o", str(spoken)],
    }
    subprocess.run(command[synthesiser], check=True, capture_output=True)
    return spoken


def words_of(text: str) -> list[str]:
    """Words without case and punctuation."""
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)*", text.lower().replace("’", "'"))


def aligned(said: Sequence[str], heard: Sequence[str]) -> list[tuple[str | None, str | None]]:
    """What was said and what was heard for it, in order; `None` opposite to words that were lost or made up.

    With as few differences as can be (Levenshtein, 1966).
    """
    differences = [[*range(len(heard) + 1)]]
    for at, word in enumerate(said, start=1):
        above, row = differences[-1], [at]
        for to, other in enumerate(heard, start=1):
            row.append(min(above[to - 1] + (word != other), above[to] + 1, row[to - 1] + 1))
        differences.append(row)
    pairs: list[tuple[str | None, str | None]] = []
    at, to = len(said), len(heard)
    while at or to:
        here = differences[at][to]
        if at and to and here == differences[at - 1][to - 1] + (said[at - 1] != heard[to - 1]):
            at, to = at - 1, to - 1
            pairs.append((said[at], heard[to]))
        elif at and here == differences[at - 1][to] + 1:
            at -= 1
            pairs.append((said[at], None))
        else:
            to -= 1
            pairs.append((None, heard[to]))
    return pairs[::-1]


def distance(said: Sequence[str], heard: Sequence[str]) -> int:
    """Words to replace, put in or take out to make one of the other."""
    return sum(word != other for word, other in aligned(said, heard))
