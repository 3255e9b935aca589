"""The C core as its header has it, without dctload's Python around it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dctload._core import ffi, lib

ALLOW_TRUNCATED = 1
_STATUSES = ffi.typeof("enum dctload_status").elements
STATUS = {v: k.removeprefix("DCTLOAD_") for v, k in _STATUSES.items()}
# The words of corpus.tolerated().
WARNING = {
    "no EOI": lib.DCTLOAD_WARN_NO_EOI,
    "junk": lib.DCTLOAD_WARN_JUNK,
    "trailing": lib.DCTLOAD_WARN_TRAILING,
    "scan parameters": lib.DCTLOAD_WARN_SCAN_PARAMS,
    "segment": lib.DCTLOAD_WARN_SEGMENT,
    "truncated": lib.DCTLOAD_WARN_TRUNCATED,
}


@dataclass
class Outcome:
    """What one decode came to; planes are int16 ``(by, bx, 8, 8)``."""

    status: str
    offset: int
    info: object
    planes: list[np.ndarray]

    @property
    def ok(self) -> bool:
        return self.status == "OK"

    @property
    def warnings(self) -> tuple[str, ...]:
        bits = self.info.warnings
        return tuple(word for word, bit in WARNING.items() if bits & bit)

    @property
    def qtables(self) -> np.ndarray:
        tables = np.frombuffer(ffi.buffer(self.info.qtables), np.uint16)
        return tables.reshape(4, 8, 8)[: len(self.planes)].copy()

    def digest(self) -> str:
        """Name the value and the error, short."""
        if not self.ok:
            return f"{self.status} at {self.offset}"
        h = hashlib.sha256()
        for array in [*self.planes, self.qtables]:
            h.update(repr(array.shape).encode())
            h.update(np.ascontiguousarray(array))
        return h.hexdigest()


def limits(**values: int):
    """Return the default limits with these changed."""
    out = ffi.new("struct dctload_limits *")
    lib.dctload_default_limits(out)
    for name, value in values.items():
        setattr(out, name, value)
    return out


def new_planes(info) -> list[np.ndarray]:
    """Make room for a file's coefficients, full of what must not stay there."""
    comps = [info.components[c] for c in range(info.num_components)]
    return [np.full((c.blocks_h, c.blocks_w, 8, 8), 0x5AA5, np.int16) for c in comps]


def pointers(planes: Sequence[np.ndarray]):
    """Return ``int16_t *[4]``; the arrays must outlive it."""
    return ffi.new(
        "int16_t *[4]",
        [ffi.cast("int16_t *", p.ctypes.data) for p in planes]
        + [ffi.NULL] * (4 - len(planes)),
    )


_malloc = ffi.new_allocator(should_clear_after_alloc=False)


def _copy(data: bytes):
    """Return (bytes of their own on the heap, length).

    Nothing lies behind them, so that AddressSanitizer sees a step too far.
    """
    copy = _malloc("uint8_t[]", max(len(data), 1))
    ffi.memmove(copy, data, len(data))
    return copy, len(data)


def read_info(data: bytes, lim=ffi.NULL) -> Outcome:
    """Read the header; no planes."""
    info = ffi.new("struct dctload_info *")
    offset = ffi.new("size_t *")
    copy, n = _copy(data)
    status = lib.dctload_read_info(copy, n, lim, info, offset)
    return Outcome(STATUS[status], offset[0], info, [])


class Decoder:
    """One ``struct dctload_decoder``."""

    def __init__(self) -> None:
        self._d = ffi.gc(lib.dctload_alloc_decoder(), lib.dctload_free_decoder)
        assert self._d != ffi.NULL

    def decode(self, data: bytes, flags: int = 0, lim=ffi.NULL) -> Outcome:
        head = read_info(data, lim)
        if not head.ok:
            return head
        planes = new_planes(head.info)
        info = ffi.new("struct dctload_info *")
        offset = ffi.new("size_t *")
        copy, n = _copy(data)
        status = lib.dctload_decode(
            self._d, copy, n, lim, flags, pointers(planes), info, offset
        )
        return Outcome(STATUS[status], offset[0], info, planes)


def decode(data: bytes, flags: int = 0, lim=ffi.NULL) -> Outcome:
    """Decode one file with a decoder of its own."""
    return Decoder().decode(data, flags, lim)


def decode_batch(
    datas: Sequence[bytes], num_threads: int, flags: int = 0
) -> list[Outcome]:
    """Decode many files as one batch."""
    engine = ffi.gc(lib.dctload_alloc_engine(num_threads), lib.dctload_free_engine)
    batch = ffi.gc(lib.dctload_alloc_batch(len(datas)), lib.dctload_free_batch)
    items = lib.dctload_batch_items(batch)
    copies = [_copy(data) for data in datas]
    for i, (copy, n) in enumerate(copies):
        items[i].__setattr__("in", copy)
        items[i].in_nbytes = n
    n = len(datas)
    assert lib.dctload_submit_read(engine, batch, n, ffi.NULL) == 0
    assert lib.dctload_wait(engine, batch, -1) == 0
    kept: list[list[np.ndarray]] = []
    for i in range(n):
        ok = items[i].status == lib.DCTLOAD_OK
        kept.append(new_planes(items[i].info) if ok else [])
        for c, plane in enumerate(kept[i]):
            items[i].planes[c] = ffi.cast("int16_t *", plane.ctypes.data)
    assert lib.dctload_submit_decode(engine, batch, n, ffi.NULL, flags) == 0
    assert lib.dctload_wait(engine, batch, -1) == 0
    out = []
    for i in range(n):
        info = ffi.new("struct dctload_info *", items[i].info)
        status, offset = STATUS[items[i].status], items[i].error_offset
        out.append(Outcome(status, offset, info, kept[i]))
    ffi.release(batch)
    ffi.release(engine)
    return out


def encode(info, planes: Sequence[np.ndarray], optimize: bool = True) -> bytes | str:
    """Write a file; the status's name if that is refused."""
    planes = [np.ascontiguousarray(p, np.int16) for p in planes]
    nbytes = ffi.new("size_t *")
    args = (info, pointers(planes), optimize)
    status = lib.dctload_encode(*args, ffi.NULL, 0, nbytes)
    if status != lib.DCTLOAD_OK:
        return STATUS[status]
    out = _malloc("uint8_t[]", nbytes[0])
    status = lib.dctload_encode(*args, out, nbytes[0], nbytes)
    assert status == lib.DCTLOAD_OK
    return bytes(ffi.buffer(out))
