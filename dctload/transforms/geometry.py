"""Crops, resizes, flips and turns: exact, at any offset and size."""

# ruff: noqa: D102 - what overrides is described in _base
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _recipes
from .._geometry import Geometry
from ..errors import TooSmallError
from ._base import (
    Array,
    GeometryTransform,
    Size,
    Transform,
    filter_name,
    pending,
    two_sizes,
)


class Resize(GeometryTransform):
    """Resize, antialiased, to a size or so that the shorter side has one.

    Args:
        size: (height, width), or the length of the shorter side; None with
            ``max_size`` for the longer one.
        interpolation: "bilinear", "bicubic", "box" or "lanczos".
        max_size: Limit of the longer side, where ``size`` is one number.
        antialias: Must be True: the filter always widens when shrinking.
    """

    resamples = True

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
        return geometry.crop(left, top, width, height, fill=BLACK)

    def size_after(self, size: "Size | None") -> "Size | None":
        height, width = two_sizes(self.size, "CenterCrop")
        return width, height


def _centred(size: Array, crop: int) -> Array:
    """Where torchvision's centre crop begins; it pads a smaller image first."""
    before = np.maximum(crop - size, 0) // 2
    padded = np.maximum(size, crop)
    # Python's round(), to even, as np.rint.
    return np.rint((padded - crop) / 2).astype(np.int64) - before


# torchvision's fill=0: Y at -128, no colour.
BLACK = (-128.0, 0.0, 0.0)


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

    ATTEMPTS = _recipes.CROP_ATTEMPTS
    num_draws = _recipes.CROP_DRAWS
    resamples = True

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
        left, top, w, h = _recipes.random_boxes(
            self.scale, self.ratio, width, height, u
        ).T
        return left, top, w, h

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


class RandomVerticalFlip(_RandomFlip):
    """Exchange top and bottom with probability ``p``."""

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        return geometry.vflip(u[:, 0] < self.p)


def fill_levels(fill: Any) -> tuple[float, float, float]:
    """An RGB colour, or one grey, of 0 to 255 as levels of Y, Cb and Cr."""
    values = [fill] * 3 if isinstance(fill, (int, float)) else list(fill)
    if len(values) == 1:
        values *= 3
    if len(values) != 3:
        raise ValueError(f"fill must be one number or three, got {fill}")
    r, g, b = (float(v) - 128 for v in values)
    return (
        0.299 * r + 0.587 * g + 0.114 * b,
        -0.168735892 * r - 0.331264108 * g + 0.5 * b,
        0.5 * r - 0.418687589 * g - 0.081312411 * b,
    )


def mask_level(fill: Any) -> float:
    """What torchvision fills masks with: the same number, of colours none."""
    return float(fill) if isinstance(fill, (int, float)) else 0.0


def _margins(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of torchvision's ``padding`` argument."""
    values = [padding] if isinstance(padding, int) else list(padding)
    if len(values) not in (1, 2, 4) or min(values) < 0:
        raise ValueError(f"padding must be 1, 2 or 4 numbers >= 0, got {padding}")
    left, top, right, bottom = (values * 4)[:4]
    return left, top, right, bottom


def _check_mode(padding_mode: str) -> None:
    if padding_mode != "constant":
        raise ValueError(f"padding_mode must be 'constant', got {padding_mode!r}")


class Pad(GeometryTransform):
    """Put margins of one colour around the image.

    Args:
        padding: One number, (left and right, top and bottom), or left, top, right
            and bottom.
        fill: A grey or an RGB colour, 0 to 255. An image without colour gets the
            grey of it.
        padding_mode: Must be "constant".
    """

    def __init__(
        self,
        padding: int | Sequence[int],
        fill: Any = 0,
        padding_mode: str = "constant",
    ):
        _check_mode(padding_mode)
        self.padding = _margins(padding)
        self.fill = fill
        self._levels = fill_levels(fill)

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        return geometry.pad(
            *self.padding, fill=self._levels, mask_level=mask_level(self.fill)
        )

    def size_after(self, size: "Size | None") -> "Size | None":
        left, top, right, bottom = self.padding
        return size and (size[0] + left + right, size[1] + top + bottom)


class RandomCrop(GeometryTransform):
    """A part of one size at a random place.

    Args:
        size: (height, width), or one number for a square.
        padding: Margins put around first, as in :class:`Pad`.
        pad_if_needed: Pad an image that is too small, on both sides.
        fill: As in :class:`Pad`.
        padding_mode: Must be "constant".
    """

    num_draws = 2

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ):
        _check_mode(padding_mode)
        self.size = two_sizes(size, "RandomCrop")
        self.padding = None if padding is None else _margins(padding)
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self._levels = fill_levels(fill)

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        height, width = self.size
        left, top, right, bottom = self.padding or (0, 0, 0, 0)
        w, h = geometry.width + left + right, geometry.height + top + bottom
        # torchvision adds what lacks on each side, so twice as much as needed.
        more_w, more_h = np.maximum(width - w, 0), np.maximum(height - h, 0)
        if not self.pad_if_needed and (more_w.any() or more_h.any()):
            raise TooSmallError.among(
                {
                    int(i): f"a crop of {width} x {height} does not fit into {w[i]} x "
                    f"{h[i]}; RandomCrop(pad_if_needed=True) pads such images"
                    for i in np.flatnonzero(more_w | more_h)
                }
            )
        w, h = w + 2 * more_w, h + 2 * more_h
        x = (u[:, 1] * (w - width + 1)).astype(np.int64) - left - more_w
        y = (u[:, 0] * (h - height + 1)).astype(np.int64) - top - more_h
        return geometry.crop(
            x, y, width, height, fill=self._levels, mask_level=mask_level(self.fill)
        )

    def size_after(self, size: "Size | None") -> "Size | None":
        return self.size[1], self.size[0]


class FiveCrop(Transform):
    """The four corners and the middle, as a tuple of five images.

    Args:
        size: (height, width), or one number for a square.
    """

    def __init__(self, size: int | Sequence[int]):
        self.size = two_sizes(size, "FiveCrop")

    def apply_image(self, image: Any, u: Array) -> Any:
        before = pending(image)
        height, width = self.size
        w, h = int(before.width[0]), int(before.height[0])
        if width > w or height > h:
            text = f"a crop of {width} x {height} does not fit into {w} x {h}"
            raise TooSmallError.among({0: text}).of(0, image.name)
        places = [(x, y) for y in (0, h - height) for x in (0, w - width)]
        crops = [before.crop(x, y, width, height) for x, y in places]
        crops.append(CenterCrop(self.size).apply(before, u))
        return tuple(image._replace(pending=crop) for crop in crops)


class Transpose(GeometryTransform):
    """Exchange rows and columns."""

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        return geometry.transposed()

    def size_after(self, size: "Size | None") -> "Size | None":
        return size and (size[1], size[0])


class RandomRotation90(GeometryTransform):
    """Turn by 0, 90, 180 or 270 degrees, each as likely; nothing is resampled."""

    num_draws = 1

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        return quarter_turns(geometry, (4 * u[:, 0]).astype(np.int64))

    def size_after(self, size: "Size | None") -> "Size | None":
        return size if size is None or size[0] == size[1] else None


def quarter_turns(geometry: Geometry, turns: Array) -> Geometry:
    """Turn to the left by as many right angles."""
    odd = turns % 2 == 1
    out = geometry.transposed(odd)
    out = out.hflip((turns == 2) | (turns == 3))
    return out.vflip((turns == 2) | (turns == 1))


class ExifTranspose(Transform):
    """Show an image upright, as its EXIF orientation says.

    Data sets do this by themselves (``apply_orientation=True``).
    """

    def apply_image(self, image: Any, u: Array) -> Any:
        code = image._header()[0]["orientation"]
        return image._replace(pending=pending(image).oriented(code))

    def size_after(self, size: "Size | None") -> "Size | None":
        return size if size is None or size[0] == size[1] else None
