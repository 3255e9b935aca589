"""Crops, resizes, flips and transpositions of many images, as steps of two axes.

What axes cannot express follows as operations (:mod:`dctload._ops`). Nothing is
computed on coefficients here. A :class:`Geometry` says, for N images at once, what is
to be done; C carries it out (``struct dctload_geometry``), and boxes, masks and
keypoints follow it by its log.
"""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ._color import ColorMap
from ._ops import Op, Ops, params

Array: TypeAlias = npt.NDArray[Any]

MAX_STEPS = 4
FILTERS = {"box": 0, "bilinear": 1, "bicubic": 2, "lanczos": 3}

# struct dctload_step. Many steps are kept as an array of floats, field by field
# (the whole numbers in it are exact): NumPy is many times slower on records.
STEP_FIELDS = ("lo", "hi", "start", "step", "out_size", "filter")
LO, HI, START, STEP, OUT_SIZE, FILTER = range(len(STEP_FIELDS))


@dataclass(frozen=True)
class Axis:
    """One axis of N images.

    Attributes:
        size: Current size in luma samples, (N,).
        num: Steps so far, (N,).
        table: The steps, (fields, N, capacity); fields as in ``STEP_FIELDS``.
    """

    size: Array
    num: Array
    table: Array

    @staticmethod
    def of_size(size: Array) -> "Axis":
        """An axis that nothing has been done to."""
        size = np.asarray(size, np.int64)
        num = len(size)
        return Axis(size, np.zeros(num, np.int64), np.zeros((len(STEP_FIELDS), num, 1)))

    @property
    def capacity(self) -> int:
        """How many steps the table has room for."""
        return self.table.shape[2]

    def _copied_table(self, capacity: int) -> Array:
        """A copy with room for ``capacity`` steps, or for those it has room for."""
        if capacity <= self.capacity:
            return self.table.copy()
        table = np.zeros((*self.table.shape[:2], capacity))
        table[:, :, : self.capacity] = self.table
        return table

    def step(self, i: int, k: int) -> dict[str, float]:
        """Step ``k`` of image ``i``."""
        return dict(zip(STEP_FIELDS, self.table[:, i, k].tolist(), strict=True))

    def _last(self) -> Array:
        """A copy of each image's last step; without one, that which copies it."""
        if not self.num.any():
            return _copy_steps(self.size)
        rows = np.arange(len(self.size))
        last: Array = self.table[:, rows, np.maximum(self.num - 1, 0)]
        return _copying(self.num == 0, last, self.size)

    def _set_last(self, last: Array, size: Array, append: Array, mask: Array) -> "Axis":
        """Replace the last step, or put another behind it, where ``mask``."""
        num = np.where(mask, np.maximum(self.num + append, 1), self.num)
        most = int(num.max(initial=0))
        if most > MAX_STEPS:
            raise ValueError(f"more than {MAX_STEPS} resamplings of one axis")
        rows = mask.nonzero()[0]
        table = self._copied_table(most)
        table[:, rows, num[rows] - 1] = last[:, rows]
        return Axis(np.where(mask, size, self.size), num, table)

    def crop(self, left: Array, size: Array, mask: Array) -> "Axis":
        """Keep [left, left + size), which may reach outside."""
        mask = mask & ((left != 0) | (size != self.size))
        rows = mask.nonzero()[0]
        if not len(rows):
            return self
        if (size[rows] == self.size[rows]).all() and self._resizes(rows):
            return self._shifted(rows, left[rows])
        last = self._last()
        whole = _copies(last)
        outside = (left < 0) | (left + size > self.size)
        append = outside & ~whole
        last = _copying(append, last, self.size)
        last[START] += last[STEP] * left
        last[OUT_SIZE] = size
        # A crop of a crop sees less; a crop of a resized axis had seen all.
        whole |= append
        a, b = _extent(last)
        np.maximum(last[LO], a, out=last[LO], where=whole)
        np.minimum(last[HI], b, out=last[HI], where=whole)
        return self._set_last(last, size, append, mask)

    def _resizes(self, rows: Array) -> bool:
        """Whether the last step of each of these images mixes samples."""
        last = self.num[rows] - 1
        if last.min() < 0:
            return False
        step = self.table[STEP, rows, last]
        return bool((np.abs(step) != 1).all())

    def _shifted(self, rows: Array, left: Array) -> "Axis":
        """What :meth:`crop` of a resized axis comes to if its size stays."""
        num = self.num.copy()
        num[rows] += 1
        most = int(num.max())
        if most > MAX_STEPS:
            raise ValueError(f"more than {MAX_STEPS} resamplings of one axis")
        size = self.size[rows]
        table = self._copied_table(most)
        step = np.empty((len(STEP_FIELDS), len(rows)))
        step[LO] = np.maximum(left, 0)
        step[HI] = size + np.minimum(left, 0)
        step[START] = left
        step[STEP] = 1
        step[OUT_SIZE] = size
        step[FILTER] = FILTERS["bilinear"]
        table[:, rows, num[rows] - 1] = step
        return Axis(self.size, num, table)

    def resize(self, size: Array, filter_: int, mask: Array) -> "Axis":
        """Resample to ``size``, antialiased."""
        mask = mask & (size != self.size)
        last = self._last()
        a, b = _extent(last)
        inside = (a >= last[LO]) & (b <= last[HI])
        append = ~(_copies(last) & inside)
        last = _copying(append, last, self.size)
        last[STEP] *= self.size / size
        last[OUT_SIZE] = size
        last[FILTER] = filter_
        return self._set_last(last, size, append, mask)

    def crop_resize(
        self, left: Array, size: Array, out_size: Array, filter_: int
    ) -> "Axis":
        """``crop`` and ``resize`` of all images, at once where that is easy."""
        # Whole numbers, or'ed: negative if one is.
        outside = (left | (self.size - left - size)).min(initial=0) < 0
        if outside or self.num.any():
            every = np.ones(len(size), bool)
            return self.crop(left, size, every).resize(out_size, filter_, every)
        step = np.empty((len(STEP_FIELDS), len(size)))
        step[LO] = step[START] = left
        step[HI] = left + size
        step[STEP] = size / out_size
        step[OUT_SIZE] = out_size
        step[FILTER] = filter_
        step[FILTER, size == out_size] = FILTERS["bilinear"]
        return Axis(out_size, np.ones(len(size), np.int64), step[:, :, None])

    def flip(self, mask: Array) -> "Axis":
        """Mirror."""
        if self.capacity == 1 and self.num.all():  # as after a random crop
            table = self.table.copy()
            step = table[:, :, 0]
            np.add(step[START], step[STEP] * step[OUT_SIZE], step[START], where=mask)
            np.negative(step[STEP], step[STEP], where=mask)
            return Axis(self.size, self.num, table)
        last = self._last()
        last[START] += last[STEP] * last[OUT_SIZE]
        last[STEP] *= -1
        return self._set_last(last, self.size, np.zeros(len(mask), bool), mask)


def _copy_steps(size: Array) -> Array:
    """Steps that copy an axis of ``size``."""
    out = np.zeros((len(STEP_FIELDS), len(size)))
    out[HI] = out[OUT_SIZE] = size
    out[STEP] = 1
    out[FILTER] = FILTERS["bilinear"]
    return out


def _copying(mask: Array, steps: Array, size: Array) -> Array:
    """``steps``, changed in place where ``mask`` to steps that copy an axis."""
    if mask.any():
        steps[:, mask] = _copy_steps(size[mask])
    return steps


def _copies(step: Array) -> Array:
    """Whether a step moves samples without mixing them."""
    copies: Array = np.abs(step[STEP]) == 1
    return copies & (step[START] == np.rint(step[START]))


def _extent(step: Array) -> tuple[Array, Array]:
    """The positions between which a step looks, ascending."""
    end = step[START] + step[STEP] * step[OUT_SIZE]
    return np.minimum(step[START], end), np.maximum(step[START], end)


def _swap(a: Axis, b: Axis, mask: Array) -> tuple[Axis, Axis]:
    """Exchange the axes of the masked images."""
    column, capacity = mask[:, None], max(a.capacity, b.capacity)
    of_a, of_b = a._copied_table(capacity), b._copied_table(capacity)
    return (
        Axis(
            np.where(mask, b.size, a.size),
            np.where(mask, b.num, a.num),
            np.where(column, of_b, of_a),
        ),
        Axis(
            np.where(mask, a.size, b.size),
            np.where(mask, a.num, b.num),
            np.where(column, of_a, of_b),
        ),
    )


def _spread(values: Array, num: int) -> Array:
    """One value for each of ``num`` images; quicker than ``broadcast_to``."""
    return values if values.shape == (num,) else np.full(num, values)


# One entry of a log: what was done, and its arguments as arrays over the images.
Entry: TypeAlias = tuple[str, tuple[Array, ...]]


@dataclass(frozen=True)
class Geometry:
    """What happens to N images, one code path for one or many. Immutable.

    Steps that follow each other merge: a crop and a resize are one step, and flips
    never add one. Sizes are in luma samples. Once an image has operations, crops
    and flips of it are operations too, and colours likewise.
    """

    x: Axis
    y: Axis
    transpose: Array
    fill: Array  # level minus 128 of what lies outside, (N, 4)
    log: tuple[Entry, ...] = ()
    color: ColorMap | None = None  # before the operations
    ops: Ops | None = None
    ops_size: Array | None = None  # (N, 2): width, height of images that have any

    @staticmethod
    def of_size(width: npt.ArrayLike, height: npt.ArrayLike) -> "Geometry":
        """N images that nothing has been done to."""
        x = Axis.of_size(np.atleast_1d(np.asarray(width)))
        y = Axis.of_size(np.atleast_1d(np.asarray(height)))
        num = len(x.size)
        return Geometry(x, y, np.zeros(num, bool), np.zeros((num, 4)))

    def __len__(self) -> int:
        return len(self.transpose)

    @property
    def width(self) -> Array:
        """Current width of each image."""
        if self.ops is None or self.ops_size is None:
            return self.x.size
        return np.where(self.ops.num > 0, self.ops_size[:, 0], self.x.size)

    @property
    def height(self) -> Array:
        """Current height of each image."""
        if self.ops is None or self.ops_size is None:
            return self.y.size
        return np.where(self.ops.num > 0, self.ops_size[:, 1], self.y.size)

    def _ints(self, *values: npt.ArrayLike) -> tuple[Array, ...]:
        return tuple(_spread(np.asarray(v, np.int64), len(self)) for v in values)

    def _mask(self, mask: npt.ArrayLike | None) -> Array:
        return _spread(np.asarray(True if mask is None else mask), len(self))

    def _split(self, mask: npt.ArrayLike | None) -> tuple[Array, Array, Array]:
        """The mask; where steps of the axes do, and where an operation must."""
        on = self._mask(mask)
        if self.ops is None:
            return on, on, np.zeros(len(self), bool)
        late = on & (self.ops.num > 0)
        return on, on & ~late, late

    def crop(
        self,
        left: npt.ArrayLike,
        top: npt.ArrayLike,
        width: npt.ArrayLike,
        height: npt.ArrayLike,
        mask: npt.ArrayLike | None = None,
        fill: npt.ArrayLike | None = None,
        mask_level: float = 0,
    ) -> "Geometry":
        """Keep a rectangle, which may reach outside.

        Args:
            left: Where it begins.
            top: Likewise.
            width: How much is kept.
            height: Likewise.
            mask: Which images; all by default.
            fill: Levels of Y, Cb, Cr minus 128 of what lies outside the image;
                None leaves it as it was. It holds for all steps of an image's axes.
            mask_level: What lies outside in masks.
        """
        left, top, width, height = self._ints(left, top, width, height)
        on, early, late = self._split(mask)
        outside = np.full(len(self), mask_level)
        if min(width.min(initial=1), height.min(initial=1)) < 1:
            raise ValueError("a crop must be at least 1 x 1")
        out = replace(
            self,
            x=self.x.crop(left, width, early),
            y=self.y.crop(top, height, early),
            fill=self.fill if fill is None else self._filled(fill, early),
            log=(*self.log, ("crop", (left, top, width, height, outside, on))),
        )
        move = params(len(self), 1, 0, left, 0, 1, top)
        return out._moved(
            move, width, height, late, (0, 0, 0) if fill is None else fill
        )

    def _filled(self, fill: npt.ArrayLike, mask: Array) -> Array:
        levels = np.zeros(4)
        levels[:3] = fill
        filled: Array = np.where(mask[:, None], levels, self.fill)
        return filled

    def pad(
        self,
        left: npt.ArrayLike,
        top: npt.ArrayLike,
        right: npt.ArrayLike,
        bottom: npt.ArrayLike,
        fill: npt.ArrayLike | None = None,
        mask_level: float = 0,
    ) -> "Geometry":
        """Put margins around the image."""
        left, top, right, bottom = self._ints(left, top, right, bottom)
        width, height = self.width + left + right, self.height + top + bottom
        return self.crop(-left, -top, width, height, fill=fill, mask_level=mask_level)

    def _refuse_ops(self) -> None:
        if self.ops is not None and self.ops.num.any():
            raise ValueError("no resampling after operations")

    def resize(
        self,
        width: npt.ArrayLike,
        height: npt.ArrayLike,
        interpolation: str = "bilinear",
        mask: npt.ArrayLike | None = None,
    ) -> "Geometry":
        """Resample to a size, antialiased; not after operations."""
        self._refuse_ops()
        width, height = self._ints(width, height)
        on = self._mask(mask)
        if min(width.min(initial=1), height.min(initial=1)) < 1:
            raise ValueError("the size after a resize must be at least 1 x 1")
        kind = FILTERS[interpolation]
        return replace(
            self,
            x=self.x.resize(width, kind, on),
            y=self.y.resize(height, kind, on),
            log=(*self.log, ("resize", (width, height, on))),
        )

    def crop_resize(
        self,
        box: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
        width: npt.ArrayLike,
        height: npt.ArrayLike,
        interpolation: str = "bilinear",
    ) -> "Geometry":
        """``crop(*box)`` and ``resize``, quicker than one after the other."""
        self._refuse_ops()
        left, top, part_w, part_h = self._ints(*box)
        width, height = self._ints(width, height)
        if min(part_w.min(initial=1), part_h.min(initial=1)) < 1:
            raise ValueError("a crop must be at least 1 x 1")
        if min(width.min(initial=1), height.min(initial=1)) < 1:
            raise ValueError("the size after a resize must be at least 1 x 1")
        on = self._mask(None)
        kind = FILTERS[interpolation]
        return replace(
            self,
            x=self.x.crop_resize(left, part_w, width, kind),
            y=self.y.crop_resize(top, part_h, height, kind),
            log=(
                *self.log,
                ("crop", (left, top, part_w, part_h, np.zeros(len(self)), on)),
                ("resize", (width, height, on)),
            ),
        )

    def hflip(self, mask: npt.ArrayLike | None = None) -> "Geometry":
        """Exchange left and right."""
        on, early, late = self._split(mask)
        out = replace(self, x=self.x.flip(early), log=(*self.log, ("hflip", (on,))))
        move = params(len(self), -1, 0, self.width, 0, 1, 0)
        return out._moved(move, self.width, self.height, late)

    def vflip(self, mask: npt.ArrayLike | None = None) -> "Geometry":
        """Exchange top and bottom."""
        on, early, late = self._split(mask)
        out = replace(self, y=self.y.flip(early), log=(*self.log, ("vflip", (on,))))
        move = params(len(self), 1, 0, 0, 0, -1, self.height)
        return out._moved(move, self.width, self.height, late)

    def transposed(self, mask: npt.ArrayLike | None = None) -> "Geometry":
        """Exchange rows and columns."""
        on, early, late = self._split(mask)
        x, y = _swap(self.x, self.y, early)
        out = replace(
            self,
            x=x,
            y=y,
            transpose=self.transpose ^ early,
            log=(*self.log, ("transpose", (on,))),
        )
        move = params(len(self), 0, 1, 0, 1, 0, 0)
        return out._moved(move, self.height, self.width, late)

    def oriented(self, orientation: npt.ArrayLike) -> "Geometry":
        """Show upright what EXIF says is stored with ``orientation``, 1 to 8."""
        (code,) = self._ints(orientation)
        if (code <= 1).all():
            return self
        out = self.transposed(code >= 5) if (code >= 5).any() else self
        out = out.hflip(np.isin(code, (2, 3, 6, 7)))
        return out.vflip(np.isin(code, (3, 4, 7, 8)))

    # ---- operations ----

    def warped(
        self,
        move: Array,
        size: tuple[Array, Array],
        mask: Array,
        bilinear: bool,
        fill: npt.ArrayLike | None,
        entry: Entry,
    ) -> "Geometry":
        """Move samples by any affine map.

        Args:
            move: (N, 6) a b c d e f: output position (X, Y) looks at (a X + b Y + c,
                d X + e Y + f).
            size: Width and height of the output, (N,) each.
            mask: Which images.
            bilinear: Interpolate; otherwise take the nearest sample.
            fill: Levels of Y, Cb, Cr minus 128 of what lies outside; None: black,
                which is not blended with.
            entry: For the log.
        """
        out = replace(self, log=(*self.log, entry))
        return out._moved(move, *size, mask, fill, bilinear)

    def _moved(
        self,
        move: Array,
        width: Array,
        height: Array,
        mask: Array,
        fill: npt.ArrayLike | None = None,
        bilinear: bool = False,
    ) -> "Geometry":
        if not mask.any():
            return self
        width, height = self._ints(width, height)
        levels = (0, 0, 0) if fill is None else np.asarray(fill, np.float64)
        p = params(len(self), *move.T, *levels, bilinear, fill is not None)
        p = np.column_stack([p, width, height])
        out = self.with_op(Op.WARP, p, mask)
        size = np.stack([width, height], axis=1)
        assert out.ops_size is not None
        return replace(out, ops_size=np.where(mask[:, None], size, out.ops_size))

    def with_op(
        self, kind: Any, p: Array, mask: Array, seed: Array | None = None
    ) -> "Geometry":
        """One more operation where ``mask``; see :meth:`Ops.append`."""
        before = Ops.none(len(self)) if self.ops is None else self.ops
        size = np.stack([self.width, self.height], axis=1)
        return replace(self, ops=before.append(kind, p, mask, seed), ops_size=size)

    def colored(self, color: ColorMap) -> "Geometry":
        """Change colours, after the geometry and the colours so far."""
        if self.ops is None or not self.ops.num.any():
            before = self.color or ColorMap.identity(len(self))
            return replace(self, color=before.then(color))
        late = self.ops.num > 0
        out = self
        if not late.all():
            before = self.color or ColorMap.identity(len(self))
            out = replace(self, color=before.then(color.only(~late)))
        for kind, p, changes in color.as_ops():
            out = out.with_op(kind, p, late & changes)
        return out

    def before_ops(self) -> "Geometry":
        """The steps and colours alone."""
        return replace(self, ops=None, ops_size=None)

    # ---- what is done with it ----

    def write(self, *views: Array) -> None:
        """Fill records of ``struct dctload_geometry``, N in all of ``views``."""
        from ._geometry_table import GeometryTable

        table = GeometryTable(
            (self.x.num, self.y.num),
            (self.x.table, self.y.table),
            self.transpose,
            self.fill,
        )
        changed = self.color.changes() if self.color is not None else None
        first = 0
        for view in views:
            table.write(view, first)
            if self.color is not None and changed is not None:
                view["use_color"] = changed[first : first + len(view)]
                self.color.write(view["color"], first)
            if self.ops is not None:
                self.ops.write(view, first)
            first += len(view)

    def resample(self, image: Any) -> list[Array]:
        """Planes of ``image``, a DctImage whose pending geometry this is."""
        from . import _resample

        return _resample.image_planes(image, self)
