"""Batches copied to a device while the one before is being used."""

from collections import deque
from collections.abc import Callable
from typing import Any

import torch


def move(batch: Any, device: torch.device, non_blocking: bool = True) -> Any:
    """The batch with every tensor in it on ``device``."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=non_blocking)
    if isinstance(batch, dict):
        return {key: move(value, device, non_blocking) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        parts = [move(part, device, non_blocking) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
    return batch


def tensors(batch: Any) -> list[torch.Tensor]:
    """Every tensor in ``batch``."""
    if isinstance(batch, torch.Tensor):
        return [batch]
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, (list, tuple)):
        return [tensor for part in batch for tensor in tensors(part)]
    return []


class Ahead:
    """Copies batches on a side stream, ``depth`` of them ahead of the consumer.

    The copy of a batch is begun as soon as the batch is written, not when it is
    asked for; the consumer's stream waits for it, the consumer's thread does not.
    On devices other than CUDA batches are copied when asked for.
    """

    def __init__(self, device: torch.device, depth: int = 2):
        self._device, self._depth = device, depth
        self._cuda = device.type == "cuda"
        cuda: Any = torch.cuda  # not annotated
        self._stream = cuda.Stream(device) if self._cuda else None
        self._make_event = cuda.Event
        self._ready: deque[tuple[Any, Any, Any]] = deque()

    def next(
        self, produce: Callable[[], Any], could_produce: Callable[[], bool]
    ) -> Any:
        """The next batch on the device, and what ``produce`` gave beside it.

        ``produce`` gives (batch, anything), or None after the last one.
        """
        if not self._ready and not self._copy(produce()):
            return None
        while self._cuda and len(self._ready) <= self._depth and could_produce():
            self._copy(produce())
        batch, beside, event = self._ready.popleft()
        if event is not None:
            stream = torch.cuda.current_stream(self._device)
            stream.wait_event(event)
            # Its memory is the consumer's stream's from now on.
            for tensor in tensors(batch):
                tensor.record_stream(stream)
        return batch, beside

    def _copy(self, produced: Any) -> bool:
        if produced is None:
            return False
        batch, beside = produced
        if self._stream is None:
            self._ready.append((move(batch, self._device), beside, None))
            return True
        with torch.cuda.stream(self._stream):
            batch = move(batch, self._device)
            event = self._make_event()
            event.record(self._stream)
        self._ready.append((batch, beside, event))
        return True
