"""A run's model as files of ONNX, and those in eight bits."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..core.errors import EmoscribeError
from ..core.text import first_line
from .heads import MEMORY as MEMORY_WIDTH
from .heads import Classification, Memory
from .tokens import Tokens, collate

# The oldest that has all that is used.
_OPSET = 17


class _Reading(nn.Module):
    """`Classification` of a batch, by its arrays."""

    def __init__(self, model: Classification) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, attended: Tensor, target: Tensor) -> Tensor:
        return self.model({"ids": ids, "attended": attended, "target": target})


def export_model(model: Classification, tokens: Sequence[Tokens], path: Path, name: str) -> None:
    """Write out what reads prompts: `ids`, `attended` and `target` (B, T) to (B, L), or (B, L + M) with a memory.

    Args:
        tokens: two prompts, of different lengths; they are run through once.
        name: of the run, for the error.

    Raises:
        EmoscribeError: the base does something that cannot be written out.
    """
    batch = collate(tokens, 0, "cpu")
    axes = {argument: {0: "prompts", 1: "tokens"} for argument in batch} | {"read": {0: "prompts"}}
    _export(_Reading(model), batch, axes, path, name)


class _Remembering(nn.Module):
    """`Memory`, by the arrays of `Turns`."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory

    def forward(self, noted: Tensor, places: Tensor, who: Tensor, lengths: Tensor) -> Tensor:
        steps = noted[places] + self.memory.who(who)
        states, _ = self.memory.gru(steps)
        # What lies after a row's last turn was read after it, and changes nothing before.
        last = states[torch.arange(states.shape[0]), lengths - 1]
        return self.memory.classifier(last)


def export_memory(memory: Memory, path: Path, name: str) -> None:
    """Write out what turns add: `noted` (U, M), `places`, `who` (N, K) and `lengths` (N,) to (N, L); see `Turns`.

    Raises:
        EmoscribeError: it cannot be written out.
    """
    arguments = {
        "noted": torch.zeros(3, MEMORY_WIDTH),
        "places": torch.tensor([[0, 1], [2, 2]]),
        "who": torch.zeros(2, 2, dtype=torch.int64),
        "lengths": torch.tensor([2, 1]),
    }
    axes = {"noted": {0: "read"}, "places": {0: "prompts", 1: "turns"}, "who": {0: "prompts", 1: "turns"}}
    _export(_Remembering(memory), arguments, axes | {"lengths": {0: "prompts"}, "added": {0: "prompts"}}, path, name)


def _export(
    module: nn.Module, arguments: dict[str, Tensor], axes: dict[str, dict[int, str]], path: Path, name: str
) -> None:
    (output,) = axes.keys() - arguments.keys()
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            # The newer exporter needs another package, and takes ten times as long.
            torch.onnx.export(
                module.eval(),
                tuple(arguments.values()),
                str(path),
                input_names=list(arguments),
                output_names=[output],
                dynamic_axes=axes,
                opset_version=_OPSET,
                dynamo=False,
            )
    except OSError:
        raise  # a full disk is no fault of the base's
    except Exception as error:  # of any base there may be, and each does something of its own
        raise EmoscribeError(
            f"run {name} cannot be packed: its base does what ONNX has nothing for ({first_line(error)}); "
            "deploy the run as it is"
        ) from None


def quantize(source: Path, target: Path, operations: Sequence[str]) -> None:
    """Write a network with the weights of some operations in eight bits."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # It would have us run another of its tools before, which changes the graph and no answer.
    heard = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=list(operations),
            per_channel=True,
            # Seven bits of the eight: processors without VNNI add up pairs in sixteen, which would overflow, and give
            # other labels than those that this was compared on.
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
    finally:
        logging.disable(heard)
