"""Changes that are not linear, on amplitudes in NumPy, one image at a time.

Solarize, posterize, equalize and autocontrast work on the means of blocks, as
Park and Johnson ("RGB no more", CVPR 2023) define them: no sample is made, and what
happens inside a block follows its mean. The rest is exact.
"""

# ruff: noqa: D102 - what overrides is described in _base

from typing import Any

import numpy as np

from .. import _resample
from ._base import Array, Transform
from .geometry import fill_levels

LOW, HIGH = -1024.0, 1016.0  # amplitudes of DC that 8-bit samples can have

# ITU-T T.81 K.1: the tables that quality 50 stands for, natural order.
_LUMA = """
16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56
14 17 22 29 51 87 80 62 18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92
49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
"""
_CHROMA_CORNER = [
    [17, 18, 24, 47],
    [18, 21, 26, 66],
    [24, 26, 56, 99],
    [47, 66, 99, 99],
]


def quality_tables(quality: int) -> Array:
    """Libjpeg's tables for a quality of 1 to 100, (2, 8, 8): luma and chroma."""
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be 1 to 100, got {quality}")
    base = np.full((2, 8, 8), 99)
    base[0] = np.array(_LUMA.split(), int).reshape(8, 8)
    base[1, :4, :4] = _CHROMA_CORNER
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables: Array = np.clip((base * scale + 50) // 100, 1, 255)
    return tables


class PlaneTransform(Transform):
    """A transform of float planes of Y, Cb and Cr, with probability ``p``.

    The first number drawn decides whether; the rest are the transform's own.
    """

    num_draws = 1

    def __init__(self, p: float = 0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"p must be 0 to 1, got {p}")
        self.p = p

    def change(self, planes: list[Array], u: Array) -> list[Array]:
        """New planes; those given are the transform's to write to."""
        raise NotImplementedError

    def apply_image(self, image: Any, u: Array) -> Any:
        if u[0, 0] >= self.p:
            return image
        planes = [plane.astype(np.float32) for plane in image.dequantized().planes]
        if image.info.color != "RGB":
            return image._with_amplitudes(self.change(planes, u[0, 1:]))
        ycc = np.tensordot(_resample.YCC_FROM_RGB, np.stack(planes), 1)
        changed = np.stack(self.change(list(ycc.astype(np.float32)), u[0, 1:]))
        back = np.tensordot(np.linalg.inv(_resample.YCC_FROM_RGB), changed, 1)
        return image._with_amplitudes(list(back.astype(np.float32)))


def _dc(plane: Array) -> Array:
    """The DC of every block, as a view."""
    return plane[..., 0, 0]


def autocontrast(planes: list[Array]) -> list[Array]:
    """Stretch the means of luma blocks to the full range."""
    dc = _dc(planes[0])
    low, high = float(dc.min()), float(dc.max())
    if high > low:
        dc[:] = (dc - low) * ((HIGH - LOW) / (high - low)) + LOW
    return planes


def autosaturation(planes: list[Array]) -> list[Array]:
    """Stretch the means of chroma blocks to the full range, around no colour."""
    largest = max((float(np.abs(_dc(plane)).max()) for plane in planes[1:]), default=0)
    for plane in planes[1:]:
        if largest > 0:
            _dc(plane)[:] *= HIGH / largest
    return planes


def equalize(planes: list[Array]) -> list[Array]:
    """Give the means of luma blocks a flat histogram of 256 levels."""
    dc = _dc(planes[0])
    level = np.clip(np.rint(dc / 8 + 128), 0, 255).astype(np.int64)
    counts = np.bincount(level.reshape(-1), minlength=256)
    below = np.cumsum(counts) - counts[level.min()]
    rest = level.size - counts[level.min()]
    if rest > 0:
        dc[:] = (np.maximum(below, 0) / rest * 255 - 128)[level] * 8
    return planes


def posterize(planes: list[Array], bits: int) -> list[Array]:
    """Keep ``bits`` of the 8 bits of every block's mean."""
    step = 8.0 * 2 ** (8 - bits)
    for plane in planes:
        _dc(plane)[:] = np.floor((_dc(plane) + 1024) / step) * step - 1024
    return planes


def solarize(planes: list[Array], threshold: float) -> list[Array]:
    """Negate the blocks whose luma mean is above a level of 0 to 255."""
    mask = _dc(planes[0]) / 8 + 128 >= threshold
    out = []
    for plane in planes:
        rows = np.arange(plane.shape[0]) * mask.shape[0] // plane.shape[0]
        columns = np.arange(plane.shape[1]) * mask.shape[1] // plane.shape[1]
        here = mask[np.ix_(rows, columns)][..., None, None]
        out.append(np.where(here, -plane, plane))
    return out


def solarize_add(planes: list[Array], amount: float) -> list[Array]:
    """Add to the DC of dark luma blocks, up to white."""
    dc = _dc(planes[0])
    dc[:] = np.where(dc < 0, np.minimum(dc + amount, HIGH), dc)
    return planes


class RandomAutocontrast(PlaneTransform):
    """Stretch the means of luma blocks to the full range."""

    def change(self, planes: list[Array], u: Array) -> list[Array]:
        return autocontrast(planes)


class RandomEqualize(PlaneTransform):
    """Give the means of luma blocks a flat histogram."""

    def change(self, planes: list[Array], u: Array) -> list[Array]:
        return equalize(planes)


class RandomPosterize(PlaneTransform):
    """Keep ``bits`` (0 to 8) of the means of blocks."""

    def __init__(self, bits: int, p: float = 0.5):
        super().__init__(p)
        if not 0 <= bits <= 8:
            raise ValueError(f"bits must be 0 to 8, got {bits}")
        self.bits = bits

    def change(self, planes: list[Array], u: Array) -> list[Array]:
        return posterize(planes, self.bits)


class RandomSolarize(PlaneTransform):
    """Negate the blocks whose mean is at least ``threshold``, 0 to 255."""

    def __init__(self, threshold: float, p: float = 0.5):
        super().__init__(p)
        self.threshold = threshold

    def change(self, planes: list[Array], u: Array) -> list[Array]:
        return solarize(planes, self.threshold)


def generator(u: float) -> np.random.Generator:
    """Many random numbers from one."""
    return np.random.default_rng(int(u * 2**53))


class GaussianNoise(PlaneTransform):
    """Add white noise of deviation ``sigma`` (of 1.0) to every sample: exact.

    The DCT is orthonormal, so noise of the same deviation is added to amplitudes.
    """

    num_draws = 2

    def __init__(self, sigma: float = 0.1, p: float = 1.0):
        super().__init__(p)
        if sigma < 0:
            raise ValueError(f"sigma must be >= 0, got {sigma}")
        self.sigma = sigma

    def change(self, planes: list[Array], u: Array) -> list[Array]:
        rng = generator(u[0])
        spread = np.float32(255 * self.sigma)
        return [
            plane + spread * rng.standard_normal(plane.shape, np.float32)
            for plane in planes
        ]


class RandomJPEG(PlaneTransform):
    """Quantise again, as an encoder of a quality drawn from ``quality`` would.

    Before any geometry this is what re-encoding does to coefficients; after it, what
    encoding the result does.

    Args:
        quality: Least and largest, or one number.
        p: How often.
    """

    num_draws = 2

    def __init__(self, quality: Any = (40, 95), p: float = 1.0):
        super().__init__(p)
        low, high = (quality, quality) if isinstance(quality, int) else quality
        if low > high:
            raise ValueError(f"quality must be (low, high), got {quality}")
        quality_tables(low), quality_tables(high)
        self.quality = int(low), int(high)

    def change(self, planes: list[Array], u: Array) -> list[Array]:
        low, high = self.quality
        tables = quality_tables(low + int(u[0] * (high - low + 1)))
        out = []
        for c, plane in enumerate(planes):
            table = tables[min(c, 1)].astype(np.float32)
            out.append(np.rint(plane / table) * table)
        return out


class RandomErasing(PlaneTransform):
    """Paint a random rectangle, at any sample, in one colour: exact.

    Args:
        p: How often.
        scale: Least and largest share of the area.
        ratio: Least and largest height / width.
        value: A grey or an RGB colour, 0 to 255.
    """

    ATTEMPTS = 10
    num_draws = 3 + 2 * ATTEMPTS

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: Any = 0,
    ):
        super().__init__(p)
        self.scale, self.ratio, self.value = scale, ratio, value
        self._levels = fill_levels(value)

    def _box(self, size: tuple[float, float], u: Array) -> tuple[float, ...] | None:
        """Top, left, bottom and right as shares of the image."""
        height, width = size
        low, high = np.log(self.ratio)
        for k in range(self.ATTEMPTS):
            share = self.scale[0] + (self.scale[1] - self.scale[0]) * u[2 + 2 * k]
            aspect = np.exp(low + (high - low) * u[3 + 2 * k])
            h = round(float(np.sqrt(height * width * share * aspect)))
            w = round(float(np.sqrt(height * width * share / aspect)))
            if h < height and w < width:
                top = int(u[0] * (height - h + 1))
                left = int(u[1] * (width - w + 1))
                return (
                    top / height,
                    left / width,
                    (top + h) / height,
                    (left + w) / width,
                )
        return None

    def change(self, planes: list[Array], u: Array) -> list[Array]:
        size = 8.0 * planes[0].shape[0], 8.0 * planes[0].shape[1]
        box = self._box(size, u)
        return planes if box is None else erase(planes, box, self._levels)


def erase(
    planes: list[Array], box: tuple[float, ...], levels: tuple[float, ...]
) -> list[Array]:
    """Paint a rectangle, given in shares of the image."""
    top, left, bottom, right = box
    d = _resample.dct_matrix()
    out = []
    for plane, level in zip(planes, levels, strict=False):
        by, bx = plane.shape[:2]
        rows = slice(round(8 * by * top), round(8 * by * bottom))
        columns = slice(round(8 * bx * left), round(8 * bx * right))
        # Only blocks that the rectangle touches change.
        y = slice(rows.start // 8, -(-rows.stop // 8))
        x = slice(columns.start // 8, -(-columns.stop // 8))
        part = np.einsum("vy,pqvu,ux->pyqx", d, plane[y, x], d, optimize=True)
        shape = part.shape
        samples = part.reshape(shape[0] * 8, shape[2] * 8)
        samples[
            rows.start - 8 * y.start : rows.stop - 8 * y.start,
            columns.start - 8 * x.start : columns.stop - 8 * x.start,
        ] = level
        samples = samples.reshape(shape)
        plane[y, x] = np.einsum("vy,pyqx,ux->pqvu", d, samples, d, optimize=True)
        out.append(plane)
    return out
