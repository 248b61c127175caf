"""The temporal convolutional network that most fusion models read a stream with.

Bai, Kolter and Koltun (2018), *An empirical evaluation of generic convolutional
and recurrent networks for sequence modeling*, in the sizes that Richet et al.
(2024) use in their feature-based model.  A frame sees itself and the 120 before
it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from .streams import letter

# Channels of the blocks, by what the stream is about.
CHANNELS: Mapping[str, tuple[int, ...]] = {
    "T": (256, 256, 128, 128),
    "V": (256, 256, 128, 128),
    "A": (64, 64, 32, 32),
}
KERNEL = 5


class TemporalEncoder(nn.Module):
    """Four causal blocks of dilation 1, 2, 4 and 8, then batch norm over the frames that are there.

    Args:
        name: the stream's feature, which decides how wide the blocks are.
        width: of its frames.

    Attributes:
        width: of what comes out, 128 or, for an acoustic stream, 32.
    """

    def __init__(self, name: str, width: int, *, dropout: float) -> None:
        super().__init__()
        channels = CHANNELS[letter(name)]
        self.width = channels[-1]
        self.blocks = nn.Sequential(
            *(
                TemporalBlock(before, after, dilation=2**index, dropout=dropout)
                for index, (before, after) in enumerate(zip((width, *channels), channels, strict=False))
            )
        )
        self.norm = FrameNorm(self.width)

    def forward(self, frames: Tensor, there: Tensor) -> Tensor:
        """Frames (B, T, D), padded at their end, to (B, T, width), zero where they are not `there` (B, T)."""
        # Time first: what a tap sees then lies in one piece.
        encoded = self.blocks(frames.transpose(0, 1).contiguous())
        return self.norm(encoded.transpose(0, 1), there)


class TemporalBlock(nn.Module):
    """Two weight-normed causal convolutions and a way around them: (B, T, C) to (B, T, C')."""

    def __init__(self, before: int, after: int, *, dilation: int, dropout: float) -> None:
        super().__init__()
        convolutions = [nn.Conv1d(width, after, KERNEL, dilation=dilation) for width in (before, after)]
        self.around = nn.Conv1d(before, after, 1) if before != after else nn.Identity()
        for layer in (*convolutions, self.around):
            if isinstance(layer, nn.Conv1d):
                nn.init.xavier_uniform_(layer.weight, gain=math.sqrt(2))
        # Normed only now: an initialisation of the normed weight would be computed over.
        self.convolutions = nn.ModuleList(weight_norm(layer) for layer in convolutions)
        self.dropout = nn.Dropout(dropout)

    def forward(self, frames: Tensor) -> Tensor:
        inner = frames
        for convolution in self.convolutions:
            inner = self.dropout(functional.leaky_relu(causal(convolution, inner)))
        around = causal(self.around, frames) if isinstance(self.around, nn.Conv1d) else frames
        return functional.leaky_relu(inner + around)


def causal(convolution: nn.Module, frames: Tensor) -> Tensor:
    """What a `Conv1d` says of frames (T, B, C) and those before them, silence before the first: (T, B, C')."""
    assert isinstance(convolution, nn.Conv1d)
    (kernel,), (step,) = convolution.kernel_size, convolution.dilation
    # Taps that reach back before the first frame of every clip see nothing: most clips are shorter than the widest
    # dilations see.
    taps = min(kernel, math.ceil(len(frames) / step))
    weight, bias = convolution.weight[:, :, kernel - taps :].permute(2, 0, 1).contiguous(), convolution.bias
    assert bias is not None
    if torch.is_autocast_enabled(frames.device.type):
        half = torch.get_autocast_dtype(frames.device.type)
        frames, weight, bias = frames.to(half), weight.to(half), bias.to(half)
    return _Causal.apply(frames, weight, bias, step)


class _Causal(torch.autograd.Function):
    """A product of matrices a tap, of the frames that it sees and no others.

    Convolutions of a CPU are slow where they are dilated, and one product of
    all taps multiplies silence: a quarter of it, in clips of three seconds.
    """

    @staticmethod
    def forward(ctx: Any, frames: Tensor, weight: Tensor, bias: Tensor, step: int) -> Tensor:
        """Frames (T, B, C), weight (taps, C', C) of which the last is on the frame itself, bias (C') to (T, B, C')."""
        ctx.save_for_backward(frames, weight)
        ctx.step = step
        *earlier, itself = weight
        out = functional.linear(frames, itself, bias)
        for back, tap in enumerate(reversed(earlier), 1):
            _rows(out[back * step :]).addmm_(_rows(frames[: -back * step]), tap.t())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        frames, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        taps = len(weight)
        of_weight = torch.empty_like(weight)
        of_frames = gradient @ weight[-1] if ctx.needs_input_grad[0] else None
        for tap in range(taps):
            back = (taps - 1 - tap) * ctx.step
            reached, seen = _rows(gradient[back:]), _rows(frames[: len(frames) - back])
            torch.mm(reached.t(), seen, out=of_weight[tap])
            if of_frames is not None and back:
                _rows(of_frames[:-back]).addmm_(reached, weight[tap])
        return of_frames, of_weight, gradient.sum((0, 1)), None


def _rows(frames: Tensor) -> Tensor:
    """Frames (T, B, C) one below another: (T x B, C)."""
    return frames.view(-1, frames.shape[-1])


class FrameNorm(nn.Module):
    """Batch norm whose statistics are of real frames alone, however long the padding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)

    def forward(self, frames: Tensor, there: Tensor) -> Tensor:
        """Frames (B, T, D) to (B, T, D), zero where they are not `there` (B, T)."""
        real = frames[there]
        if self.training and len(real) == 1:
            # A single frame has no spread: the running statistics have to do.
            norm = self.norm
            normed = functional.batch_norm(real, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        else:
            normed = self.norm(real)
        filled = torch.zeros_like(frames, dtype=normed.dtype)
        filled[there] = normed
        return filled
