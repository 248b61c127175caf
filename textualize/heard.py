"""Written lines as recognisers would give them, to learn from without running one.

Whoever writes a script punctuates it as it is meant to be played.  A
recogniser punctuates by the words: of 205 lines that ended in an exclamation
mark, spoken by synthesisers, Whisper base ended 8 in one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

from .moments import UNCLEAR

# Ends of written sentences, and how often Whisper puts which end to what it
# hears of a synthesiser; but for question marks, of which it hears half there
# and would hear more of people.
_ENDS: Mapping[str, Mapping[str, float]] = {
    "?": {"?": 0.75, ".": 0.2, "": 0.05},
    "!": {".": 0.8, "": 0.1, "?": 0.05, "!": 0.05},
    "": {".": 0.94, "": 0.04, "?": 0.02},
}

# Of the lines that Whisper hears, the share that begins in lower case; of the
# short cries before an exclamation mark, the share that it runs on from.
_BEGUN_IN_LOWER_CASE = 0.08
_RUN_ON = 0.6
_SHORT_CRY = 3

# Of a line that is misheard, at most this share of the words; of these, those
# that are marked as unclear, taken for others, or lost.
_MOST_MISHEARD = 0.6
_MISHEARD_AS = {"unclear": 0.5, "other": 0.3, "lost": 0.2}


def bare(text: str) -> str:
    """The words without case and punctuation, as recognisers give them that write none."""
    words = (word.strip(".,;:!?\"'’“”…-—") for word in text.lower().split())
    return " ".join(word for word in words if word)


def punctuated(text: str, rng: random.Random) -> str:
    """As Whisper spells it: hesitations smoothed, sentences calm and whole."""
    text = re.sub(r"\b(\w{1,2})(?:\s*-+\s*\1\b)+", r"\1", text, flags=re.IGNORECASE)
    text = re.sub(r"\bok\b", "okay", text, flags=re.IGNORECASE).replace('"', "")
    before, *others = re.split(r"--+|[–—…]+|\.{2,}", text)
    if others:
        text = ", ".join([before.rstrip(), *map(str.strip, others[:-1]), others[-1].lstrip()])
    sentences = [each for each in re.findall(r"[^!?]+[!?]*", text) if bare(each)]
    heard = ""
    for number, sentence in enumerate(sentences, start=1):
        words, mark = sentence.rstrip("!? ").strip(), "?" if "?" in sentence else "!" if "!" in sentence else ""
        runs_on = number < len(sentences) and mark == "!" and len(words.split()) <= _SHORT_CRY
        end = "," if runs_on and rng.random() < _RUN_ON else _end(mark, rng)
        first = words[:1].lower() if heard.endswith(",") and not re.match(r"I\b", words) else words[:1].upper()
        heard += f" {first}{words[1:].rstrip('.,;:- ')}{end}"
    heard = heard.strip()
    return heard[:1].lower() + heard[1:] if rng.random() < _BEGUN_IN_LOWER_CASE else heard


def _end(mark: str, rng: random.Random) -> str:
    ends = _ENDS[mark]
    return rng.choices(list(ends), list(ends.values()))[0]


def misheard(text: str, other: Callable[[], Sequence[str]], rng: random.Random) -> str:
    """With words missing, doubted or mistaken for others.

    Args:
        other: words of some line, of which one is heard instead.
    """
    share = rng.uniform(0.0, _MOST_MISHEARD)
    heard: list[str] = []
    for word in text.split():
        if rng.random() >= share:
            heard.append(word)
            continue
        fate = rng.choices(list(_MISHEARD_AS), list(_MISHEARD_AS.values()))[0]
        if fate == "unclear" and heard[-1:] != [UNCLEAR]:
            heard.append(UNCLEAR)
        elif fate == "other":
            heard += [rng.choice(words) for words in [other()] if words]
    return " ".join(heard)
