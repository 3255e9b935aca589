"""Optimizers, the learning rate over time, the average of the weights."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn
from torch.optim.adamw import AdamW
from torch.optim.optimizer import Optimizer
from torch.optim.sgd import SGD


def make_optimizer(
    model: nn.Module, name: str, lr: float, weight_decay: float
) -> Optimizer:
    """Make ``"sgd"`` (Nesterov, momentum 0.9) or ``"adamw"``.

    Weights decay; biases and the scales of normalisation do not.

    Raises:
        ValueError: Another name.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if name == "sgd":
        return SGD(groups, lr, momentum=0.9, nesterov=True)
    if name == "adamw":
        return AdamW(groups, lr)
    raise ValueError(f"optimizer must be 'sgd' or 'adamw', got {name!r}")


def cosine_lr(step: int, num_steps: int, warmup_steps: int, peak: float) -> float:
    """Learning rate of step ``step`` of ``num_steps``: a linear rise, half a cosine.

    A function of the step alone, so there is no state to lose.

    >>> [round(cosine_lr(i, 6, 2, 1.0), 3) for i in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    done = (step - warmup_steps) / max(1, num_steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class WeightAverage:
    """Exponential moving average of a model's weights and running statistics.

    The first updates weigh more, so that the average does not drag the initial
    weights along.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards ``model`` after step ``step``, counted from 0."""
        keep = min(self.decay, (1 + step) / (10 + step))
        ours, theirs = self.model.state_dict(), model.state_dict()
        for name, value in ours.items():
            if value.is_floating_point():
                value.lerp_(theirs[name].to(value.dtype), 1 - keep)
            else:
                value.copy_(theirs[name])
