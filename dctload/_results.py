"""What a decode leaves behind, from which images are made.

An image out of a large batch of small files is worth a microsecond, so planes are
cut from the batch's memory for many images at a time, and a header stays a record
until somebody looks at it.
"""

import functools
import itertools
from collections.abc import Callable, Collection, Iterable
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
    into NumPy's arrays as much as a view. So numbers are taken out of them for the
    whole batch, and images of one size that lie side by side are cut together.

    Args:
        headers: ``INFO_DTYPE``, one for each image.
        addresses: Where each image's planes begin, ``(N, 4)``.
        failed: Images without planes; those that fail later have some.
    """

    def __init__(self, headers: Array, addresses: Array, failed: Collection[int]):
        self._headers = headers
        self._addresses = addresses
        self._failed = failed
        components = headers["components"]
        self._nbytes = 128 * np.einsum(
            "ic,ic->i", components["blocks_h"], components["blocks_w"], dtype=np.intp
        )
        grids = headers.view(np.uint8).reshape(len(headers), _INFO.itemsize)
        grids = grids[:, _COMPONENTS:_QTABLES]
        starts = addresses[:, 0]
        # Image i + 1 has the grids of image i, and follows it in memory.
        self._follows = (grids[1:] == grids[:-1]).all(1)
        self._follows &= starts[1:] - starts[:-1] == self._nbytes[:-1]
        for i in failed:
            self._follows[max(i - 1, 0) : i + 1] = False

    def cut_all(self, pieces: Iterable[tuple[Array, int]]) -> list[list[list[Array]]]:
        """The planes of images in each piece of memory.

        Args:
            pieces: Memory, and the first image that is not in it.
        """
        out = []
        first = 0
        for memory, end in pieces:
            out.append(self._cut(memory, first, end) if first != end else [])
            first = end
        return out

    def _cut(self, memory: Array, first: int, end: int) -> list[list[Array]]:
        base = memory.ctypes.data
        if end - first > 1 and self._follows[first : end - 1].all():
            return self._cut_alike(memory, base, first, end)
        counts, ends, shapes, addresses = self._all_planes
        some = slice(ends[first - 1] if first else 0, ends[end - 1])
        starts = (addresses[some] - np.uintp(base)).tolist()
        planes = map(
            np.ndarray,
            shapes[some],
            itertools.repeat(_INT16),
            itertools.repeat(memory),
            starts,
        )
        return [list(itertools.islice(planes, n)) for n in counts[first:end]]

    def _cut_alike(
        self, memory: Array, base: int, first: int, end: int
    ) -> list[list[Array]]:
        """One array per component holds all images; going through it gives views."""
        header = self._headers[first]
        rows = header["components"]["blocks_h"].tolist()
        columns = header["components"]["blocks_w"].tolist()
        starts = self._addresses[first].tolist()
        stacks = [
            np.ndarray(
                (end - first, rows[c], columns[c], 8, 8),
                _INT16,
                memory,
                starts[c] - base,
                (int(self._nbytes[first]), 128 * columns[c], 128, 16, 2),
            )
            for c in range(int(header["num_components"]))
        ]
        return list(map(list, zip(*stacks, strict=True)))

    @functools.cached_property
    def _all_planes(
        self,
    ) -> tuple[list[int], list[int], list[tuple[int, int, int, int]], Array]:
        """How many planes each image has and those up to it; shapes, addresses."""
        components = self._headers["components"]
        exists = (
            np.arange(components.shape[1])
            < (self._headers["num_components"][:, np.newaxis])
        )
        exists[list(self._failed)] = False
        counts = exists.sum(1)
        rows = components["blocks_h"][exists].tolist()
        columns = components["blocks_w"][exists].tolist()
        eights = itertools.repeat(8)
        shapes = list(zip(rows, columns, eights, eights, strict=False))
        addresses = self._addresses[exists]
        return counts.tolist(), np.cumsum(counts).tolist(), shapes, addresses


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
