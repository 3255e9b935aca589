"""The operations of a batch, sorted so that images do together what they can.

Images of one size at every stage are a cohort. Stage k is the k-th operation of each:
images are sorted by what they do, so that a kind is one slice of a list of rows, and
only that list and the parameters are sent. Images whose stage sees another form
(samples, amplitudes) than they are in are turned into it first.
"""

import itertools
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ..._geometry import Array, Geometry
from ..._ops import LAST_ON_RGB, LAST_ON_SAMPLES, NUM_PARAMS, Op, Ops


class Form(IntEnum):
    """What an operation sees; see ``enum dctload_op_kind``."""

    NOTHING = 0
    SAMPLES = 1
    RGB = 2
    AMPLITUDES = 3


@dataclass(frozen=True)
class Part:
    """Rows ``[start, end)`` of the program, which do the same.

    Attributes:
        start: The first row.
        end: The row after the last one.
        kind: Of ``Op``.
        is_bilinear: For WARP.
    """

    start: int
    end: int
    kind: int
    is_bilinear: bool


@dataclass(frozen=True)
class Stage:
    """What some images of a cohort do at once.

    Attributes:
        start: The first of the program's rows.
        end: The row after the last one.
        form: What they are seen as.
        parts: The kinds; none where images are only turned into the form.
        is_whole: The rows are the cohort's images in their order.
        size: Width and height afterwards, in luma samples.
    """

    start: int
    end: int
    form: Form
    parts: tuple[Part, ...]
    is_whole: bool
    size: tuple[int, int]


@dataclass(frozen=True)
class Cohort:
    """Images that have one size at every stage.

    Attributes:
        images: Where they are in the array "op_images", from and to.
        size: Width and height that the geometry gives them.
        is_gray: They are luma alone.
        stages: In turn.
    """

    images: tuple[int, int]
    size: tuple[int, int]
    is_gray: bool
    stages: tuple[Stage, ...]


class Program:
    """What a batch does between its geometry and its emission.

    Args:
        geometry: Of N images, with operations.
        is_gray: Which images have no chroma, (N,).
        size: Width and height of what is emitted.

    Attributes:
        cohorts: All images, each in one of them.
        cohort_of: The number of each image's, (N,).
        arrays: For the device: "op_images", by cohort; "op_place", of each image in
            its cohort; "op_rows", places in the cohort; "op_p", parameters and seed.
        is_uniform: The geometry gives all images the final size.
    """

    def __init__(self, geometry: Geometry, is_gray: Array, size: tuple[int, int]):
        ops = geometry.ops
        assert ops is not None
        sizes = _sizes(geometry, ops)
        if (sizes[:, -1] != size).any():
            raise ValueError(f"operations leave some image at another size than {size}")
        # Without operations nothing distinguishes luma alone from no colour.
        gray = is_gray & (ops.num > 0)
        keys = np.column_stack([gray, sizes.reshape(len(sizes), -1)])
        _, first, cohort_of = np.unique(
            keys, axis=0, return_index=True, return_inverse=True
        )
        self.cohort_of = cohort_of.reshape(-1)
        order = np.argsort(self.cohort_of, kind="stable")
        ends = np.cumsum(np.bincount(self.cohort_of))
        place = np.empty_like(order)
        place[order] = (
            np.arange(len(order))
            - (ends - np.diff(ends, prepend=0))[self.cohort_of[order]]
        )
        self._rows: list[Array] = []
        self._p: list[Array] = []
        self._num_rows = 0
        cohorts: list[Cohort] = []
        for i, end in zip(first.tolist(), ends.tolist(), strict=True):
            start = cohorts[-1].images[1] if cohorts else 0
            stages = self._stages(ops, order[start:end], sizes[i])
            begin = int(sizes[i, 0, 0]), int(sizes[i, 0, 1])
            cohorts.append(Cohort((start, end), begin, bool(gray[i]), stages))
        self.cohorts = tuple(cohorts)
        self.is_uniform = bool((sizes[:, 0] == size).all())
        self.arrays = {
            "op_images": order.astype(np.int32),
            "op_place": place.astype(np.int32),
            "op_rows": np.concatenate([[], *self._rows]).astype(np.int32),
            "op_p": np.concatenate([np.empty((0, NUM_PARAMS + 1)), *self._p]),
        }

    def _stages(self, ops: Ops, images: Array, sizes: Array) -> tuple[Stage, ...]:
        out: list[Stage] = []
        is_samples = np.zeros(len(images), bool)
        for k in range(ops.kind.shape[1]):
            kinds = np.where(k < ops.num[images], ops.kind[images, k], Op.NONE)
            forms = _forms(kinds)
            before = int(sizes[k, 0]), int(sizes[k, 1])
            after = int(sizes[k + 1, 0]), int(sizes[k + 1, 1])
            on_samples = (forms == Form.SAMPLES) | (forms == Form.RGB)
            on_amplitudes = forms == Form.AMPLITUDES
            out += self._turn(on_samples & ~is_samples, Form.SAMPLES, before)
            out += self._turn(on_amplitudes & is_samples, Form.AMPLITUDES, before)
            is_samples = on_samples | (is_samples & ~on_amplitudes)
            for form in (Form.SAMPLES, Form.RGB, Form.AMPLITUDES):
                rows = (forms == form).nonzero()[0]
                if len(rows):
                    out.append(self._stage(ops, images, k, rows, form, after))
        out += self._turn(is_samples, Form.AMPLITUDES, after)
        return tuple(out)

    def _turn(self, mask: Array, form: Form, size: tuple[int, int]) -> list[Stage]:
        if not mask.any():
            return []
        rows = mask.nonzero()[0]
        start, end = self._add(rows, np.zeros((len(rows), NUM_PARAMS + 1)))
        return [Stage(start, end, form, (), bool(mask.all()), size)]

    def _stage(
        self,
        ops: Ops,
        images: Array,
        k: int,
        rows: Array,
        form: Form,
        size: tuple[int, int],
    ) -> Stage:
        kind, p = ops.kind[images[rows], k], ops.p[images[rows], k]
        bilinear = (kind == Op.WARP) & (p[:, 9] != 0)
        order = np.lexsort((bilinear, kind))
        rows, kind, bilinear = rows[order], kind[order], bilinear[order]
        seed = ops.seed[images[rows], k]
        start, end = self._add(rows, np.column_stack([p[order], seed]))
        new = (np.diff(kind) != 0) | (np.diff(bilinear.astype(int)) != 0)
        bounds = [0, *(1 + new.nonzero()[0]).tolist(), len(rows)]
        parts = tuple(
            Part(start + a, start + b, int(kind[a]), bool(bilinear[a]))
            for a, b in itertools.pairwise(bounds)
        )
        is_whole = len(rows) == len(images) and bool((np.diff(rows) > 0).all())
        return Stage(start, end, form, parts, is_whole, size)

    def _add(self, rows: Array, p: Array) -> tuple[int, int]:
        self._rows.append(rows)
        self._p.append(p)
        start, self._num_rows = self._num_rows, self._num_rows + len(rows)
        return start, self._num_rows


def _sizes(geometry: Geometry, ops: Ops) -> Array:
    """Width and height before, between and after the operations, (N, K + 1, 2)."""
    size = np.stack([geometry.x.size, geometry.y.size], axis=1).astype(np.int64)
    sizes = [size]
    for k in range(ops.kind.shape[1]):
        warps = (k < ops.num) & (ops.kind[:, k] == Op.WARP)
        size = np.where(warps[:, None], ops.p[:, k, 11:13].astype(np.int64), size)
        sizes.append(size)
    return np.stack(sizes, axis=1)


def _forms(kinds: Array) -> Array:
    return np.select(
        [kinds == Op.NONE, kinds <= LAST_ON_SAMPLES, kinds <= LAST_ON_RGB],
        [Form.NOTHING, Form.SAMPLES, Form.RGB],
        Form.AMPLITUDES,
    )
