"""SwinV2-T on coefficients: Park & Johnson, CVPR 2023 ("RGB no more").

Patches of 4 x 4 samples are smaller than a block, so blocks are split: luma into
4 of 4 x 4, half-resolution chroma into 16 of 2 x 2. A token is then 16 + 4 + 4
coefficients; a linear layer and a layer normalisation embed it, and the rest is
torchvision's SwinV2-T with windows of 8, for 256 samples.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.swin_transformer import (
    PatchMergingV2,
    SwinTransformer,
    SwinTransformerBlockV2,
)

from ._input import ALL, Frequencies, Inputs, InputSpec
from .layers.subblocks import SplitBlocks
from .rgb_no_more import to_unit_range

WIDTH = 96


class SubblockEmbedding(nn.Module):
    """Coefficients to tokens of 4 x 4 samples."""

    def __init__(self, width: int):
        super().__init__()
        self.split_y = SplitBlocks(range(64), 2, fixed=True)
        self.split_c = SplitBlocks(range(64), 4, fixed=True)
        self.project = nn.Linear(16 + 4 + 4, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, y: Tensor, cbcr: Tensor) -> Tensor:
        """Return (N, H/4, W/4, E)."""
        cb, cr = torch.split(cbcr, 64, 1)
        parts = [self.split_y(y), self.split_c(cb), self.split_c(cr)]
        x = torch.cat(parts, 1).permute(0, 2, 3, 1)  # (N, H/4, W/4, 24)
        tokens: Tensor = self.norm(self.project(x))
        return tokens


class JpegSwinV2(nn.Module):
    """SwinV2-T on coefficients, 8 x 8 windows, stochastic depth 0.2.

    Args:
        num_classes: Size of the output.
        frequencies: Must be all: splitting blocks needs every coefficient.
    """

    def __init__(self, num_classes: int, frequencies: Frequencies = ALL):
        super().__init__()
        if frequencies != ALL:
            raise ValueError("this network needs all 192 coefficients")
        self.input_spec = InputSpec("planes", frequencies, 256)
        self.embed = SubblockEmbedding(WIDTH)
        net: Any = SwinTransformer(
            patch_size=[4, 4],
            embed_dim=WIDTH,
            depths=[2, 2, 6, 2],
            num_heads=[3, 6, 12, 24],
            window_size=[8, 8],
            stochastic_depth_prob=0.2,
            num_classes=num_classes,
            block=SwinTransformerBlockV2,
            downsample_layer=PatchMergingV2,
        )
        self.stages = net.features[1:]
        self.norm, self.head = net.norm, net.head

    def forward(self, x: Inputs) -> Tensor:
        """(N, 64, H/8, W/8) and (N, 128, H/16, W/16) -> (N, classes)."""
        self.input_spec.check(x)
        y, cbcr = (to_unit_range(part) for part in x)
        tokens = self.norm(self.stages(self.embed(y, cbcr)))
        logits: Tensor = self.head(tokens.mean((1, 2)))
        return logits


MODELS = {"jpeg_swin_v2_tiny": JpegSwinV2}
