"""Changes that are not linear: on RGB at the size of the output, or on amplitudes.

Solarize, posterize, equalize and autocontrast see RGB as a pixel pipeline would, at
luma resolution, clamped to 0..255 but not rounded; where they depend on a level, it is
the rounded one. What they mean is described at ``enum dctload_op_kind``
(``csrc/dctload.h``).
"""

# ruff: noqa: D102 - what overrides is described in _base

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._geometry import Geometry
from .._ops import Op, params
from .._ops_numpy import quality_tables
from ._base import Array, GeometryTransform
from .geometry import fill_levels


class OpTransform(GeometryTransform):
    """One operation with probability ``p``.

    The first number drawn decides whether; the rest are the transform's own.

    Attributes:
        kind: Which operation.
    """

    num_draws = 1
    kind: Op

    def __init__(self, p: float = 0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"p must be 0 to 1, got {p}")
        self.p = p

    @property
    def op_kinds(self) -> frozenset[Op]:  # type: ignore[override]
        """Of the operations that it may leave an image with."""
        return frozenset({self.kind})

    def parameters(self, geometry: Geometry, u: Array) -> tuple[Array, Array]:
        """The operation's (N, ...), and where there are any."""
        return np.empty((len(u), 0)), np.ones(len(u), bool)

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        p, possible = self.parameters(geometry, u[:, 1:])
        mask = (u[:, 0] < self.p) & possible
        return geometry.with_op(self.kind, p, mask, self.seeds(u[:, 1:]))

    def seeds(self, u: Array) -> "Array | None":
        """Of what is random inside the operation."""
        return None


def seeds_of(u: Array) -> Array:
    """32 bits of a uniform number."""
    return (u * 2**32).astype(np.uint32)


class RandomAutocontrast(OpTransform):
    """Stretch each channel of RGB to the full range with probability ``p``."""

    kind = Op.AUTOCONTRAST


class RandomEqualize(OpTransform):
    """Flatten the histogram of each channel of RGB with probability ``p``."""

    kind = Op.EQUALIZE


class RandomPosterize(OpTransform):
    """Keep ``bits`` (0 to 8) of each channel of RGB with probability ``p``."""

    kind = Op.POSTERIZE

    def __init__(self, bits: int, p: float = 0.5):
        super().__init__(p)
        if not 0 <= bits <= 8:
            raise ValueError(f"bits must be 0 to 8, got {bits}")
        self.bits = bits

    def parameters(self, geometry: Geometry, u: Array) -> tuple[Array, Array]:
        return params(len(u), self.bits), np.ones(len(u), bool)


class RandomSolarize(OpTransform):
    """Invert values of RGB that are at least ``threshold``, 0 to 255."""

    kind = Op.SOLARIZE

    def __init__(self, threshold: float, p: float = 0.5):
        super().__init__(p)
        self.threshold = threshold

    def parameters(self, geometry: Geometry, u: Array) -> tuple[Array, Array]:
        return params(len(u), self.threshold), np.ones(len(u), bool)


class GaussianNoise(OpTransform):
    """Add normal noise to RGB.

    Args:
        mean: Of the noise, where white is 1.
        sigma: Its deviation, likewise.
        clip: Clamp the result to 0..255; without, RGB is not clamped.
    """

    kind = Op.NOISE
    num_draws = 2

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True):
        super().__init__(1.0)
        if sigma < 0:
            raise ValueError(f"sigma must be >= 0, got {sigma}")
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def parameters(self, geometry: Geometry, u: Array) -> tuple[Array, Array]:
        p = params(len(u), 255 * self.mean, 255 * self.sigma, self.clip)
        return p, np.ones(len(u), bool)

    def seeds(self, u: Array) -> Array:
        return seeds_of(u[:, 0])


class RandomJPEG(OpTransform):
    """Quantise again, as an encoder of a quality drawn from ``quality`` would.

    Before any geometry this is what re-encoding does to coefficients; after it, what
    encoding the result does. Nothing but the rounding of amplitudes is done: chroma
    keeps its resolution.

    Args:
        quality: Least and largest, or one number.
        p: How often.
    """

    kind = Op.REQUANTIZE
    num_draws = 2

    def __init__(self, quality: Any = (40, 95), p: float = 1.0):
        super().__init__(p)
        low, high = (quality, quality) if isinstance(quality, int) else quality
        if low > high:
            raise ValueError(f"quality must be (low, high), got {quality}")
        quality_tables(low), quality_tables(high)
        self.quality = int(low), int(high)

    def parameters(self, geometry: Geometry, u: Array) -> tuple[Array, Array]:
        low, high = self.quality
        drawn = low + np.floor(u[:, 0] * (high - low + 1))
        return params(len(u), drawn), np.ones(len(u), bool)


class JPEG(RandomJPEG):
    """:class:`RandomJPEG` by torchvision's name: always.

    Args:
        quality: Least and largest, or one number.
    """

    def __init__(self, quality: int | Sequence[int]):
        super().__init__(quality, 1.0)


# What a normal number is where pixels are normalised as for ImageNet, in levels.
NOISE_MEAN = (123.675, 116.28, 103.53)
NOISE_SIGMA = (58.395, 57.12, 57.375)


class RandomErasing(OpTransform):
    """Paint a random rectangle, at any sample, in one colour or with noise.

    Args:
        p: How often.
        scale: Least and largest share of the area.
        ratio: Least and largest height / width.
        value: A grey or an RGB colour, 0 to 255; or "random": R, G and B of each pixel
            are normal numbers of ImageNet's mean and deviation, which is what
            torchvision's standard normal numbers are behind its normalisation.
        inplace: Taken for torchvision's sake; images are immutable.
    """

    ATTEMPTS = 10

    def __init__(
        self,
        p: float = 0.5,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ):
        super().__init__(p)
        self.scale, self.ratio, self.value = scale, ratio, value
        self._random = isinstance(value, str)
        if self._random and value != "random":
            raise ValueError(f"value must be a colour or 'random', got {value!r}")
        self._levels = fill_levels(NOISE_MEAN if self._random else value)

    @property
    def kind(self) -> Op:  # type: ignore[override]
        """Which operation."""
        return Op.ERASE_RANDOM if self._random else Op.ERASE

    @property
    def num_draws(self) -> int:  # type: ignore[override]
        """Uniform numbers that one sample takes."""
        return 3 + 2 * self.ATTEMPTS + self._random

    def seeds(self, u: Array) -> "Array | None":
        return seeds_of(u[:, -1]) if self._random else None

    def parameters(self, geometry: Geometry, u: Array) -> tuple[Array, Array]:
        width, height = geometry.width[:, None], geometry.height[:, None]
        low, high = np.log(self.ratio)
        tries = u[:, 2 : 2 + 2 * self.ATTEMPTS]
        area = self.scale[0] + (self.scale[1] - self.scale[0]) * tries[:, ::2]
        area = area * width * height
        aspect = np.exp(low + (high - low) * tries[:, 1::2])
        h, w = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
        fits = (h < height) & (w < width)
        rows, first = np.arange(len(u)), fits.argmax(axis=1)
        w, h = w[rows, first], h[rows, first]
        top = np.floor(u[:, 0] * (geometry.height - h + 1))
        left = np.floor(u[:, 1] * (geometry.width - w + 1))
        sigma = NOISE_SIGMA if self._random else ()
        p = params(len(u), left, top, left + w, top + h, *self._levels, *sigma)
        return p, fits.any(axis=1)
