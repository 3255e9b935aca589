"""Harmonic ResNet-50 and WRN-28-10: Ulicny, Krylov, Dahyot.

They read RGB; what is in the frequency domain is their filters. Every spatial
convolution is a :class:`HarmonicConv2d`, the first one with normalisation
between its cosines and its weights.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet50

from ._input import ALL, Inputs, InputSpec
from .layers.harmonic import HarmonicConv2d


class HarmonicResNet50(nn.Module):
    """ResNet-50 with every k x k convolution, k > 1, in the cosine basis.

    Args:
        num_classes: Size of the output.
        level: Keep the frequencies with i + j < level; None: all.
    """

    def __init__(self, num_classes: int, level: int | None = None):
        super().__init__()
        self.input_spec = InputSpec("pixels", ALL, 224)
        self.net: Any = resnet50(num_classes=num_classes)
        self.net.conv1 = HarmonicConv2d(3, 64, 7, 2, 3, batch_norm=True)
        for block in self.net.modules():
            conv = getattr(block, "conv2", None)
            if isinstance(conv, nn.Conv2d):
                block.conv2 = HarmonicConv2d(
                    conv.in_channels, conv.out_channels, 3, conv.stride[0], 1,
                    level=level,
                )  # fmt: skip

    def forward(self, x: Inputs) -> Tensor:
        """(N, 3, H, W) -> (N, classes)."""
        self.input_spec.check(x)
        logits: Tensor = self.net(x)
        return logits


class WideBlock(nn.Module):
    """Pre-activation block of a wide residual network, in the cosine basis."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, level: int | None
    ):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = HarmonicConv2d(
            in_channels, out_channels, 3, stride, 1, level=level
        )
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.conv2 = HarmonicConv2d(out_channels, out_channels, 3, 1, 1, level=level)
        self.project: nn.Module | None = None
        if in_channels != out_channels:
            self.project = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        active = F.relu(self.norm1(x))
        shortcut = x if self.project is None else self.project(active)
        x = self.conv2(F.relu(self.norm2(self.conv1(active))))
        return x + shortcut


class HarmonicWideResNet(nn.Module):
    """WRN-28-10 in the cosine basis, for 32 x 32 pixels.

    Args:
        num_classes: Size of the output.
        depth: 6 n + 4 layers.
        widen: Factor on the widths 16, 32, 64.
        level: Keep the frequencies with i + j < level; None: all.
    """

    def __init__(
        self,
        num_classes: int,
        depth: int = 28,
        widen: int = 10,
        level: int | None = None,
    ):
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"depth must be 6 n + 4, got {depth}")
        self.input_spec = InputSpec("pixels", ALL, 32)
        layers: list[nn.Module] = [HarmonicConv2d(3, 16, 3, 1, 1, batch_norm=True)]
        channels = 16
        for stage, width in enumerate((16, 32, 64)):
            for i in range((depth - 4) // 6):
                stride = 2 if stage and i == 0 else 1
                layers.append(WideBlock(channels, width * widen, stride, level))
                channels = width * widen
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU())
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, x: Inputs) -> Tensor:
        """(N, 3, H, W) -> (N, classes)."""
        self.input_spec.check(x)
        logits: Tensor = self.fc(self.features(x).mean((2, 3)))
        return logits


MODELS = {
    "harmonic_resnet50": HarmonicResNet50,
    "harmonic_wrn28_10": HarmonicWideResNet,
}
