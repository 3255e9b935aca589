"""Small networks "after" papers whose layers cannot be read any more.

Ulicny & Dahyot (IMVIP 2017) were the first to train CNNs on DCT coefficients,
of MNIST and CIFAR-10; Rajesh et al. (CICT 2019, "DCT-CompCNN") fed JPEG
coefficients to a small CNN on CIFAR-10 and Dogs vs. Cats. No layer table of
either could be found. The layers below are ours and documented here; only the
idea is theirs, and no figure of theirs applies to them.

    after_ulicny     BN -> 3x3 64 -> 3x3 64 -> 3x3 128 /2 -> 3x3 128 -> classes
                     on the block grid itself, Y|Cb|Cr
    after_compcnn    Y and CbCr through two convolutions each, joined, then four
                     more and two linear layers
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._input import ALL, Frequencies, Inputs, InputSpec
from .layers.blocks import Classifier, ConvBN, init_weights


class AfterUlicny(nn.Module):
    """A plain CNN on the grid of blocks.

    Args:
        num_classes: Size of the output.
        frequencies: Coefficients read; the paper's question is how few suffice.
        size: Samples a side that ``input_spec`` asks for: 32 for CIFAR-10 and for
            MNIST, whose 28 are padded.
    """

    def __init__(
        self, num_classes: int, frequencies: Frequencies = ALL, size: int = 32
    ):
        super().__init__()
        self.input_spec = InputSpec("concat", frequencies, size)
        channels = frequencies.num_channels
        self.body = nn.Sequential(
            nn.BatchNorm2d(channels),
            ConvBN(channels, 64, 3),
            ConvBN(64, 64, 3),
            ConvBN(64, 128, 3, 2),
            ConvBN(128, 128, 3),
            Classifier(128, num_classes),
        )
        init_weights(self)

    def forward(self, x: Inputs) -> Tensor:
        """(N, K, H/8, W/8) -> (N, classes)."""
        self.input_spec.check(x)
        logits: Tensor = self.body(x)
        return logits


class AfterCompCnn(nn.Module):
    """A small CNN that joins luma and chroma where their grids are equal."""

    def __init__(self, num_classes: int, frequencies: Frequencies = ALL):
        super().__init__()
        self.input_spec = InputSpec("planes", frequencies, 224)
        luma, chroma = frequencies.num_luma, frequencies.num_chroma
        self.luma = nn.Sequential(
            nn.BatchNorm2d(luma), ConvBN(luma, 128, 3), ConvBN(128, 128, 3, 2)
        )
        self.chroma = nn.Sequential(
            nn.BatchNorm2d(chroma), ConvBN(chroma, 64, 3), ConvBN(64, 64, 3)
        )
        self.body = nn.Sequential(
            ConvBN(192, 256, 3),
            ConvBN(256, 256, 3),
            ConvBN(256, 512, 3, 2),
            ConvBN(512, 512, 3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(512, 256),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(256, num_classes),
        )
        init_weights(self)

    def forward(self, x: Inputs) -> Tensor:
        """(N, Ky, H/8, W/8) and (N, Kc, H/16, W/16) -> (N, classes)."""
        self.input_spec.check(x)
        y, cbcr = x
        joined = torch.cat([self.luma(y), self.chroma(cbcr)], 1)
        logits: Tensor = self.body(joined)
        return logits


MODELS = {"after_ulicny": AfterUlicny, "after_compcnn": AfterCompCnn}
