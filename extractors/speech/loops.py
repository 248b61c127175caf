"""Where Whisper says something again and again that was said once."""

from __future__ import annotations

from collections.abc import Sequence

from .spelled import Spelled

# Punctuation that belongs to the word before it (openai-whisper's default).
CLOSING = "\"'.。,，!！?？:：”)]}、"

# A phrase of three words or more that comes twice in a row, at more than four
# words a second, may have been said once; nobody says ten in a second.
PHRASE, FAST_PER_S, MOST_PER_S = 3, 4.0, 10.0

# Of what is cut off in the middle of a word, Whisper may say all of it again and again: so many tokens it may not
# repeat, and words that take no time are none.
LOOP, NO_TIME_S = 10, 0.021


def repeats_itself(words: Sequence[Spelled], duration_s: float) -> bool:
    """Whether so much is hardly said in that time: a phrase at once again, or more than anybody can say."""
    if len(words) > MOST_PER_S * duration_s:
        return True
    plain = [word.text.strip().strip(CLOSING).casefold() for word in words]
    return len(words) > FAST_PER_S * duration_s and any(
        plain[at : at + size] == plain[at + size : at + 2 * size]
        for size in range(PHRASE, len(plain) // 2 + 1)
        for at in range(len(plain) - 2 * size + 1)
    )


def before_loop(words: list[Spelled]) -> list[Spelled]:
    """The words up to where a phrase takes no time."""
    times = [word.end_s - word.start_s < NO_TIME_S for word in words]
    return words[: next((at for at in range(len(times) - PHRASE + 1) if all(times[at : at + PHRASE])), len(words))]
