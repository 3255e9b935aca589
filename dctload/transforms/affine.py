"""Rotation, shear, scale and translation by any amount: operations on samples.

A map that turns is no operator of each axis, so amplitudes become samples, at the
size of the output, are looked up as torchvision does, and become amplitudes again.
"""

# ruff: noqa: D102 - what overrides is described in _base

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._geometry import Entry, Geometry
from .._ops import Op, params
from ._base import Array, GeometryTransform, Size
from .geometry import fill_levels, mask_level


def is_bilinear(interpolation: Any) -> bool:
    """Of "nearest" or "bilinear", or torchvision's InterpolationMode."""
    name = str(getattr(interpolation, "value", interpolation))
    if name not in ("nearest", "bilinear"):
        raise ValueError(
            f"interpolation must be 'nearest' or 'bilinear', got {interpolation!r}"
        )
    return name == "bilinear"


def inverse_matrix(
    size: tuple[Array, Array],
    center: Sequence[Any] | None,
    angle: Array,
    translate: tuple[Array, Array],
    scale: Array,
    shear: tuple[Array, Array],
) -> Array:
    """The affine map of torchvision, from output to input, of N images.

    Args:
        size: Width and height.
        center: (x, y) in pixels of what stays in place, numbers or arrays; None or
            NaN: the middle.
        angle: Clockwise, in degrees.
        translate: In pixels.
        scale: Above 0.
        shear: In degrees, along x and y.

    Returns:
        (N, 6): with (a, b, c, d, e, f), (X, Y) looks at (a X + b Y + c, d X + e Y +
        f); positions in samples from the top left corner.
    """
    cx, cy = (n / 2 for n in size)
    if center is not None:
        given = np.isnan(center[0])
        cx, cy = (np.where(given, m, c) for m, c in zip((cx, cy), center, strict=True))
    turn, sx, sy = (np.radians(v) for v in (angle, *shear))
    # What it does to directions: turn after shear along y after shear along x.
    a = np.cos(turn - sy) / np.cos(sy)
    b = -(a * np.tan(sx) + np.sin(turn))
    c = np.sin(turn - sy) / np.cos(sy)
    d = np.cos(turn) - c * np.tan(sx)
    # The determinant is 1, so the inverse needs no division but by the scale.
    ia, ib, ic, id_ = d / scale, -b / scale, -c / scale, a / scale
    x, y = cx + translate[0], cy + translate[1]
    return params(
        len(angle), ia, ib, cx - ia * x - ib * y, ic, id_, cy - ic * x - id_ * y
    )


def affine(
    geometry: Geometry,
    angle: Array,
    translate: tuple[Array, Array],
    scale: Array,
    shear: tuple[Array, Array],
    mask: Array,
    *,
    bilinear: bool = False,
    fill: Any = None,
    center: Sequence[Any] | None = None,
) -> Geometry:
    """``torchvision.transforms.v2.functional.affine`` of the images in ``mask``."""
    size = geometry.width, geometry.height
    move = inverse_matrix(size, center, angle, translate, scale, shear)
    entry = affine_entry("affine", center, fill, mask, angle, *translate, scale, *shear)
    levels = None if fill is None else fill_levels(fill)
    return geometry.warped(move, size, mask, bilinear, levels, entry)


def rotate(
    geometry: Geometry,
    angle: Array,
    mask: Array,
    *,
    bilinear: bool = False,
    expand: bool = False,
    fill: Any = None,
    center: Sequence[float] | None = None,
) -> Geometry:
    """``torchvision.transforms.v2.functional.rotate`` of the images in ``mask``."""
    w, h = geometry.width, geometry.height
    zero, one = np.zeros(len(angle)), np.ones(len(angle))
    move = inverse_matrix((w, h), center, -angle, (zero, zero), one, (zero, zero))
    size = w, h
    if expand:
        size = _expanded(move, w, h)
        quarter = (angle % 180 == 90) & (center is None)
        size = np.where(quarter, h, size[0]), np.where(quarter, w, size[1])
        # The middle of the larger output looks at what the middle would.
        for k in (0, 3):
            shift = move[:, k] * (size[0] - w) + move[:, k + 1] * (size[1] - h)
            move[:, k + 2] -= shift / 2
    entry = affine_entry(
        "rotate", center, fill, mask, angle, np.full(len(angle), expand)
    )
    levels = None if fill is None else fill_levels(fill)
    changes = mask & ((angle % 360 != 0) | (center is not None))
    return geometry.warped(move, size, changes, bilinear, levels, entry)


def _expanded(move: Array, w: Array, h: Array) -> tuple[Array, Array]:
    """The size that torchvision gives with ``expand=True``.

    It turns the corners by the inverse map (which reaches as far as the map itself)
    and rounds outwards what is left after cutting to 1e-4.
    """
    x = np.stack([-w, -w, w, w], axis=1) / 2
    y = np.stack([-h, h, h, -h], axis=1) / 2
    sizes = []
    for k, n in ((0, w), (3, h)):
        middle = move[:, k] * w / 2 + move[:, k + 1] * h / 2 + move[:, k + 2] - n / 2
        at = move[:, k, None] * x + move[:, k + 1, None] * y
        at = (at + (middle + n / 2)[:, None]).astype(np.float32)
        low, high = (np.trunc(v * 1e4) * 1e-4 for v in (at.min(1), at.max(1)))
        sizes.append((np.ceil(high) - np.floor(low)).astype(np.int64))
    return sizes[0], sizes[1]


def affine_entry(
    name: str, center: Any, fill: Any, mask: Array, *arguments: Array
) -> "Entry":
    """For the log: arguments, centre or NaN, one fill for masks or NaN, the mask."""
    num = len(mask)
    cx, cy = (np.nan, np.nan) if center is None else center
    level = np.nan if fill is None else mask_level(fill)
    rest = (v if np.ndim(v) else np.full(num, v) for v in (cx, cy, level))
    return name, (*arguments, *map(np.asarray, rest), mask)


def _angles(value: Any, name: str, sizes: tuple[int, ...] = (2,)) -> tuple[float, ...]:
    """torchvision's: a number is a distance from 0, else the limits."""
    if isinstance(value, (int, float)):
        if value < 0:
            raise ValueError(f"{name} must be >= 0 where it is one number, got {value}")
        return -float(value), float(value)
    values = tuple(map(float, value))
    if len(values) not in sizes:
        raise ValueError(f"{name} must be one number or {sizes}, got {value}")
    return values


def _between(limits: Sequence[float], u: Array) -> Array:
    low, high = limits
    out: Array = low + (high - low) * u
    return out


def _check_center(center: Any) -> "tuple[float, float] | None":
    if center is None:
        return None
    if len(center) != 2:
        raise ValueError(f"center must be (x, y), got {center}")
    return float(center[0]), float(center[1])


class RandomAffine(GeometryTransform):
    """Turn, move, scale and shear, keeping the size.

    On samples of each component, at the size and the resolution of the output:
    exactly torchvision's map of unrounded pixels.

    Args:
        degrees: Limits of the angle, clockwise; one number is plus and minus that.
        translate: Largest move as a share of width and of height; None: no move.
        scale: Limits of the factor; None: 1.
        shear: Limits of the angle along x, and of that along y where there are four
            numbers; one number is plus and minus that, along x.
        interpolation: "nearest" or "bilinear".
        fill: A grey or an RGB colour, 0 to 255, of what lies outside. None: black,
            and edges fade to it.
        center: (x, y) in pixels of what stays in place; None: the middle.
    """

    num_draws = 6
    op_kinds = frozenset({Op.WARP})

    def __init__(
        self,
        degrees: Any,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Any = None,
        interpolation: Any = "nearest",
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ):
        self.degrees = _angles(degrees, "degrees")
        if translate is not None and not (
            len(translate) == 2 and all(0 <= t <= 1 for t in translate)
        ):
            raise ValueError(f"translate must be two shares of 1, got {translate}")
        if scale is not None and not (len(scale) == 2 and min(scale) >= 0.001):
            raise ValueError(f"scale must be (low, high) from 0.001 on, got {scale}")
        self.translate, self.scale = translate, scale
        self.shear = None if shear is None else _angles(shear, "shear", (2, 4))
        self.interpolation = interpolation
        self.fill = fill
        self.center = _check_center(center)
        self._bilinear = is_bilinear(interpolation)
        if fill is not None:
            fill_levels(fill)

    def drawn(
        self, width: Array, height: Array, u: Array
    ) -> tuple[Array, tuple[Array, Array], Array, tuple[Array, Array]]:
        """Angle, translation, scale and shear of N images."""
        zero = np.zeros(len(u))
        moves = [zero, zero]
        if self.translate is not None:
            for k, size in enumerate((width, height)):
                most = self.translate[k] * size
                moves[k] = np.rint(_between((-1, 1), u[:, 1 + k]) * most)
        scale = zero + 1 if self.scale is None else _between(self.scale, u[:, 3])
        shear = [zero, zero]
        if self.shear is not None:
            for k in range(len(self.shear) // 2):
                limits = self.shear[2 * k : 2 * k + 2]
                shear[k] = _between(limits, u[:, 4 + k])
        angle = _between(self.degrees, u[:, 0])
        return angle, (moves[0], moves[1]), scale, (shear[0], shear[1])

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        drawn = self.drawn(geometry.width, geometry.height, u)
        every = np.ones(len(u), bool)
        return affine(
            geometry,
            *drawn,
            every,
            bilinear=self._bilinear,
            fill=self.fill,
            center=self.center,
        )


class RandomShear(RandomAffine):
    """Shear by a random angle; :class:`RandomAffine` with nothing else.

    Args:
        shear: As for :class:`RandomAffine`.
        interpolation: Likewise.
        fill: Likewise.
        center: Likewise.
    """

    def __init__(
        self,
        shear: Any,
        interpolation: Any = "nearest",
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ):
        super().__init__(0, None, None, shear, interpolation, fill, center)


class RandomRotation(GeometryTransform):
    """Turn by a random angle, on samples as :class:`RandomAffine` does.

    Args:
        degrees: Limits of the angle, counter-clockwise; one number is plus and minus
            that.
        interpolation: "nearest" or "bilinear".
        expand: Make the output large enough to hold everything; its size then
            depends on the angle.
        center: (x, y) in pixels of what stays in place; None: the middle.
        fill: As for :class:`RandomAffine`.
    """

    num_draws = 1
    op_kinds = frozenset({Op.WARP})

    def __init__(
        self,
        degrees: Any,
        interpolation: Any = "nearest",
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ):
        self.degrees = _angles(degrees, "degrees")
        self.interpolation = interpolation
        self.expand = expand
        self.center = _check_center(center)
        self.fill = fill
        self._bilinear = is_bilinear(interpolation)
        if fill is not None:
            fill_levels(fill)

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        return rotate(
            geometry,
            _between(self.degrees, u[:, 0]),
            np.ones(len(u), bool),
            bilinear=self._bilinear,
            expand=self.expand,
            fill=self.fill,
            center=self.center,
        )

    def size_after(self, size: "Size | None") -> "Size | None":
        return None if self.expand else size
