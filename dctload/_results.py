"""What a decode leaves behind, from which images are made when looked at.

An image out of a large batch of small files is worth a microsecond, so no
object is made for it that nobody asked for: its planes are views cut from the
batch's memory, its header a record, both at first use.
"""

import functools
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import _native

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
    """One image whose planes are at hand; ``header`` is an ``INFO_DTYPE`` array."""

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


_INFO = _native.INFO_DTYPE
_NUM_COMPONENTS = _INFO.fields["num_components"][1]
_COMPONENTS = _INFO.fields["components"][1]
_QTABLES = _INFO.fields["qtables"][1]


@functools.lru_cache(maxsize=256)
def _layout(components: bytes, num: int) -> list[tuple[tuple[int, ...], int]]:
    """Shapes of planes, and where they begin when one follows the other."""
    dtype = _INFO.fields["components"][0].base
    out: list[tuple[tuple[int, ...], int]] = []
    start = 0
    for c in np.frombuffer(components, dtype, num).tolist():
        grid = dict(zip(dtype.names, c, strict=True))
        shape = (grid["blocks_h"], grid["blocks_w"], 8, 8)
        out.append((shape, start))
        start += 128 * shape[0] * shape[1]
    return out


class Packed:
    """One image whose planes lie one after the other.

    Args:
        memory: They and nothing before them.
        header: The bytes of an ``INFO_DTYPE``.
        name: The file's name, or a word in its place.
    """

    __slots__ = ("_header", "_memory", "_name")

    def __init__(self, memory: Array, header: bytes, name: str):
        self._memory = memory
        self._header = header
        self._name = name

    def planes(self, i: int) -> list[Array]:
        """Views of the memory."""
        header = self._header
        layout = _layout(header[_COMPONENTS:_QTABLES], header[_NUM_COMPONENTS])
        return [
            np.ndarray(shape, np.int16, self._memory, start) for shape, start in layout
        ]

    def header(self, i: int) -> Array:
        """The C struct."""
        return np.frombuffer(self._header, _INFO)

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
        "_planes",
    )

    def __init__(
        self,
        memory: Array,
        headers: Array,
        addresses: Array,
        first: int,
        name: Callable[[int], str],
    ):
        self._memory = memory
        self._headers = headers
        self._offsets = addresses - np.uintp(memory.ctypes.data)
        self._first = first
        self._name = name
        # Of all images, once somebody has asked for those of one.
        self._planes: list[list[Array]] | None = None
        self._grids: list[tuple[int, list[int], list[int], list[int]]] = []

    def _is_alike(self, nbytes: int) -> bool:
        """All images have one set of grids, and lie ``nbytes`` apart."""
        headers, starts = self._headers, self._offsets[:, 0]
        components = headers["components"]
        return bool(
            (headers["num_components"] == headers["num_components"][0]).all()
            and (components["blocks_h"] == components["blocks_h"][0]).all()
            and (components["blocks_w"] == components["blocks_w"][0]).all()
            and (starts[1:] - starts[:-1] == nbytes).all()
        )

    def _grid(self) -> tuple[list[int], list[int]]:
        """Block rows and columns of the first image."""
        components = self._headers[0]["components"]
        num = self._headers[0]["num_components"]
        rows: list[int] = components["blocks_h"][:num].tolist()
        columns: list[int] = components["blocks_w"][:num].tolist()
        return rows, columns

    def _alike_planes(self) -> list[list[Array]] | None:
        """Everybody's planes at a third of the cost of making them singly.

        One array per component holds all images; going through it gives the views.
        """
        rows, columns = self._grid()
        nbytes = 128 * sum(r * c for r, c in zip(rows, columns, strict=True))
        if not self._is_alike(nbytes):
            return None
        stacks = [
            np.ndarray(
                (len(self._headers), rows[c], columns[c], 8, 8),
                np.int16,
                self._memory,
                int(self._offsets[0, c]),
                (nbytes, 128 * columns[c], 128, 16, 2),
            )
            for c in range(len(rows))
        ]
        return list(map(list, zip(*stacks, strict=True)))

    def _list_grids(self) -> list[tuple[int, list[int], list[int], list[int]]]:
        """Python integers: taken out of NumPy one by one they cost more."""
        components = self._headers["components"]
        parts = (
            self._headers["num_components"],
            components["blocks_h"],
            components["blocks_w"],
            self._offsets,
        )
        return list(zip(*(part.tolist() for part in parts), strict=True))

    def planes(self, i: int) -> list[Array]:
        """Views of the block."""
        if self._planes is not None:
            return self._planes[i]
        if not self._grids:
            self._planes = self._alike_planes()
            if self._planes is not None:
                return self._planes[i]
            self._grids = self._list_grids()
        num, rows, columns, offsets = self._grids[i]
        return [
            np.ndarray((rows[c], columns[c], 8, 8), np.int16, self._memory, offsets[c])
            for c in range(num)
        ]

    def header(self, i: int) -> Array:
        """A copy of the C struct."""
        header: Array = self._headers[i : i + 1].copy()
        return header

    def name(self, i: int) -> str:
        """The file's name, or a word in its place."""
        return self._name(self._first + i)
