"""The memory that batches are written to, and given away in."""

import math
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

# NumPy's dtypes: addresses and lifetimes are its business. It has no bfloat16,
# whose memory is that of an integer of the same width.
_CARRIER: dict[torch.dtype, Any] = {
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.bfloat16: np.int16,
    torch.int16: np.int16,
    torch.uint8: np.uint8,
    torch.int8: np.int8,
}


Shape = tuple[int, int, int]

# Of one batch: luma and chroma.
_MAX_TENSORS = 2


class _Watch(weakref.ref[np.ndarray]):
    """Knows which memory is free when its lease ends."""

    __slots__ = ("memory",)
    memory: np.ndarray


class Buffers:
    """Gives a batch's tensors fresh memory, or such that nobody holds any more.

    Memory returns when the last tensor that shares it is gone. Fresh pages cost
    a fault per 4 KiB, which would be several per cent of a batch's time.

    Args:
        dtype: Of the tensors.
        keep: Batches whose memory is kept for reuse.
        pin: Page-locked memory, which torch keeps and reuses by itself.
        channels_last: Channels lie innermost in memory; shapes stay as they are.
    """

    def __init__(
        self,
        dtype: torch.dtype,
        keep: int,
        *,
        pin: bool = False,
        channels_last: bool = False,
    ):
        self._dtype, self._pin, self._channels_last = dtype, pin, channels_last
        self._keep = keep
        self._free: deque[np.ndarray] = deque(maxlen=keep * _MAX_TENSORS)
        # Leases that may end, the oldest first, and those that did.
        self._watches: dict[int, _Watch] = {}
        self._ended: deque[_Watch] = deque()

    def take(self, num: int, shapes: Sequence[Shape]) -> list[torch.Tensor]:
        """Tensors for ``num`` samples; their content is arbitrary.

        Args:
            num: How many samples.
            shapes: Of one sample's tensors, (channels, rows, columns).
        """
        take = self._pinned if self._pin else self._lease
        if not self._channels_last:
            return [take((num, *shape)) for shape in shapes]
        return [
            take((num, rows, columns, channels)).permute(0, 3, 1, 2)
            for channels, rows, columns in shapes
        ]

    def _pinned(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.empty(shape, dtype=self._dtype, pin_memory=True)

    def _lease(self, shape: tuple[int, ...]) -> torch.Tensor:
        size = math.prod(shape)
        memory = self._memory(size)
        # A new array object, for its death tells that all tensors are gone.
        lease = memory[:size].reshape(shape)
        self._watch(lease, memory)
        tensor = torch.from_numpy(lease)
        return tensor if tensor.dtype == self._dtype else tensor.view(self._dtype)

    def _watch(self, lease: np.ndarray, memory: np.ndarray) -> None:
        """Have ``memory`` back when the lease ends, unless it is held for long."""
        # What it calls is C, where Python looks for no signals: a KeyboardInterrupt in
        # a callback is printed and forgotten.
        watch = _Watch(lease, self._ended.append)
        watch.memory = memory
        self._watches[id(watch)] = watch
        # Ended leases keep their memory till the next one begins, so let them be few.
        if len(self._watches) > 2 * self._keep * _MAX_TENSORS:
            del self._watches[next(iter(self._watches))]

    def _memory(self, size: int) -> np.ndarray:
        """Free memory that fits and is not much too large, else new."""
        while self._ended:
            watch = self._ended.popleft()
            self._watches.pop(id(watch), None)
            self._free.append(watch.memory)
        for _ in range(len(self._free)):
            memory = self._free.popleft()
            if size <= memory.size <= 2 * size:
                return memory
            self._free.append(memory)
        return np.empty(size, _CARRIER[self._dtype])


class Ring(Buffers):
    """The memory of the same ``keep`` batches in turn, whoever still holds it."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self._turn: deque[list[torch.Tensor]] = deque()

    def take(self, num: int, shapes: Sequence[Shape]) -> list[torch.Tensor]:
        """Tensors for ``num`` samples, those of ``keep`` batches ago."""
        tensors: list[torch.Tensor] = []
        if len(self._turn) == self._keep:
            tensors = self._turn.popleft()
        fits = [tuple(tensor.shape[1:]) for tensor in tensors] == list(shapes)
        if not fits or len(tensors[0]) < num:
            tensors = super().take(num, shapes)
        self._turn.append(tensors)
        return [tensor[:num] for tensor in tensors]
