"""Written lines as recognisers would give them."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from emoscribe.textualize.heard import bare, misheard, punctuated
from emoscribe.textualize.moments import UNCLEAR


def spelled(text: str, times: int = 400) -> Counter[str]:
    rng = random.Random(0)
    return Counter(punctuated(text, rng) for _ in range(times))


@pytest.mark.parametrize(
    ("written", "heard"),
    [
        ("Don’t worry, I’m brave!", "Don’t worry, I’m brave."),
        (
            "No! I would never do that! You-you're like my brother!",
            "No, I would never do that. You-you're like my brother.",
        ),
        ("Look, I-I’m really sorry", "Look, I’m really sorry."),
        ("Uh well umm…we’re just not in that place.", "Uh well umm, we’re just not in that place."),
        (
            "Weirdest thing. Did I hear——Mother of God it’s true!",
            "Weirdest thing. Did I hear, Mother of God it’s true.",
        ),
        ("OK.", "Okay."),
        ("What did he say?!", "What did he say?"),
    ],
)
def test_what_whisper_makes_of_most(written: str, heard: str) -> None:
    assert spelled(written).most_common(1)[0][0] == heard


def test_exclamation_marks_hardly_survive_and_question_marks_mostly() -> None:
    cries, questions = spelled("I love her books!"), spelled("Do you want my pickle?")
    assert 0 < sum(count for text, count in cries.items() if text.endswith("!")) < 40
    assert 240 < sum(count for text, count in questions.items() if text.endswith("?")) < 360


def test_lines_without_words_are_not_heard() -> None:
    assert spelled("…?!") == {"": 400} and bare("—…!") == ""


def test_misheard_words_come_from_other_lines() -> None:
    rng = random.Random(0)
    heard = [misheard("what a wonderful day", lambda: ["pickle"], rng) for _ in range(200)]
    words = Counter(word for line in heard for word in line.split())
    assert set(words) == {"what", "a", "wonderful", "day", "pickle", UNCLEAR}
    assert 100 < words["wonderful"] < 200
    assert not any(f"{UNCLEAR} {UNCLEAR}" in line for line in heard)
    assert "pickle" not in " ".join(misheard("what a day", list, rng) for _ in range(50))
