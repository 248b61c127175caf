"""Prompts as tokens, and tokens in batches.

The tokenizer is read with `tokenizers` alone: `transformers` takes seconds to
import and would add nothing here.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import EmoscribeError, SettingsError, UnavailableError
from ..core.files import read_mapping
from ..core.prompt import Prompt
from .chat import ChatFrame

if TYPE_CHECKING:
    import torch

# Of models that name no limit.
DEFAULT_MAX_TOKENS = 512
# A prompt is cut to what a model takes; of fewer nothing would be left between what begins and what ends it.
_LEAST_TOKENS = 8


@dataclass(frozen=True, eq=False)
class Tokens:
    """A prompt of T tokens.

    Attributes:
        ids: (T,) int, with the model's own special tokens around.
        target: (T,) bool, the tokens of the moment to be judged.
    """

    ids: np.ndarray
    target: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def after(self, count: int) -> Tokens:
        """Those after the first `count`."""
        return Tokens(self.ids[count:], self.target[count:])


class PromptTokenizer:
    """Prompts to tokens, at most as many each as the model has positions for.

    Strings that look like special tokens (“[SEP]”, “</s>”) are spelled out:
    somebody said them.

    Args:
        answers: what may follow a prompt.  There is room for the longest, and
            no special token comes between.
        frame: of a chat, around each prompt; its special tokens are meant.

    Attributes:
        answers: their tokens, each with one that ends it: none begins another.
        padding_id: what `collate` fills up with.
        frame: as given.
    """

    def __init__(self, folder: Path, answers: Sequence[str] = (), frame: ChatFrame | None = None) -> None:
        from tokenizers import Tokenizer

        path = folder / "tokenizer.json"
        if not path.is_file():
            raise UnavailableError(f"no tokenizer.json in {folder}; save the tokenizer as a fast one")
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # it has no class of its own for what it cannot read
            raise EmoscribeError(f"{path} is no tokenizer that can be read ({error}); get the model anew") from None
        # Some are stored with a cut and padding of their own.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.frame, self._framed = frame, frame is not None
        before, between, after = (self._meant(part) for part in _parts(frame))
        self._before, self._between = before, between
        self._tokenizer.encode_special_tokens = True
        config = read_mapping(folder / "config.json")
        end = _token(config.get("eos_token_id"))
        # In a chat, what its template ends an answer with: some put a space before.
        special = {id for id, token in self._tokenizer.get_added_tokens_decoder().items() if token.special}
        end = next((id for id in after if id in special), after[0] if after else end)
        self.answers = self._answers(answers, end)
        room = _max_tokens(folder, config) - len(before) - len(between)
        self.max_tokens = room - max(map(len, self.answers), default=0)
        # Padding is never attended to: any id will do.
        self.padding_id = _token(config.get("pad_token_id")) or 0
        if self.max_tokens < _LEAST_TOKENS:
            raise EmoscribeError(
                f"the model in {folder} takes {self.max_tokens} tokens of a prompt, too few to read one; get the model "
                "anew, or take another base"
            )

    def __call__(self, prompts: Sequence[Prompt]) -> list[Tokens]:
        encodings = self._tokenizer.encode_batch(
            [prompt.text for prompt in prompts], add_special_tokens=not self._framed
        )
        return [self._tokens(prompt, encoding) for prompt, encoding in zip(prompts, encodings, strict=True)]

    def _tokens(self, prompt: Prompt, encoding: Any) -> Tokens:
        # A cut can change how what is left is split, so it may take a second one.
        while len(encoding.ids) > self.max_tokens:
            prompt = _shortened(prompt, _spoken_offsets(encoding), len(encoding.ids) - self.max_tokens)
            encoding = self._tokenizer.encode(prompt.text, add_special_tokens=not self._framed)
        start, end = prompt.spans["target"]
        offsets = np.array(encoding.offsets)
        spoken = ~np.array(encoding.special_tokens_mask, dtype=bool)
        target = spoken & (offsets[:, 0] < end) & (offsets[:, 1] > start)
        # A target of characters that the model has no token for is read as a whole.
        target = target if target.any() else np.ones_like(target)
        length = len(spoken)
        if self.answers and spoken.any():
            length = int(spoken.nonzero()[0][-1]) + 1
        ids = [*self._before, *encoding.ids[:length], *self._between]
        return Tokens(np.array(ids), np.pad(target[:length], (len(self._before), len(self._between))))

    def _meant(self, text: str) -> list[int]:
        """The tokens of a part of a chat's frame."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def _answers(self, answers: Sequence[str], end: int | None) -> tuple[tuple[int, ...], ...]:
        # As they follow a prompt's last word, or begin a line: at the start of a text, some
        # tokenizers split differently.
        cue, space = ("\n", "") if self._framed else (":", " ")
        before = len(self._tokenizer.encode(cue, add_special_tokens=False).ids)
        tokens = []
        for answer in answers:
            text = f"{cue}{space}{answer}" if end is not None else f"{cue}{space}{answer}\n"
            ids = self._tokenizer.encode(text, add_special_tokens=False).ids[before:]
            tokens.append((*ids, end) if end is not None else tuple(ids))
        for one, other in permutations(range(len(tokens)), 2):
            if tokens[other][: len(tokens[one])] == tokens[one]:
                raise SettingsError(
                    f"to the base's tokenizer, label {answers[other]!r} begins with all of {answers[one]!r}; "
                    "rename one of them, or take another base"
                )
        return tuple(tokens)


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Indices in batches of similar length that hold at most `batch_tokens`, padding included.

    A prompt longer than that is a batch of its own.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        # The first of a batch is its longest.
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def shuffled_batches(lengths: Sequence[int], size: int, seed: int) -> list[list[int]]:
    """Indices in random batches of `size`, each of similar length."""
    rng = random.Random(seed)
    order = sorted(range(len(lengths)), key=lambda i: (lengths[i], rng.random()))
    batches = [order[first : first + size] for first in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def batches_of_runs(continues: np.ndarray, size: int, seed: int) -> list[list[int]]:
    """Indices in batches of `size` that keep runs together, in their order: the runs are shuffled and cut up.

    Args:
        continues: (N,) bool, whether one goes on from the one before it; runs longer than a batch are cut.
    """
    runs = np.split(np.arange(len(continues)), np.flatnonzero(~continues[1:]) + 1)
    pieces = [run[first : first + size] for run in runs for first in range(0, len(run), size)]
    random.Random(seed).shuffle(pieces)
    order = np.concatenate(pieces).tolist()
    return [order[first : first + size] for first in range(0, len(order), size)]


def micro_batches(
    batch: Sequence[int],
    lengths: Sequence[int],
    processes: int = 1,
    *,
    size: int | None = None,
    tokens: int | None = None,
) -> list[list[list[int]]]:
    """A batch shared out to processes, and each share cut into what a device takes at once.

    Args:
        batch: indices; of similar lengths side by side, so that all processes have as much to read.
        size: examples at once,
        tokens: or tokens, padding included; a longer prompt is alone.

    Returns:
        For each process its micro batches: as many in all, of which some may
        be empty, since processes wait for one another in each.
    """
    shares = [list(batch[rank::processes]) for rank in range(processes)]
    if tokens is not None:
        cut = [
            [[share[i] for i in part] for part in batches_by_length([lengths[i] for i in share], tokens)]
            for share in shares
        ]
    else:
        size = size or len(batch)
        cut = [[share[first : first + size] for first in range(0, len(share), size)] for share in shares]
    return as_many(cut)


def as_many(cut: Sequence[Sequence[list[int]]]) -> list[list[list[int]]]:
    """Each process's micro batches, and empty ones for those with fewer: all wait for one another in each."""
    most = max(map(len, cut))
    return [[*parts, *([] for _ in range(most - len(parts)))] for parts in cut]


def collate(tokens: Sequence[Tokens], padding_id: int, device: str) -> dict[str, torch.Tensor]:
    """B prompts as `padded` has them, in tensors on a device."""
    import torch

    return {name: torch.from_numpy(array).to(device) for name, array in padded(tokens, padding_id).items()}


def padded(tokens: Sequence[Tokens], padding_id: int) -> dict[str, np.ndarray]:
    """B prompts as (B, T): `ids` int64, `attended` and `target` bool; padded to the longest of them."""
    longest = max(map(len, tokens))
    ids = np.full((len(tokens), longest), padding_id, dtype=np.int64)
    attended = np.zeros((len(tokens), longest), dtype=bool)
    target = np.zeros((len(tokens), longest), dtype=bool)
    for row, each in enumerate(tokens):
        ids[row, : len(each)] = each.ids
        attended[row, : len(each)] = True
        target[row, : len(each)] = each.target
    return {"ids": ids, "attended": attended, "target": target}


def _spoken_offsets(encoding: Any) -> list[tuple[int, int]]:
    """Character ranges of the tokens that are text; some tokenizers begin with one of no width."""
    return [
        (start, end)
        for (start, end), special in zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        if not special and start < end
    ]


def _shortened(prompt: Prompt, offsets: list[tuple[int, int]], excess: int) -> Prompt:
    """The prompt without about `excess` of its tokens (one at least).

    Context goes first, from its end that is further from the target; then the
    middle of the target itself, so that its first words and how face and
    voice were at its end stay.
    """
    target_start, target_end = prompt.spans["target"]
    context = prompt.spans.get("context")
    if context is not None and context[0] < context[1]:
        inside = [o for o in offsets if o[0] >= context[0] and o[1] <= context[1]]
        if len(inside) <= excess:
            cut = context
        elif context[0] >= target_end:
            cut = (inside[-excess][0], context[1])
        else:
            cut = (context[0], inside[excess][0])
    else:
        inside = [o for o in offsets if o[0] >= target_start and o[1] <= target_end]
        first = max(0, (len(inside) - excess) // 2)
        last = min(first + excess, len(inside)) - 1
        cut = (inside[first][0], inside[last][1])
    return _without(prompt, cut)


def _without(prompt: Prompt, cut: tuple[int, int]) -> Prompt:
    start, end = cut

    def moved(position: int) -> int:
        return position if position <= start else max(start, position - (end - start))

    spans = {name: (moved(a), moved(b)) for name, (a, b) in prompt.spans.items()}
    return replace(prompt, text=prompt.text[:start] + prompt.text[end:], spans=spans)


def _parts(frame: ChatFrame | None) -> tuple[str, str, str]:
    return ("", "", "") if frame is None else (frame.before, frame.between, frame.after)


def _token(told: Any) -> int | None:
    """A token of a `config.json`, of several the first; `None` where it tells none."""
    first = told[0] if isinstance(told, list) and told else told
    return first if type(first) is int and 0 <= first < 1 << 31 else None


def _max_tokens(folder: Path, config: dict[str, Any]) -> int:
    """What both the model and its tokenizer can take: some models keep positions for themselves."""
    tokenizer = folder / "tokenizer_config.json"
    limits = [config.get("max_position_embeddings"), config.get("n_positions")]
    limits.append(read_mapping(tokenizer).get("model_max_length") if tokenizer.is_file() else None)
    return int(
        min(
            [each for each in limits if isinstance(each, int | float) and 0 < each < math.inf],
            default=DEFAULT_MAX_TOKENS,
        )
    )
