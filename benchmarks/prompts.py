"""Generated prompts as long as MELD's, and what it takes to read them.

With twelve turns of context, a prompt of MELD has 208 tokens on average, of
which the first 100 are an instruction that all share, and the longest has
about 400.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

SHARED_TOKENS = 100
MEAN_TOKENS = 208
LONGEST_TOKENS = 400
# As words are spread: most prompts are shorter than the mean, a few much longer.
SPREAD = 0.5

VOCABULARY = 2000
LABELS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
# The first ids are no words of a prompt: padding, the end, the cue before an answer, the answers.
WORDS = {"<pad>": 0, "</s>": 1, ":": 2, **{label: 3 + i for i, label in enumerate(LABELS)}}


@dataclass(frozen=True)
class Generated:
    """A prompt as token ids, and the first and the end (exclusive) of those to be judged."""

    ids: list[int]
    target: tuple[int, int]

    @property
    def text(self) -> str:
        """Words that a tokenizer of `save_tokenizer` reads as these ids."""
        return " ".join(f"w{token}" for token in self.ids)

    @property
    def target_characters(self) -> tuple[int, int]:
        """The target as a range of `text`."""
        before, within = (len(" ".join(f"w{token}" for token in self.ids[:end])) for end in self.target)
        return before + 1, within


def prompts(count: int, seed: int = 0) -> list[Generated]:
    """`count` prompts in random order, whose lengths are spread as MELD's are, whatever the count.

    The first 100 ids are the same in all; the mean is 208 and the longest 400
    tokens (less exactly so with few of them).  The last fifth of what follows
    is the target.
    """
    rng = random.Random(seed)
    shared = [_word(rng) for _ in range(SHARED_TOKENS)]
    lengths = _lengths(count)
    rng.shuffle(lengths)
    made = []
    for length in lengths:
        ids = [*shared, *(_word(rng) for _ in range(length - SHARED_TOKENS))]
        made.append(Generated(ids, (length - max(1, (length - SHARED_TOKENS) // 5), length)))
    return made


def save_tokenizer(folder: Path, config: Mapping[str, Any] | None = None) -> None:
    """A tokenizer of one word a token, and a base model's `config.json` beside it."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = WORDS | {f"w{token}": token for token in range(len(WORDS), VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    if config is not None:
        (folder / "config.json").write_text(json.dumps(dict(config)), encoding="utf-8")


def _lengths(count: int) -> list[int]:
    """Tokens of each prompt: quantiles of a log-normal distribution, cut where MELD's ends."""
    mean = MEAN_TOKENS - SHARED_TOKENS
    normal = NormalDist(math.log(mean) - SPREAD**2 / 2, SPREAD)
    tails = [math.exp(normal.inv_cdf((i + 0.5) / count)) for i in range(count)]
    tails[-1] = LONGEST_TOKENS - SHARED_TOKENS
    # What the cut takes from the longest, the others get.
    for _ in range(20):
        scale = mean * count / sum(tails)
        tails = [min(tail * scale, LONGEST_TOKENS - SHARED_TOKENS) for tail in tails]
    return [SHARED_TOKENS + max(1, round(tail)) for tail in tails[:-1]] + [LONGEST_TOKENS]


def _word(rng: random.Random) -> int:
    return rng.randrange(len(WORDS), VOCABULARY)
