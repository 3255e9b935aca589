"""Multi-spectral channel attention: Qin et al., ICCV 2021 (FcaNet).

Squeeze-and-excitation describes a channel by its mean, which is its (0, 0) DCT
coefficient. Here the channels are split into groups and each group is described
by another coefficient. The index tables are those of the authors' code
(cfzd/FcaNet), scored there on a 7 x 7 grid of frequencies.
"""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .subblocks import dct_matrix

GRID = 7

# Frequencies along the height (u) and the width (v), best first.
TABLES: dict[str, tuple[str, str]] = {
    "top": (
        "0 0 6 0 0 1 1 4 5 1 3 0 0 0 3 2 4 6 3 5 5 2 6 5 5 3 3 4 2 2 6 1",
        "0 1 0 5 2 0 2 0 0 6 0 4 6 3 5 2 6 3 3 3 5 1 1 2 4 2 1 1 3 0 5 3",
    ),
    "low": (
        "0 0 1 1 0 2 2 1 2 0 3 4 0 1 3 0 1 2 3 4 5 0 1 2 3 4 5 6 1 2 3 4",
        "0 1 0 1 2 0 1 2 2 3 0 0 4 3 1 5 4 3 2 1 0 6 5 4 3 2 1 0 6 5 4 3",
    ),
    "bot": (
        "6 1 3 3 2 4 1 2 4 4 5 1 4 6 2 5 6 1 6 2 2 4 3 3 5 5 6 2 5 5 3 6",
        "6 4 4 6 6 3 1 4 4 5 6 5 2 2 5 1 4 3 5 0 3 1 1 2 4 2 1 1 5 3 3 3",
    ),
}


def frequency_indices(method: str) -> list[tuple[int, int]]:
    """Return the (u, v) of a method such as ``"top16"``, on the 7 x 7 grid.

    Raises:
        ValueError: It is not top, low or bot with 1, 2, 4, 8, 16 or 32.
    """
    match = re.fullmatch(r"(top|low|bot)(1|2|4|8|16|32)", method)
    if match is None:
        raise ValueError(
            "method must be top, low or bot followed by 1, 2, 4, 8, 16 or 32, "
            f"got {method!r}"
        )
    u, v = (map(int, column.split()) for column in TABLES[match[1]])
    return list(zip(u, v, strict=True))[: int(match[2])]


class FrequencyChannelAttention(nn.Module):
    """Scale channels by what a small network makes of their DCT coefficients.

    Maps of any size are accepted: those of another size than ``size`` are
    averaged to it for the description only.

    Args:
        channels: A multiple of the number of frequencies.
        size: Height and width at which the basis is set up, e.g. 56, 28, 14, 7
            for the stages of a ResNet at 224; a multiple of 7.
        reduction: Channels over hidden units.
        method: ``"top16"`` and so on; ``"low1"`` is squeeze-and-excitation.
    """

    def __init__(
        self, channels: int, size: int = 7, reduction: int = 16, method: str = "top16"
    ):
        super().__init__()
        indices = frequency_indices(method)
        if channels % len(indices):
            raise ValueError(
                f"channels must be a multiple of {len(indices)} for {method!r}, "
                f"got {channels}"
            )
        if size < GRID or size % GRID:
            raise ValueError(f"size must be a multiple of {GRID}, got {size}")
        self.size = size
        # The frequencies of a 7 x 7 grid, on a finer one.
        u, v = (
            torch.tensor(axis) * (size // GRID) for axis in zip(*indices, strict=True)
        )
        cosines = dct_matrix(size).float()
        basis = cosines[u][:, :, None] * cosines[v][:, None, :]  # (F, size, size)
        weight = basis.repeat_interleave(channels // len(indices), 0)
        self.weight: Tensor
        self.register_buffer("weight", weight)
        self.excite = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=False),
            nn.Sigmoid(),
        )

    def describe(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C): one DCT coefficient of each channel."""
        if x.shape[2:] != (self.size, self.size):
            x = F.adaptive_avg_pool2d(x, self.size)
        return (x * self.weight).sum((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape, channels scaled by 0..1."""
        scale: Tensor = self.excite(self.describe(x))
        return x * scale[:, :, None, None]
