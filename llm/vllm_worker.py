"""Scores answers by vLLM: a program of its own, for the interpreter that vLLM is installed for.

    python -I vllm_worker.py PID

Requests come on standard input and replies go to standard output, a line of
JSON each.  The first request is the job, `{"model", "adapter", "rank", "gpus"}`,
with folders of a causal model and of PEFT's files or null; its reply,
`{"ready": version}`, comes once the model is loaded.  Every other one is
`{"prompts", "answers"}`, lists of tokens, and the reply `{"log_probabilities"}`
has a row a prompt: of each answer, as what follows it.  `{"error"}` is the
last.  The program ends with its input, and with the process PID that began it,
even in the middle of its work.

It imports nothing of emoscribe, whose packages are of other versions.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any, TextIO

# Ranks that vLLM can be set up for.
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
# Of `logprob_token_ids`, that vLLM takes in one request.
_MOST_TOKENS = 128


def main() -> None:
    replies = _own_output()
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    # Nothing leaves the machine.
    os.environ.update(VLLM_NO_USAGE_STATS="1", DO_NOT_TRACK="1", HF_HUB_OFFLINE="1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    try:
        job = json.loads(sys.stdin.readline() or "null")
        if job is None:
            return
        scorer = Scorer(**job)
        _reply(replies, ready=_version())
        for line in sys.stdin:
            _reply(replies, log_probabilities=scorer.score(**json.loads(line)))
    except Exception as error:
        _reply(replies, error=" ".join(str(error).split()) or type(error).__name__)
        sys.exit(1)


class Scorer:
    """A causal model in vLLM, with an adapter or without.

    Args:
        gpus: that hold the model between them.
    """

    def __init__(self, model: str, adapter: str | None, rank: int | None, gpus: int) -> None:
        import torch
        from vllm import LLM  # pyright: ignore[reportMissingImports]
        from vllm.lora.request import LoRARequest  # pyright: ignore[reportMissingImports]

        lora: dict[str, Any] = {}
        if adapter is not None:
            assert rank is not None
            if rank > _RANKS[-1]:
                raise ValueError(f"vLLM takes adapters of rank {_RANKS[-1]} at most, and this one has {rank}")
            lora = {"enable_lora": True, "max_lora_rank": next(each for each in _RANKS if each >= rank), "max_loras": 1}
        self._lora = LoRARequest("run", 1, adapter) if adapter is not None else None
        self._model = LLM(
            model=model,
            # What is asked for comes in tokens, and is answered in numbers.
            skip_tokenizer_init=True,
            dtype="bfloat16" if torch.cuda.is_available() else "float32",
            tensor_parallel_size=gpus,
            # What prompts begin with is read once, and a prompt is read once for all answers.
            enable_prefix_caching=True,
            # As the memory allows; by default, room is wanted for the longest prompt that the model was made for.
            max_model_len=-1,
            # Prompts are read and nothing is written: graphs of single steps are not worth the minute that they take.
            enforce_eager=True,
            **lora,
        )

    def score(self, prompts: list[list[int]], answers: list[list[int]]) -> list[list[float]]:
        """Log-probabilities (N, L).

        At each place where answers part, one token is generated, and how
        likely each of theirs is comes with it.  vLLM's `prompt_logprobs` would
        read every prompt anew for every answer: with them, its prefix cache
        stays unread.
        """
        from vllm import SamplingParams  # pyright: ignore[reportMissingImports]

        places = partings(answers)
        asked = [{"prompt_token_ids": [*prompt, *before]} for prompt in prompts for before, _ in places]
        params = [
            SamplingParams(max_tokens=1, temperature=0.0, detokenize=False, logprob_token_ids=tokens)
            for _, tokens in places
        ]
        told = iter(self._model.generate(asked, params * len(prompts), lora_request=self._lora, use_tqdm=False))
        rows = []
        for _ in prompts:
            likely: dict[tuple[int, ...], float] = {}
            for before, tokens in places:
                found = next(told).outputs[0].logprobs[0]
                likely |= {(*before, token): found[token].logprob for token in tokens}
            rows.append([sum(likely[tuple(each[: end + 1])] for end in range(len(each))) for each in answers])
        return rows


def partings(answers: list[list[int]]) -> list[tuple[tuple[int, ...], list[int]]]:
    """The beginnings of answers, and the tokens that some go on with; shorter ones first."""
    after: dict[tuple[int, ...], dict[int, None]] = {}
    for answer in answers:
        for end, token in enumerate(answer):
            after.setdefault(tuple(answer[:end]), {})[token] = None
    return [
        (before, list(tokens)[first : first + _MOST_TOKENS])
        for before, tokens in sorted(after.items(), key=lambda each: len(each[0]))
        for first in range(0, len(tokens), _MOST_TOKENS)
    ]


def _own_output() -> TextIO:
    """Standard output, which vLLM and its processes, who print to it, then do not have."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def _end_with(pid: int) -> None:
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            os._exit(1)
        time.sleep(1)


def _reply(replies: TextIO, **what: Any) -> None:
    replies.write(json.dumps(what) + "\n")
    replies.flush()


def _version() -> str:
    import vllm  # pyright: ignore[reportMissingImports]

    return vllm.__version__


if __name__ == "__main__":
    main()
