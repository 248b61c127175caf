"""Encoders: a base model and a run's adapter, as one module.

Two ways lead to the same numbers.  Any encoder goes through `transformers`
and PEFT, which take nine seconds of a processor to import; what most runs
are, a BERT under plain LoRA, is read without them in a third of a second.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..core.files import read_json
from ..core.runs import ADAPTER_CONFIG
from . import lora
from .bert import Bert, is_plain_bert


class Encoder(nn.Module):
    """A model of `transformers` with the signature that a `Reader` calls."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, attended: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states (B, T, H) and the pooled first token (B, H), from ids and a mask (B, T)."""
        output = self.model(input_ids=ids, attention_mask=attended.long())
        pooled = getattr(output, "pooler_output", None)
        return output.last_hidden_state, output.last_hidden_state[:, 0] if pooled is None else pooled


def load_encoder(base: Path, adapter: Path, config: dict[str, Any]) -> nn.Module:
    """The base with the adapter merged into it, in float32."""
    if is_plain_bert(config) and lora.is_plain(read_json(adapter / ADAPTER_CONFIG)):
        return _load_bert(base, adapter, config)

    from peft import PeftModel
    from transformers import AutoModel

    return Encoder(PeftModel.from_pretrained(AutoModel.from_pretrained(base), adapter).merge_and_unload()).float()


def _load_bert(base: Path, adapter: Path, config: dict[str, Any]) -> nn.Module:
    from safetensors.torch import load_file

    # Checkpoints of a BERT with a task's head keep the encoder under a prefix.
    weights = {
        name.removeprefix("bert."): tensor
        for shard in sorted(base.glob("*.safetensors"))
        for name, tensor in load_file(shard).items()
    }
    weights = lora.merged(weights, adapter)
    encoder = Bert(config)
    encoder.load_state_dict({name: weights[name] for name in encoder.state_dict()}, assign=True)
    return encoder.float()
