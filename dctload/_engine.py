"""Many files on many threads: the C core's batches and engines.

Like _native.py this knows pointers: what C writes to is kept alive here until the
threads are done with it.
"""

import atexit
import functools
import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ._core import ffi, lib
from ._native import (
    INFO_DTYPE,
    ITEM_DTYPE,
    OK,
    buffer_of,
    c_array,
    check,
    error,
    limits,
)

_BRIEFS = ffi.typeof("struct dctload_brief[]")
_MASK64 = (1 << 64) - 1

# Where the bytes of a ``bytes`` object lie, seen from its id: CPython keeps them
# in the object. False elsewhere, and then each object is asked.
_BYTES_OFFSET = bytes.__basicsize__ - 1
_probe = b"where are you"
_BYTES_IN_OBJECT = id(_probe) + _BYTES_OFFSET == int(
    ffi.cast("uintptr_t", ffi.from_buffer(_probe))
)


class _Held:
    """What C reads while it works on a batch."""

    def __init__(self) -> None:
        self.data: Any = None
        self.load: Any = None


# The function itself: at exit the names of this module go before its last batch.
def _free_batch(
    batch: Any,
    _held: _Held,
    _items: Any,
    free: Callable[[Any], None] = lib.dctload_free_batch,
) -> None:
    free(batch)


class Batch:
    """Items that are worked on and waited for together.

    ``items`` is the C array itself as NumPy records: what is written there is
    what C sees. Not to be written while work is under way. One thread at a time.
    """

    def __init__(self, num_items: int):
        batch = lib.dctload_alloc_batch(num_items)
        if batch == ffi.NULL:
            raise MemoryError(f"no memory for a batch of {num_items} items")
        # The items keep the batch, and what C reads: a view may be their last user.
        self._held = _Held()
        memory = ffi.gc(
            lib.dctload_batch_items(batch),
            functools.partial(_free_batch, batch, self._held),
        )
        self.pointer = batch
        self.num_items = num_items
        nbytes = num_items * ITEM_DTYPE.itemsize
        self.items: np.ndarray = np.frombuffer(
            ffi.buffer(memory, nbytes), ITEM_DTYPE, num_items
        )
        # For copies: NumPy copies a record field by field.
        rows = np.frombuffer(ffi.buffer(memory, nbytes), np.uint8)
        rows = rows.reshape(num_items, ITEM_DTYPE.itemsize)
        start = ITEM_DTYPE.fields["info"][1]
        self._info_bytes = rows[:, start : start + INFO_DTYPE.itemsize]
        self.has_regions = False

    def __len__(self) -> int:
        return self.num_items

    def set_paths(self, paths: Sequence[bytes]) -> None:
        """Items are to be read from files."""
        self.set_data([b""] * len(paths))
        self.set_some_paths(dict(enumerate(paths)))

    def set_some_paths(self, paths: Mapping[int, bytes]) -> None:
        """The items with these numbers are to be read from files."""
        # One string that holds all, so that one object is asked for its address.
        joined = ffi.from_buffer(b"\0".join(paths.values()) + b"\0")
        self._held.data = self._held.data, joined
        lengths = np.fromiter(map(len, paths.values()), np.uintp, len(paths))
        starts = np.cumsum(lengths + np.uintp(1)) - lengths - np.uintp(1)
        self.items["path"][list(paths)] = starts + np.uintp(
            int(ffi.cast("uintptr_t", joined))
        )

    def set_paths_of(self, text: bytes, starts: np.ndarray, chosen: np.ndarray) -> None:
        """Items are to be read from files.

        Args:
            text: Paths end to end, each with a zero byte behind it.
            starts: Where each begins in ``text``: int64.
            chosen: Which of them, one for each item: int64.

        Raises:
            IndexError: There is no such path.
        """
        num = self._fits(len(chosen))
        self._held.data = text = ffi.from_buffer(text)
        num_set = lib.dctload_set_paths(
            self.pointer,
            num,
            text,
            c_array(starts, "int64", len(starts)),
            len(starts),
            c_array(chosen, "int64", num),
        )
        self._forget_regions()
        if num_set < num:
            raise IndexError(f"index {chosen[num_set]} of {len(starts)} paths")

    def set_out(self, num: int, k: int, address: int, stride: int) -> None:
        """Sample i goes to ``address + i * stride``, in the k-th tensor."""
        start = ffi.cast("void *", address)
        lib.dctload_set_out(self.pointer, self._fits(num), k, start, stride)

    def survey(self, out: np.ndarray) -> bool:
        """Fill ``BRIEF_DTYPE`` records; whether all items are ordinary JPEG images."""
        num, briefs = self._fits(len(out)), ffi.from_buffer(_BRIEFS, out)
        return bool(lib.dctload_survey(self.pointer, num, briefs) == num)

    def num_failed(self, num: int) -> int:
        """How many of the first ``num`` items have an error, or were skipped."""
        return int(lib.dctload_count_failed(self.pointer, self._fits(num)))

    def failed(self, num: int) -> list[int]:
        """Which of the first ``num`` items have an error."""
        if self.num_failed(num) == 0:
            return []
        out: list[int] = np.flatnonzero(self.items["status"][:num]).tolist()
        return out

    def count_alike(self, first: int, end: int) -> int:
        """How many of these have the grids of the first, one behind the other."""
        return int(lib.dctload_count_alike(self.pointer, first, self._fits(end)))

    def _fits(self, num: int) -> int:
        if num > self.num_items:
            raise ValueError(f"{num} items in a batch of {self.num_items}")
        return num

    def set_data(self, data: Sequence[Any]) -> None:
        """Items are these buffers, which the batch keeps until the next set."""
        num = self._fits(len(data))
        keep = list(data)  # once: a sequence may make its items as it is asked
        if _BYTES_IN_OBJECT and set(map(type, keep)) <= {bytes}:
            addresses = np.fromiter(map(id, keep), np.uintp, num)
            addresses += np.uintp(_BYTES_OFFSET)
        else:
            keep = [buffer_of(buffer) for buffer in keep]
            numbers = (int(ffi.cast("uintptr_t", buffer)) for buffer in keep)
            addresses = np.fromiter(numbers, np.uintp, num)
        nbytes = np.fromiter(map(len, keep), np.uintp, num)
        self._held.data = keep
        lib.dctload_set_data(
            self.pointer,
            num,
            ffi.from_buffer("uintptr_t[]", addresses),
            ffi.from_buffer("size_t[]", nbytes),
        )
        self._forget_regions()

    def set_regions(self, regions: Mapping[int, tuple[int, int, int, int]]) -> None:
        """What to decode of these items: fields of ``struct dctload_region``.

        To be set after the data; the others are decoded whole.
        """
        for i, region in regions.items():
            self.items["region"][i] = region
        self.has_regions = bool(regions)

    def _forget_regions(self) -> None:
        if self.has_regions:
            self.items["region"] = 0
            self.has_regions = False

    def forget_data(self) -> None:
        """Let go of what ``set_data`` and ``set_paths`` were given.

        Set it again before the next submission.
        """
        self._held.data = None

    def copy_infos(self, first: int, end: int) -> np.ndarray:
        """Headers that do not change with the batch: ``INFO_DTYPE``."""
        return self._info_bytes[first:end].copy().view(INFO_DTYPE)[:, 0]

    def data(self, i: int) -> bytes:
        """A copy of the bytes of item ``i``, as given or as read from its path."""
        item = self.items[i]
        if not item["in"]:
            raise ValueError(f"item {i} is not in memory: not read, or done with")
        memory = ffi.cast("char *", int(item["in"]))
        return bytes(ffi.buffer(memory, int(item["in_nbytes"])))

    def error(self, i: int, name: str) -> Exception | None:
        """What went wrong with item ``i``, if anything."""
        item = self.items[i]
        status = int(item["status"])
        if status == OK:
            return None
        return error(
            status,
            name,
            int(item["error_offset"]),
            int(item["in_nbytes"]),
            int(item["system_error"]),
        )

    def place_planes(self, first: int, end: int, memory: np.ndarray) -> tuple[int, int]:
        """Give ``memory`` to items from ``first`` on, as long as it lasts.

        Returns the first item without, and the bytes it needs.
        """
        nbytes = ffi.new("size_t *")
        buffer = ffi.from_buffer("char[]", memory)
        first = lib.dctload_place_planes(
            self.pointer, first, end, buffer, memory.nbytes, nbytes
        )
        return first, nbytes[0]


class Engine:
    """C threads with one queue of work; with 0 threads ``wait`` does the work.

    Threads start at the first submission. In a forked child every submission
    raises ``ValueError``: make a new engine there.
    """

    # Python looks for signals between slices of a wait.
    _SLICE_MS = 100

    def __init__(self, num_threads: int):
        engine = lib.dctload_alloc_engine(num_threads)
        if engine == ffi.NULL:
            raise MemoryError("no memory for an engine")
        self.num_threads = num_threads
        self.pid = os.getpid()
        self._handle = ffi.gc(engine, lib.dctload_free_engine)
        _engines.add(self)

    @property
    def closed(self) -> bool:
        """Whether the threads have ended for good."""
        return self._handle is None

    @property
    def _engine(self) -> Any:
        if self._handle is None:
            raise ValueError("the engine is closed")
        return self._handle

    def submit_read(self, batch: Batch, n: int, limits_: Any = None) -> None:
        """Queue reading, and parsing headers, of the first ``n`` items."""
        check(
            lib.dctload_submit_read(self._engine, batch.pointer, n, limits(limits_)),
            "engine",
        )

    def submit_decode(
        self, batch: Batch, n: int, limits_: Any = None, flags: int = 0
    ) -> None:
        """Queue decoding to the items' planes."""
        check(
            lib.dctload_submit_decode(
                self._engine, batch.pointer, n, limits(limits_), flags
            ),
            "engine",
        )

    def submit_sample(
        self,
        batch: Batch,
        n: int,
        limits_: Any = None,
        flags: int = 0,
        output: Any = None,
    ) -> None:
        """Queue decoding and transforming to the items' output addresses."""
        check(
            lib.dctload_submit_sample(
                self._engine, batch.pointer, n, limits(limits_), flags, output
            ),
            "engine",
        )

    def submit_excerpt(
        self, batch: Batch, n: int, limits_: Any = None, flags: int = 0
    ) -> None:
        """Queue decoding of the blocks of the items' excerpts."""
        check(
            lib.dctload_submit_excerpt(
                self._engine, batch.pointer, n, limits(limits_), flags
            ),
            "engine",
        )

    def submit_load(
        self,
        batch: Batch,
        ids: np.ndarray,
        limits_: Any,
        output: Any,
        recipe: Any,
        key: tuple[int, int],
    ) -> None:
        """Queue all from reading to writing samples to the items' addresses.

        Args:
            batch: Items with paths or data, and output addresses.
            ids: What random numbers are keyed by, int64: one for each item.
            limits_: As for reading.
            output: ``struct dctload_output *``.
            recipe: ``struct dctload_recipe *``.
            key: Seed and epoch, the other part of the key.
        """
        num = batch._fits(len(ids))
        key_ids = c_array(ids, "int64", num)
        seed, epoch = key
        # Ctrl-C may come when threads have begun and before anything else is done.
        held = batch._held
        before, held.load = held.load, (key_ids, recipe)
        status = lib.dctload_submit_load(
            self._engine,
            batch.pointer,
            num,
            limits(limits_),
            output,
            recipe,
            seed & _MASK64,
            epoch,
            ffi.cast("uint64_t *", key_ids),
        )
        if status != OK:
            held.load = before
        check(status, "engine")

    def wait(self, batch: Batch, timeout: float | None = None) -> int:
        """Wait until the batch is done, at most ``timeout`` s; returns items left."""
        left_ms = None if timeout is None else int(timeout * 1000)
        while True:
            slice_ms = (
                self._SLICE_MS if left_ms is None else min(left_ms, self._SLICE_MS)
            )
            left: int = lib.dctload_wait(self._engine, batch.pointer, slice_ms)
            if left == 0 or left_ms == 0:
                return left
            if left_ms is not None:
                left_ms -= slice_ms

    def cancel(self, batch: Batch) -> None:
        """Drop what is queued of the batch and not begun."""
        lib.dctload_cancel(self._engine, batch.pointer)

    def abandon(self, batch: Batch) -> None:
        """Cancel, and wait for what has begun: nothing is written afterwards."""
        self.cancel(batch)
        lib.dctload_wait(self._engine, batch.pointer, -1)

    def stats(self) -> dict[str, int]:
        """Nanoseconds summed over threads, files and bytes read so far."""
        out = ffi.new("struct dctload_engine_stats *")
        lib.dctload_get_stats(self._engine, out)
        return {
            "read_ns": out.read_ns,
            "work_ns": out.work_ns,
            "idle_ns": out.idle_ns,
            "transform_ns": out.transform_ns,
            "files": out.files,
            "in_nbytes": out.in_nbytes,
        }

    def close(self) -> None:
        """End the threads. What is queued is dropped. Safe to call again.

        A call of another thread ends when what it has begun is done. Its reference
        keeps the memory until then: that goes with the last one.
        """
        engine, self._handle = self._handle, None
        if engine is not None:
            lib.dctload_stop_engine(engine)


# Threads write into memory that Python owns, so they end before Python does.
_engines: "weakref.WeakSet[Engine]" = weakref.WeakSet()


@atexit.register
def _close_engines() -> None:
    for engine in list(_engines):
        engine.close()
