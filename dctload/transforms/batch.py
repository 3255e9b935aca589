"""Mixing the samples of a batch: on tensors, on whatever device they are.

Both take what a loader yields, ``(x, target)``, where x is a tensor or, for the
layout "planes", a pair of them, and give it back with targets (N, num_classes).
"""

from typing import Any

import torch
from torch import Tensor


class _Mix:
    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None):
        if alpha <= 0:
            raise ValueError(f"alpha must be above 0, got {alpha}")
        self.alpha = alpha
        self.num_classes = num_classes

    def _share(self) -> float:
        # A share of two Gamma variables has the Beta distribution.
        a, b = torch._standard_gamma(torch.full((2,), float(self.alpha))).tolist()
        return float(a / (a + b))

    def _one_hot(self, target: Tensor) -> Tensor:
        if target.ndim == 2:
            return target.float()
        if self.num_classes is None:
            raise ValueError("num_classes is needed where targets are class indices")
        return torch.nn.functional.one_hot(target, self.num_classes).float()


class MixUp(_Mix):
    """Blend each sample with its neighbour; exact, as the DCT is linear.

    Args:
        alpha: Of the Beta distribution that the share is drawn from.
        num_classes: Where targets are class indices.
    """

    def __call__(self, x: Any, target: Tensor) -> tuple[Any, Tensor]:
        """Mix one batch."""
        share = self._share()

        def mix(t: Tensor) -> Tensor:
            return t * share + t.roll(1, 0) * (1 - share)

        target = mix(self._one_hot(target))
        return (mix(x) if isinstance(x, Tensor) else tuple(map(mix, x))), target


class CutMix(_Mix):
    """Paste a rectangle of blocks of its neighbour into each sample.

    The rectangle is rounded to blocks, of chroma where that is coarser.

    Args:
        alpha: As for :class:`MixUp`.
        num_classes: Where targets are class indices.
    """

    def __call__(self, x: Any, target: Tensor) -> tuple[Any, Tensor]:
        """Mix one batch."""
        parts = [x] if isinstance(x, Tensor) else list(x)
        rows, columns = parts[-1].shape[-2:]
        side = (1 - self._share()) ** 0.5
        y, x0 = int(torch.randint(rows, ())), int(torch.randint(columns, ()))
        half_h, half_w = round(side * rows / 2), round(side * columns / 2)
        top, bottom = max(y - half_h, 0), min(y + half_h, rows)
        left, right = max(x0 - half_w, 0), min(x0 + half_w, columns)
        mixed = []
        for part in parts:
            scale = part.shape[-2] // rows
            box = (
                slice(top * scale, bottom * scale),
                slice(left * scale, right * scale),
            )
            out = part.clone()
            out[..., box[0], box[1]] = part.roll(1, 0)[..., box[0], box[1]]
            mixed.append(out)
        share = 1 - (bottom - top) * (right - left) / (rows * columns)
        label = self._one_hot(target)
        label = label * share + label.roll(1, 0) * (1 - share)
        return (mixed[0] if isinstance(x, Tensor) else tuple(mixed)), label
