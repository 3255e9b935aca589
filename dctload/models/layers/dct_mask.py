"""Masks as a short vector of DCT coefficients: Shen et al., CVPR 2021 (DCT-Mask).

A mask of K x K samples is transformed as one block; the first N coefficients in
zigzag order describe it. K = 128 and N = 300 by default, which takes 300 numbers
for what a 28 x 28 grid says in 784, and at a finer resolution. The definitions
follow aliyun/DCT-Mask.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .subblocks import dct_matrix

SIDE, LENGTH = 128, 300
LOSS_WEIGHT = 0.007


def zigzag(side: int) -> Tensor:
    """Return the flat indices of a side x side block in zigzag order."""
    order = []
    for total in range(2 * side - 1):
        diagonal = [
            (total - j, j)
            for j in range(total + 1)
            if 0 <= total - j < side and j < side
        ]
        if total % 2:
            diagonal.reverse()
        order += [row * side + column for row, column in diagonal]
    return torch.tensor(order)


class DctMaskCodec(nn.Module):
    """Encodes masks as vectors and decodes vectors as soft masks.

    Args:
        side: K, the resolution of the masks.
        length: N, how many coefficients are kept.
    """

    def __init__(self, side: int = SIDE, length: int = LENGTH):
        super().__init__()
        if not 1 <= length <= side * side:
            raise ValueError(f"length must be in 1..{side * side}, got {length}")
        self.side, self.length = side, length
        self.basis: Tensor
        self.register_buffer("basis", dct_matrix(side).float(), persistent=False)
        self.order: Tensor
        self.register_buffer("order", zigzag(side)[:length], persistent=False)

    def encode(self, masks: Tensor) -> Tensor:
        """(N, K, K), 0..1 -> (N, length)."""
        basis = self.basis.to(masks.dtype)
        coefficients = basis @ masks @ basis.T
        return coefficients.flatten(1)[:, self.order]

    def decode(self, vectors: Tensor) -> Tensor:
        """(N, length) -> (N, K, K), soft: at least 0.5 is inside."""
        flat = vectors.new_zeros(len(vectors), self.side**2)
        flat[:, self.order] = vectors
        basis = self.basis.to(vectors.dtype)
        return basis.T @ flat.reshape(-1, self.side, self.side) @ basis


def reconstruction_iou(
    masks: Tensor, sides: Sequence[int], lengths: Sequence[int]
) -> dict[tuple[int, int], float]:
    """Measure how well masks survive: mean IoU for each (side, length).

    Args:
        masks: Binary ``(N, H, W)``, each cropped to its object.
        sides: Resolutions K to try.
        lengths: Vector lengths N; those beyond K * K are left out.
    """
    result = {}
    full = masks.bool()
    for side in sides:
        small = nn.functional.interpolate(
            masks[:, None].float(), (side, side), mode="bilinear", align_corners=False
        )[:, 0]
        for length in lengths:
            if length > side * side:
                continue
            codec = DctMaskCodec(side, length)
            soft = codec.decode(codec.encode(small))
            back = nn.functional.interpolate(
                soft[:, None], full.shape[1:], mode="bilinear", align_corners=False
            )[:, 0]
            found = back >= 0.5
            both, either = (found & full).sum((1, 2)), (found | full).sum((1, 2))
            result[side, length] = float((both / either.clamp(min=1)).mean())
    return result


class DctMaskHead(nn.Sequential):
    """From 14 x 14 region features to a vector: 4 convolutions, 3 linear layers."""

    def __init__(self, in_channels: int = 256, length: int = LENGTH, size: int = 14):
        layers: list[nn.Module] = []
        for i in range(4):
            conv = nn.Conv2d(in_channels if i == 0 else 256, 256, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            layers += [conv, nn.ReLU(inplace=True)]
        first = nn.Linear(256 * size * size, 1024)
        second = nn.Linear(1024, 1024)
        last = nn.Linear(1024, length)
        nn.init.xavier_uniform_(first.weight)
        nn.init.xavier_uniform_(second.weight)
        nn.init.normal_(last.weight, std=0.001)
        for linear in (first, second, last):
            nn.init.zeros_(linear.bias)
        super().__init__(
            *layers, nn.Flatten(), first, nn.ReLU(inplace=True),
            second, nn.ReLU(inplace=True), last,
        )  # fmt: skip


def dct_mask_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """Sum of absolute differences an instance, averaged over them, weighted."""
    instances = max(1, len(target))
    return LOSS_WEIGHT * (predicted - target).abs().sum() / instances
