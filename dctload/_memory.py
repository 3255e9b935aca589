"""Memory for results that is used again once nobody looks at it any more.

A fresh megabyte from the system costs 256 page faults, a tenth of the time it
takes to fill it with coefficients. So results live in blocks that go back to a
free list when the last array on them is gone, and never before.
"""

import mmap
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

_HUGE_PAGE = 2 << 20
_MIN_NBYTES = 64 << 10
# What may lie idle beyond the most that was in use at one time: sizes change.
_SLACK_NBYTES = 64 << 20


def _block_nbytes(nbytes: int) -> int:
    """Round up to one of four sizes per power of two, so that blocks fit again."""
    nbytes = max(nbytes, _MIN_NBYTES)
    step = 1 << ((nbytes - 1).bit_length() - 3)
    return -(-nbytes // step) * step


def _new_block(nbytes: int) -> mmap.mmap:
    # Private: a forked child must not write into the parent's results.
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    block = mmap.mmap(-1, nbytes, flags=flags)
    if nbytes >= _HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return block


class _Lease(weakref.ref[Any]):
    """Knows which block an array stands on after the array is gone."""

    __slots__ = ("block",)
    block: mmap.mmap


class Pool:
    """Blocks of memory, given out as arrays.

    Every view of such an array keeps it alive, whoever holds the view, so its
    block is taken for something else only after the last view's end. Arrays may
    outlive the pool. Safe to share between threads.

    It holds the most that was in use at one time, and 64 MB.

    Args:
        max_free_nbytes: Free blocks beyond this go back to the system at once.
    """

    def __init__(self, max_free_nbytes: int | None = None):
        self._max_free_nbytes = max_free_nbytes
        self._free: dict[int, list[mmap.mmap]] = {}
        self._free_nbytes = 0
        self._most_nbytes = 0
        self._leases: dict[int, _Lease] = {}
        # The callback must not keep the pool alive, nor the pool a cycle.
        pool = weakref.ref(self)

        def give_back(lease: _Lease) -> None:
            if (owner := pool()) is not None:
                owner._give_back(lease)

        self._callback = give_back

    def take(self, nbytes: int) -> npt.NDArray[np.uint8]:
        """An array of at least ``nbytes``, page-aligned, content undefined."""
        nbytes = _block_nbytes(nbytes)
        try:
            block = self._free[nbytes].pop()
            self._free_nbytes -= nbytes
        except (KeyError, IndexError):
            self._make_room(nbytes)
            block = _new_block(nbytes)
        array = np.frombuffer(block, np.uint8)
        lease = _Lease(array, self._callback)
        lease.block = block
        self._leases[id(lease)] = lease
        return array

    def _make_room(self, nbytes: int) -> None:
        """Let free blocks of other sizes go before there are too many."""
        leases = list(self._leases.values())
        used = nbytes + sum(len(lease.block) for lease in leases)
        self._most_nbytes = max(self._most_nbytes, used)
        for size, blocks in list(self._free.items()):
            while blocks and used + self._free_nbytes > (
                self._most_nbytes + _SLACK_NBYTES
            ):
                blocks.pop()
                self._free_nbytes -= size

    def _give_back(self, lease: _Lease) -> None:
        if self._leases.pop(id(lease), None) is None:
            return  # Ctrl-C came before it was noted
        nbytes = len(lease.block)
        limit = self._max_free_nbytes
        if limit is None or self._free_nbytes + nbytes <= limit:
            self._free_nbytes += nbytes
            self._free.setdefault(nbytes, []).append(lease.block)
