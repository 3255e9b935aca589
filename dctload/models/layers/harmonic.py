"""Convolutions whose filters are mixtures of DCT basis functions.

Ulicny, Krylov, Dahyot: "Harmonic Convolutional Networks based on Discrete Cosine
Transform" (2019-2022), after Ulicny & Dahyot 2017. The k x k filters of a layer
are learned weights times the k^2 cosines, of which the highest may be left out.
The definitions follow matej-ulicny/harmonic-networks.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def filter_bank(
    kernel: int, level: int | None = None, dc: bool = True, norm: str = "l1"
) -> Tensor:
    """Return the cosines of a k x k window, ``(filters, k, k)``, float64.

    Args:
        kernel: k.
        level: Keep the frequencies with i + j < level; None: all.
        dc: Whether (0, 0) is among them.
        norm: ``"l1"``: absolute values sum to 1; ``"orthonormal"``: the DCT-II.

    Raises:
        ValueError: Nothing would be left, or no such norm.
    """
    if norm not in ("l1", "orthonormal"):
        raise ValueError(f"norm must be 'l1' or 'orthonormal', got {norm!r}")
    level = 2 * kernel - 1 if level is None else level
    k = torch.arange(kernel, dtype=torch.float64)
    cosines = torch.cos(math.pi * k[:, None] * (k[None, :] + 0.5) / kernel)
    bank = []
    for i in range(kernel):
        for j in range(kernel):
            if i + j < level and (dc or i + j > 0):
                basis = torch.outer(cosines[i], cosines[j])
                size = basis.abs().sum() if norm == "l1" else basis.norm()
                bank.append(basis / size)
    if not bank:
        raise ValueError(f"no frequency is left with level {level} and dc {dc}")
    return torch.stack(bank)


class HarmonicConv2d(nn.Module):
    """A convolution in the cosine basis; with all frequencies it is any one.

    Args:
        in_channels: As of ``nn.Conv2d``.
        out_channels: As of ``nn.Conv2d``.
        kernel: Side of the window.
        stride: As of ``nn.Conv2d``.
        padding: As of ``nn.Conv2d``.
        bias: As of ``nn.Conv2d``.
        groups: As of ``nn.Conv2d``.
        level: Keep the frequencies with i + j < level; None: all.
        dc: Whether the mean of the window is one of them.
        norm: See :func:`filter_bank`.
        batch_norm: Normalise the response to each cosine before they are mixed,
            as the authors do at the input: then it is a depthwise convolution,
            a normalisation and a 1x1 convolution, instead of one convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
        groups: int = 1,
        level: int | None = None,
        dc: bool = True,
        norm: str = "l1",
        batch_norm: bool = False,
    ):
        super().__init__()
        self.stride, self.padding, self.groups = stride, padding, groups
        bank = filter_bank(kernel, level, dc, norm).float()
        self.bank: Tensor
        self.register_buffer("bank", bank, persistent=False)
        shape = (out_channels, in_channels // groups, len(bank))
        self.weight = nn.Parameter(torch.empty(shape))
        # He's scale of the mixed kernel: fan_out counts its k x k places.
        std = math.sqrt(2 / (out_channels / groups * len(bank)))
        nn.init.normal_(self.weight, std=std)
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.norm = (
            nn.BatchNorm2d(in_channels * len(bank), affine=False)
            if batch_norm
            else None
        )

    def kernel_weight(self) -> Tensor:
        """Return the weight of the equal ordinary convolution."""
        weight = torch.einsum("oin,nxy->oixy", self.weight, self.bank)
        return weight

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W'), as of the ordinary convolution."""
        if self.norm is None:
            return F.conv2d(
                x, self.kernel_weight(), self.bias, self.stride, self.padding,
                groups=self.groups,
            )  # fmt: skip
        channels = x.shape[1]
        bank = self.bank[:, None].repeat(channels, 1, 1, 1)  # (C * n, 1, k, k)
        x = F.conv2d(x, bank, None, self.stride, self.padding, groups=channels)
        mix = self.weight.flatten(1)[:, :, None, None]
        return F.conv2d(self.norm(x), mix, self.bias, groups=self.groups)


def to_harmonic(conv: nn.Conv2d, level: int | None = None) -> HarmonicConv2d:
    """Write an ordinary convolution in the cosine basis.

    The same function if ``level`` keeps all frequencies; otherwise the closest
    kernels that the kept ones can make.

    Raises:
        ValueError: The window is not square, or dilated.
    """
    kernel, stride, padding = conv.kernel_size, conv.stride, conv.padding
    pairs = (kernel, stride, padding)
    if any(p[0] != p[1] for p in pairs) or conv.dilation != (1, 1):
        raise ValueError("only square windows without dilation can be converted")
    harmonic = HarmonicConv2d(
        conv.in_channels, conv.out_channels, kernel[0], stride[0], int(padding[0]),
        conv.bias is not None, conv.groups, level,
    )  # fmt: skip
    # The cosines are orthogonal: project, and divide by their squared lengths.
    bank = harmonic.bank.double()
    lengths = bank.pow(2).sum((1, 2))
    weight = torch.einsum("oixy,nxy->oin", conv.weight.double(), bank) / lengths
    with torch.no_grad():
        harmonic.weight.copy_(weight)
        if conv.bias is not None and harmonic.bias is not None:
            harmonic.bias.copy_(conv.bias)
    return harmonic


def to_convolution(harmonic: HarmonicConv2d) -> nn.Conv2d:
    """Multiply the mixture out: the ordinary convolution that does the same.

    Raises:
        ValueError: It normalises in between, which no convolution does.
    """
    if harmonic.norm is not None:
        raise ValueError("a harmonic layer with batch_norm is no single convolution")
    weight = harmonic.kernel_weight()
    conv = nn.Conv2d(
        weight.shape[1] * harmonic.groups, weight.shape[0], weight.shape[-1],
        harmonic.stride, harmonic.padding, groups=harmonic.groups,
        bias=harmonic.bias is not None,
    )  # fmt: skip
    with torch.no_grad():
        conv.weight.copy_(weight)
        if conv.bias is not None and harmonic.bias is not None:
            conv.bias.copy_(harmonic.bias)
    return conv
