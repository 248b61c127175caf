"""Encoders: a base model and a run's adapter, as one module.

Two ways lead to the same numbers.  Any base goes through `transformers` and
PEFT, which take nine seconds of a processor to import; what most runs are, a
BERT under plain LoRA, is read without them in a third of a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from . import lora
from .adapter_config import read_adapter_config
from .base import is_causal, load_adapted
from .bert import Bert, is_plain_bert
from .prefix import Prefix, read_ahead
from .settings import Head


class Encoder(nn.Module):
    """A model of `transformers` with the signature that `Classification` calls."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        # Nothing is written on: keys and values that a causal model keeps for that would only take memory.
        self._no_cache = {"use_cache": False} if is_causal(model.config.to_dict()) else {}  # pyright: ignore

    @property
    def hidden_size(self) -> int:
        return self.model.config.get_text_config().hidden_size  # pyright: ignore

    def read_ahead(self, ids: Tensor) -> Prefix | None:
        """See `prefix.read_ahead`."""
        return read_ahead(self.model, ids)

    def forward(self, ids: Tensor, attended: Tensor, prefix: Prefix | None = None) -> tuple[Tensor, Tensor]:
        """Hidden states (B, T, H) and the pooled first token (B, H), from ids and a mask (B, T), after a prefix."""
        there, past = attended.long(), self._no_cache
        if prefix is not None:
            there = torch.cat([there.new_ones(len(ids), prefix.length), there], dim=1)
            past = {"past_key_values": prefix.cache(len(ids)), "use_cache": True}
        output = self.model(input_ids=ids, attention_mask=there, **past)
        pooled = getattr(output, "pooler_output", None)
        return output.last_hidden_state, output.last_hidden_state[:, 0] if pooled is None else pooled


def load_encoder(
    base: Path, adapter: Path, config: dict[str, Any], device: str = "cpu", quantization: str = "none"
) -> nn.Module:
    """The base with the adapter, on the device.

    Raises:
        UnavailableError: see `load_base`.
        EmoscribeError: the adapter was made for another base.
        OSError, ValueError, KeyError, …: a file is damaged.
    """
    if is_plain_bert(config) and quantization == "none" and lora.is_plain(read_adapter_config(adapter)):
        weights = _bert_weights(base)
        # Old checkpoints name some of them differently, others come without a pooler.
        with torch.device("meta"):
            bert = Bert(config)
        if bert.state_dict().keys() <= weights.keys():
            weights = lora.merged(weights, adapter)
            bert.load_state_dict({name: weights[name] for name in bert.state_dict()}, assign=True)
            return bert.float().to(device)

    return Encoder(load_adapted(base, adapter, Head(), device, quantization))


def _bert_weights(base: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    # Checkpoints of a BERT with a task's head keep the encoder under a prefix.
    return {
        name.removeprefix("bert."): tensor
        for shard in sorted(base.glob("*.safetensors"))
        for name, tensor in load_file(shard).items()
    }
