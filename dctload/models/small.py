r"""Our own light residual network for small images such as CIFAR-10's.

An 8x8 block grid of a 32 x 32 image has 4 x 4 places: too few for convolutions
to look around. So the blocks are first split, by the exact sub-block conversion,
into 2x2 ones for luma and single samples for half-resolution chroma, which meet
on a grid of 16 x 16:

    y     64 x 4 x 4   -> 4 x 16 x 16 -\
    cb    64 x 2 x 2   -> 1 x 16 x 16 --- BN -> 3x3 -> residual stages -> classes
    cr    64 x 2 x 2   -> 1 x 16 x 16 -/

The conversion is where training starts, not a constraint: its weights learn.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._input import ALL, Frequencies, Inputs, InputSpec
from .layers.blocks import Classifier, ConvBN, init_weights
from .layers.subblocks import SplitBlocks

# Samples have a standard deviation of about 64; the conversion is orthonormal.
INPUT_SCALE = 1 / 64


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; average pooling before a projection."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.body = nn.Sequential(
            ConvBN(in_channels, out_channels, 3, stride),
            ConvBN(out_channels, out_channels, 3, relu=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True),
                ConvBN(in_channels, out_channels, relu=False),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


class SmallResNet(nn.Module):
    """A residual network on sub-blocks.

    Args:
        num_classes: Size of the output.
        frequencies: Coefficients read.
        widths: Channels of each stage; every stage but the first halves the grid.
        depths: Blocks of each stage.
        size: Samples a side that ``input_spec`` asks for; others work too.
    """

    def __init__(
        self,
        num_classes: int,
        frequencies: Frequencies = ALL,
        widths: tuple[int, ...] = (32, 64, 128),
        depths: tuple[int, ...] = (1, 1, 1),
        size: int = 32,
    ):
        super().__init__()
        self.input_spec = InputSpec("planes", frequencies, size)
        self.num_cb = len(frequencies.cb)
        layers: list[nn.Module] = [nn.BatchNorm2d(6), ConvBN(6, widths[0], 3)]
        channels = widths[0]
        for i, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for j in range(depth):
                stride = 2 if i > 0 and j == 0 else 1
                layers.append(BasicBlock(channels, width, stride))
                channels = width
        self.body = nn.Sequential(*layers, Classifier(channels, num_classes))
        init_weights(self)
        # Luma in 2x2 sub-blocks, chroma (half resolution) in single samples.
        self.split_y = SplitBlocks(frequencies.y, 4, INPUT_SCALE)
        self.split_cb = SplitBlocks(frequencies.cb, 8, INPUT_SCALE)
        self.split_cr = SplitBlocks(frequencies.cr, 8, INPUT_SCALE)

    def forward(self, x: Inputs) -> Tensor:
        """(N, Ky, H/8, W/8) and (N, Kc, H/16, W/16) -> (N, classes)."""
        self.input_spec.check(x)
        y, cbcr = x
        cb, cr = cbcr[:, : self.num_cb], cbcr[:, self.num_cb :]
        x = torch.cat([self.split_y(y), self.split_cb(cb), self.split_cr(cr)], 1)
        logits: Tensor = self.body(x)  # from (N, 6, H/2, W/2)
        return logits


MODELS = {"small_resnet": SmallResNet}
