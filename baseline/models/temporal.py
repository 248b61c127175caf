"""The temporal convolutional network that most fusion models read a stream with.

Bai, Kolter and Koltun (2018), *An empirical evaluation of generic convolutional
and recurrent networks for sequence modeling*, in the sizes that Richet et al.
(2024) use in their feature-based model.  A frame sees itself and the 120 before
it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
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
        return self.norm(self.blocks(frames), there)


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
    """What a `Conv1d` says of frames (B, T, C) and those before them, silence before the first: (B, T, C').

    As one product of matrices, and without the taps that reach back before
    the first frame of every clip: most clips are shorter than the widest
    dilations see, and convolutions of a CPU are slow where they are dilated.
    """
    assert isinstance(convolution, nn.Conv1d)
    (kernel,), (step,) = convolution.kernel_size, convolution.dilation
    taps = min(kernel, math.ceil(frames.shape[1] / step))
    # The last tap is on the frame itself.
    seen = [functional.pad(frames, (0, 0, back * step, -back * step)) for back in reversed(range(taps))]
    weight = convolution.weight[:, :, kernel - taps :].transpose(1, 2).flatten(1)
    return functional.linear(torch.cat(seen, dim=-1), weight, convolution.bias)


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
