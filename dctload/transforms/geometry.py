"""Crops, resizes, flips and turns: exact, at any offset and size."""

import math

# ruff: noqa: D102 - what overrides is described in _base
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._geometry import Geometry
from ._base import Array, GeometryTransform, Size, filter_name, two_sizes


class Resize(GeometryTransform):
    """Resize, antialiased, to a size or so that the shorter side has one.

    Args:
        size: (height, width), or the length of the shorter side; None with
            ``max_size`` for the longer one.
        interpolation: "bilinear", "bicubic", "box" or "lanczos".
        max_size: Limit of the longer side, where ``size`` is one number.
        antialias: Must be True: the filter always widens when shrinking.
    """

    def __init__(
        self,
        size: int | Sequence[int] | None,
        interpolation: Any = "bilinear",
        max_size: int | None = None,
        antialias: bool | None = True,
    ):
        if not antialias:
            raise ValueError("resizing is always antialiased; antialias must be True")
        if size is None and max_size is None:
            raise ValueError("max_size is needed where size is None")
        if isinstance(size, Sequence) and len(size) == 1:
            size = size[0]
        pair = isinstance(size, Sequence)
        if max_size is not None and (
            pair or (size is not None and max_size <= int(size))  # type: ignore[arg-type]
        ):
            raise ValueError(
                f"max_size needs one smaller size, got size={size}, max_size={max_size}"
            )
        if size is not None:
            two_sizes(size, "Resize")
        self.size = size
        self.interpolation = filter_name(interpolation)
        self.max_size = max_size

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        if isinstance(self.size, Sequence):
            height, width = self.size
            return geometry.resize(width, height, self.interpolation)
        w, h = geometry.width, geometry.height
        short, long = np.minimum(w, h), np.maximum(w, h)
        if self.size is None:
            assert self.max_size is not None
            new_long = np.full_like(long, self.max_size)
            new_short = np.maximum((self.max_size * short / long).astype(int), 1)
        else:
            new_short = np.full_like(short, self.size)
            new_long = (self.size * long / short).astype(int)
            if self.max_size is not None:
                over = new_long > self.max_size
                shorter = np.maximum(
                    (self.max_size * new_short / new_long).astype(int), 1
                )
                new_short = np.where(over, shorter, new_short)
                new_long = np.where(over, self.max_size, new_long)
        wide = w > h
        return geometry.resize(
            np.where(wide, new_long, new_short),
            np.where(wide, new_short, new_long),
            self.interpolation,
        )

    def size_after(self, size: "Size | None") -> "Size | None":
        if isinstance(self.size, Sequence):
            return int(self.size[1]), int(self.size[0])
        if size is None:
            return None
        out = self.apply(Geometry.of_size(*size), np.empty((1, 0)))
        return int(out.width[0]), int(out.height[0])


class CenterCrop(GeometryTransform):
    """Keep the middle; a smaller image is filled up with black.

    Args:
        size: (height, width), or one number for a square.
    """

    def __init__(self, size: int | Sequence[int]):
        two_sizes(size, "CenterCrop")
        self.size = size

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        height, width = two_sizes(self.size, "CenterCrop")
        left = _centred(geometry.width, width)
        top = _centred(geometry.height, height)
        return _black(geometry.crop(left, top, width, height))

    def size_after(self, size: "Size | None") -> "Size | None":
        height, width = two_sizes(self.size, "CenterCrop")
        return width, height


def _centred(size: Array, crop: int) -> Array:
    """Where torchvision's centre crop begins; it pads a smaller image first."""
    before = np.maximum(crop - size, 0) // 2
    padded = np.maximum(size, crop)
    # Python's round(), to even, as np.rint.
    return np.rint((padded - crop) / 2).astype(np.int64) - before


def _black(geometry: Geometry) -> Geometry:
    """Outside is black, as torchvision's fill=0: Y at -128, no colour."""
    return geometry.filled((-128, 0, 0))


class RandomResizedCrop(GeometryTransform):
    """A random part of the image, resized to one size.

    The part has a share of the area drawn from ``scale`` and a ratio of width to
    height drawn from ``ratio``, at whole pixels; after ten that do not fit, the
    middle is taken. As torchvision's.

    Args:
        size: (height, width), or one number for a square.
        scale: Least and largest share of the area.
        ratio: Least and largest width / height.
        interpolation: "bilinear", "bicubic", "box" or "lanczos".
        antialias: Must be True.
    """

    ATTEMPTS = 10
    num_draws = 2 * ATTEMPTS + 2

    def __init__(
        self,
        size: int | Sequence[int],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        interpolation: Any = "bilinear",
        antialias: bool | None = True,
    ):
        two_sizes(size, "RandomResizedCrop")
        if not antialias:
            raise ValueError("resizing is always antialiased; antialias must be True")
        for name, (low, high) in (("scale", scale), ("ratio", ratio)):
            if not 0 < low <= high:
                raise ValueError(f"{name} must be (low, high) above 0, got {low, high}")
        self.size = size
        self.scale = tuple(scale)
        self.ratio = tuple(ratio)
        self.interpolation = filter_name(interpolation)

    def boxes(
        self, width: Array, height: Array, u: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Left, top, width and height of what is kept."""
        columns = slice(0, 2 * self.ATTEMPTS, 2), slice(1, 2 * self.ATTEMPTS, 2)
        low, high = (math.log(r) for r in self.ratio)
        least, most = self.scale
        # All attempts at once: a loop over those that failed takes longer.
        target = (width * height)[:, None] * (least + (most - least) * u[:, columns[0]])
        aspect = np.exp(low + (high - low) * u[:, columns[1]])
        w_try = np.rint(np.sqrt(target * aspect))
        h_try = np.rint(np.sqrt(target / aspect))
        fits = (w_try > 0) & (w_try <= width[:, None])
        fits &= (h_try > 0) & (h_try <= height[:, None])
        rows, first = np.arange(len(width)), fits.argmax(axis=1)
        w = w_try[rows, first].astype(np.int64)
        h = h_try[rows, first].astype(np.int64)
        left = (u[:, -1] * (width - w + 1)).astype(np.int64)
        top = (u[:, -2] * (height - h + 1)).astype(np.int64)
        none = ~fits[rows, first]
        if none.any():
            w[none], h[none] = self._fallback(width[none], height[none])
            left[none] = (width[none] - w[none]) // 2
            top[none] = (height[none] - h[none]) // 2
        return left, top, w, h

    def _fallback(self, width: Array, height: Array) -> tuple[Array, Array]:
        """The largest part of the middle with an allowed ratio."""
        ratio = width / height
        w, h = width.copy(), height.copy()
        tall, wide = ratio < self.ratio[0], ratio > self.ratio[1]
        h[tall] = np.rint(w[tall] / self.ratio[0])
        w[wide] = np.rint(h[wide] * self.ratio[1])
        return w, h

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        box = self.boxes(geometry.width, geometry.height, u)
        height, width = two_sizes(self.size, "RandomResizedCrop")
        return geometry.crop_resize(box, width, height, self.interpolation)

    def size_after(self, size: "Size | None") -> "Size | None":
        height, width = two_sizes(self.size, "RandomResizedCrop")
        return width, height


class _RandomFlip(GeometryTransform):
    num_draws = 1

    def __init__(self, p: float = 0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"p must be 0 to 1, got {p}")
        self.p = p


class RandomHorizontalFlip(_RandomFlip):
    """Exchange left and right with probability ``p``."""

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        return geometry.hflip(u[:, 0] < self.p)
