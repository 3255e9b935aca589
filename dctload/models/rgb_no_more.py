"""Vision transformers on coefficients: Park & Johnson, CVPR 2023 ("RGB no more").

Patches of 16 x 16 samples: four blocks of luma, and one block of each chroma
component, which covers the same area at half resolution.

    grouped     four luma blocks merged to one of 16 x 16, flattened with the two
                chroma blocks: Linear(384, E), one token a patch
    separate    one Linear a block, joined, GELU, Linear(E, E)
    separate_subblock   luma merged, Linear(256, 2/3 E) and Linear(128, 1/3 E),
                GELU, Linear(E, E) around which is a shortcut
    concat      luma and chroma patches become tokens of their own

Dimensions and order of operations follow JeongsooP/RGB-no-more (MIT),
``models/plainvit.py``; the code is our own. Attention scores are divided by the
square root of the embedding's width, not of the head's, as they do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._input import ALL, Frequencies, Inputs, InputSpec
from .layers.subblocks import merge_matrix

PATCH_BLOCKS = 2  # luma blocks along a side of a patch

# The authors' "ToRange": amplitudes -1024 .. 1016 become -1 .. 1.
LOWEST, HIGHEST = -1024.0, 1016.0

Embedding = Literal["grouped", "separate", "separate_subblock", "concat"]


def to_unit_range(x: Tensor) -> Tensor:
    """Map the range of 8-bit amplitudes to -1 .. 1."""
    return (x - LOWEST) * (2 / (HIGHEST - LOWEST)) - 1


def sincos_positions(height: int, width: int, channels: int) -> Tensor:
    """Return fixed positions of a grid, ``(height * width, channels)``.

    A quarter of the channels each: sin and cos of x, sin and cos of y, at
    frequencies from 1 down to 1/10000.
    """
    if channels % 4:
        raise ValueError(f"channels must be a multiple of 4, got {channels}")
    quarter = channels // 4
    omega = torch.exp(-math.log(10000) / (quarter - 1) * torch.arange(quarter))
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    angles = [axis.flatten()[:, None] * omega for axis in (x, y)]
    parts = [wave for angle in angles for wave in (angle.sin(), angle.cos())]
    return torch.cat(parts, 1)


class MergedPatches(nn.Module):
    """2 x 2 blocks of 8 x 8 as one of 16 x 16, one vector a patch."""

    def __init__(self) -> None:
        super().__init__()
        matrix = merge_matrix(PATCH_BLOCKS, 8).float()
        self.matrix: Tensor
        self.register_buffer("matrix", matrix, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64, h, w) -> (N, h/2, w/2, 256), natural order of 16 x 16."""
        n, _, h, w = x.shape
        x = x.reshape(n, 8, 8, h // 2, 2, w // 2, 2)
        x = x.permute(0, 3, 5, 4, 1, 6, 2)  # (N, h/2, w/2, row, v, column, u)
        x = x.reshape(n, h // 2, w // 2, 16, 16)
        matrix = self.matrix.to(x.dtype)
        return (matrix @ x @ matrix.T).flatten(3)


class GroupedEmbedding(nn.Module):
    """One linear layer for everything in a patch."""

    def __init__(self, width: int):
        super().__init__()
        self.merge = MergedPatches()
        self.project = nn.Linear(256 + 64 + 64, width)

    def forward(self, y: Tensor, cbcr: Tensor) -> list[Tensor]:
        """Return one (N, h, w, E)."""
        patches = torch.cat([self.merge(y), cbcr.permute(0, 2, 3, 1)], 3)
        return [self.project(patches)]


class SeparateEmbedding(nn.Module):
    """A linear layer a block, or a component, then a mixing one."""

    def __init__(self, width: int, merged: bool):
        super().__init__()
        sixth = width // 6
        self.merge = MergedPatches() if merged else None
        if merged:
            self.luma = nn.ModuleList([nn.Linear(256, 4 * sixth)])
            self.chroma = nn.ModuleList([nn.Linear(128, 2 * sixth)])
        else:
            self.luma = nn.ModuleList([nn.Linear(64, sixth) for _ in range(4)])
            self.chroma = nn.ModuleList([nn.Linear(64, sixth) for _ in range(2)])
        self.mix = nn.Linear(6 * sixth, width)

    def forward(self, y: Tensor, cbcr: Tensor) -> list[Tensor]:
        """Return one (N, h, w, E)."""
        chroma = cbcr.permute(0, 2, 3, 1)
        if self.merge is not None:
            parts = [self.luma[0](self.merge(y)), self.chroma[0](chroma)]
            x = F.gelu(torch.cat(parts, 3))
            return [self.mix(x) + x]
        corners = [y[:, :, i::2, j::2] for i in range(2) for j in range(2)]
        parts = [
            layer(corner.permute(0, 2, 3, 1))
            for layer, corner in zip(self.luma, corners, strict=True)
        ]
        halves = torch.split(chroma, 64, 3)
        parts += [layer(c) for layer, c in zip(self.chroma, halves, strict=True)]
        return [self.mix(F.gelu(torch.cat(parts, 3)))]


class ConcatEmbedding(nn.Module):
    """Tokens of luma, of Cb and of Cr, all of 16 x 16 of their own samples."""

    def __init__(self, width: int):
        super().__init__()
        self.merge = MergedPatches()
        self.luma = nn.Linear(256, width)
        self.chroma = nn.Linear(256, width)

    def forward(self, y: Tensor, cbcr: Tensor) -> list[Tensor]:
        """Return (N, h, w, E) and twice (N, h/2, w/2, E)."""
        cb, cr = torch.split(cbcr, 64, 1)
        chroma = [self.chroma(self.merge(part)) for part in (cb, cr)]
        return [self.luma(self.merge(y)), *chroma]


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        # By the embedding's width; the attention itself divides by the head's.
        self.scale = math.sqrt(width / heads) / math.sqrt(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, E) -> (N, T, E)."""
        n, tokens, width = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (N, heads, T, E / heads)
        x = F.scaled_dot_product_attention(q * self.scale, k, v)
        x = x.transpose(1, 2).reshape(n, tokens, width)
        projected: Tensor = self.project(x)
        return projected


class Block(nn.Module):
    """Attention and a two-layer perceptron, each behind a layer normalisation."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.attend = nn.Sequential(
            nn.LayerNorm(width), Attention(width, heads), nn.Dropout(dropout)
        )
        self.think = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, E) -> (N, T, E)."""
        x = x + self.attend(x)
        thought: Tensor = self.think(x)
        return x + thought


class JpegViT(nn.Module):
    """A plain vision transformer on coefficients, for 224 samples.

    Args:
        num_classes: Size of the output.
        frequencies: Must be all: merging blocks needs every coefficient.
        width: Of the embedding, E.
        heads: Of the attention.
        depth: Blocks.
        embedding: See the top of this file.
        dropout: After the attention and in the perceptrons.
    """

    def __init__(
        self,
        num_classes: int,
        frequencies: Frequencies = ALL,
        width: int = 192,
        heads: int = 3,
        depth: int = 12,
        embedding: Embedding = "grouped",
        dropout: float = 0.0,
    ):
        super().__init__()
        if frequencies != ALL:
            raise ValueError("this network needs all 192 coefficients")
        self.input_spec = InputSpec("planes", frequencies, 224, any_size=False)
        makers: dict[str, Callable[[int], nn.Module]] = {
            "grouped": GroupedEmbedding,
            "separate": partial(SeparateEmbedding, merged=False),
            "separate_subblock": partial(SeparateEmbedding, merged=True),
            "concat": ConcatEmbedding,
        }
        if embedding not in makers:
            raise ValueError(
                f"embedding must be one of {tuple(makers)}, got {embedding!r}"
            )
        self.embed = makers[embedding](width)
        side = self.input_spec.size // 16
        self.positions: Tensor
        self.register_buffer(
            "positions", sincos_positions(side, side, width), persistent=False
        )
        self.chroma_positions: Tensor
        self.register_buffer(
            "chroma_positions",
            sincos_positions(side // 2, side // 2, width),
            persistent=False,
        )
        self.blocks = nn.Sequential(
            *[Block(width, heads, dropout) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(
            nn.Linear(width, width), nn.Tanh(), nn.Linear(width, num_classes)
        )

    def tokens(self, x: Inputs) -> Tensor:
        """Return the embedded patches with their positions, (N, T, E)."""
        y, cbcr = (to_unit_range(part) for part in x)
        grids = [grid.flatten(1, 2) for grid in self.embed(y, cbcr)]
        chroma = [self.chroma_positions] * (len(grids) - 1)
        positions = [p.to(grids[0].dtype) for p in (self.positions, *chroma)]
        return torch.cat(
            [grid + p for grid, p in zip(grids, positions, strict=True)], 1
        )

    def forward(self, x: Inputs) -> Tensor:
        """(N, 64, 28, 28) and (N, 128, 14, 14) -> (N, classes)."""
        self.input_spec.check(x)
        tokens = self.norm(self.blocks(self.tokens(x)))
        logits: Tensor = self.head(tokens.mean(1))
        return logits


MODELS = {
    "jpeg_vit_tiny": JpegViT,
    "jpeg_vit_small": partial(JpegViT, width=384, heads=6),
    "jpeg_vit_base": partial(JpegViT, width=768, heads=12),
}
