"""From files to coefficients: one at a time, or many together."""

import itertools
import operator
import os
import threading
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _engine, _native
from ._files import read_file
from ._memory import Pool
from ._results import Cutter, Packed, Shelf
from .image import DctImage
from .info import JpegInfo, Limits, info_from_header

Array: TypeAlias = npt.NDArray[Any]
# Bytes-like objects (the buffer protocol has no name before Python 3.12), paths.
Data: TypeAlias = "bytes | bytearray | memoryview | npt.NDArray[np.uint8]"
File: TypeAlias = "Data | str | os.PathLike[str]"
# Top, left, height, width in pixels, as torchvision's crop takes them.
Region: TypeAlias = tuple[int, int, int, int]

# Images of a batch share blocks of this size: keeping one image keeps as much.
_SHELF_NBYTES = 8 << 20
# Single images below this use NumPy's allocator, which is quicker for them.
_POOLED_NBYTES = 256 << 10
# What the functions keep for the next call, per thread; a Decoder keeps all.
_KEPT_NBYTES = 256 << 20

_PATHS = (str, os.PathLike)


class Decoder:
    """Decodes as :func:`decode` and :func:`decode_many` do, and keeps its scratch.

    In a steady state no memory is taken from the system: results that nobody
    holds any more make room for new ones. Results that somebody holds never
    change. Images of one ``decode_many`` call share blocks of 8 MB, so an image
    that is kept for long may be worth copying. What is free is kept until the
    decoder goes.

    One thread at a time, which is checked; a forked child may go on using it.

    Args:
        num_threads: C threads for ``decode_many``; 1 works in the calling thread.
    """

    # The call that is under way: in the instance, while there is one.
    _call: object = None

    def __init__(self, num_threads: int = 1):
        if num_threads < 1:
            raise ValueError(f"num_threads must be >= 1, got {num_threads}")
        self.num_threads = num_threads
        self._pool = Pool()
        self._scratch: _native.Scratch | None = None
        self._engine: _engine.Engine | None = None
        self._batch = _engine.Batch(0)

    def decode(
        self,
        data: File,
        *,
        region: Region | None = None,
        allow_truncated: bool = False,
        limits: Limits | None = None,
    ) -> DctImage:
        """Decode one file; see :func:`dctload.decode`."""
        buffer, name = _read(data, limits)
        return self._decode(buffer, name, region, allow_truncated, limits)

    def _decode(
        self,
        data: Any,
        name: str,
        region: Region | None,
        allow_truncated: bool,
        limits: Limits | None,
    ) -> DctImage:
        window = None if region is None else _native_region(region)
        flags = _native.ALLOW_TRUNCATED if allow_truncated else 0
        call = object()
        try:
            self._begin(call)
            if self._scratch is None:
                self._scratch = _native.Scratch()
            memory, header = self._scratch.decode(
                data, limits, flags, window, name, self._take
            )
        finally:
            if self._call is call:
                del self._call
        return DctImage(Packed(memory, header, name))

    def _begin(self, call: object) -> None:
        """Take hold of the decoder, in the ``try`` whose end lets go of it.

        Python raises KeyboardInterrupt where a call begins or ends, so a lock could
        be taken and nobody know it. This is one step that also says who took it; and
        to let go needs no call.
        """
        if vars(self).setdefault("_call", call) is not call:
            raise RuntimeError(
                "this Decoder is at work in another thread, or in a call that this one "
                "interrupts; make one for each"
            )

    def _take(self, nbytes: int) -> Array:
        if nbytes < _POOLED_NBYTES:
            return np.empty(nbytes, np.uint8)
        return self._pool.take(nbytes)

    def decode_many(
        self,
        files: Sequence[File],
        *,
        on_error: Literal["raise", "return"] = "raise",
        regions: Sequence[Region | None] | None = None,
        allow_truncated: bool = False,
        limits: Limits | None = None,
    ) -> list[Any]:
        """Decode many files; see :func:`dctload.decode_many`."""
        if isinstance(files, (str, bytes)):  # sequences too, of what is no file
            raise TypeError(f"files must be a list, got one {type(files).__name__}")
        windows = _native_regions(regions, len(files))
        if on_error not in ("raise", "return"):
            raise ValueError(f"on_error must be 'raise' or 'return', got {on_error!r}")
        flags = _native.ALLOW_TRUNCATED if allow_truncated else 0
        call = object()
        try:
            self._begin(call)
            return self._decode_many(files, windows, limits, flags, on_error)
        finally:
            if self._call is call:
                del self._call

    def _decode_many(
        self,
        files: Sequence[File],
        windows: dict[int, tuple[int, int, int, int]],
        limits: Limits | None,
        flags: int,
        on_error: str,
    ) -> list[Any]:
        paths = _paths(files)
        engine, batch = self._prepare(len(files))
        try:
            _set_files(batch, files, paths)
            if windows:
                batch.set_regions(windows)
            shelves = self._run(engine, batch, len(files), limits, flags)
            return _collect(batch, shelves, paths, on_error)
        finally:
            batch.forget_data()

    def _run(
        self,
        engine: _engine.Engine,
        batch: _engine.Batch,
        num: int,
        limits: Limits | None,
        flags: int,
    ) -> list[list[list[Array]]]:
        """Read and decode; returns the planes of images, piece of memory by piece."""
        cutter = None
        try:
            engine.submit_read(batch, num, limits)
            engine.wait(batch)
            memory = self._reserve(batch, num)
            if engine.num_threads != 0 and not batch.has_regions:
                cutter = Cutter(batch, num, memory)
            engine.submit_decode(batch, num, limits, flags)
            if cutter is not None:
                # Views of what is not there yet: threads are at work meanwhile.
                shelves = cutter.cut()
            engine.wait(batch)
        except BaseException:
            # The memory must not be given away while threads write to it.
            engine.abandon(batch)
            raise
        if cutter is None:
            # This thread did the work, or the grids of regions are known only now.
            shelves = Cutter(batch, num, memory).cut()
        return shelves

    def _prepare(self, num: int) -> tuple[_engine.Engine, _engine.Batch]:
        """An engine of this process, and a batch that is large enough."""
        engine = self._engine
        if engine is None or engine.pid != os.getpid():
            threads = self.num_threads if self.num_threads > 1 else 0
            self._engine = engine = _engine.Engine(threads)
        if len(self._batch) < num:
            self._batch = _engine.Batch(num)
        return engine, self._batch

    def _reserve(self, batch: _engine.Batch, num: int) -> list[tuple[Array, int]]:
        """Memory for all that have a header, and the item after each piece."""
        shelves = []
        first, nbytes = 0, 0
        while first < num:
            memory = self._pool.take(max(nbytes, _SHELF_NBYTES))
            first, nbytes = batch.place_planes(first, num, memory)
            shelves.append((memory, first))
        return shelves


def _native_region(region: Region) -> tuple[int, int, int, int]:
    """Left, top, width and height, which C compares with the image's."""
    if len(region) != 4:
        raise ValueError(f"a region is (top, left, height, width), got {region}")
    top, left, height, width = map(operator.index, region)
    most = 0xFFFF
    if not (0 <= top <= most and 0 <= left <= most):
        raise ValueError(f"a region's top and left must be in the image, got {region}")
    if not (0 < height <= most and 0 < width <= most):
        raise ValueError(
            f"a region's height and width must be 1 to {most}, got {region}"
        )
    return left, top, width, height


def _native_regions(
    regions: Sequence[Region | None] | None, num: int
) -> dict[int, tuple[int, int, int, int]]:
    """Those that are not None, by their place."""
    if regions is None:
        return {}
    if len(regions) != num:
        raise ValueError(f"{len(regions)} regions for {num} files")
    return {i: _native_region(r) for i, r in enumerate(regions) if r is not None}


def _paths(files: Sequence[File]) -> dict[int, str]:
    """The files that are paths, by their place."""
    if not any(issubclass(kind, _PATHS) for kind in set(map(type, files))):
        return {}
    return {i: os.fsdecode(f) for i, f in enumerate(files) if isinstance(f, _PATHS)}


def _set_files(
    batch: _engine.Batch, files: Sequence[File], paths: dict[int, str]
) -> None:
    if not paths:
        batch.set_data(files)
        return
    batch.set_data([b"" if i in paths else file for i, file in enumerate(files)])
    batch.set_some_paths({i: os.fsencode(path) for i, path in paths.items()})


def _collect(
    batch: _engine.Batch,
    shelves: list[list[list[Array]]],
    paths: dict[int, str],
    on_error: str,
) -> list[Any]:
    """Images, on the shelves that their coefficients are on, and exceptions."""

    def name(i: int) -> str:
        return paths.get(i, f"<bytes {i}>")

    num = sum(map(len, shelves))
    errors: dict[int, Exception] = {}
    for i in batch.failed(num):
        error = batch.error(i, name(i))
        assert error is not None
        if on_error == "raise":
            raise error
        errors[i] = error
    out: list[Any] = []
    for planes in shelves:
        first = len(out)
        headers = batch.copy_infos(first, first + len(planes))
        shelf = Shelf(planes, headers, first, name)
        out += map(DctImage, itertools.repeat(shelf), itertools.count(), planes)
    for i, error in errors.items():
        out[i] = error
    return out


_local = threading.local()


def thread_decoder(num_threads: int) -> Decoder:
    """The decoder behind the functions: one per thread."""
    decoder: Decoder | None = getattr(_local, "decoder", None)
    if decoder is None or decoder.num_threads != num_threads:
        decoder = Decoder(num_threads)
        decoder._pool = Pool(_KEPT_NBYTES)
        _local.decoder = decoder
    return decoder


# ---- functions ---------------------------------------------------------------------


def _read(data: Any, limits: Limits | None) -> tuple[Any, str]:
    """The bytes to decode, and their name."""
    if type(data) is bytes:  # os.PathLike takes a while to say no
        return data, "<bytes>"
    if isinstance(data, (str, os.PathLike)):
        return read_file(data, limits, jpeg=True), os.fsdecode(data)
    return data, "<bytes>"


def read_info(data: File, *, limits: Limits | None = None) -> JpegInfo:
    """Read the header of one JPEG, up to its first scan.

    Args:
        data: The file's bytes, or its path.
        limits: Refuse larger images.

    Raises:
        CorruptJPEGError: The header is broken, or this is not a JPEG.
        UnsupportedJPEGError: Arithmetic coding, lossless, or 12-bit samples.
        LimitError: Larger than ``limits`` allow.
        OSError: The file cannot be read.
    """
    buffer, name = _read(data, limits)
    return info_from_header(_native.read_info(buffer, limits, name), name)


def decode(
    data: File,
    *,
    region: Region | None = None,
    allow_truncated: bool = False,
    limits: Limits | None = None,
) -> DctImage:
    """Entropy-decode one JPEG into quantised DCT coefficients.

    Stops after Huffman decoding: nothing is dequantised, inverse-transformed,
    upsampled or converted. The integers are the ones stored in the file, bit by
    bit those of libjpeg. The EXIF orientation is reported, not applied.

    Args:
        data: The file's bytes, read in place and not kept, or its path.
        region: ``(top, left, height, width)`` in pixels: decode no more than the
            window of whole MCUs that this touches. ``info.top`` and ``info.left``
            tell where it begins, ``width`` and ``height`` how large it is, and its
            blocks are those of the whole image. Damage that lies outside of what
            has to be read for it is not found.
        allow_truncated: Give libjpeg's filling where data are missing, instead of
            an error.
        limits: Refuse larger images before any memory is taken.

    Returns:
        The image; ``.planes`` are int16 ``(by, bx, 8, 8)``.

    Raises:
        CorruptJPEGError: The data break off or are not a JPEG; has ``.offset``.
        UnsupportedJPEGError: Arithmetic coding, lossless, or 12-bit samples.
        LimitError: Larger than ``limits`` allow.
        OSError: The file cannot be read.
        ValueError: ``region`` is empty or not inside the image.

    The GIL is released while decoding. To decode many, use :func:`decode_many`.
    """
    buffer, name = _read(data, limits)
    return thread_decoder(1)._decode(buffer, name, region, allow_truncated, limits)


def decode_many(
    files: Sequence[File],
    num_threads: int = 1,
    on_error: Literal["raise", "return"] = "raise",
    *,
    regions: Sequence[Region | None] | None = None,
    allow_truncated: bool = False,
    limits: Limits | None = None,
) -> list[Any]:
    """Decode many files: faster than one after the other, on one thread too.

    Args:
        files: Paths, and bytes-like objects that do not change meanwhile.
        num_threads: C threads; 1 works in the calling thread.
        on_error: "raise" raises the first file's exception; "return" puts each
            exception in its image's place.
        regions: One for each file, as for :func:`decode`; None is the whole image.
        allow_truncated: As for :func:`decode`.
        limits: As for :func:`decode`.

    Returns:
        An image, or an exception, for each file. To call this again and again,
        use a :class:`Decoder`.
    """
    return thread_decoder(num_threads).decode_many(
        files,
        on_error=on_error,
        regions=regions,
        allow_truncated=allow_truncated,
        limits=limits,
    )
