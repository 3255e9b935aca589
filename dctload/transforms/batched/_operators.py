"""Resampling operators ``M = D R D^T`` of many axes at once, on any device.

The weights of an axis are a narrow band of R. Only the band is computed, in float64,
because positions of large images need more than 24 bits; everything after it is
float32.
"""

import functools
import math

import torch
from torch import Tensor

from ..._geometry import FILTERS
from ..._resample import dct_matrix

# Positions that see less than this part of their filter see nothing; as taps.c.
_MIN_WEIGHT = 1e-3


# Constants are copied to a device once, by a copy that has ended when the call
# returns: whichever stream uses them later need not wait.
@functools.cache
def dct(device: torch.device, frequencies: tuple[int, ...] = tuple(range(8))) -> Tensor:
    """Rows of the 8 x 8 orthonormal DCT-II, float32 ``(len(frequencies), 8)``."""
    rows = torch.from_numpy(dct_matrix()[list(frequencies)].astype("float32"))
    return rows.to(device)


@functools.cache
def indices(device: torch.device, frequencies: tuple[int, ...]) -> Tensor:
    """The frequencies themselves, int32."""
    return torch.tensor(frequencies, dtype=torch.int32).to(device)


@functools.cache
def full_cover(device: torch.device, frequencies: tuple[int, ...]) -> Tensor:
    """The amplitudes of a line of ones, float32 ``(len(frequencies),)``."""
    ones = [math.sqrt(8) if f == 0 else 0.0 for f in frequencies]
    return torch.tensor(ones).to(device)


def _sinc(x: Tensor) -> Tensor:
    # Exactly 0 at whole numbers, so that copying samples is exact.
    return torch.where((x != 0) & (x == x.round()), 0.0, torch.sinc(x))


def _weights(kind: int, x: Tensor) -> Tensor:
    """The filter, not stretched; kinds as in ``enum dctload_filter``."""
    a = x.abs()
    if kind == FILTERS["box"]:
        return ((x > -0.5) & (x <= 0.5)).to(x.dtype)
    if kind == FILTERS["bilinear"]:
        return (1 - a).clamp_min(0)
    if kind == FILTERS["bicubic"]:
        inner = (1.5 * a - 2.5) * a * a + 1
        outer = ((-0.5 * a + 2.5) * a - 4) * a + 2
        return torch.where(a < 1, inner, torch.where(a < 2, outer, 0.0))
    return torch.where(a < 3, _sinc(x) * _sinc(x / 3), 0.0)


def step_matrices(
    step: Tensor,
    filters: tuple[int, ...],
    out_size: int,
    in_size: int,
    num_taps: int,
    first: Tensor | None = None,
) -> Tensor:
    """R of one step of A axes, float32 ``(A, out_size, in_size)``.

    Args:
        step: float64 ``(len(STEP_ROWS), A)``.
        filters: The kinds that occur.
        out_size: Of the longest; rows beyond an axis's own end are arbitrary.
        in_size: Columns.
        num_taps: The most samples that a position sees.
        first: The sample that column 0 stands for, ``(A,)``; default 0.
    """
    lo, hi, start, scale, stretch, support, kinds = (
        row[:, None, None] for row in step.unbind()
    )
    double, device = torch.float64, step.device
    position = torch.arange(out_size, dtype=double, device=device)[:, None] + 0.5
    centre = torch.addcmul(start, scale, position)
    sample = torch.maximum(torch.ceil(centre - support - 0.5), lo)
    sample = sample + torch.arange(num_taps, dtype=double, device=device)
    x = (sample + 0.5 - centre) / stretch
    weights = _weights(filters[0], x)
    for kind in filters[1:]:
        weights = torch.where(kinds == kind, _weights(kind, x), weights)
    seen = sample < hi
    weights = torch.where(seen, weights, 0.0)
    total = weights.sum(2, keepdim=True)
    weights = torch.where(total >= _MIN_WEIGHT * stretch, weights / total, 0.0)
    column = sample if first is None else sample - first[:, None, None]
    # What is not seen goes to one column more, which is cut off.
    column = torch.where(seen & (column < in_size), column, in_size).long()
    band = torch.zeros(len(column), out_size, in_size + 1, device=step.device)
    band.scatter_(2, column, weights.float())
    return band[:, :, :in_size]


def to_frequencies(
    matrix: Tensor, frequencies: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """``D R D^T``, of the output's frequencies only those wanted, and its cover.

    Args:
        matrix: R, ``(A, 8 P, 8 B)``.
        frequencies: Ascending, of 0 to 7.

    Returns:
        ``(A, P * n, 8 * B)``; and D times the sums of R's rows, ``(A, P, n)``:
        what remains of a plane of ones.
    """
    num, rows, columns = matrix.shape
    wanted = dct(matrix.device, frequencies)
    inner = matrix.reshape(num, rows, columns // 8, 8) @ dct(matrix.device).T
    inner = inner.reshape(num, rows // 8, 8, columns)
    cover = matrix.sum(2).view(num, rows // 8, 8) @ wanted.T
    return (wanted @ inner).view(num, -1, columns), cover
