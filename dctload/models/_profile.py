"""What a network costs: parameters, multiply-accumulates, time on this CPU."""

from __future__ import annotations

import copy
import time

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ._input import Inputs, InputSpec


def example_input(spec: InputSpec, batch: int = 1, **options: object) -> Inputs:
    """Return zeros of the shape and kind that ``spec`` describes."""
    tensors = [torch.zeros(batch, *shape, **options) for shape in spec.shapes]  # type: ignore[call-overload]
    return tuple(tensors) if spec.layout == "planes" else tensors[0]


def num_parameters(model: nn.Module) -> int:
    """Count the learned numbers: neither fixed kernels nor running statistics."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def count_macs(model: nn.Module, x: Inputs | None = None) -> int:
    """Count multiply-accumulates of one image's forward pass.

    Convolutions, linear layers and attention are counted, on the meta device,
    so nothing is computed; element-wise work, pooling and normalisation are not.
    """
    spec = getattr(model, "input_spec", None)
    model = copy.deepcopy(model).to("meta").eval()
    if x is None:
        if not isinstance(spec, InputSpec):
            raise ValueError("a model without input_spec needs an example input")
        x = example_input(spec, device="meta")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Not counted, and on this device it takes longer than all the rest.
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    x = x.to("meta") if isinstance(x, Tensor) else tuple(t.to("meta") for t in x)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    flops: int = counter.get_total_flops()
    return flops // 2


def latency(model: nn.Module, x: Tensor | Inputs, seconds: float = 1.0) -> float:
    """Return the fastest forward pass in seconds, of as many as fit ``seconds``."""
    model.eval()
    best, spent = float("inf"), 0.0
    with torch.inference_mode():
        model(x)
        while spent < seconds:
            start = time.perf_counter()
            model(x)
            took = time.perf_counter() - start
            best, spent = min(best, took), spent + took
    return best
