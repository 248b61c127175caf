"""The BERT encoder (Devlin et al., 2019), for reading.

The same sums as in `transformers`, whose import takes longer than reading a
whole video with a small encoder: seven of the ten seconds that a command
would take.  Training goes through `transformers` and PEFT; what they leave in
a checkpoint is read here, parameter by parameter under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def is_plain_bert(config: Mapping[str, Any]) -> bool:
    """Whether a model's `config.json` describes exactly what is here."""
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act", "gelu") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder", False)
    )


class Bert(nn.Module):
    """Token embeddings, N layers of attention, a pooler."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(map(_Layer, [config] * config["num_hidden_layers"]))})
        self.pooler = nn.ModuleDict({"dense": nn.Linear(config["hidden_size"], config["hidden_size"])})

    def forward(self, ids: Tensor, attended: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states (B, T, H) and the pooled first token (B, H), from ids and a mask (B, T)."""
        hidden = self.embeddings(ids)
        mask = attended[:, None, None, :]
        for layer in self.encoder["layer"]:  # type: ignore[union-attr]
            hidden = layer(hidden, mask)
        return hidden, torch.tanh(self.pooler["dense"](hidden[:, 0]))


class _Embeddings(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        size = config["hidden_size"]
        self.word_embeddings = _table(config["vocab_size"], size)
        self.position_embeddings = _table(config["max_position_embeddings"], size)
        self.token_type_embeddings = _table(config["type_vocab_size"], size)
        self.LayerNorm = nn.LayerNorm(size, eps=config["layer_norm_eps"])

    def forward(self, ids: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: ids.shape[1]]
        return self.LayerNorm(self.word_embeddings(ids) + positions + self.token_type_embeddings.weight[0])


def _table(rows: int, size: int) -> nn.Embedding:
    """An embedding whose weights are still to be loaded.

    `nn.Embedding` draws its own; without memory to draw them in, torch does so
    by its compiler, and importing that takes seconds.
    """
    return nn.Embedding.from_pretrained(torch.empty(rows, size), freeze=False)


class _Layer(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        size, inner, eps = config["hidden_size"], config["intermediate_size"], config["layer_norm_eps"]
        self.heads = config["num_attention_heads"]
        self.attention = nn.ModuleDict(
            {
                "self": nn.ModuleDict({name: nn.Linear(size, size) for name in ("query", "key", "value")}),
                "output": _Residual(size, size, eps),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(size, inner)})
        self.output = _Residual(inner, size, eps)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        projections = self.attention["self"]
        query, key, value = (
            projections[name](hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # type: ignore[index]
            for name in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask).transpose(1, 2).flatten(2)
        hidden = self.attention["output"](mixed, hidden)
        return self.output(F.gelu(self.intermediate["dense"](hidden)), hidden)


class _Residual(nn.Module):
    def __init__(self, size_in: int, size_out: int, eps: float) -> None:
        super().__init__()
        self.dense = nn.Linear(size_in, size_out)
        self.LayerNorm = nn.LayerNorm(size_out, eps=eps)

    def forward(self, hidden: Tensor, residual: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(hidden) + residual)
