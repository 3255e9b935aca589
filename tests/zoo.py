"""All networks at sizes that a test can afford, inputs for them, half precision."""

import copy
from typing import NamedTuple

import pytest
import torch
from torch import nn

from dctload.models import InputSpec, create_model, list_models

# Samples a side; None where the network reads only its own size. A block grid of 2 x 2
# of chroma is enough to go through every layer.
SIZES = {
    "after_compcnn": 64,
    "after_ulicny": 32,
    "dct_frozen": 64,
    "dct_frozen_x2": 64,
    "dct_learn": 64,
    "dct_ortho": 64,
    "dctnet_mobilenet_v2": 64,
    "dctnet_resnet50": 32,
    "dctnet_resnet50_gate": 32,
    "dctnet_resnet50_stride1": 32,
    "deconvolution_rfa": 32,
    "downsampling": 32,
    "efun": 64,
    "efun_l": 64,
    "efun_s": 64,
    "efun_s_plus": 64,
    "fca_dctnet_resnet50": 32,
    "fca_resnet18": 32,
    "fca_resnet34": 32,
    "fca_resnet50": 32,
    "fca_resnet101": 32,
    "fca_resnet152": 32,
    "harmonic_resnet50": 32,
    "harmonic_wrn28_10": 16,
    "jpeg_swin_v2_tiny": 64,
    "jpeg_vit_base": None,
    "jpeg_vit_small": None,
    "jpeg_vit_tiny": None,
    "late_concat": 32,
    "late_concat_rfa": 32,
    "late_concat_rfa_thinner": 32,
    "lean": 64,
    "lean_small": 64,
    "rgb_resnet50": 64,
    "rgb_resnet50_shorter3": 64,
    "rgb_resnet50_thinner": 64,
    "small_resnet": 32,
    "upsampling": 32,
    "upsampling_rfa": 32,
}
assert sorted(SIZES) == list_models(), "a new network needs a size here"


def inputs_of(spec, batch=2, size=None, seed=0):
    """Amplitudes of a plausible scale, in the shapes of ``spec``."""
    if size is not None:
        spec = InputSpec(spec.layout, spec.frequencies, size)
    generator = torch.Generator().manual_seed(seed)
    scale = 1.0 if spec.layout == "pixels" else 100.0
    tensors = [
        scale * torch.randn(batch, *shape, generator=generator) for shape in spec.shapes
    ]
    return tuple(tensors) if spec.layout == "planes" else tensors[0]


# What the quick run looks at; the others take seconds each.
QUICK = (
    "after_ulicny",
    "after_compcnn",
    "dctnet_mobilenet_v2",
    "efun_s_plus",
    "fca_resnet18",
    "lean_small",
    "small_resnet",
)


def quick_and_slow(names):
    """The names, all but the quick ones marked as slow."""
    return [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name in names
    ]


def make(name, num_classes=5, **options):
    """The network ``name``; without torchvision some skip the test."""
    try:
        return create_model(name, num_classes, **options)
    except ModuleNotFoundError as error:
        if error.name != "torchvision":
            raise
        pytest.skip(f"{name} needs torchvision")


# Where a window of SwinV2 is wider than the grid, it is filled up with zeros, and keys
# of zeros are divided by their norm or 1e-12: beyond float16, and the gradient is not a
# number, whatever the loss is scaled by. At the size it is made for none is filled up.
FLOAT16_SIZES = {"jpeg_swin_v2_tiny": 256}


def tame(name, size=None):
    """The network ``name`` and an input for it, within what half precision can say.

    Where normalisation has not seen anything (mean 0, variance 1), amplitudes grow
    from block to block, so they start small; in MobileNet they fade, so there each
    layer gets the variance of what it is given.
    """
    torch.manual_seed(0)
    model = make(name)
    x = inputs_of(model.input_spec, size=size or SIZES[name])
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    if "mobilenet" in name:
        for norm in norms:
            norm.momentum = 1.0
        with torch.no_grad():
            model(x)
        for norm in norms:
            norm.running_mean.zero_()
            norm.running_var.fill_(float(norm.running_var.mean()))
    elif norms:
        x = tuple(t / 100 for t in x) if isinstance(x, tuple) else x / 100
    return model.eval(), x


def channels_last(x, device="cpu"):
    """``x``, a tensor or a pair, moved and laid out for convolutions."""
    if isinstance(x, tuple):
        return tuple(channels_last(t, device) for t in x)
    return x.to(device, memory_format=torch.channels_last)


class HalfErrors(NamedTuple):
    """How far half precision is from single: of the logits, relative to their norm;
    of the gradient of all parameters, 1 minus the cosine between both."""

    logits: float
    gradient: float


def _step(model, x, scale, device, dtype):
    with torch.autocast(device, dtype, enabled=dtype != torch.float32):
        logits = model(x)
    target = torch.arange(len(logits), device=logits.device)
    # Of about 1, so that no softmax is certain.
    logits = logits.float() / logits.float().detach().std()
    loss = nn.functional.cross_entropy(logits, target)
    (scale * loss).backward()
    grads = [p.grad.flatten() / scale for p in model.parameters() if p.grad is not None]
    return logits.detach().cpu(), torch.cat(grads).double().cpu()


def half_errors(name, device, dtype):
    """Compare a step under autocast and in channels-last with float32 on the CPU."""
    model, x = tame(name, FLOAT16_SIZES.get(name) if dtype == torch.float16 else None)
    other = copy.deepcopy(model).to(device).to(memory_format=torch.channels_last)
    want, want_grad = _step(model, x, 1.0, "cpu", torch.float32)
    # Gradients below 6e-8 are zero in float16: scaled, as training does.
    got, got_grad = _step(other, channels_last(x, device), 64.0, device, dtype)
    cosine = nn.functional.cosine_similarity(got_grad, want_grad, dim=0)
    return HalfErrors(float((got - want).norm() / want.norm()), float(1 - cosine))
