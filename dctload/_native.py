"""The C core as Python sees it: this file and _engine.py know pointers.

Lengths are checked here, memory is kept alive here, and statuses become
exceptions here (in :func:`error`, nowhere else).
"""

import errno as _errno
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import errors
from ._core import ffi, lib

MAX_COMPONENTS = lib.DCTLOAD_MAX_COMPONENTS
ALLOW_TRUNCATED = lib.DCTLOAD_ALLOW_TRUNCATED
OK = lib.DCTLOAD_OK
NOT_JPEG = lib.DCTLOAD_NOT_JPEG
TOO_MANY_PIXELS = lib.DCTLOAD_TOO_MANY_PIXELS
FILE_TOO_LARGE = lib.DCTLOAD_FILE_TOO_LARGE
DEFAULT_LIMITS = ffi.new("struct dctload_limits *")
lib.dctload_default_limits(DEFAULT_LIMITS)
NONLINEAR_COLORS = (lib.DCTLOAD_CMYK, lib.DCTLOAD_YCCK)

STATUS_NAMES = {
    value: name.removeprefix("DCTLOAD_")
    for value, name in ffi.typeof("enum dctload_status").elements.items()
}


# ---- errors -------------------------------------------------------------------


def _os_error(message: str, name: str, system_error: int) -> Exception:
    # What the engine says of a named pipe, a socket or a device.
    irregular = system_error == _errno.EINVAL
    text = "not a regular file" if irregular else os.strerror(system_error)
    return OSError(system_error, text, name)


def _no_memory(message: str, name: str, system_error: int) -> Exception:
    return MemoryError(message)


def _bad_argument(message: str, name: str, system_error: int) -> Exception:
    return ValueError(message)


# Statuses are grouped in hundreds; the last group has no common class.
_CLASSES = {
    1: errors.CorruptJPEGError,
    2: errors.UnsupportedJPEGError,
    3: errors.LimitError,
}
_SPECIAL = {
    lib.DCTLOAD_IO: _os_error,
    lib.DCTLOAD_NO_MEMORY: _no_memory,
    lib.DCTLOAD_BAD_ARGUMENT: _bad_argument,
    lib.DCTLOAD_BAD_REGION: _bad_argument,
}


def error(
    status: int,
    name: str,
    offset: int | None = None,
    nbytes: int | None = None,
    system_error: int = 0,
) -> Exception:
    """The exception for ``status`` about the file ``name``.

    ``offset`` is the first byte not understood, of ``nbytes``; it is left out of
    messages that are not about the file's contents.
    """
    text = ffi.string(lib.dctload_status_text(status)).decode()
    about_contents = status // 100 in _CLASSES
    message = f"{name}: {text}"
    if about_contents and offset is not None:
        message += f" at byte {offset}"
        if nbytes is not None:
            message += f" of {nbytes}"
    if status in _SPECIAL:
        return _SPECIAL[status](message, name, system_error or _errno.EIO)
    kind = _CLASSES.get(status // 100, errors.DctloadError)
    return kind(
        message, name=name, offset=offset if about_contents else None, status=status
    )


def check(status: int, name: str) -> None:
    """Raise what ``status`` says, if it is not OK."""
    if status != OK:
        raise error(status, name)


# ---- C structs as NumPy records -----------------------------------------------


def _dtype_of(ctype: Any) -> Any:
    """The NumPy dtype with the memory layout of ``ctype``."""
    if ctype.kind == "struct":
        fields = dict(ctype.fields)
        return np.dtype(
            {
                "names": list(fields),
                "formats": [_dtype_of(field.type) for field in fields.values()],
                "offsets": [field.offset for field in fields.values()],
                "itemsize": ffi.sizeof(ctype),
            }
        )
    if ctype.kind == "array":
        return np.dtype((_dtype_of(ctype.item), (ctype.length,)))
    if ctype.kind == "pointer":
        return np.dtype(np.uintp)
    if ctype.kind == "enum":
        return np.dtype(np.uint32)
    kinds = {"float": "f", "double": "f"}
    signed = "u" if ctype.cname.startswith("u") or ctype.cname == "size_t" else "i"
    return np.dtype(f"{kinds.get(ctype.cname, signed)}{ffi.sizeof(ctype)}")


INFO_DTYPE = _dtype_of(ffi.typeof("struct dctload_info"))
STEP_DTYPE = _dtype_of(ffi.typeof("struct dctload_step"))
GEOMETRY_DTYPE = _dtype_of(ffi.typeof("struct dctload_geometry"))
OUTPUT_DTYPE = _dtype_of(ffi.typeof("struct dctload_output"))
ITEM_DTYPE = _dtype_of(ffi.typeof("struct dctload_item"))
BRIEF_DTYPE = _dtype_of(ffi.typeof("struct dctload_brief"))
OUTCOME_DTYPE = _dtype_of(ffi.typeof("struct dctload_outcome"))
FINE_COLOR_DTYPE = _dtype_of(ffi.typeof("struct dctload_fine_color_map"))


def new_geometry(num_images: int = 1) -> np.ndarray:
    """Zeroed ``struct dctload_geometry``: the identity."""
    return np.zeros(num_images, GEOMETRY_DTYPE)


def _pointer(array: np.ndarray, ctype: str) -> Any:
    """The address of ``array`` as ``ctype``; the caller keeps the array."""
    return ffi.cast(ctype, array.ctypes.data)


def c_array(array: np.ndarray, dtype: str, size: int) -> Any:
    """A contiguous array as C's, kept by what is returned: quicker than an address.

    Args:
        array: Of ``size`` elements.
        dtype: NumPy's name of its type, and C's but for a ``_t``.
        size: As many as C reads.
    """
    if array.size != size or array.dtype != dtype:
        raise ValueError(f"expected {size} {dtype}, got {array.size} {array.dtype}")
    return ffi.from_buffer(_C_ARRAYS[dtype], array)


_C_ARRAYS = {
    "int64": ffi.typeof("int64_t[]"),
    "uint64": ffi.typeof("uint64_t[]"),
    "float64": ffi.typeof("double[]"),
    "bool": ffi.typeof("uint8_t[]"),
}


def buffer_of(data: Any, ctype: str = "char[]") -> Any:
    """The bytes of ``data`` as C's, kept by what is returned.

    Python's collector crashes on a memoryview that dies in a circle together with
    what cffi made of it (errors that are kept close such circles), so NumPy holds it.
    """
    if isinstance(data, memoryview):
        data = np.frombuffer(data, np.uint8) if data.nbytes else b""
    return ffi.from_buffer(ctype, data)


class MappedFile:
    """A regular file in memory; the parts of it that are in use keep it there.

    Takes no file descriptor once it is made, unlike ``mmap.mmap``.

    Args:
        fd: May be closed at once.
        name: For errors.

    Raises:
        OSError: It is empty, or cannot be mapped.
    """

    def __init__(self, fd: int, name: str):
        nbytes = os.fstat(fd).st_size
        start = lib.dctload_map_file(fd, nbytes)
        if start == ffi.NULL:
            raise OSError(ffi.errno, os.strerror(ffi.errno), name)
        unmap = (
            lib.dctload_unmap_file
        )  # at exit the module's names go before it is used
        memory = ffi.gc(start, lambda start: unmap(start, nbytes))
        self._bytes = np.frombuffer(ffi.buffer(memory, nbytes), np.uint8)
        self._bytes.flags.writeable = False
        self._address = int(ffi.cast("uintptr_t", start))

    def part(self, offset: int, nbytes: int) -> np.ndarray:
        """A part of it, which the kernel is told to read ahead."""
        lib.dctload_read_ahead(ffi.cast("void *", self._address + offset), nbytes)
        return self._bytes[offset : offset + nbytes]


def _planes(planes: Sequence[np.ndarray]) -> Any:
    """``int16_t *[4]`` to ``planes``, which must be contiguous int16."""
    pointers = ffi.new("int16_t *[]", MAX_COMPONENTS)
    for c, plane in enumerate(planes):
        if plane.dtype != np.int16 or not plane.flags.c_contiguous:
            raise ValueError(f"plane {c} must be contiguous int16, got {plane.dtype}")
        pointers[c] = _pointer(plane, "int16_t *")
    return pointers


def _check_grids(info: np.ndarray, planes: Sequence[np.ndarray]) -> None:
    """C reads as many blocks as ``info`` says, so planes must have them."""
    if len(planes) != info["num_components"]:
        raise ValueError(
            f"{len(planes)} planes for {info['num_components']} components"
        )
    for c, plane in enumerate(planes):
        component = info["components"][c]
        want = (int(component["blocks_h"]), int(component["blocks_w"]), 8, 8)
        if plane.shape != want:
            raise ValueError(f"plane {c} must have shape {want}, got {plane.shape}")


# ---- one file -------------------------------------------------------------------


def limits(limits: Any) -> Any:
    """``struct dctload_limits *`` for an object with its fields, None: defaults."""
    if limits is None:
        return ffi.NULL
    if not hasattr(limits, "max_scans"):
        raise TypeError(f"limits must be Limits, got {limits!r}")
    out = ffi.new("struct dctload_limits *", DEFAULT_LIMITS[0])
    for field, _ in ffi.typeof("struct dctload_limits").fields:
        value = getattr(limits, field)
        if value is not None:
            setattr(out, field, value)
    return out


def read_info(data: Any, limits_: Any, name: str) -> np.ndarray:
    """The header of ``data`` as an ``INFO_DTYPE`` array of shape ``(1,)``."""
    buffer = buffer_of(data)
    info = np.zeros(1, INFO_DTYPE)
    offset = ffi.new("size_t *")
    status = lib.dctload_read_info(
        ffi.cast("uint8_t *", buffer),
        len(buffer),
        limits(limits_),
        _pointer(info, "struct dctload_info *"),
        offset,
    )
    if status != OK:
        raise error(status, name, offset[0], len(buffer))
    return info


class Scratch:
    """A decoder's memory, for one thread at a time."""

    def __init__(self) -> None:
        decoder = lib.dctload_alloc_decoder()
        if decoder == ffi.NULL:
            raise MemoryError("no memory for a decoder")
        self.decoder = ffi.gc(decoder, lib.dctload_free_decoder)
        self._offset = ffi.new("size_t *")
        self._nbytes = ffi.new("size_t *")
        self._info = ffi.new("struct dctload_info *")
        self._region = ffi.new("struct dctload_region *")
        self._guess = 0  # bytes: what the last small image took

    def decode(
        self,
        data: Any,
        limits_: Any,
        flags: int,
        region: tuple[int, int, int, int] | None,
        name: str,
        take: Callable[[int], np.ndarray],
    ) -> tuple[np.ndarray, bytes]:
        """Decode ``data`` into memory that ``take(nbytes)`` gives.

        ``region`` has the fields of ``struct dctload_region``. Returns the memory,
        with the planes one after the other, and the bytes of the header, an
        ``INFO_DTYPE``.
        """
        buffer = buffer_of(data, "uint8_t[]")
        window = ffi.NULL
        if region is not None:
            window = self._region
            window.left, window.top, window.width, window.height = region
        limits_ = limits(limits_)
        memory = take(self._guess)
        while True:
            status = lib.dctload_decode_region(
                self.decoder,
                buffer,
                len(buffer),
                limits_,
                flags,
                window,
                ffi.from_buffer(memory),
                memory.nbytes,
                self._nbytes,
                self._info,
                self._offset,
            )
            if status != OK:
                raise error(status, name, self._offset[0], len(buffer))
            nbytes = self._nbytes[0]
            if nbytes <= memory.nbytes:
                break
            memory = take(nbytes)
        if nbytes < memory.nbytes // 2:
            memory = memory[:nbytes].copy()
        self._guess = nbytes if nbytes <= _GUESSED_NBYTES else 0
        return memory, ffi.buffer(self._info)[:]


# An image after another of the same size, if they are small, saves reading the
# header twice, which is a good part of the work.
_GUESSED_NBYTES = 64 << 10

_local = threading.local()


def thread_scratch() -> Scratch:
    """The calling thread's scratch, made at the first call."""
    try:
        return _local.scratch  # type: ignore[no-any-return]
    except AttributeError:
        _local.scratch = Scratch()
        return _local.scratch  # type: ignore[no-any-return]


def encode(info: np.ndarray, planes: Sequence[np.ndarray], optimize: bool) -> bytes:
    """A baseline JPEG that holds exactly ``planes``."""
    _check_grids(info[0], planes)
    pointers = _planes(planes)
    info_pointer = _pointer(info, "struct dctload_info *")
    nbytes = ffi.new("size_t *")
    args = (info_pointer, ffi.cast("int16_t const *const *", pointers), int(optimize))
    check(lib.dctload_encode(*args, ffi.NULL, 0, nbytes), "encode")
    out = np.empty(nbytes[0], np.uint8)
    check(
        lib.dctload_encode(*args, _pointer(out, "uint8_t *"), out.size, nbytes),
        "encode",
    )
    return out[: nbytes[0]].tobytes()


# ---- coefficients to tensors ------------------------------------------------------


_DTYPES = {
    "float32": lib.DCTLOAD_F32,
    "float16": lib.DCTLOAD_F16,
    "bfloat16": lib.DCTLOAD_BF16,
    "int16": lib.DCTLOAD_I16,
    "int8": lib.DCTLOAD_I8,
}
LAYOUTS = {"planes": lib.DCTLOAD_PLANES, "concat": lib.DCTLOAD_CONCAT}


def make_output(
    width: int,
    height: int,
    layout: str,
    dtype: str,
    channels_last: bool,
    frequencies: Sequence[Sequence[int]],
    scale: np.ndarray | None = None,
    offset: np.ndarray | None = None,
) -> Any:
    """``struct dctload_output *``.

    Args:
        width: In samples, a multiple of 8, of 16 for "planes".
        height: Likewise.
        layout: A key of ``LAYOUTS``.
        dtype: "float32", "float16", "bfloat16", "int16" or "int8".
        channels_last: Channels are the innermost axis.
        frequencies: Natural indices for Y, Cb and Cr, ascending.
        scale: float32 ``(3, 64)``: of channel j of component c; None is ones.
        offset: float32 ``(3, 64)``, added after scaling; None is zeros.
    """
    multiple = 16 if layout == "planes" else 8
    if width % multiple or height % multiple or width <= 0 or height <= 0:
        raise ValueError(
            f"the size for layout {layout!r} must be a multiple of {multiple}, "
            f"got {width}x{height}"
        )
    if dtype not in _DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, got {dtype}")
    output = ffi.new("struct dctload_output *")
    record = np.frombuffer(ffi.buffer(output), OUTPUT_DTYPE)[0]
    record["width"], record["height"] = width, height
    record["layout"], record["dtype"] = LAYOUTS[layout], _DTYPES[dtype]
    record["channels_last"] = channels_last
    record["scale"] = 1 if scale is None else scale
    record["offset"] = 0 if offset is None else offset
    for c, kept in enumerate(frequencies):
        if list(kept) != sorted(set(kept)) or not set(kept) <= set(range(64)):
            raise ValueError(f"frequencies must ascend from 0 to 63, got {list(kept)}")
        record["num_freqs"][c] = len(kept)
        record["freqs"][c, : len(kept)] = kept
    return output


def output_nbytes(output: Any) -> tuple[int, int]:
    """Bytes of one sample in each of the two output tensors."""
    nbytes = ffi.new("size_t[2]")
    lib.dctload_output_nbytes(output, nbytes)
    return nbytes[0], nbytes[1]


def transform(
    info: np.ndarray,
    planes: Sequence[np.ndarray],
    geometry: np.ndarray,
    output: Any,
    out: Sequence[int],
    name: str = "<image>",
) -> None:
    """Coefficients to one sample; ``out`` are the addresses of its tensors."""
    _check_grids(info[0], planes)
    pointers = _planes(planes)
    outs = ffi.new("void *[2]", [ffi.cast("void *", address) for address in out])
    status = lib.dctload_transform(
        thread_scratch().decoder,
        _pointer(info, "struct dctload_info *"),
        ffi.cast("int16_t const *const *", pointers),
        _pointer(geometry, "struct dctload_geometry *"),
        output,
        outs,
    )
    check(status, name)


def resized_header(
    header: np.ndarray, width: int, height: int, transpose: bool
) -> np.ndarray:
    """The header of amplitudes at another size: other grids, tables of ones."""
    out = header.copy()
    info = out[0]
    info["width"], info["height"] = width, height
    info["qtables"] = 1
    components = info["components"]
    if transpose:
        info["h_max"], info["v_max"] = header[0]["v_max"], header[0]["h_max"]
        components["h"], components["v"] = (
            header[0]["components"]["v"],
            header[0]["components"]["h"],
        )
    for c in components[: info["num_components"]]:
        c["width"] = -(-width * int(c["h"]) // int(info["h_max"]))
        c["height"] = -(-height * int(c["v"]) // int(info["v_max"]))
        c["blocks_w"] = -(-int(c["width"]) // 8)
        c["blocks_h"] = -(-int(c["height"]) // 8)
    return out


def make_header(
    width: int, height: int, num_components: int, factors: tuple[int, int]
) -> np.ndarray:
    """The header of a JFIF image with tables of ones; ``factors`` are luma's."""
    header = np.zeros(1, INFO_DTYPE)
    info = header[0]
    info["num_components"] = num_components
    info["h_max"], info["v_max"] = factors
    info["orientation"] = 1
    info["has_jfif"] = 1
    info["adobe_transform"] = -1
    info["color"] = lib.DCTLOAD_GRAY if num_components == 1 else lib.DCTLOAD_YCBCR
    components = info["components"][:num_components]
    components["id"] = np.arange(1, num_components + 1)
    components["h"], components["v"] = 1, 1
    components["h"][0], components["v"][0] = factors
    components["quant_index"][1:] = 1
    return resized_header(header, width, height, transpose=False)


def resample(
    header: np.ndarray,
    planes: Sequence[np.ndarray],
    geometry: np.ndarray,
    width: int,
    height: int,
) -> list[np.ndarray]:
    """The geometry alone: float32 amplitudes ``(by, bx, 8, 8)`` per component.

    ``width`` and ``height`` are what the geometry gives.
    """
    _check_grids(header[0], planes)
    pointers = _planes(planes)
    outs = ffi.new("float *[]", MAX_COMPONENTS)
    result = []
    after = resized_header(header, width, height, bool(geometry[0]["transpose"]))
    for c, grid in enumerate(after[0]["components"][: len(planes)]):
        shape = (int(grid["blocks_h"]), int(grid["blocks_w"]), 8, 8)
        plane = np.empty(shape, np.float32)
        outs[c] = _pointer(plane, "float *")
        result.append(plane)
    status = lib.dctload_resample(
        thread_scratch().decoder,
        _pointer(header, "struct dctload_info *"),
        ffi.cast("int16_t const *const *", pointers),
        _pointer(geometry, "struct dctload_geometry *"),
        outs,
    )
    check(status, "resample")
    return result


def cpu_features() -> str:
    """The CPU variants in use, e.g. ``"bmi2 avx2"``."""
    return ffi.string(lib.dctload_cpu_features()).decode()  # type: ignore[no-any-return]


# ---- random numbers -----------------------------------------------------------------


def uniforms(
    seed: int, epoch: int, indices: np.ndarray, num: int, slot: int = 0
) -> np.ndarray:
    """``num`` numbers in [0, 1) for each index: float64 ``(N, num)``.

    A pure function of its arguments: Philox4x64-10 with the key (seed, epoch)
    and the counter (index, draw // 4, slot).
    """
    indices = np.ascontiguousarray(indices, np.uint64)
    out = np.empty((indices.size, num))
    lib.dctload_uniforms(
        seed & (2**64 - 1),
        epoch,
        c_array(indices, "uint64", indices.size),
        indices.size,
        num,
        slot,
        c_array(out, "float64", out.size),
    )
    return out
