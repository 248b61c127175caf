"""Which language is spoken, by how likely Whisper finds each."""

from __future__ import annotations

from collections.abc import Iterable

# A language is settled once it is as likely as this, or after so many seconds of
# speech, heard in one go: that tells it better than one stretch after another.
# Of a word or two Whisper takes English for anything (of 360 lines 14 were
# Arabic, Latin, Thai, …; so it is 1): another language has to be likelier by
# this factor at first, and by none in the end.
CERTAIN, ENOUGH_S, PREFERENCE = 0.9, 10.0, 10.0


def language_of(found: Iterable[tuple[str, float]], heard_s: float) -> str:
    """A language's code, by how likely each language's token, such as `<|en|>`, is after so much speech."""
    likely = {token.strip("<|>"): probability for token, probability in found}
    likely["en"] = likely.get("en", 0.0) * PREFERENCE ** max(0.0, 1 - heard_s / ENOUGH_S)
    return max(likely, key=likely.__getitem__)
