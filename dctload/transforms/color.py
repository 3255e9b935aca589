"""Colour and frequency changes that are linear: free in the native pass.

All of them compose to one affine map an image (:class:`dctload._color.ColorMap`);
behind an operation on pixels they are operations too. They act on the final output:
where torchvision takes the mean of an image before a crop, the mean here is that of
what is left. Values are not clamped to 0..255.
"""

# ruff: noqa: D102 - what overrides is described in _base

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._color import ColorMap
from .._geometry import Geometry
from ._base import Array, GeometryTransform


class ColorTransform(GeometryTransform):
    """A transform whose effect is a ColorMap."""

    def color(self, num: int, u: Array) -> ColorMap:
        """The maps of ``num`` images, with u (N, num_draws)."""
        raise NotImplementedError

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        return geometry.colored(self.color(len(geometry), u))


# ---- maps, with one factor an image ---------------------------------------------


def brightness(factor: Array) -> ColorMap:
    """RGB times a factor: exact."""
    out = ColorMap.identity(len(factor))
    out.gain[:] = factor[:, None, None]
    out.y_offset[:] = 128 * (factor - 1)
    return out


def contrast(factor: Array) -> ColorMap:
    """RGB blended with its mean grey: exact, with the output's own mean."""
    out = ColorMap.identity(len(factor))
    out.gain[:] = factor[:, None, None]
    out.y_mean[:] = 1 - factor
    return out


def saturation(factor: Array) -> ColorMap:
    """RGB blended with its grey, which is Y: exact."""
    out = ColorMap.identity(len(factor))
    out.chroma[:] = factor[:, None, None] * np.eye(2)
    return out


def hue(turn: Array) -> ColorMap:
    """Chroma turned by so many full turns, which is close to a turn of HSV's hue.

    HSV's circle is a hexagon in chroma; Y, which HSV would change, is kept.
    """
    out = ColorMap.identity(len(turn))
    # HSV runs from red to green; in the (Cb, Cr) plane that is from Cr to -Cr.
    c, s = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    out.chroma[:, 0, 0] = out.chroma[:, 1, 1] = c
    out.chroma[:, 0, 1], out.chroma[:, 1, 0] = -s, s
    return out


def invert(num: int) -> ColorMap:
    """255 minus each of R, G and B: exact."""
    out = ColorMap.identity(num)
    out.gain[:, 0] = -1
    out.y_offset[:] = -1
    out.chroma[:] = -np.eye(2)
    return out


_OMEGA = np.pi * np.arange(8) / 8  # angular frequency of DCT index u


def sharpness(factor: Array) -> ColorMap:
    """Blend with torchvision's 3 x 3 smoothing, by its frequency response.

    Exact inside a block; at its border the kernel sees the block's mirror image in
    place of the next block.
    """
    # The kernel is 4 in the middle and a box of ones, over 13.
    axis = np.tile(1 + 2 * np.cos(_OMEGA), (len(factor), 1))
    share = (1 - factor) / 13
    return ColorMap.of_response(axis, factor + 4 * share, share)


def blur(sigma: Array) -> ColorMap:
    """Gaussian blur by its frequency response, with the same border as sharpness."""
    return ColorMap.of_response(
        np.exp(-0.5 * np.square(sigma[:, None] * _OMEGA)), k0=0, k1=1
    )


def frequency_enhance(amount: Array) -> ColorMap:
    """All AC times 1 + amount ("RGB no more")."""
    return ColorMap.of_response(np.ones((len(amount), 8)), 1 + amount, 0, dc=1)


def mid_frequency(amount: Array) -> ColorMap:
    """AC of luma times, or divided by, a Gaussian window ("RGB no more").

    The window is centred on frequency 3.5, where it is 1, with deviation 4 - 2.2
    |amount|. A positive amount damps what is around the middle, a negative one
    lifts it. DC stays.
    """
    width = 4 - 2.2 * np.abs(amount)
    axis = np.exp(-0.5 * np.square((np.arange(8) - 3.5) / width[:, None]))
    return ColorMap.of_response(axis ** np.sign(amount)[:, None], 0, 1, dc=1, which=1)


def luma_sharpness(amount: Array) -> ColorMap:
    """Luma times max(1 + m u / 7, 0) max(1 + m v / 7, 0), m twice ``amount``."""
    axis = np.maximum(1 + 2 * amount[:, None] * np.arange(8) / 7, 0)
    return ColorMap.of_response(axis, 0, 1, which=1)


def dc_gain(factor: Array, which: int) -> ColorMap:
    """The means of blocks of luma (1) or chroma (2) times a factor ("RGB no more")."""
    out = ColorMap.of_response(np.ones((len(factor), 8)), 1, 0, dc=1, which=which)
    assert out.response is not None
    out.response[:, 10] = factor
    out.gain[:, which - 1, 0] = factor
    return out


def chroma_drop(which: Array) -> ColorMap:
    """Without Cb where ``which`` is 0, without Cr where it is 1."""
    out = ColorMap.identity(len(which))
    rows = np.arange(len(which))
    out.chroma[rows, which, which] = 0
    return out


# ---- transforms -----------------------------------------------------------------


def _range(value: Any, name: str, centre: float = 1.0) -> tuple[float, float] | None:
    """torchvision's: a number is a distance from the centre, a pair the limits."""
    if value is None:
        return None
    if isinstance(value, Sequence):
        low, high = map(float, value)
    else:
        if value < 0:
            raise ValueError(f"{name} must be >= 0, got {value}")
        low, high = centre - float(value), centre + float(value)
        low = max(low, 0.0) if centre else low
    bound = (0.0, math.inf) if centre else (-0.5, 0.5)
    if not bound[0] <= low <= high <= bound[1]:
        raise ValueError(f"{name} must lie in {list(bound)}, got {[low, high]}")
    return None if low == high == centre else (low, high)


class ColorJitter(ColorTransform):
    """Change brightness, contrast, saturation and hue, in random order.

    Brightness, contrast and saturation are torchvision's but for clamping; contrast
    takes the mean of the output. Hue turns chroma and keeps luma.

    Args:
        brightness: Largest change of the factor, or its limits.
        contrast: Likewise.
        saturation: Likewise.
        hue: Largest turn, up to 0.5, or its limits.
    """

    num_draws = 8

    def __init__(
        self,
        brightness: Any = None,
        contrast: Any = None,
        saturation: Any = None,
        hue: Any = None,
    ):
        self.brightness = _range(brightness, "brightness")
        self.contrast = _range(contrast, "contrast")
        self.saturation = _range(saturation, "saturation")
        self.hue = _range(hue, "hue", 0.0)

    def color(self, num: int, u: Array) -> ColorMap:
        parts = [
            (self.brightness, brightness),
            (self.contrast, contrast),
            (self.saturation, saturation),
            (self.hue, hue),
        ]
        maps: list[ColorMap | None] = []
        for k, (limits, make) in enumerate(parts):
            if limits is None:
                maps.append(None)
            else:
                maps.append(make(limits[0] + (limits[1] - limits[0]) * u[:, k]))
        order = np.argsort(u[:, 4:], axis=1)
        out = ColorMap.identity(num)
        for turn in range(4):
            for k, each in enumerate(maps):
                if each is not None:
                    out = out.then(each.only(order[:, turn] == k))
        return out


class _Chance(ColorTransform):
    """A map applied with probability ``p``."""

    num_draws = 1

    def __init__(self, p: float):
        if not 0 <= p <= 1:
            raise ValueError(f"p must be 0 to 1, got {p}")
        self.p = p

    def _map(self, num: int, u: Array) -> ColorMap:
        raise NotImplementedError

    def color(self, num: int, u: Array) -> ColorMap:
        return self._map(num, u).only(u[:, 0] < self.p)


class RandomGrayscale(_Chance):
    """Drop all colour with probability ``p``: exact."""

    def __init__(self, p: float = 0.1):
        super().__init__(p)

    def _map(self, num: int, u: Array) -> ColorMap:
        return saturation(np.zeros(num))


class RandomInvert(_Chance):
    """Make the negative with probability ``p``: exact."""

    def __init__(self, p: float = 0.5):
        super().__init__(p)

    def _map(self, num: int, u: Array) -> ColorMap:
        return invert(num)


class RandomAdjustSharpness(_Chance):
    """Sharpen (factor above 1) or smooth (below) with probability ``p``."""

    def __init__(self, sharpness_factor: float, p: float = 0.5):
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def _map(self, num: int, u: Array) -> ColorMap:
        return sharpness(np.full(num, float(self.sharpness_factor)))


class GaussianBlur(ColorTransform):
    """Blur with a deviation drawn from ``sigma``, by gains of frequencies.

    Args:
        kernel_size: Taken for torchvision's sake; the response is that of the whole
            Gaussian.
        sigma: Least and largest deviation in pixels, or one number.
    """

    num_draws = 1

    def __init__(self, kernel_size: Any = None, sigma: Any = (0.1, 2.0)):
        low, high = (sigma, sigma) if isinstance(sigma, (int, float)) else sigma
        if not 0 < low <= high:
            raise ValueError(f"sigma must be above 0, got {sigma}")
        self.sigma = float(low), float(high)

    def color(self, num: int, u: Array) -> ColorMap:
        low, high = self.sigma
        return blur(low + (high - low) * u[:, 0])


class RandomChromaDrop(_Chance):
    """Drop Cb or Cr, each as likely, with probability ``p`` ("RGB no more")."""

    num_draws = 2

    def __init__(self, p: float = 0.5):
        super().__init__(p)

    def _map(self, num: int, u: Array) -> ColorMap:
        return chroma_drop((u[:, 1] >= 0.5).astype(np.int64))


class _Amount(ColorTransform):
    num_draws = 1

    def __init__(self, amount: float = 0.5):
        if not 0 <= amount <= 1:
            raise ValueError(f"amount must be 0 to 1, got {amount}")
        self.amount = amount

    def _drawn(self, u: Array) -> Array:
        out: Array = self.amount * (2 * u[:, 0] - 1)
        return out


class RandomMidFrequency(_Amount):
    """Damp or lift what is around the middle frequencies, by up to ``amount``."""

    def color(self, num: int, u: Array) -> ColorMap:
        return mid_frequency(self._drawn(u))


class RandomFrequencyEnhance(_Amount):
    """Multiply all AC by 1 - ``amount`` to 1 + ``amount``."""

    def color(self, num: int, u: Array) -> ColorMap:
        return frequency_enhance(self._drawn(u))
