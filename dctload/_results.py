"""What a decode leaves behind, from which images are made.

An image out of a large batch of small files is worth a microsecond, so planes are
cut from the batch's memory for many images at a time, and a header stays a record
until somebody looks at it.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from . import _native
from ._engine import Batch

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
_INT16 = np.dtype(np.int16)
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
            np.ndarray(shape, _INT16, self._memory, start) for shape, start in layout
        ]

    def header(self, i: int) -> Array:
        """The C struct."""
        return np.frombuffer(self._header, _INFO)

    def name(self, i: int) -> str:
        """The file's name, or a word in its place."""
        return self._name


class Cutter:
    """Cuts the memory of a batch into planes.

    A view costs as much as a tenth of the decoding of a tiny image, and a look
    into NumPy's arrays as much as a view. So images of one size that lie side by
    side are cut together, and for others numbers are taken out of the arrays for
    the whole batch. Of the batch nothing is read after this is made.

    Args:
        batch: It has been read, and all that are well have planes.
        num: So many of its items.
        pieces: Memory, and the first image that is not in it.
    """

    def __init__(self, batch: Batch, num: int, pieces: list[tuple[Array, int]]):
        self._pieces = []
        first = 0
        for memory, end in pieces:
            stacks = None
            if first != end and batch.count_alike(first, end) == end - first:
                stacks = _stack_components(batch.items[first], end - first, memory)
            self._pieces.append((memory, first, end, stacks))
            first = end
        if any(stacks is None for *_, stacks in self._pieces):
            self._singles = _Singles(batch, num)

    def cut(self) -> list[list[list[Array]]]:
        """The planes of images in each piece of memory; none of those that failed."""
        return [
            self._singles.cut(memory, first, end)
            if stacks is None
            # Going through an array gives views.
            else list(map(list, zip(*stacks, strict=True)))
            for memory, first, end, stacks in self._pieces
        ]


def _stack_components(item: Any, num: int, memory: Array) -> list[Array]:
    """For each component an array that holds it of all images, which are alike."""
    info = item["info"]
    count = int(info["num_components"])
    rows = info["components"]["blocks_h"].tolist()
    columns = info["components"]["blocks_w"].tolist()
    starts = item["planes"].tolist()
    nbytes = sum(128 * rows[c] * columns[c] for c in range(count))
    return [
        np.ndarray(
            (num, rows[c], columns[c], 8, 8),
            _INT16,
            memory,
            starts[c] - memory.ctypes.data,
            (nbytes, 128 * columns[c], 128, 16, 2),
        )
        for c in range(count)
    ]


class _Singles:
    """Cuts planes one by one."""

    def __init__(self, batch: Batch, num: int):
        headers = batch.copy_infos(0, num)
        components = headers["components"]
        exists = (
            np.arange(components.shape[1]) < headers["num_components"][:, np.newaxis]
        )
        exists[batch.items["status"][:num] != _native.OK] = False
        counts = exists.sum(1)
        self._counts = counts.tolist()
        self._ends = np.cumsum(counts).tolist()
        rows = components["blocks_h"][exists].tolist()
        columns = components["blocks_w"][exists].tolist()
        eights = itertools.repeat(8)
        self._shapes = list(zip(rows, columns, eights, eights, strict=False))
        self._addresses = batch.items["planes"][:num][exists]

    def cut(self, memory: Array, first: int, end: int) -> list[list[Array]]:
        """Planes of the images from ``first`` on, which lie in this memory."""
        begin = self._ends[first - 1] if first else 0
        some = slice(begin, self._ends[end - 1] if end else 0)
        starts = (self._addresses[some] - np.uintp(memory.ctypes.data)).tolist()
        planes = map(
            np.ndarray,
            self._shapes[some],
            itertools.repeat(_INT16),
            itertools.repeat(memory),
            starts,
        )
        return [list(itertools.islice(planes, n)) for n in self._counts[first:end]]


class Shelf:
    """Images that were decoded side by side into one block of memory.

    The block is free again when the last image and the last plane are gone.

    Args:
        planes: Of each image, views of the block.
        headers: ``INFO_DTYPE``, one for each image.
        first: The number of the first image, for ``name``.
        name: Gives an image's name.
    """

    __slots__ = ("_first", "_headers", "_name", "_planes")

    def __init__(
        self,
        planes: list[list[Array]],
        headers: Array,
        first: int,
        name: Callable[[int], str],
    ):
        self._planes = planes
        self._headers = headers
        self._first = first
        self._name = name

    def planes(self, i: int) -> list[Array]:
        """Views of the block."""
        return self._planes[i]

    def header(self, i: int) -> Array:
        """A copy of the C struct."""
        header: Array = self._headers[i : i + 1].copy()
        return header

    def name(self, i: int) -> str:
        """The file's name, or a word in its place."""
        return self._name(self._first + i)
