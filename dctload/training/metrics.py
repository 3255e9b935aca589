"""Sums that add up over batches and over processes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Accuracy:
    """Mean loss, top-1 and top-5 accuracy of what was added; not thread-safe.

    Sums stay on the device they come from, so adding a batch does not wait for
    a GPU; reading the result does.
    """

    def __init__(self, device: torch.device | str = "cpu"):
        # Summed loss, hits among the best 1 and 5, samples.
        self._sums = torch.zeros(4, dtype=torch.float64, device=device)

    def add(self, loss: Tensor, logits: Tensor, target: Tensor) -> None:
        """Add a batch: its mean loss, logits (N, classes) and targets (N,)."""
        best = logits.detach().topk(min(5, logits.shape[1]), dim=1).indices
        hits = best == target[:, None]
        batch = [loss.detach() * len(target), hits[:, 0].sum(), hits.sum()]
        # Filled on the device: a number copied there would wait for it.
        num = self._sums.new_full((), len(target))
        self._sums += torch.stack([*(value.double() for value in batch), num])

    def reduce(self) -> None:
        """Add up over the processes of torch.distributed, if there are several."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(self._sums)

    @property
    def samples(self) -> int:
        """Samples added, of this process until :meth:`reduce`."""
        return int(self._sums[3])

    def result(self) -> dict[str, float]:
        """Return ``loss``, ``top1`` and ``top5``, both in 0..1; NaN of nothing."""
        loss, top1, top5 = (self._sums[:3] / self._sums[3]).tolist()
        return {"loss": loss, "top1": top1, "top5": top5}

    def state_dict(self) -> dict[str, Any]:
        """Return the sums, for a checkpoint."""
        return {"sums": self._sums.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from sums that :meth:`state_dict` returned."""
        self._sums = self._sums.new_tensor(state["sums"])
