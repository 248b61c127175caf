"""An interpreter that has "vLLM": as much of its interface as emoscribe's worker uses, by transformers and PEFT.

    python vllm_stand_in.py -I WORKER        or        -I -c PROBE

A second implementation, for machines without the first: every request is read
whole, by itself, and nothing is remembered.
"""

from __future__ import annotations

import runpy
import sys
import types
from dataclasses import dataclass
from typing import Any

VERSION = "0.0.0"


@dataclass(frozen=True)
class LoRARequest:
    lora_name: str
    lora_int_id: int
    lora_path: str


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    max_tokens: int
    temperature: float
    detokenize: bool
    logprob_token_ids: list[int]


class LLM:
    def __init__(
        self, model: str, max_model_len: int, enable_prefix_caching: bool, max_lora_rank: int = 0, **_: Any
    ) -> None:
        from transformers import AutoModelForCausalLM

        assert max_model_len == -1 and enable_prefix_caching
        self.model: Any = AutoModelForCausalLM.from_pretrained(model)
        self.most, self.rank = self.model.config.max_position_embeddings, max_lora_rank
        self.adapted: str | None = None
        # vLLM and its processes print to where the replies go.
        print("Loading weights took 0.01 seconds")

    def generate(
        self, prompts: list[Any], params: list[SamplingParams], lora_request: LoRARequest | None, use_tqdm: bool
    ) -> list[Any]:
        import torch
        from peft import PeftModel

        if lora_request is not None and self.adapted is None:
            self.model = PeftModel.from_pretrained(self.model, lora_request.lora_path)
            assert self.model.peft_config["default"].r <= self.rank
            self.adapted = lora_request.lora_path
        told = []
        for prompt, asked in zip(prompts, params, strict=True):
            ids = prompt["prompt_token_ids"]
            if len(ids) + asked.max_tokens > self.most:
                raise ValueError(f"The decoder prompt (length {len(ids)}) is longer than {self.most}")
            with torch.inference_mode():
                logs = self.model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
            wanted = {int(logs.argmax()), *asked.logprob_token_ids}
            likely = {token: types.SimpleNamespace(logprob=float(logs[token])) for token in wanted}
            told.append(types.SimpleNamespace(outputs=[types.SimpleNamespace(logprobs=[likely])]))
        return told


def main() -> None:
    if sys.argv[1:3] == ["-I", "-c"]:
        print(VERSION)
        return
    vllm, lora, request = (types.ModuleType(name) for name in ("vllm", "vllm.lora", "vllm.lora.request"))
    vllm.__dict__.update(LLM=LLM, SamplingParams=SamplingParams, __version__=VERSION, lora=lora)
    request.__dict__.update(LoRARequest=LoRARequest)
    sys.modules |= {each.__name__: each for each in (vllm, lora, request)}
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
