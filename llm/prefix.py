"""Prompts that begin alike: a causal model reads what they share once.

What a causal model makes of a token depends on nothing after it, so that the
keys and values of a shared beginning serve every prompt that begins so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from .tokens import Tokens

if TYPE_CHECKING:
    from transformers import DynamicCache

# Shorter ones take longer to remember than to read again.
MIN_TOKENS = 16


@dataclass(frozen=True, eq=False)
class Prefix:
    """The first P tokens of several prompts, as a model has read them.

    Attributes:
        length: P.
        layers: keys and values of each layer, (1, heads, P, width).
    """

    length: int
    layers: Sequence[tuple[Tensor, Tensor]]

    def cache(self, count: int) -> DynamicCache:
        """A cache in which `count` prompts have begun so."""
        from transformers import DynamicCache

        return DynamicCache([tuple(each.expand(count, -1, -1, -1) for each in layer) for layer in self.layers])


def shared_length(prompts: Sequence[Tokens]) -> int:
    """How many tokens all prompts begin with, none of which is to be judged; 0 where they are too few."""
    if len(prompts) < 2:
        return 0
    # One at least is left to read, since an answer is predicted at it.
    most = min(min(len(each) - 1, int(each.target.argmax())) for each in prompts)
    first = prompts[0].ids[:most]
    alike = np.ones(most, dtype=bool)
    for each in prompts[1:]:
        alike &= each.ids[:most] == first
    length = most if alike.all() else int(alike.argmin())
    return length if length >= MIN_TOKENS else 0


def read_ahead(model: nn.Module, ids: Tensor) -> Prefix | None:
    """The tokens (P,) as read by a model of `transformers`; `None` where it cannot go on from there.

    It can where every layer attends to everything before: not with sliding
    windows, whose caches forget, nor with a state instead of a cache.
    """
    from transformers import DynamicCache

    if not _attends_to_all_before(model):
        return None
    cache = model(input_ids=ids[None], use_cache=True).past_key_values
    if not isinstance(cache, DynamicCache):
        return None
    layers: list[Any] = cache.layers
    return Prefix(len(ids), [(layer.keys, layer.values) for layer in layers])


def _attends_to_all_before(model: nn.Module) -> bool:
    from .base import is_causal

    if getattr(model, "_is_stateful", False):
        return False
    config: Any = model.config.get_text_config()  # pyright: ignore
    kinds = getattr(config, "layer_types", None) or ("full_attention",)
    sliding = getattr(config, "sliding_window", None) is not None and getattr(config, "use_sliding_window", True)
    return is_causal(config.to_dict()) and set(kinds) == {"full_attention"} and not sliding
