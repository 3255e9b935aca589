"""What a decode leaves behind, from which images are made when looked at.

An image out of a large batch of small files is worth a microsecond, so no
object is made for it that nobody asked for: its planes are views cut from the
batch's memory, its header a record, both at first use.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Source(Protocol):
    """Where images get their planes and headers."""

    def planes(self, i: int) -> list[Array]:
        """The coefficients of image ``i``."""

    def header(self, i: int) -> Array:
        """The ``INFO_DTYPE`` array, of shape ``(1,)``, of image ``i``."""

    def name(self, i: int) -> str:
        """What the caller knows image ``i`` by."""


class Single:
    """One image whose planes are at hand."""

    __slots__ = ("_header", "_name", "_planes")

    def __init__(self, planes: list[Array], header: Array, name: str):
        self._planes = planes
        self._header = header
        self._name = name

    def planes(self, i: int) -> list[Array]:
        """The coefficients."""
        return self._planes

    def header(self, i: int) -> Array:
        """The C struct."""
        return self._header

    def name(self, i: int) -> str:
        """The file's name, or a word in its place."""
        return self._name


class Shelf:
    """Images that were decoded side by side into one block of memory.

    The block is free again when the last image and the last plane are gone.

    Args:
        memory: The block, int16, from a ``Pool``.
        headers: ``INFO_DTYPE``, one for each image.
        addresses: Where each image's planes begin, ``(N, 4)``.
        first: The number of the first image, for ``name``.
        name: Gives an image's name.
    """

    __slots__ = (
        "_first",
        "_grids",
        "_headers",
        "_memory",
        "_name",
        "_offsets",
        "_stacks",
    )

    def __init__(
        self,
        memory: Array,
        headers: Array,
        addresses: Array,
        first: int,
        name: Callable[[int], str],
    ):
        components = headers["components"]
        self._memory = memory
        self._headers = headers
        self._first = first
        self._name = name
        # Python integers: taken out of NumPy one by one they cost more.
        self._offsets = (addresses - np.uintp(memory.ctypes.data)).tolist()
        self._grids = list(
            zip(
                headers["num_components"].tolist(),
                components["blocks_h"].tolist(),
                components["blocks_w"].tolist(),
                strict=True,
            )
        )
        self._stacks = self._stack()

    def _stack(self) -> list[Array] | None:
        """Per component one array of all images, if they are all alike.

        Indexing it takes a quarter of the time of making an array.
        """
        if self._grids.count(self._grids[0]) != len(self._grids):
            return None
        num, rows, columns = self._grids[0]
        nbytes = 128 * sum(rows[c] * columns[c] for c in range(num))
        first = self._offsets[0][0]
        if [offsets[0] for offsets in self._offsets] != list(
            range(first, first + nbytes * len(self._grids), nbytes)
        ):
            return None  # some image failed and has no place
        return [
            np.ndarray(
                (len(self._grids), rows[c], columns[c], 8, 8),
                np.int16,
                self._memory,
                self._offsets[0][c],
                (nbytes, 128 * columns[c], 128, 16, 2),
            )
            for c in range(num)
        ]

    def planes(self, i: int) -> list[Array]:
        """Views of the block."""
        if self._stacks is not None:
            return [stack[i] for stack in self._stacks]
        num, rows, columns = self._grids[i]
        memory, offsets = self._memory, self._offsets[i]
        return [
            np.ndarray((rows[c], columns[c], 8, 8), np.int16, memory, offsets[c])
            for c in range(num)
        ]

    def header(self, i: int) -> Array:
        """A copy of the C struct."""
        header: Array = self._headers[i : i + 1].copy()
        return header

    def name(self, i: int) -> str:
        """The file's name, or a word in its place."""
        return self._name(self._first + i)
