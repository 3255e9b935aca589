"""One JPEG as DCT coefficients."""

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _native, _pixels
from ._results import Single, Source
from .info import SUBSAMPLING, JpegInfo, info_from_header

if TYPE_CHECKING:
    import torch

Array: TypeAlias = npt.NDArray[Any]


class DctImage:
    """An image as DCT coefficients; immutable, though its planes are arrays.

    ``planes[c] * qtables[c]`` is always the DCT amplitude of component ``c``:
    orthonormal 8x8 DCT-II of samples minus 128, so DC is 8 x (mean - 128).

    A decoded image holds int16 planes in quantisation steps. Transforms give
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

    def __init__(self, source: Source, i: int = 0, planes: list[Array] | None = None):
        self._source = source
        self._i = i
        self._planes = planes
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
        """Quantisation tables, ``(C, 8, 8)``; ones where planes are amplitudes."""
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
            self._info = info_from_header(self._header(), self.name)
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
    for factors, name in SUBSAMPLING.items():
        if name == subsampling:
            return factors
    known = ", ".join(SUBSAMPLING.values())
    raise ValueError(f"subsampling must be one of {known}, got {subsampling!r}")
