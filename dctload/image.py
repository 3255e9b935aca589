"""One JPEG, or many, as DCT coefficients."""

import itertools
import operator
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _native, _pixels
from ._memory import Pool
from ._results import Packed, Shelf, Single, Source

if TYPE_CHECKING:
    import torch

Array: TypeAlias = npt.NDArray[Any]
# Bytes-like objects (the buffer protocol has no name before Python 3.12), paths.
Data: TypeAlias = "bytes | bytearray | memoryview | npt.NDArray[np.uint8]"
File: TypeAlias = "Data | str | os.PathLike[str]"
# Top, left, height, width in pixels, as torchvision's crop takes them.
Region: TypeAlias = tuple[int, int, int, int]

_COLORS = ("unknown", "grey", "YCbCr", "RGB", "CMYK", "YCCK")
_WARNINGS = (
    "no EOI marker",
    "junk between segments",
    "bytes after EOI",
    "odd scan parameters",
    "truncated",
    "segment length below 2",
)
# Sampling of luma over chroma, horizontally and vertically, as people call it.
_SUBSAMPLING = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (1, 2): "4:4:0",
    (2, 2): "4:2:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}


@dataclass(frozen=True)
class Limits:
    """What to refuse before any memory is taken; None is the default.

    Attributes:
        max_pixels: Width times height (default 178,956,970).
        max_output_nbytes: Of all coefficients as int16 (default 2 GiB).
        max_components: 1 to 4 (default 4).
        max_scans: Of a progressive file (default 500): many scans cost much time
            for few bytes.
    """

    max_pixels: int | None = None
    max_output_nbytes: int | None = None
    max_components: int | None = None
    max_scans: int | None = None

    def __post_init__(self) -> None:
        for field, value in vars(self).items():
            if value is not None and value < 0:
                raise ValueError(f"{field} must be >= 0, got {value}")


@dataclass(frozen=True)
class Component:
    """One colour component and its grid of blocks.

    Attributes:
        id: The component's identifier in the file.
        h: Horizontal sampling factor, 1 to 4.
        v: Vertical sampling factor.
        width: In samples.
        height: In samples.
        blocks_w: ``ceil(width / 8)``, not padded to whole MCUs.
        blocks_h: ``ceil(height / 8)``.
        quant_index: The slot of the quantisation table.
    """

    id: int
    h: int
    v: int
    width: int
    height: int
    blocks_w: int
    blocks_h: int
    quant_index: int


@dataclass(frozen=True)
class JpegInfo:
    """What the header of a file says.

    Attributes:
        width: In pixels, orientation not applied; of the window, if only a region
            was decoded.
        height: In pixels.
        left: Where the window begins in the stored image, in pixels: 0 unless only
            a region was decoded. A multiple of 8 times the largest ``h``.
        top: The same, of rows: a multiple of 8 times the largest ``v``.
        components: In the order of the frame header.
        subsampling: "4:2:0" and the like, "grey", or "2x2,1x1,2x1" where there is
            no name for it.
        progressive: Spectral selection or successive approximation.
        orientation: EXIF, 1 to 8; 1 if absent.
        color: "grey", "YCbCr", "RGB", "CMYK", "YCCK" or "unknown", by libjpeg's
            rules.
        restart_interval: MCUs between restart markers at the first scan, or 0.
        num_scans: Scans read; 0 if only the header was.
        has_jfif: A JFIF segment is there.
        adobe_transform: Of the Adobe segment, None without one.
        warnings: What was tolerated, in words.
        name: The path, or a word in its place.
    """

    width: int
    height: int
    left: int
    top: int
    components: tuple[Component, ...]
    subsampling: str
    progressive: bool
    orientation: int
    color: str
    restart_interval: int
    num_scans: int
    has_jfif: bool
    adobe_transform: int | None
    warnings: tuple[str, ...]
    name: str

    @property
    def num_components(self) -> int:
        """How many components there are."""
        return len(self.components)


def _subsampling(components: Sequence[Component]) -> str:
    """The name of a set of sampling factors."""
    if len(components) == 1:
        return "grey"
    h_max = max(c.h for c in components)
    v_max = max(c.v for c in components)
    factors = [(c.h, c.v) for c in components]
    chroma = factors[1]
    # A fourth component, K, is sampled as the first is.
    usual = [(h_max, v_max), chroma, chroma, (h_max, v_max)]
    if len(factors) >= 3 and factors == usual[: len(factors)]:
        whole = h_max % chroma[0] == v_max % chroma[1] == 0
        ratio = (h_max // chroma[0], v_max // chroma[1])
        if whole and ratio in _SUBSAMPLING:
            return _SUBSAMPLING[ratio]
    return ",".join(f"{h}x{v}" for h, v in factors)


def _info_from_header(header: Array, name: str) -> JpegInfo:
    """Python's view of the C struct."""
    names = header.dtype.names
    fields = dict(zip(names or (), header[0].tolist(), strict=True))
    parts = header["components"].dtype.names or ()
    components = []
    for values in header[0]["components"][: fields["num_components"]].tolist():
        components.append(Component(**dict(zip(parts, values, strict=True))))
    adobe = fields["adobe_transform"]
    return JpegInfo(
        width=fields["width"],
        height=fields["height"],
        left=fields["left"],
        top=fields["top"],
        components=tuple(components),
        subsampling=_subsampling(components),
        progressive=bool(fields["progressive"]),
        orientation=fields["orientation"],
        color=_COLORS[fields["color"]],
        restart_interval=fields["restart_interval"],
        num_scans=fields["num_scans"],
        has_jfif=bool(fields["has_jfif"]),
        adobe_transform=None if adobe < 0 else adobe,
        warnings=tuple(
            text for bit, text in enumerate(_WARNINGS) if fields["warnings"] >> bit & 1
        ),
        name=name,
    )


class DctImage:
    """An image as DCT coefficients; immutable, though its planes are arrays.

    ``planes[c] * qtables[c]`` is always the DCT amplitude of component ``c``:
    orthonormal 8x8 DCT-II of samples minus 128, so DC is 8 x (mean - 128).

    A decoded image holds int16 planes in quantization steps. Transforms give
    images with float32 planes of amplitudes, made when first looked at.
    """

    __slots__ = (
        "__weakref__",
        "_emission",
        "_i",
        "_info",
        "_pending",
        "_planes",
        "_source",
    )

    def __init__(self, source: Source, i: int = 0):
        self._source = source
        self._i = i
        self._planes: list[Array] | None = None
        self._info: JpegInfo | None = None
        self._pending: Any = None  # geometry not yet carried out
        self._emission: Any = None  # what to_tensor() selects and scales

    # ---- what users look at ----

    @property
    def planes(self) -> list[Array]:
        """A list of ``(by, bx, 8, 8)``: [block row, block column, v, u].

        ``v`` is vertical frequency, ``[..., 0, 0]`` is DC. The grid is
        ``ceil(size / 8)`` of each component, not padded to whole MCUs.
        """
        if self._planes is None:
            if self._pending is None:
                self._planes = self._source.planes(self._i)
            else:
                self._planes = self._pending.resample(self)
        return self._planes

    @property
    def qtables(self) -> npt.NDArray[np.uint16]:
        """Quantization tables, ``(C, 8, 8)``; ones where planes are amplitudes."""
        header = self._header()[0]
        num = int(header["num_components"])
        if self._is_float():
            return np.ones((num, 8, 8), np.uint16)
        tables: npt.NDArray[np.uint16] = header["qtables"][:num].reshape(num, 8, 8)
        return tables

    @property
    def info(self) -> JpegInfo:
        """The header of the file this image came from."""
        if self._info is None:
            self._info = _info_from_header(self._header(), self.name)
        return self._info

    @property
    def width(self) -> int:
        """In pixels, after all geometry."""
        if self._pending is not None:
            return int(self._pending.width[0])
        return int(self._header()[0]["width"])

    @property
    def height(self) -> int:
        """In pixels, after all geometry."""
        if self._pending is not None:
            return int(self._pending.height[0])
        return int(self._header()[0]["height"])

    @property
    def name(self) -> str:
        """The path, or a word in its place."""
        return self._source.name(self._i)

    def __repr__(self) -> str:
        kind = "amplitudes" if self._is_float() else "steps"
        size = f"{self.width}x{self.height}"
        return f"DctImage({self.name!r}, {size}, {self.info.subsampling}, {kind})"

    def __reduce__(self) -> tuple[Any, ...]:
        planes = self._source.planes(self._i)
        state = (planes, self._header().tobytes(), self.name)
        return _restore, (*state, self._pending, self._emission)

    # ---- for transforms ----

    def _header(self) -> Array:
        """The C struct of the stored planes: ``INFO_DTYPE``, shape ``(1,)``."""
        return self._source.header(self._i)

    def _is_float(self) -> bool:
        if self._pending is not None:
            return True
        return self.planes[0].dtype != np.int16

    def _replace(self, **fields: Any) -> "DctImage":
        """A copy with another ``pending`` or ``emission``."""
        out = DctImage(self._source, self._i)
        out._info = self._info
        out._pending = fields.get("pending", self._pending)
        out._emission = fields.get("emission", self._emission)
        if out._pending is self._pending:
            out._planes = self._planes
        return out

    def _with_amplitudes(self, planes: list[Array]) -> "DctImage":
        """A copy with other float32 planes, of the size that this image has."""
        transpose = self._pending is not None and bool(self._pending.transpose[0])
        header = _native.resized_header(
            self._header(), self.width, self.height, transpose
        )
        out = DctImage(Single(planes, header, self.name))
        out._emission = self._emission
        return out

    # ---- what it can become ----

    def dequantized(self) -> "DctImage":
        """The same image with float32 planes of DCT amplitudes."""
        tables = self.qtables.astype(np.float32)
        planes = [
            plane.astype(np.float32) * table
            for plane, table in zip(self.planes, tables, strict=True)
        ]
        return self._with_amplitudes(planes)

    def to_tensor(
        self,
        *,
        layout: Literal["concat", "planes"] = "concat",
        dtype: "torch.dtype | None" = None,
        memory_format: "torch.memory_format | None" = None,
    ) -> Any:
        """What one sample of a batch holds, as torch tensors without N.

        Args:
            layout: "concat": one tensor ``(Ky + Kc, height / 8, width / 8)``, Y, Cb
                and Cr, chroma resampled to luma's grid. "planes": a pair ``(y,
                cbcr)``, chroma at half the resolution.
            dtype: float32 (default), float16, bfloat16, int16 or int8.
            memory_format: ``torch.channels_last`` makes channels the innermost axis
                in memory.

        Raises:
            ValueError: The size is no multiple of 8 (of 16 for "planes").
            UnsupportedJPEGError: CMYK or YCCK, which is not linear in YCbCr.
        """
        from .transforms._plan import to_tensor

        return to_tensor(self, layout, dtype, memory_format)

    def to_rgb(self) -> npt.NDArray[np.uint8]:
        """Pixels ``(height, width, 3)``, to look at; not fast.

        The inverse DCT is exact, chroma is interpolated linearly. Grey becomes
        three equal channels; CMYK and YCCK are taken as Adobe's inverted ink, as
        Pillow does. The EXIF orientation is not applied.
        """
        width, height = self.width, self.height
        amplitudes = self.dequantized()
        samples = []
        components = amplitudes.info.components
        h_max = max(c.h for c in components)
        v_max = max(c.v for c in components)
        for plane, c in zip(amplitudes.planes, components, strict=True):
            stored = _pixels.stored_samples(plane, c.width, c.height)
            ratio = (h_max / c.h, v_max / c.v)
            samples.append(_pixels.stretch(stored, width, height, *ratio))
        return _pixels.rgb_from_components(samples, self.info.color)

    def save(self, path: "str | os.PathLike[str]", *, optimize: bool = True) -> None:
        """Write a baseline JPEG that holds exactly these coefficients.

        Args:
            path: The file to write.
            optimize: Huffman tables made for the image; otherwise the standard
                ones.

        Raises:
            ValueError: The planes are floating-point, or hold values larger than
                a baseline file can.
        """
        if self._is_float():
            raise ValueError("only quantised (int16) coefficients can be saved")
        data = _native.encode(self._header(), self.planes, optimize)
        with open(path, "wb") as file:
            file.write(data)


def _restore(
    planes: list[Array], header: bytes, name: str, pending: Any, emission: Any
) -> DctImage:
    info = np.frombuffer(header, _native.INFO_DTYPE)
    out = DctImage(Single(planes, info, name))
    out._pending = pending
    out._emission = emission
    return out


# ---- decoding ----------------------------------------------------------------------

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

    def __init__(self, num_threads: int = 1):
        if num_threads < 1:
            raise ValueError(f"num_threads must be >= 1, got {num_threads}")
        self.num_threads = num_threads
        self._pool = Pool()
        self._scratch: _native.Scratch | None = None
        self._engine: _native.Engine | None = None
        self._batch = _native.Batch(0)
        self._lock = threading.Lock()

    def decode(
        self,
        data: File,
        *,
        region: Region | None = None,
        allow_truncated: bool = False,
        limits: Limits | None = None,
    ) -> DctImage:
        """Decode one file; see :func:`dctload.decode`."""
        buffer, name = _read(data)
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
        self._begin()
        try:
            if self._scratch is None:
                self._scratch = _native.Scratch()
            memory, header = self._scratch.decode(
                data, limits, flags, window, name, self._take
            )
        finally:
            self._lock.release()
        return DctImage(Packed(memory, header, name))

    def _begin(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "this Decoder is at work in another thread; make one for each thread"
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
        windows = _native_regions(regions, len(files))
        if on_error not in ("raise", "return"):
            raise ValueError(f"on_error must be 'raise' or 'return', got {on_error!r}")
        flags = _native.ALLOW_TRUNCATED if allow_truncated else 0
        self._begin()
        try:
            paths = _paths(files)
            engine, batch = self._prepare(len(files))
            _set_files(batch, files, paths)
            if windows:
                batch.set_regions(windows)
            shelves = self._run(engine, batch, len(files), limits, flags)
            return _collect(batch, len(files), shelves, paths, on_error)
        finally:
            self._batch.forget_data()
            self._lock.release()

    def _run(
        self,
        engine: _native.Engine,
        batch: _native.Batch,
        num: int,
        limits: Limits | None,
        flags: int,
    ) -> list[tuple[Array, int]]:
        """Read and decode; returns the memory, and the item after each piece."""
        try:
            engine.submit_read(batch, num, limits)
            engine.wait(batch)
            shelves = self._reserve(batch, num)
            engine.submit_decode(batch, num, limits, flags)
            engine.wait(batch)
        except BaseException:
            # The memory must not be given away while threads write to it.
            engine.abandon(batch)
            raise
        return shelves

    def _prepare(self, num: int) -> tuple[_native.Engine, _native.Batch]:
        """An engine of this process, and a batch that is large enough."""
        engine = self._engine
        if engine is None or engine.pid != os.getpid():
            threads = self.num_threads if self.num_threads > 1 else 0
            self._engine = engine = _native.Engine(threads)
        if len(self._batch) < num:
            self._batch = _native.Batch(num)
        return engine, self._batch

    def _reserve(self, batch: _native.Batch, num: int) -> list[tuple[Array, int]]:
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
    batch: _native.Batch, files: Sequence[File], paths: dict[int, str]
) -> None:
    if not paths:
        batch.set_data(files)
        return
    batch.set_data([b"" if i in paths else file for i, file in enumerate(files)])
    batch.set_some_paths({i: os.fsencode(path) for i, path in paths.items()})


def _collect(
    batch: _native.Batch,
    num: int,
    shelves: list[tuple[Array, int]],
    paths: dict[int, str],
    on_error: str,
) -> list[Any]:
    """Images, on the shelves that their coefficients are on, and exceptions."""

    def name(i: int) -> str:
        return paths.get(i, f"<bytes {i}>")

    errors: dict[int, Exception] = {}
    for i in np.flatnonzero(batch.items["status"][:num]).tolist():
        error = batch.error(i, name(i))
        assert error is not None
        if on_error == "raise":
            raise error
        errors[i] = error
    out: list[Any] = []
    for memory, end in shelves:
        first = len(out)
        items = batch.items[first:end]
        infos = batch.copy_infos(first, end)
        shelf = Shelf(memory, infos, items["planes"], first, name)
        out += map(DctImage, itertools.repeat(shelf), range(end - first))
    for i, error in errors.items():
        out[i] = error
    return out


_local = threading.local()


def _thread_decoder(num_threads: int) -> Decoder:
    """The decoder behind the functions: one per thread."""
    decoder: Decoder | None = getattr(_local, "decoder", None)
    if decoder is None or decoder.num_threads != num_threads:
        decoder = Decoder(num_threads)
        decoder._pool = Pool(_KEPT_NBYTES)
        _local.decoder = decoder
    return decoder


# ---- functions ---------------------------------------------------------------------


def _read(data: Any) -> tuple[Any, str]:
    """The bytes to decode, and their name."""
    if type(data) is bytes:  # os.PathLike takes a while to say no
        return data, "<bytes>"
    if isinstance(data, (str, os.PathLike)):
        name = os.fspath(data)
        with open(name, "rb") as file:
            return file.read(), os.fsdecode(name)
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
    buffer, name = _read(data)
    return _info_from_header(_native.read_info(buffer, limits, name), name)


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
    buffer, name = _read(data)
    return _thread_decoder(1)._decode(buffer, name, region, allow_truncated, limits)


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
        files: Bytes-like objects and paths.
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
    return _thread_decoder(num_threads).decode_many(
        files,
        on_error=on_error,
        regions=regions,
        allow_truncated=allow_truncated,
        limits=limits,
    )


def from_rgb(array: npt.ArrayLike, subsampling: str = "4:2:0") -> DctImage:
    """The exact forward DCT of pixels, as an image with tables of ones.

    Args:
        array: uint8 pixels, ``(height, width, 3)``, or ``(height, width)`` for grey.
        subsampling: Of chroma, which is averaged: "4:4:4", "4:2:2", "4:4:0",
            "4:2:0", "4:1:1" or "4:1:0".

    Returns:
        The image: JFIF's YCbCr, amplitudes rounded to whole numbers.

    >>> image = from_rgb(np.zeros((16, 24, 3), np.uint8), "4:4:4")
    >>> [plane.shape for plane in image.planes], int(image.planes[0][0, 0, 0, 0])
    ([(2, 3, 8, 8), (2, 3, 8, 8), (2, 3, 8, 8)], -1024)
    """
    pixels = np.asarray(array)
    if pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(
            f"pixels must be uint8, got {pixels.dtype} of shape {pixels.shape}"
        )
    if pixels.ndim == 2:
        samples, factors = [pixels.astype(np.float64)], (1, 1)
    elif pixels.ndim == 3 and pixels.shape[2] == 3:
        samples, factors = _pixels.ycc_from_rgb(pixels), _factors(subsampling)
    else:
        raise ValueError(
            f"pixels must be (height, width, 3) or (height, width), got {pixels.shape}"
        )
    for c in range(1, len(samples)):
        samples[c] = _pixels.box_average(samples[c], *factors)
    planes = [_pixels.forward(component) for component in samples]
    height, width = pixels.shape[:2]
    header = _native.make_header(width, height, len(planes), factors)
    return DctImage(Single(planes, header, "<pixels>"))


def _factors(subsampling: str) -> tuple[int, int]:
    for factors, name in _SUBSAMPLING.items():
        if name == subsampling:
            return factors
    known = ", ".join(_SUBSAMPLING.values())
    raise ValueError(f"subsampling must be one of {known}, got {subsampling!r}")
