"""Integer coefficients of a batch and all that is to be done to them, as one tensor."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..._geometry import Array
from ._layout import BLOCK_NBYTES, Layout

_TORCH = {"f4": torch.float32, "f8": torch.float64, "i4": torch.int32}


class PackedBatch:
    """What one batch sends to a device: see :mod:`~dctload.transforms.batched`.

    Attributes:
        layout: What is where; stays on the host.
        buffer: uint8, everything: blocks first, then tables and steps.
    """

    def __init__(self, layout: Layout, buffer: Tensor):
        self.layout = layout
        self.buffer = buffer

    def __len__(self) -> int:
        return self.layout.num_images

    @staticmethod
    def nbytes_of(layout: Layout) -> int:
        """The size of the buffer."""
        return layout.sections[""][0]

    @classmethod
    def empty(cls, layout: Layout, buffer: Tensor) -> "PackedBatch":
        """A batch whose blocks and tables are still to be written.

        Args:
            layout: What is where.
            buffer: uint8 in host memory, ``nbytes_of(layout)`` long.
        """
        out = cls(layout, buffer)
        host = buffer.numpy()
        # Block 0 pads windows that are smaller than others.
        host[:BLOCK_NBYTES] = 0
        for name, array in layout.arrays.items():
            out.array(name).numpy()[...] = array
        return out

    def block_addresses(self) -> Array:
        """Where the blocks of each plane go in host memory."""
        start = np.uintp(self.buffer.data_ptr())
        blocks = self.layout.windows.block.astype(np.uintp)
        return start + np.uintp(BLOCK_NBYTES) * blocks

    def set_tables(self, infos: Array) -> None:
        """Write the quantisation tables, known for certain after decoding."""
        windows = self.layout.windows
        tables = infos["qtables"][windows.image, windows.component]
        self.array("qtables").numpy()[...] = tables

    def set_planes(self, i: int, planes: Sequence[Array]) -> None:
        """Copy the windows of image ``i`` out of its int16 planes."""
        windows = self.layout.windows
        blocks = self.blocks().numpy()
        for p in (windows.image == i).nonzero()[0].tolist():
            rows = slice(windows.row[p], windows.end_row[p])
            columns = slice(windows.col[p], windows.end_col[p])
            part = planes[windows.component[p]][rows, columns].reshape(-1, 64)
            blocks[windows.block[p] : windows.block[p] + len(part)] = part

    def blocks(self) -> Tensor:
        """int16 ``(num_blocks, 64)``; the first one is zeros."""
        nbytes = BLOCK_NBYTES * self.layout.num_blocks
        return self.buffer[:nbytes].view(torch.int16).view(-1, 64)

    def array(self, name: str) -> Tensor:
        """One of the layout's arrays, where the buffer is, or ``"qtables"``."""
        start, shape, dtype = self.layout.sections[name]
        nbytes = math.prod(shape) * np.dtype(dtype).itemsize
        part = self.buffer[start : start + nbytes]
        return part.view(_TORCH[dtype]).view(shape)

    def to(self, device: Any, non_blocking: bool = False) -> "PackedBatch":
        """The batch in a device's memory: one copy."""
        buffer = self.buffer.to(device, non_blocking=non_blocking)
        return PackedBatch(self.layout, buffer)

    def pin_memory(self) -> "PackedBatch":
        """The batch in page-locked memory."""
        return PackedBatch(self.layout, self.buffer.pin_memory())

    def emit(self, kernels: Literal["torch", "triton"] | None = None) -> list[Tensor]:
        """Carry everything out where the batch is.

        Args:
            kernels: "triton" or "torch"; by default Triton's on CUDA if it is there.

        Returns:
            The tensors of a batch, ``(N, channels, rows, columns)``: one for
            "concat", luma and chroma for "planes".
        """
        from ._execute import execute

        return execute(self, kernels)
