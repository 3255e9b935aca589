"""eFUN: Goldberg et al., "Rethinking FUN: Frequency-Domain Utilization Networks".

arXiv 2012.03357. EfficientNet's blocks, without its stem: 192 coefficients on a
grid of 28 x 28 go straight into the first inverted residual, as dequantised and
not normalised; chroma of half resolution is repeated onto luma's grid. The
stages are those of kfirgoldberg/FUN (MIT), ``timm/models/eFUN.py``, with widths
rounded to multiples of 8 as timm does.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from ._input import ALL, Frequencies, Inputs, InputSpec


class Stage(NamedTuple):
    """A row of the authors' tables."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES: dict[str, tuple[Stage, ...]] = {
    "efun": (Stage(3, 5, 1, 4, 128), Stage(6, 5, 2, 4, 160), Stage(1, 3, 1, 6, 192)),
    "efun_l": (
        Stage(3, 5, 1, 4, 144),
        Stage(2, 5, 1, 5, 180),
        Stage(5, 5, 2, 4, 180),
        Stage(2, 3, 1, 6, 216),
    ),
    "efun_s": (Stage(3, 5, 1, 3, 120), Stage(5, 5, 2, 4, 140), Stage(1, 3, 1, 5, 192)),
    "efun_s_plus": (
        Stage(3, 5, 1, 4, 96),
        Stage(4, 5, 2, 4, 120),
        Stage(1, 3, 1, 6, 192),
    ),
}

SQUEEZE = 0.25  # of the block's input channels


def round_channels(channels: int) -> int:
    """Round to the nearest multiple of 8, not down by more than a tenth."""
    rounded = max(8, (channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class SqueezeExcite(nn.Module):
    """Scale each channel by what all the channels' means say."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        scale: Tensor = self.expand(F.silu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * scale.sigmoid()


class InvertedResidual(nn.Module):
    """1x1 to more channels, depthwise k x k, squeeze-and-excite, 1x1 to fewer."""

    def __init__(self, in_channels: int, stage: Stage, stride: int, drop_path: float):
        super().__init__()
        out, mid = round_channels(stage.width), in_channels * stage.expansion
        padding = stage.kernel // 2
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, mid, 1, bias=False),
            nn.BatchNorm2d(mid),
            nn.SiLU(inplace=True),
            nn.Conv2d(mid, mid, stage.kernel, stride, padding, groups=mid, bias=False),
            nn.BatchNorm2d(mid),
            nn.SiLU(inplace=True),
            SqueezeExcite(mid, int(in_channels * SQUEEZE)),
            nn.Conv2d(mid, out, 1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.has_shortcut = stride == 1 and in_channels == out
        self.drop_path = StochasticDepth(drop_path, "row")

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        changed: Tensor = self.body(x)
        return x + self.drop_path(changed) if self.has_shortcut else changed


class EFun(nn.Module):
    """An eFUN.

    Args:
        num_classes: Size of the output.
        frequencies: Coefficients read.
        stages: A row of :data:`STAGES`.
        features: Width of the last 1x1 convolution.
        dropout: Before the classifier; the authors train with 0.2 (L: 0.3).
        drop_path: Rate at the last block, rising linearly; likewise.
    """

    def __init__(
        self,
        num_classes: int,
        frequencies: Frequencies = ALL,
        stages: tuple[Stage, ...] = STAGES["efun"],
        features: int = 1280,
        dropout: float = 0.2,
        drop_path: float = 0.2,
    ):
        super().__init__()
        self.input_spec = InputSpec("planes", frequencies, 224)
        channels = frequencies.num_channels
        blocks: list[nn.Module] = []
        total = sum(stage.repeats for stage in stages)
        for stage in stages:
            for i in range(stage.repeats):
                stride = stage.stride if i == 0 else 1
                rate = drop_path * len(blocks) / total
                blocks.append(InvertedResidual(channels, stage, stride, rate))
                channels = round_channels(stage.width)
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.Conv2d(channels, features, 1, bias=False),
            nn.BatchNorm2d(features),
            nn.SiLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(features, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Inputs) -> Tensor:
        """(N, Ky, H/8, W/8) and (N, Kc, H/16, W/16) -> (N, classes)."""
        self.input_spec.check(x)
        y, cbcr = x
        cbcr = F.interpolate(cbcr, scale_factor=2, mode="nearest")
        logits: Tensor = self.head(self.blocks(torch.cat([y, cbcr], 1)))
        return logits


MODELS = {
    "efun": EFun,
    "efun_l": partial(EFun, stages=STAGES["efun_l"], dropout=0.3, drop_path=0.3),
    "efun_s": partial(EFun, stages=STAGES["efun_s"]),
    "efun_s_plus": partial(EFun, stages=STAGES["efun_s_plus"], features=960),
}
