"""What Gueguen et al. 2018 compare their networks with: networks on pixels.

Ablations: the DCT itself as a convolution, 8 x 8 with stride 8, over YCbCr pixels,
before the trunk of ``upsampling_rfa``. ``dct_learn`` learns it from scratch,
``dct_ortho`` is told to keep it orthonormal, ``dct_frozen`` is the DCT;
``dct_frozen_x2`` has stride 4 and the stages of the RGB network.

Baselines: ResNet-50 v1 on RGB, "shorter" by N residual blocks from the input side,
"thinner" by a divisor of all widths.

Layers as in the authors' diagrams (uber-research/jpeg2dct, ``diagrams/``). The
form of the orthonormality penalty is ours: they do not give theirs.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._input import ALL, Inputs, InputSpec
from .gueguen import RES3, RES4, RES5, EarlyMerge
from .layers.blocks import Classifier, ConvBN, init_weights, stage
from .layers.subblocks import dct_matrix

RES2 = (64, 256)


def dct_kernels() -> Tensor:
    """Return the 64 basis functions of the 8 x 8 DCT, ``(64, 1, 8, 8)``."""
    return torch.kron(dct_matrix(8), dct_matrix(8)).reshape(64, 1, 8, 8).float()


class BlockTransform(nn.Module):
    """An 8 x 8 convolution from one component to 64 "frequencies"."""

    def __init__(self, kind: Literal["learn", "ortho", "frozen"], stride: int = 8):
        super().__init__()
        self.conv = nn.Conv2d(1, 64, 8, stride, bias=False)
        if kind == "learn":
            nn.init.kaiming_normal_(self.conv.weight)
        else:
            with torch.no_grad():
                self.conv.weight.copy_(dct_kernels())
        self.conv.requires_grad_(kind != "frozen")

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) -> (N, 64, H/8, W/8), at stride 8."""
        maps: Tensor = self.conv(x)
        return maps

    def penalty(self) -> Tensor:
        """Return how far the 64 kernels are from orthonormal, 0 if they are."""
        weight = self.conv.weight.flatten(1)
        return (weight @ weight.T - torch.eye(64).to(weight)).pow(2).sum()


class PixelDct(nn.Module):
    """Pixels, a block transform, then the trunk of ``upsampling_rfa``."""

    def __init__(self, num_classes: int, kind: Literal["learn", "ortho", "frozen"]):
        super().__init__()
        self.input_spec = InputSpec("pixels", ALL, 224)
        self.transforms = nn.ModuleList([BlockTransform(kind) for _ in range(3)])
        self.trunk = EarlyMerge(num_classes)

    def orthonormality_penalty(self) -> Tensor:
        """Add this, weighted, to the loss of ``dct_ortho``."""
        penalties = [
            transform.penalty()
            for transform in self.transforms
            if isinstance(transform, BlockTransform)
        ]
        return torch.stack(penalties).sum()

    def forward(self, x: Inputs) -> Tensor:
        """(N, 3, H, W) of YCbCr -> (N, classes)."""
        self.input_spec.check(x)
        assert isinstance(x, Tensor)
        chroma = F.avg_pool2d(x[:, 1:], 2)
        parts = [x[:, :1], chroma[:, :1], chroma[:, 1:]]
        y, cb, cr = (t(p) for t, p in zip(self.transforms, parts, strict=True))
        logits: Tensor = self.trunk((y, torch.cat([cb, cr], 1)))
        return logits


def _stages(
    num_classes: int, in_channels: int, divisor: float = 1.0, shorter: int = 0
) -> nn.Sequential:
    """Stages 2 to 5 of ResNet-50 v1 from maps of 55 x 55."""

    def widths(pair: tuple[int, int]) -> tuple[int, int]:
        mid, out = pair
        return math.floor(mid / divisor), math.floor(out / divisor)

    # "Shorter" drops 2b 2c; then 2a; then 3b, 3c, 3d.
    depth2 = {0: 3, 2: 1}.get(shorter, 0)
    depth3 = 4 - max(0, shorter - 3)
    layers: list[nn.Module] = []
    if depth2:
        layers.append(stage(in_channels, widths(RES2), [3] * depth2))
        in_channels = widths(RES2)[1]
    for pair, depth in ((RES3, depth3), (RES4, 6), (RES5, 3)):
        layers.append(stage(in_channels, widths(pair), [3] * depth, stride=2))
        in_channels = widths(pair)[1]
    return nn.Sequential(*layers, Classifier(in_channels, num_classes))


class FrozenX2(nn.Module):
    """Frozen DCT kernels at stride 4 on all three components, then the stages."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.input_spec = InputSpec("pixels", ALL, 224)
        self.transform = BlockTransform("frozen", stride=4)
        self.norm = nn.BatchNorm2d(192)
        self.stages = _stages(num_classes, 192)
        init_weights(self.stages)

    def forward(self, x: Inputs) -> Tensor:
        """(N, 3, H, W) of YCbCr -> (N, classes)."""
        self.input_spec.check(x)
        assert isinstance(x, Tensor)
        x = torch.cat([self.transform(x[:, i : i + 1]) for i in range(3)], 1)
        logits: Tensor = self.stages(self.norm(x))  # from (N, 192, 55, 55)
        return logits


class RgbBaseline(nn.Module):
    """ResNet-50 v1 on RGB, whole, shorter or thinner.

    Args:
        num_classes: Size of the output.
        shorter: Residual blocks left out from the input side: 0, or 2 to 6.
        divisor: Of all widths but the stem's.
    """

    def __init__(self, num_classes: int, shorter: int = 0, divisor: float = 1.0):
        super().__init__()
        if shorter not in (0, 2, 3, 4, 5, 6):
            raise ValueError(f"shorter must be 0 or 2 to 6, got {shorter}")
        if divisor < 1:
            raise ValueError(f"divisor must be >= 1, got {divisor}")
        self.input_spec = InputSpec("pixels", ALL, 224)
        self.stem = nn.Sequential(ConvBN(3, 64, 7, 2), nn.MaxPool2d(3, 2))
        self.stages = _stages(num_classes, 64, divisor, shorter)
        init_weights(self)

    def forward(self, x: Inputs) -> Tensor:
        """(N, 3, H, W) of RGB -> (N, classes)."""
        self.input_spec.check(x)
        logits: Tensor = self.stages(self.stem(x))
        return logits


MODELS = {
    "dct_learn": partial(PixelDct, kind="learn"),
    "dct_ortho": partial(PixelDct, kind="ortho"),
    "dct_frozen": partial(PixelDct, kind="frozen"),
    "dct_frozen_x2": FrozenX2,
    "rgb_resnet50": RgbBaseline,
    "rgb_resnet50_shorter3": partial(RgbBaseline, shorter=3),
    "rgb_resnet50_thinner": partial(RgbBaseline, divisor=math.sqrt(2)),
}
