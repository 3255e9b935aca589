"""Which samples and blocks of a component each output sample sees, for many axes.

The steps of ``struct dctload_geometry`` speak of luma samples. Here they are turned
into the coordinates of a component, as csrc/dct/taps.c does, for all axes of a batch
at once; the weights themselves are made on the device (``_operators``).
"""

from dataclasses import dataclass

import numpy as np

from ..._geometry import (
    FILTER,
    FILTERS,
    HI,
    LO,
    OUT_SIZE,
    START,
    STEP,
    Array,
    Axis,
)

# Half-widths of the filters of enum dctload_filter, in order.
_SUPPORT = np.array([0.5, 1.0, 2.0, 3.0])

# What one step is on the device: a row of float64 each, whole numbers among them.
STEP_ROWS = ("lo", "hi", "start", "step", "stretch", "support", "filter")


@dataclass(frozen=True)
class Axes:
    """Axes of components, in their own samples.

    Attributes:
        num: Steps of each, at least 1, ``(A,)``.
        steps: ``(MAX_STEPS, len(STEP_ROWS), A)``.
        out_size: Samples after each step, ``(MAX_STEPS, A)``.
        first: First block that is looked at, ``(A,)``.
        end: The block after the last one.
        covered: No position of the output looks beyond what there is, ``(A,)``.
    """

    num: Array
    steps: Array
    out_size: Array
    first: Array
    end: Array
    covered: Array

    def __getitem__(self, rows: Array) -> "Axes":
        return Axes(
            self.num[rows],
            self.steps[:, :, rows],
            self.out_size[:, rows],
            self.first[rows],
            self.end[rows],
            self.covered[rows],
        )

    def num_taps(self, k: int) -> int:
        """The most samples that one position of step ``k`` sees."""
        step = self.steps[k]
        # An interval of 2 x support holds one sample more at most.
        widest = np.minimum(2 * step[5] + 2, np.maximum(step[1] - step[0], 1))
        return int(widest.max())


def component_axes(
    axis: Axis, image: Array, size: Array, ratio: tuple[Array, Array], out_den: Array
) -> Axes:
    """The axes of components.

    Args:
        axis: One axis of N images: steps and sizes in luma samples.
        image: Which of them each component belongs to, ``(A,)``.
        size: The stored size of that axis in luma samples, ``(A,)``.
        ratio: Sampling of the component over luma, numerators and denominators.
        out_den: The output has one sample for so many luma samples.
    """
    rn, rd = ratio
    num = axis.num[image]
    table = axis.table[:, image].transpose(2, 0, 1).copy()
    none = num == 0
    if none.any():
        # Kept as it is, which for another resolution is a resampling too.
        table[0][:, none] = 0
        table[0][HI, none] = table[0][OUT_SIZE, none] = size[none]
        table[0][STEP, none] = 1
        table[0][FILTER, none] = FILTERS["bilinear"]
        num = np.maximum(num, 1)
    in_size = -(-size * rn // rd)
    steps = np.zeros((len(table), len(STEP_ROWS), len(image)))
    out_size = np.zeros((len(table), len(image)), np.int64)
    covered = np.ones(len(image), bool)
    for k in range(int(num.max(initial=1))):
        step, last, here = table[k], num == k + 1, num > k
        on, od = np.where(last, 1, rn), np.where(last, out_den, rd)
        after = np.where(here, -(-step[OUT_SIZE].astype(np.int64) * on // od), 0)
        scale = step[STEP] * (rn * od / (rd * on))
        stretch = np.maximum(np.abs(scale), 1)
        lo = np.clip(np.floor(step[LO] * rn / rd), 0, in_size)
        hi = np.clip(np.ceil(step[HI] * rn / rd), 0, in_size)
        start = step[START] * rn / rd
        support = _SUPPORT[step[FILTER].astype(np.int64)] * stretch
        steps[k] = lo, hi, start, scale, stretch, support, step[FILTER]
        out_size[k] = after
        a, b = start, start + scale * after
        inside = (np.minimum(a, b) >= lo) & (np.maximum(a, b) <= hi)
        covered &= inside | ~here
        in_size = np.where(here, after, in_size)
    first, end = _window(steps[0], out_size[0], -(-size * rn // rd))
    return Axes(num, steps, out_size, first, end, covered)


def _window(step: Array, out_size: Array, in_size: Array) -> tuple[Array, Array]:
    """Blocks that a first step looks at; one at least, so that no window is empty."""
    lo, hi, start, scale, _, support, _ = step
    a, b = start + scale * 0.5, start + scale * (out_size - 0.5)
    first = np.maximum(np.ceil(np.minimum(a, b) - support - 0.5), lo)
    end = np.minimum(np.floor(np.maximum(a, b) + support - 0.5) + 1, hi)
    num_blocks = -(-in_size // 8)
    first = np.clip(first // 8, 0, num_blocks - 1).astype(np.int64)
    end = np.clip(-(-end // 8), first + 1, num_blocks).astype(np.int64)
    return first, end
