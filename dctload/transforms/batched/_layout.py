"""What a batch of images sends to a device, decided before anything is decoded.

Of each component the blocks that its crop can see are sent, as they are in the file,
and with them what is to be done: tables, steps of axes, colour. Everything lies in
one piece of memory, so that one copy moves it.

    planes   one an image and component: a window of blocks
    jobs     one a plane and resolution that it is resampled to; two only for images
             coded in RGB, whose luma and chroma of different resolution are sums
    groups   jobs of like size, carried out together, padded to the largest of them
    axes     the steps of one axis, shared by the jobs of a group that are alike
"""

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import _native
from ..._geometry import Array, Geometry, _swap
from ..._ops import Op
from ..._resample import YCC_FROM_RGB
from .._plan import Format
from ._axes import Axes, component_axes
from ._operations import HANDLED
from ._program import Program

GRAY, YCBCR, RGB = 1, 2, 3  # enum dctload_color
BLOCK_NBYTES = 128

# Blocks of a group, padded, as float32 in memory: 256 MiB.
_MAX_GROUP_BLOCKS = 1 << 20

# What is known of each job on the device, as rows of int32.
JOB_ROWS = (
    "block",
    "rows",
    "columns",
    "plane",
    "image",
    "component",
    "down",  # its axes, as numbers in its group
    "across",
    "axis_down",  # and in the whole batch
    "axis_across",
    "z_row",  # where its product with Mh begins among those of its span
)


@dataclass(frozen=True)
class AxisRun:
    """Axes of equally many steps, one after the other in the list of a batch."""

    start: int
    end: int
    num_steps: int
    out_sizes: tuple[int, ...]
    taps: tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """Jobs that are carried out together.

    Attributes:
        jobs: Their numbers, from and to.
        grid: Index of the output that they are resampled to: 0, or 1 for chroma of
            "planes".
        cohort: Of the program, 0 without one.
        transposed: The stored rows become columns.
        blocks: Rows and columns of the largest window.
        down: The axes along stored columns of samples.
        across: Those along stored rows.
    """

    jobs: tuple[int, int]
    grid: int
    cohort: int
    transposed: bool
    blocks: tuple[int, int]
    down: tuple[AxisRun, ...]
    across: tuple[AxisRun, ...]


@dataclass(frozen=True)
class AxisSet:
    """The axes of a span in one direction, numbered in ``arrays["axes"]``."""

    start: int
    end: int
    num_samples: int  # that they look at, together


@dataclass(frozen=True)
class Span:
    """Groups that differ in size only: what one launch of a kernel can do.

    Attributes:
        jobs: Their numbers, from and to.
        grid: As for a group.
        transposed: Likewise.
        blocks: Likewise.
        num_rows: Rows of samples' frequencies of all windows.
        down: The axes along stored columns of samples.
        across: Those along stored rows.
    """

    jobs: tuple[int, int]
    grid: int
    transposed: bool
    blocks: tuple[int, int]
    num_rows: int
    down: AxisSet
    across: AxisSet


@dataclass(frozen=True)
class Windows:
    """Blocks of each plane: ``[row, end_row) x [col, end_col)`` of its grid."""

    image: Array
    component: Array
    row: Array
    end_row: Array
    col: Array
    end_col: Array
    block: Array  # the first one's place among all blocks that are sent


class Layout:
    """Windows, groups and the small arrays that go with the blocks.

    Args:
        infos: N records of ``struct dctload_info``.
        geometry: What becomes of the N images.
        form: What is emitted.

    Raises:
        DctloadError: An image has no luma: its colours are not linear in YCbCr.

    Attributes:
        windows: What to send of each plane.
        num_blocks: Blocks in all, with one of zeros in front.
        groups: What to do together.
        spans: The same in fewer parts, where sizes need not be alike.
        max_steps: The most steps that an axis has.
        arrays: What else goes to the device, by name.
        filters: Kinds of filters that occur.
        mixes: Components are mixed: RGB, or colour changes of chroma.
        fills: Some position lies outside its image.
        lacks_components: Some image has no chroma.
        program: Operations that follow, None without any.
    """

    def __init__(self, infos: Array, geometry: Geometry, form: Format):
        self.form, self.num_images = form, len(infos)
        self.arrays: dict[str, Array] = {}
        self._check_colors(infos["color"], infos["num_components"])
        self.program: Program | None = None
        if geometry.ops is not None and geometry.ops.num.any():
            unknown = set(geometry.ops.kind.flat) - HANDLED - {Op.NONE}
            if unknown:
                raise ValueError(f"operation {min(unknown)} is not known on a device")
            self.program = Program(geometry, infos["color"] == GRAY, form.size)
            self.arrays.update(self.program.arrays)
        self._set_color(infos, geometry)
        jobs = self._list_jobs(infos)
        self._plan_jobs(infos, geometry, jobs)

    @functools.cached_property
    def sections(self) -> dict[str, tuple[int, tuple[int, ...], str]]:
        """Where each array lies behind the blocks, its shape and type.

        The entry of no name is the end of all.
        """
        shapes: dict[str, tuple[tuple[int, ...], str]]
        shapes = {"qtables": ((len(self.windows.block), 64), "f4")}
        for name, array in self.arrays.items():
            shapes[name] = array.shape, array.dtype.str[1:]
        out: dict[str, tuple[int, tuple[int, ...], str]] = {}
        at = BLOCK_NBYTES * self.num_blocks
        for name, (shape, dtype) in shapes.items():
            out[name] = at, shape, dtype
            at += -(-math.prod(shape) * np.dtype(dtype).itemsize // 64) * 64
        out[""] = at, (), "u1"
        return out

    @staticmethod
    def _check_colors(color: Array, num: Array) -> None:
        good = ((color == GRAY) & (num == 1)) | (
            ((color == YCBCR) | (color == RGB)) & (num == 3)
        )
        if not good.all():
            raise _native.error(
                _native.lib.DCTLOAD_COLOR, f"<image {int(np.argmin(good))}>"
            )

    def _set_color(self, infos: Array, geometry: Geometry) -> None:
        """The matrix that makes Y, Cb and Cr, and what is added to them."""
        color, num = geometry.color, self.num_images
        rgb = infos["color"] == RGB
        self.mixes = bool(rgb.any()) or color is not None
        self.has_color = color is not None
        if self.mixes:
            mix = np.tile(np.eye(3), (num, 1, 1))
            mix[rgb] = YCC_FROM_RGB
            if color is not None:
                chroma = np.tile(np.eye(3), (num, 1, 1))
                chroma[:, 1:, 1:] = color.chroma
                mix = chroma @ mix
            self.arrays["mix"] = mix.astype(np.float32)
        if color is not None:
            add = np.column_stack([color.y_offset, color.chroma_offset])
            # A level of 1 is an amplitude of 8.
            self.arrays["add"] = (8 * add).astype(np.float32)
            self.arrays["mean"] = color.y_mean.astype(np.float32)
            self.arrays["gain"] = color.gain.astype(np.float32)

    def _list_jobs(self, infos: Array) -> tuple[Array, Array, Array]:
        """Image, component and grid of each job."""
        subset, half = self.form.subset, self.form.layout == "planes"
        wanted = np.array([len(freqs) > 0 for freqs in subset])
        if self.program is not None:  # they see everything
            wanted[:] = True
        elif self.has_color:  # chroma may mix
            wanted[1:] = wanted[1:].any()
        grids = np.array([0, half, half])
        here = np.arange(4) < infos["num_components"][:, None]
        here[:, :3] &= wanted | (infos["color"] == RGB)[:, None]
        self.lacks_components = bool((here.sum(1) < np.count_nonzero(wanted)).any())
        images, components = here.nonzero()
        grid = grids[np.minimum(components, 2)]
        rgb = infos["color"][images] == RGB
        if rgb.any() and half:
            # Luma and chroma are sums of all three, each at its own resolution.
            again = rgb.nonzero()[0]
            grid[again] = 0
            images = np.append(images, images[again])
            components = np.append(components, components[again])
            grid = np.concatenate([grid, np.ones(len(again), grid.dtype)])
        return images, components, grid

    def _plan_jobs(
        self, infos: Array, geometry: Geometry, jobs: tuple[Array, Array, Array]
    ) -> None:
        image, component, grid = jobs
        parts = infos["components"][image, component]
        transposed = geometry.transpose[image].astype(bool)
        den = np.where(grid == 1, 2, 1)
        down, across = (
            _stored_axes(geometry, image, infos, parts, den, vertical)
            for vertical in (True, False)
        )
        size = np.maximum(down.end - down.first, across.end - across.first)
        # Sizes that differ by less than two go together.
        size_class = np.ceil(np.log2(np.maximum(size, 8))).astype(np.int64)
        cohort = np.zeros_like(image)
        if self.program is not None:
            cohort = self.program.cohort_of[image]
        order = np.lexsort((size_class, transposed, cohort, grid))
        image, component, grid = image[order], component[order], grid[order]
        transposed, size_class = transposed[order], size_class[order]
        cohort = cohort[order]
        parts, down, across = parts[order], down[order], across[order]
        self._place_windows(image, component, down, across)
        covered = down.covered & across.covered
        level = geometry.fill[image, component]
        rgb = infos["color"][image] == RGB
        if rgb.any():
            inverse = np.linalg.inv(YCC_FROM_RGB)
            levels = geometry.fill[image[rgb], :3] @ inverse.T
            level = level.copy()
            level[rgb] = levels[np.arange(len(levels)), component[rgb]]
        self.fills = bool((~covered & (level != 0)).any())
        self.arrays["fill"] = level.astype(np.float32)
        kinds = np.union1d(_kinds(down), _kinds(across))
        self.filters = tuple(int(kind) for kind in kinds)
        keys = np.stack([grid, cohort, transposed, size_class])
        self._make_groups(keys, parts, down, across)

    def _place_windows(
        self, image: Array, component: Array, down: Axes, across: Axes
    ) -> None:
        """A window for each plane, which may have several jobs."""
        plane_key = 4 * image + component
        keys, first, plane = np.unique(
            plane_key, return_index=True, return_inverse=True
        )
        row, col = down.first[first], across.first[first]
        end_row, end_col = down.end[first], across.end[first]
        if len(keys) < len(plane_key):
            np.minimum.at(row, plane, down.first)
            np.minimum.at(col, plane, across.first)
            np.maximum.at(end_row, plane, down.end)
            np.maximum.at(end_col, plane, across.end)
        rows, columns = end_row - row, end_col - col
        ends = np.cumsum(rows * columns) + 1
        block = ends - rows * columns
        self.num_blocks = int(ends[-1]) if len(ends) else 1
        self.windows = Windows(
            image[first], component[first], row, end_row, col, end_col, block
        )
        job = np.empty((len(JOB_ROWS), len(image)), np.int32)
        job[0], job[1], job[2] = block[plane], rows[plane], columns[plane]
        job[3], job[4], job[5] = plane, image, component
        self.arrays["jobs"] = job
        self._origin = row[plane], col[plane]

    def _make_groups(self, keys: Array, parts: Array, down: Axes, across: Axes) -> None:
        """Cut the sorted jobs into groups, and share equal axes in each."""
        self.groups: list[Group] = []
        job = self.arrays["jobs"]
        steps, firsts, sizes, at = [], [], [], 0
        cuts = 1 + (keys[:, 1:] != keys[:, :-1]).any(axis=0).nonzero()[0]
        bounds = [0, *cuts.tolist(), keys.shape[1]]
        for start, end in _limited(bounds, job):
            here = slice(start, end)
            runs = []
            for k, (axes, factor, origin) in enumerate(
                ((down, "v", self._origin[0]), (across, "h", self._origin[1]))
            ):
                which, place = _shared(
                    job[4, here], parts[factor][here], axes.num[here]
                )
                job[6 + k, here], job[8 + k, here] = place, place + at
                which = which + start
                runs.append(_runs(axes[which], at))
                at += len(which)
                steps.append(axes.steps[:, :, which])
                firsts.append(8.0 * origin[which])
                sizes.append(8 * job[1 + k, which])
            grid, cohort, transposed, _ = keys[:, start].tolist()
            largest = int(job[1, here].max()), int(job[2, here].max())
            self.groups.append(
                Group((start, end), grid, cohort, bool(transposed), largest, *runs)
            )
        both = [run for group in self.groups for run in group.down + group.across]
        self.max_steps = max((run.num_steps for run in both), default=0)
        self.spans: list[Span] = []
        if steps:
            # One axis may have room for more steps than the other.
            deep = [_with_steps(part, self.max_steps) for part in steps]
            self.arrays["steps"] = np.concatenate(deep, axis=2)
            self.arrays["first"] = np.concatenate(firsts)
            self.arrays["sizes"] = np.concatenate(sizes).astype(np.int32)
            self._make_spans()

    def _make_spans(self) -> None:
        job, sizes = self.arrays["jobs"], self.arrays["sizes"]
        axes: list[Array] = []
        starts, at = np.empty_like(sizes), 0
        for _, part in itertools.groupby(
            self.groups, lambda group: (group.grid, group.transposed)
        ):
            groups = list(part)
            sets = []
            for runs in ([g.down for g in groups], [g.across for g in groups]):
                here = np.concatenate(
                    [np.arange(r[0].start, r[-1].end, dtype=np.int32) for r in runs]
                )
                ends = np.cumsum(sizes[here])
                starts[here] = ends - sizes[here]
                axes.append(here)
                sets.append(AxisSet(at, at + len(here), int(ends[-1])))
                at += len(here)
            start, end = groups[0].jobs[0], groups[-1].jobs[1]
            rows = 8 * job[1, start:end]
            job[10, start:end] = np.cumsum(rows) - rows
            largest = int(job[1, start:end].max()), int(job[2, start:end].max())
            grid, transposed = groups[0].grid, groups[0].transposed
            self.spans.append(
                Span((start, end), grid, transposed, largest, int(rows.sum()), *sets)
            )
        self.arrays["axes"] = np.concatenate(axes)
        self.arrays["starts"] = starts


def _stored_axes(
    geometry: Geometry,
    image: Array,
    infos: Array,
    parts: Array,
    den: Array,
    vertical: bool,
) -> Axes:
    """The axes along which the stored image is looked at, whatever becomes of them."""
    names = ("v", "v_max", "height") if vertical else ("h", "h_max", "width")
    own, other = (geometry.y, geometry.x) if vertical else (geometry.x, geometry.y)
    turned = geometry.transpose.astype(bool)
    axis = _swap(own, other, turned)[0] if turned.any() else own
    ratio = parts[names[0]].astype(np.int64), infos[names[1]][image].astype(np.int64)
    size = infos[names[2]][image].astype(np.int64)
    return component_axes(axis, image, size, ratio, den)


def _shared(image: Array, factor: Array, num: Array) -> tuple[Array, Array]:
    """One job for each different axis, sorted by its steps; and each job's axis."""
    # In a group, axes of an image differ by their sampling only.
    key = 8 * image.astype(np.int64) + factor
    _, which, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(num[which], kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return which[order], place[inverse]


def _with_steps(steps: Array, num: int) -> Array:
    """Steps ``(K, rows, A)`` of axes, cut or filled up to ``num`` of them."""
    out = np.zeros((num, *steps.shape[1:]))
    out[: len(steps)] = steps[:num]
    return out


def _kinds(axes: Axes) -> Array:
    used = np.arange(len(axes.steps))[:, None] < axes.num
    kinds: Array = np.unique(axes.steps[:, 6][used])
    return kinds


def _limited(bounds: list[int], job: Array) -> Any:
    """From and to of each group; those that would take much memory in parts."""
    for start, end in itertools.pairwise(bounds):
        if start == end:
            continue
        rows, columns = job[1, start:end].max(), job[2, start:end].max()
        most = max(1, _MAX_GROUP_BLOCKS // int(rows * columns))
        for at in range(start, end, most):
            yield at, min(at + most, end)


def _runs(axes: Axes, at: int) -> tuple[AxisRun, ...]:
    """Axes that are sorted by their number of steps, as runs of equal number."""
    runs = []
    for num in np.unique(axes.num).tolist():
        rows = (axes.num == num).nonzero()[0]
        these = axes[rows]
        runs.append(
            AxisRun(
                at + int(rows[0]),
                at + int(rows[-1]) + 1,
                num,
                tuple(int(these.out_size[k].max()) for k in range(num)),
                tuple(these.num_taps(k) for k in range(num)),
            )
        )
    return tuple(runs)
