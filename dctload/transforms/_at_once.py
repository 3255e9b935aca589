"""Operations of several turns put down at once, for :mod:`.auto`.

What turns say one after the other, as many calls of NumPy as one turn takes. Most of
the time of drawing RandAugment would be those calls: images are few, a batch.
"""

from dataclasses import replace
from enum import IntEnum
from typing import Any

import numpy as np

from .._geometry import Entry, Geometry
from .._ops import MAX_OPS, NUM_PARAMS, Op, Ops
from ._base import Array
from .affine import affine_entry, inverse_matrix
from .geometry import BLACK, fill_levels


class Motion(IntEnum):
    """A parameter of torchvision's affine map, which the magnitude is given to.

    Angles are those of ``rotate``; shears are tangents, from the top left corner;
    moves are whole samples, of a share of the size up to 1, of a number above.
    """

    ANGLE = 0
    SHEAR_X = 1
    SHEAR_Y = 2
    X = 3
    Y = 4


def put_down(
    geometry: Geometry,
    kind: Array,
    value: Array,
    motion: Array,
    amount: Array,
    bilinear: bool,
    fill: Any,
) -> Geometry:
    """The turns of N images that have no operation yet, in order.

    Args:
        geometry: Of the images.
        kind: Of :class:`Op`, NONE without, (N, turns).
        value: Its parameter, (N, turns).
        motion: Of :class:`Motion`, -1 without, (N, turns).
        amount: Of the motion, moves in samples, (N, turns).
        bilinear: Interpolate in turns and shears.
        fill: A colour, or None, of what comes in.
    """
    along = [np.where(motion == m, np.trunc(amount), 0.0) for m in (Motion.X, Motion.Y)]
    moves = (along[0] != 0) | (along[1] != 0)
    warps = (motion >= 0) & (motion < Motion.X) & (amount != 0)
    first_op = ((kind != Op.NONE) | warps).cumsum(axis=1)
    late = moves & (first_op > 0)
    geometry = _move(geometry, along, moves & ~late, fill)
    kind = np.where(warps | late, Op.WARP, kind)
    if not kind.any():
        return geometry
    p = np.zeros((*kind.shape, NUM_PARAMS))
    p[..., 0] = value
    size = geometry.width, geometry.height
    log = geometry.log
    if (warps | late).any():
        rows, turns = (warps | late).nonzero()
        here = tuple(a[rows, turns] for a in (motion, amount))
        p[rows, turns] = _warp(here, [n[rows] for n in size], bilinear, fill)
        for k in range(kind.shape[1]):
            log += _entries(
                motion[:, k], amount[:, k], warps[:, k], late[:, k], size, fill
            )
    ops_size = np.stack(size, axis=1)
    return replace(geometry, ops=_packed(kind, p), ops_size=ops_size, log=log)


def _move(geometry: Geometry, along: list[Array], on: Array, fill: Any) -> Geometry:
    """By steps of the axes; each turn has a move along one of them, or none."""
    parts = [np.where(on, a, 0.0) for a in along]
    numbers = [(part != 0).cumsum(axis=1) for part in parts]
    size = geometry.width, geometry.height
    level = BLACK if fill is None else fill_levels(fill)
    # A second move along an axis sees what the first has let in.
    for k in range(1, 1 + max(int(n.max(initial=0)) for n in numbers)):
        dx, dy = (
            np.where(n == k, part, 0.0).sum(axis=1)
            for n, part in zip(numbers, parts, strict=True)
        )
        geometry = geometry.crop(-dx, -dy, *size, (dx != 0) | (dy != 0), level)
    return geometry


def _warp(
    motions: tuple[Array, ...], size: list[Array], bilinear: bool, fill: Any
) -> Array:
    """Parameters of ``Op.WARP`` for one motion of each image, (N, NUM_PARAMS)."""
    motion, amount = motions
    num = len(motion)
    angle, tan_x, tan_y, dx, dy = (
        np.where(motion == m, amount, 0.0) for m in (0, 1, 2, 3, 4)
    )
    shifts = motion >= Motion.X
    corner = np.where(motion == Motion.ANGLE, np.nan, 0.0)
    shear = np.degrees(np.arctan(tan_x)), np.degrees(np.arctan(tan_y))
    p = np.zeros((num, NUM_PARAMS))
    move = np.trunc(dx), np.trunc(dy)
    p[:, :6] = inverse_matrix(
        (size[0], size[1]), (corner, corner), -angle, move, np.ones(num), shear
    )
    levels = BLACK if fill is None else fill_levels(fill)
    p[:, 6:9] = np.where(shifts[:, None] | (fill is not None), levels, 0)
    p[:, 9] = bilinear & ~shifts
    p[:, 10] = shifts | (fill is not None)
    p[:, 11], p[:, 12] = size
    return p


def _entries(
    motion: Array,
    amount: Array,
    warps: Array,
    late: Array,
    size: tuple[Array, Array],
    fill: Any,
) -> tuple[Entry, ...]:
    """What the log says of the warps of one turn."""
    num = len(motion)
    out: tuple[Entry, ...] = ()
    if late.any():
        left, top = (
            -np.trunc(np.where(motion == m, amount, 0.0)).astype(np.int64)
            for m in (Motion.X, Motion.Y)
        )
        out += (("crop", (left, top, *size, np.zeros(num), late)),)
    if warps.any():
        angle, tan_x, tan_y = (np.where(motion == m, amount, 0.0) for m in (0, 1, 2))
        shear = np.degrees(np.arctan(tan_x)), np.degrees(np.arctan(tan_y))
        corner = np.where(motion == Motion.ANGLE, np.nan, 0.0)
        zero = np.zeros(num)
        arguments = -angle, zero, zero, zero + 1, *shear
        out += (affine_entry("affine", (corner, corner), fill, warps, *arguments),)
    return out


def _packed(kind: Array, p: Array) -> Ops:
    """Without what is NONE."""
    on = kind != Op.NONE
    place = on.cumsum(axis=1) - 1
    num = place[:, -1] + 1
    most = int(num.max(initial=0))
    if most > MAX_OPS:
        raise ValueError(f"more than {MAX_OPS} operations on one image")
    rows, turns = on.nonzero()
    kinds = np.zeros((len(kind), most), np.int64)
    ps = np.zeros((len(kind), most, NUM_PARAMS))
    at = place[rows, turns]
    kinds[rows, at] = kind[rows, turns]
    ps[rows, at] = p[rows, turns]
    return Ops(num, kinds, np.zeros(kinds.shape, np.uint32), ps)
