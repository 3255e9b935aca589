"""The geometry of many images as C reads it: arrays, not records.

NumPy writes a record field by field, a call for each of twenty.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _native
from ._core import ffi, lib


class GeometryTable:
    """The geometry of N images, ``struct dctload_geometry_table``.

    Args:
        num_steps: Of each axis, x and y: int64 ``(N,)``.
        steps: Likewise float64 ``(fields, N, capacity)``; fields as in
            ``struct dctload_step``.
        transpose: bool ``(N,)``.
        fill: float64 ``(N, MAX_COMPONENTS)``.
    """

    def __init__(
        self,
        num_steps: Sequence[np.ndarray],
        steps: Sequence[np.ndarray],
        transpose: np.ndarray,
        fill: np.ndarray,
    ):
        num = len(transpose)
        table = ffi.new("struct dctload_geometry_table *")
        self._table, self._num = table, num
        self._keep: list[Any] = []
        table.num_images = num
        table.transpose = self._held(transpose, "bool", num)
        table.fill = self._held(fill, "float64", num * _native.MAX_COMPONENTS)
        for axis, n, values in zip((table.x, table.y), num_steps, steps, strict=True):
            axis.capacity = values.shape[2]
            axis.num_steps = self._held(n, "int64", num)
            axis.steps = self._held(
                values, "float64", num * len(_native.STEP_DTYPE) * values.shape[2]
            )

    def _held(self, array: np.ndarray, dtype: str, size: int) -> Any:
        self._keep.append(_native.c_array(array, dtype, size))
        return self._keep[-1]

    def write(self, records: np.ndarray, first: int) -> None:
        """Images from ``first`` on to ``GEOMETRY_DTYPE`` records, without colour."""
        num = len(records)
        if not 0 <= first <= first + num <= self._num:
            raise ValueError(f"no {num} images from {first} on")
        out = ffi.cast("void *", records.ctypes.data)
        lib.dctload_write_geometry(self._table, first, num, out, records.strides[0])
