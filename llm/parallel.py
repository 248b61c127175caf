"""One training in several processes, as `accelerate launch` starts them.

Each has a whole model (DDP), or all hold one between them (FSDP).
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..core.context import resolve_device
from ..core.errors import SettingsError
from ..training import processes
from .settings import TrainingSettings

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch.nn import Parameter


def joined(settings: TrainingSettings) -> tuple[torch.device, Accelerator | None]:
    """This process's device, and what prepares a model of its own; `None` where all are to hold one between them.

    Raises:
        UnavailableError: the device is not here.
        SettingsError: it was launched in a way that training does not know, or a quantized model is to be sharded.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs, PartialState

    cpu = resolve_device(settings.device) == "cpu"
    if processes.is_sharded():
        if settings.base.quantization != "none":
            raise SettingsError(
                f"base.quantization {settings.base.quantization} cannot be sharded; "
                "launch with --multi_gpu, or set base.quantization: none"
            )
        # An `Accelerator` would shard what is trained too, and refuses to without a GPU.
        return torch.device(PartialState(cpu=cpu).device or "cpu"), None
    # Adapters on layers that the head does not look at have no gradient.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    # Precision is a setting of the run, not of how it was launched.
    accelerator = Accelerator(cpu=cpu, mixed_precision="no", kwargs_handlers=[unused])
    if accelerator.distributed_type not in ("NO", "MULTI_CPU", "MULTI_GPU"):
        raise SettingsError(
            f"accelerate launch asks for {accelerator.distributed_type.value}, which training does not know; "
            "launch with --multi_gpu (a whole model on each GPU) or --use_fsdp (one model over all)"
        )
    return accelerator.device, accelerator


def shared(model: nn.Module, device: torch.device, accelerator: Accelerator | None) -> nn.Module:
    """The model as all processes train it together; `joined` tells where and how.

    What is trained of it stays whole in every process.
    """
    if accelerator is not None:
        return accelerator.prepare_model(model)
    _shard(model, device)
    return model


def apart(model: nn.Module) -> contextlib.AbstractContextManager[None]:
    """Within the block, gradients add up in each process by itself."""
    from torch.nn.parallel import DistributedDataParallel

    return model.no_sync() if isinstance(model, DistributedDataParallel) else contextlib.nullcontext()


def average_gradients(model: nn.Module, trained: Sequence[Parameter]) -> None:
    """What a backward pass leaves to do until all processes have the mean of their gradients."""
    from torch.nn.parallel import DistributedDataParallel

    if not isinstance(model, DistributedDataParallel):
        processes.average([parameter.grad for parameter in trained if parameter.grad is not None])


def _shard(model: nn.Module, device: torch.device) -> None:
    """Deal out the base's weights over all processes, layer by layer (FSDP; Zhao et al., 2023).

    A layer is put together when it is computed, and no longer.  The adapter
    and head, a thousandth of the weights, stay whole everywhere, and with
    them the optimizer, the moving average and checkpoints.
    """
    from torch import distributed
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor
    from transformers import PreTrainedModel

    mesh = init_device_mesh(device.type, (processes.count(),))
    base = next(module for module in model.modules() if isinstance(module, PreTrainedModel))
    kinds = set(base._no_split_modules or ())
    layers = [module for module in base.modules() if type(module).__name__ in kinds]
    trained = {parameter for parameter in model.parameters() if parameter.requires_grad}
    # No device ever holds more than its share and one layer.
    for module in (*reversed(layers), base, model):
        for tensor in (*module.parameters(), *module.buffers()):
            if not isinstance(tensor, DTensor):
                tensor.data = tensor.data.to(device)
                distributed.broadcast(tensor.data, src=0)
        if module is not model:
            fully_shard(module, mesh=mesh, ignored_params=trained)
