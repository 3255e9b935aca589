"""The RGB networks that ours are to be compared with, from torchvision."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torchvision import models as tv

Maker = Callable[[], nn.Module]


def _vit(width: int, heads: int) -> nn.Module:
    return tv.VisionTransformer(224, 16, 12, heads, width, 4 * width)


# Name of the counterpart -> (maker, samples a side that it reads).
NETWORKS: dict[str, tuple[Maker, int]] = {
    "resnet18": (tv.resnet18, 224),
    "resnet34": (tv.resnet34, 224),
    "resnet50": (tv.resnet50, 224),
    "resnet101": (tv.resnet101, 224),
    "resnet152": (tv.resnet152, 224),
    "mobilenet_v2": (tv.mobilenet_v2, 224),
    "mobilenet_v3_small": (tv.mobilenet_v3_small, 224),
    "efficientnet_b0": (tv.efficientnet_b0, 224),
    "vit_tiny": (partial(_vit, 192, 3), 224),
    "vit_small": (partial(_vit, 384, 6), 224),
    "vit_b_16": (tv.vit_b_16, 224),
    "swin_v2_t": (tv.swin_v2_t, 256),
}

# Beginning of our name -> name of the counterpart; the longest match counts.
_COUNTERPARTS = {
    "upsampling": "resnet50",
    "deconvolution": "resnet50",
    "downsampling": "resnet50",
    "late_concat": "resnet50",
    "dct_": "resnet50",
    "rgb_resnet50": "resnet50",
    "dctnet_resnet50": "resnet50",
    "dctnet_mobilenet": "mobilenet_v2",
    "fca_resnet18": "resnet18",
    "fca_resnet34": "resnet34",
    "fca_resnet50": "resnet50",
    "fca_resnet101": "resnet101",
    "fca_resnet152": "resnet152",
    "fca_dctnet": "resnet50",
    "harmonic_resnet50": "resnet50",
    "jpeg_vit_tiny": "vit_tiny",
    "jpeg_vit_small": "vit_small",
    "jpeg_vit_base": "vit_b_16",
    "jpeg_swin": "swin_v2_t",
    "efun": "efficientnet_b0",
    "lean": "mobilenet_v3_small",
}


def counterpart(name: str) -> str | None:
    """Return the name in :data:`NETWORKS` of what ``name`` stands for."""
    found = [start for start in _COUNTERPARTS if name.startswith(start)]
    return _COUNTERPARTS[max(found, key=len)] if found else None


def make(name: str, device: str = "cpu") -> tuple[nn.Module, Tensor]:
    """Make the RGB network ``name`` and an input for it, of one image."""
    maker, size = NETWORKS[name]
    with torch.device(device):
        return maker(), torch.zeros(1, 3, size, size)
