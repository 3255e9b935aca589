"""ResNets with frequency channel attention: Qin et al., ICCV 2021 (FcaNet).

The attention stands after the last normalisation of each residual block, before
the addition. The published networks read RGB; ``fca_dctnet_resnet50`` is the
same idea on coefficients, on the network of Xu et al.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from ._input import ALL, Frequencies, Inputs, InputSpec
from .dctnet import SQUARE_24, DctResNet
from .layers.frequency_attention import FrequencyChannelAttention

# Size of the maps of each stage at 224 (cfzd/FcaNet, layer.py: 64 -> 56, ...).
STAGE_SIZES = {64: 56, 128: 28, 256: 14, 512: 7}


def add_frequency_attention(
    model: nn.Module,
    method: str = "top16",
    reduction: int = 16,
    sizes: dict[int, int] | None = None,
) -> nn.Module:
    """Put attention into every residual block of a torchvision-like ResNet.

    Args:
        model: Changed in place: the last normalisation of each basic or
            bottleneck block gets the attention behind it.
        method: See :func:`frequency_indices`.
        reduction: Channels over hidden units.
        sizes: Stage width -> map size; None: 7 everywhere, which the authors
            advise for other networks than theirs.

    Returns:
        The same model.

    Raises:
        ValueError: There is no such block.
    """
    found = False
    for block in list(model.modules()):
        name = next((n for n in ("bn3", "bn2") if hasattr(block, n)), None)
        if name is None or not hasattr(block, "downsample"):
            continue
        norm: Any = getattr(block, name)
        width = norm.num_features // (4 if name == "bn3" else 1)
        size = 7 if sizes is None else sizes[width]
        attention = FrequencyChannelAttention(
            norm.num_features, size, reduction, method
        )
        setattr(block, name, nn.Sequential(norm, attention))
        found = True
    if not found:
        raise ValueError(f"{type(model).__name__} has no residual blocks")
    return model


class FcaResNet(nn.Module):
    """A torchvision ResNet on RGB with attention in every block."""

    def __init__(
        self,
        num_classes: int,
        block: Any = Bottleneck,
        depths: tuple[int, ...] = (3, 4, 6, 3),
        method: str = "top16",
    ):
        super().__init__()
        self.input_spec = InputSpec("pixels", ALL, 224)
        self.net = ResNet(block, list(depths), num_classes=num_classes)
        add_frequency_attention(self.net, method, sizes=STAGE_SIZES)

    def forward(self, x: Inputs) -> Tensor:
        """(N, 3, H, W) -> (N, classes)."""
        self.input_spec.check(x)
        logits: Tensor = self.net(x)
        return logits


def _fca_dctnet(
    num_classes: int, frequencies: Frequencies = SQUARE_24, method: str = "top16"
) -> nn.Module:
    model = DctResNet(num_classes, frequencies)
    return add_frequency_attention(model, method, sizes=STAGE_SIZES)


MODELS = {
    "fca_resnet18": partial(FcaResNet, block=BasicBlock, depths=(2, 2, 2, 2)),
    "fca_resnet34": partial(FcaResNet, block=BasicBlock),
    "fca_resnet50": FcaResNet,
    "fca_resnet101": partial(FcaResNet, depths=(3, 4, 23, 3)),
    "fca_resnet152": partial(FcaResNet, depths=(3, 8, 36, 3)),
    "fca_dctnet_resnet50": _fca_dctnet,
}
