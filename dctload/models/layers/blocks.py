"""ResNet v1 bottlenecks, as Gueguen et al. and their successors stack them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class ConvBN(nn.Sequential):
    """Convolution without bias, batch normalisation and, if asked, ReLU.

    An even kernel is padded as Keras does: the odd sample on the right and at
    the bottom.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        relu: bool = True,
    ):
        layers: list[nn.Module] = []
        padding = (kernel - 1) // 2
        if kernel % 2 == 0 and stride == 1:
            layers.append(nn.ZeroPad2d((padding, padding + 1, padding, padding + 1)))
            padding = 0
        layers.append(
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding, bias=False)
        )
        layers.append(nn.BatchNorm2d(out_channels))
        if relu:
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class Bottleneck(nn.Module):
    """1x1, k x k, 1x1, and a shortcut around them.

    The stride sits on the first 1x1 and on the shortcut (ResNet v1), which is a
    1x1 projection where ``project`` says so and the identity elsewhere.
    """

    def __init__(
        self,
        in_channels: int,
        widths: tuple[int, int],
        kernel: int = 3,
        stride: int = 1,
        project: bool = False,
    ):
        super().__init__()
        mid, out = widths
        self.body = nn.Sequential(
            ConvBN(in_channels, mid, 1, stride),
            ConvBN(mid, mid, kernel),
            ConvBN(mid, out, 1, relu=False),
        )
        self.shortcut: nn.Module = nn.Identity()
        if project:
            self.shortcut = ConvBN(in_channels, out, 1, stride, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        return F.relu(self.body(x) + self.shortcut(x))


def stage(
    in_channels: int,
    widths: tuple[int, int],
    kernels: list[int],
    stride: int = 1,
    project: bool = True,
) -> nn.Sequential:
    """Stack one bottleneck for each of ``kernels``; the first may project."""
    blocks = [Bottleneck(in_channels, widths, kernels[0], stride, project)]
    blocks += [Bottleneck(widths[1], widths, kernel) for kernel in kernels[1:]]
    return nn.Sequential(*blocks)


class Classifier(nn.Sequential):
    """Global average pooling and one linear layer."""

    def __init__(self, in_channels: int, num_classes: int, dropout: float = 0.0):
        layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        super().__init__(*layers, nn.Linear(in_channels, num_classes))


def init_weights(module: nn.Module) -> None:
    """He-initialise the convolutions of ``module``; the rest keeps torch's own."""
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            nn.init.kaiming_normal_(child.weight, mode="fan_out", nonlinearity="relu")
