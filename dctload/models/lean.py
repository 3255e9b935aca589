r"""Our own network for serving on a CPU: few frequencies, few and dense layers.

On a CPU a network is as slow as its memory traffic and its number of layers, more
than its multiplications: depthwise convolutions, squeeze-and-excitation and large
early maps cost more than their MACs say (``benchmarks/bench_models.py``
measures that). So: no map is larger than 28 x 28, every convolution is a dense
3 x 3, and high frequencies, which quantisation has mostly emptied, are not read.

    y     21 x 28 x 28   -> 3x3 -> residual blocks, /2 -\
    cbcr  12 x 14 x 14   -> 3x3 --------------------------- residual blocks,
                                                            /2, residual -> classes

Chroma joins at its own resolution, so nothing is resampled.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from dctload.frequencies import triangle

from ._input import Frequencies, Inputs, InputSpec
from .layers.blocks import Classifier, ConvBN, init_weights
from .small import BasicBlock

# u + v < 6 of luma, u + v < 3 of chroma: 33 of 192 coefficients.
LOW = Frequencies(triangle(6), triangle(3), triangle(3))


class Lean(nn.Module):
    """A small residual network on few frequencies.

    Args:
        num_classes: Size of the output.
        frequencies: Coefficients read.
        widths: Channels at 28 x 28, at 14 x 14 (with chroma), at 7 x 7.
        depths: Residual blocks at each.
        chroma: Channels of the chroma branch.
        dropout: Before the classifier.
    """

    def __init__(
        self,
        num_classes: int,
        frequencies: Frequencies = LOW,
        widths: tuple[int, int, int] = (48, 128, 256),
        depths: tuple[int, int, int] = (2, 2, 2),
        chroma: int = 32,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.input_spec = InputSpec("planes", frequencies, 224)
        first, second, third = widths
        self.luma = nn.Sequential(
            nn.BatchNorm2d(frequencies.num_luma),
            ConvBN(frequencies.num_luma, first, 3),
            *[BasicBlock(first, first) for _ in range(depths[0])],
            BasicBlock(first, second - chroma, 2),
        )
        self.chroma = nn.Sequential(
            nn.BatchNorm2d(frequencies.num_chroma),
            ConvBN(frequencies.num_chroma, chroma, 3),
        )
        self.body = nn.Sequential(
            *[BasicBlock(second, second) for _ in range(depths[1] - 1)],
            BasicBlock(second, third, 2),
            *[BasicBlock(third, third) for _ in range(depths[2] - 1)],
            Classifier(third, num_classes, dropout),
        )
        init_weights(self)

    def forward(self, x: Inputs) -> Tensor:
        """(N, Ky, H/8, W/8) and (N, Kc, H/16, W/16) -> (N, classes)."""
        self.input_spec.check(x)
        y, cbcr = x
        joined = torch.cat([self.luma(y), self.chroma(cbcr)], 1)
        logits: Tensor = self.body(joined)
        return logits


MODELS = {
    "lean": Lean,
    "lean_small": partial(Lean, widths=(32, 96, 192), depths=(1, 2, 2), chroma=24),
}
