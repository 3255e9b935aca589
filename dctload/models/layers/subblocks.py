"""Blocks of one size turned into blocks of another, by one linear map.

The DCT of a large block and the DCTs of the small blocks that tile it are two
orthonormal bases of the same samples, so one turns into the other by an
orthogonal matrix (sub-block conversion: Jiang & Feng 2002; Park & Johnson 2023,
section 3.2). Nothing is interpolated and nothing is lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dct_matrix(n: int) -> Tensor:
    """Return the orthonormal DCT-II matrix, float64 ``(n, n)``, row = frequency."""
    k = torch.arange(n, dtype=torch.float64)
    matrix = torch.cos(math.pi * k[:, None] * (k[None, :] + 0.5) / n)
    matrix *= math.sqrt(2 / n)
    matrix[0] /= math.sqrt(2)
    return matrix


def merge_matrix(parts: int, n: int) -> Tensor:
    """Return the orthogonal matrix from ``parts`` DCTs of n samples to one DCT.

    Float64 ``(parts * n, parts * n)``; its transpose splits.
    """
    small = torch.kron(torch.eye(parts, dtype=torch.float64), dct_matrix(n))
    return dct_matrix(parts * n) @ small.T


class SplitBlocks(nn.Module):
    """Split each 8x8 block of one component into parts x parts smaller blocks.

    The map starts as the exact conversion, times ``scale``, and is learned
    unless ``fixed``. Coefficients that are not read count as zero.

    Args:
        frequencies: Natural indices of the coefficients that come in.
        parts: Sub-blocks a side: 2, 4 or 8.
        scale: Factor on the initial weights.
        fixed: Keep the exact conversion.
    """

    def __init__(
        self,
        frequencies: Sequence[int],
        parts: int,
        scale: float = 1.0,
        fixed: bool = False,
    ):
        super().__init__()
        self.parts = parts
        self.out_channels = (8 // parts) ** 2
        self.project = nn.Conv2d(len(frequencies), 64, 1, bias=False)
        n = 8 // parts
        split = merge_matrix(parts, n).T.reshape(parts, n, 8)
        # Rows in the order pixel_shuffle wants: (v', u') of the sub-block, then
        # its row and column within the block.
        weight = torch.einsum("iav,jbu->abijvu", split, split).reshape(64, 64)
        weight = weight[:, list(frequencies)] * scale
        with torch.no_grad():
            self.project.weight.copy_(weight[:, :, None, None])
        self.project.requires_grad_(not fixed)

    def forward(self, x: Tensor) -> Tensor:
        """(N, K, h, w) -> (N, (8 / parts)^2, parts h, parts w)."""
        return F.pixel_shuffle(self.project(x), self.parts)


def merge_blocks(x: Tensor, parts: int) -> Tensor:
    """Merge parts x parts blocks of 8 x 8 into one block of 8 * parts a side.

    (N, 64, h, w) -> (N, (8 parts)^2, h / parts, w / parts), channels in the
    natural order of the larger block.
    """
    batch, _, h, w = x.shape
    size = 8 * parts
    matrix = merge_matrix(parts, 8).to(x)
    blocks = x.reshape(batch, 8, 8, h // parts, parts, w // parts, parts)
    blocks = blocks.permute(0, 3, 5, 4, 1, 6, 2)  # (N, h', w', row, v, column, u)
    blocks = blocks.reshape(batch, h // parts, w // parts, size, size)
    blocks = matrix @ blocks @ matrix.T
    return blocks.permute(0, 3, 4, 1, 2).reshape(batch, size * size, *blocks.shape[1:3])
