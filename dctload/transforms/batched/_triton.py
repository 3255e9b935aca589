"""A batch's operators and its two matrix products as Triton kernels.

What they save over torch's: one launch does for all sizes of windows what torch does
group by group; blocks are dequantised where they are multiplied, so no padded float
copy of them is made; only the band of an operator that is not zero is multiplied; and
the second product is scaled, cast and put where it belongs as it leaves the registers.
All products keep float32's 24 bits.

Imported only where it is used: Triton comes with torch for CUDA, not for CPUs.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...frequencies import Frequencies
from . import _operators
from ._layout import AxisSet, Span
from ._packed import PackedBatch

# Rows and columns of a tile of the result, and how much of the sum is added at once.
_TILE_M, _TILE_N, _TILE_K = 64, 64, 32
# Samples whose weights are computed at once.
_TILE_S = 64


# ---- operators ----------------------------------------------------------------------


@triton.jit
def _sinc(x):
    # Exactly 0 at whole numbers, so that copying samples is exact.
    whole = tl.floor(x) == x
    at = tl.where(whole, 0.5, x) * 3.141592653589793
    return tl.where(whole, tl.where(x == 0, 1.0, 0.0), tl.sin(at) / at)


@triton.jit
def _filter(x, KIND: tl.constexpr):
    """The filter, not stretched; kinds as in ``enum dctload_filter``."""
    a = tl.abs(x)
    if KIND == 0:
        return tl.where((x > -0.5) & (x <= 0.5), 1.0, 0.0).to(tl.float64)
    elif KIND == 1:
        return tl.maximum(1 - a, 0.0)
    elif KIND == 2:
        inner = (1.5 * a - 2.5) * a * a + 1
        outer = ((-0.5 * a + 2.5) * a - 4) * a + 2
        return tl.where(a < 1, inner, tl.where(a < 2, outer, 0.0))
    else:
        return tl.where(a < 3, _sinc(x) * _sinc(x / 3), 0.0)


@triton.jit(do_not_specialize=["num_axes", "blocks"])
def _operator_kernel(
    axes,
    steps,
    firsts,
    sizes,
    starts,
    dct,
    wanted,
    operator,
    begins,
    ends,
    num_axes,
    blocks,
    KIND: tl.constexpr,
    ANY_KIND: tl.constexpr,
    FREQS: tl.constexpr,
    TILE_S: tl.constexpr,
):
    """M of one block of output positions, as ``_operators`` makes it; and its band."""
    axis = tl.load(axes + tl.program_id(0))
    block = tl.program_id(1)
    lo = tl.load(steps + axis)
    hi = tl.load(steps + num_axes + axis)
    start = tl.load(steps + 2 * num_axes + axis)
    scale = tl.load(steps + 3 * num_axes + axis)
    stretch = tl.load(steps + 4 * num_axes + axis)
    support = tl.load(steps + 5 * num_axes + axis)
    first = tl.load(firsts + axis)
    size = tl.load(sizes + axis)
    o = tl.arange(0, 8)
    centre = start + scale * ((8 * block + o).to(tl.float64) + 0.5)
    low = tl.maximum(tl.min(tl.ceil(centre - support - 0.5), 0), lo) - first
    high = tl.minimum(tl.max(tl.floor(centre + support + 0.5), 0), hi) - first
    begin = tl.minimum(tl.maximum(low, 0.0).to(tl.int32), size) // 8 * 8
    end = tl.minimum(tl.maximum(high, 0.0).to(tl.int32), size)
    tl.store(begins + axis * blocks + block, begin)
    tl.store(ends + axis * blocks + block, end)
    # Of filters that are equal for all axes one is compiled in; else all four.
    kind = tl.load(steps + 6 * num_axes + axis)
    column = tl.arange(0, TILE_S)
    total = tl.zeros((8,), tl.float64)
    for s in range(begin, end, TILE_S):
        at = first + (s + column)[None, :].to(tl.float64)
        x = (at + 0.5 - centre[:, None]) / stretch
        w = _weight(x, kind, KIND, ANY_KIND)
        total += tl.sum(tl.where((at >= lo) & (at < hi), w, 0.0), 1)
    factor = tl.where(total >= 1e-3 * stretch, 1 / total, 0.0)
    out = operator + tl.load(starts + axis).to(tl.int64) * blocks * FREQS
    out += block * FREQS * size
    for s in range(begin, end, TILE_S):
        frequency = (s + column) % 8
        products = tl.zeros((8, TILE_S), tl.float64)
        for k in range(8):
            at = first + ((s + column) // 8 * 8 + k)[None, :].to(tl.float64)
            x = (at + 0.5 - centre[:, None]) / stretch
            w = _weight(x, kind, KIND, ANY_KIND)
            w = tl.where((at >= lo) & (at < hi), w, 0.0)
            products += w * tl.load(dct + frequency * 8 + k).to(tl.float64)[None, :]
        products = (products * factor[:, None]).to(tl.float32)
        for f in tl.static_range(FREQS):
            d = tl.load(dct + tl.load(wanted + f) * 8 + o)
            row = tl.sum(d[:, None] * products, 0)
            tl.store(out + f * size + s + column, row, mask=s + column < size)


@triton.jit
def _weight(x, kind, KIND: tl.constexpr, ANY_KIND: tl.constexpr):
    w = _filter(x, KIND)
    if ANY_KIND:
        w = tl.where(kind == 0, _filter(x, 0), w)
        w = tl.where(kind == 1, _filter(x, 1), w)
        w = tl.where(kind == 2, _filter(x, 2), w)
        w = tl.where(kind == 3, _filter(x, 3), w)
    return w


# ---- products -----------------------------------------------------------------------


@triton.jit
def _band(begins, ends, axis, tile, size: tl.constexpr, freqs: tl.constexpr, blocks):
    """The samples that ``size`` rows of an operator see, from row ``tile`` on.

    Both ends of a band go one way only, so the outermost blocks decide.
    """
    a = tile // freqs
    b = tl.minimum((tile + size - 1) // freqs, blocks - 1)
    at = axis * blocks
    begin = tl.minimum(tl.load(begins + at + a), tl.load(begins + at + b))
    end = tl.maximum(tl.load(ends + at + a), tl.load(ends + at + b))
    return begin, end


@triton.jit(do_not_specialize=["num_jobs", "blocks"])
def _across_kernel(
    coefs,
    tables,
    jobs,
    num_jobs,
    operator,
    starts,
    begins,
    ends,
    z,
    blocks,
    FREQS: tl.constexpr,
    TILE_M: tl.constexpr,
    TILE_N: tl.constexpr,
    TILE_K: tl.constexpr,
):
    """Z = X Mh^T: rows of samples' frequencies, columns of the output's."""
    job = tl.program_id(0)
    block = tl.load(jobs + job).to(tl.int64)
    rows = 8 * tl.load(jobs + num_jobs + job)
    columns = tl.load(jobs + 2 * num_jobs + job)
    plane = tl.load(jobs + 3 * num_jobs + job)
    axis = tl.load(jobs + 9 * num_jobs + job)
    z_row = tl.load(jobs + 10 * num_jobs + job).to(tl.int64)
    m = tl.program_id(1) * TILE_M + tl.arange(0, TILE_M)
    tile = tl.program_id(2) * TILE_N
    n = tile + tl.arange(0, TILE_N)
    width, size = blocks * FREQS, 8 * columns
    m_ok = (m < rows)[:, None]
    n_ok = (n < width)[None, :]
    begin, end = _band(begins, ends, axis, tile, TILE_N, FREQS, blocks)
    # A tile below the window has nothing to add.
    end = tl.where(tl.program_id(1) * TILE_M < rows, end, begin)
    row_start = coefs + (block + (m // 8) * columns) * 64 + (m % 8) * 8
    table = tables + plane * 64 + (m % 8) * 8
    weights = operator + tl.load(starts + axis).to(tl.int64) * width
    total = tl.zeros((TILE_M, TILE_N), tl.float32)
    for k in range(begin, end, TILE_K):
        s = k + tl.arange(0, TILE_K)
        at = (s // 8) * 64 + s % 8
        s_ok = s < size
        x = tl.load(
            row_start[:, None] + at[None, :], mask=m_ok & s_ok[None, :], other=0
        )
        t = tl.load(table[:, None] + (s % 8)[None, :])
        w = tl.load(
            weights + n[None, :] * size + s[:, None],
            mask=n_ok & s_ok[:, None],
            other=0.0,
        )
        total = tl.dot(x.to(tl.float32) * t, w, total, input_precision="ieee")
    out = z + (z_row + m)[:, None] * width + n[None, :]
    tl.store(out, total, mask=m_ok & n_ok)


@triton.jit(do_not_specialize=["num_jobs", "blocks", "blocks_across"])
def _down_kernel(
    z,
    jobs,
    num_jobs,
    operator,
    starts,
    begins,
    ends,
    out,
    channels,
    scales,
    offsets,
    blocks,
    blocks_across,
    stride_image,
    stride_channel,
    stride_down,
    stride_across,
    freq_down,
    freq_across,
    FREQS: tl.constexpr,
    FREQS_ACROSS: tl.constexpr,
    TILE_M: tl.constexpr,
    TILE_N: tl.constexpr,
    TILE_K: tl.constexpr,
):
    """Mv Z, scaled and offset, to the channels that are wanted."""
    job = tl.program_id(0)
    size = 8 * tl.load(jobs + num_jobs + job)
    image = tl.load(jobs + 4 * num_jobs + job).to(tl.int64)
    component = tl.load(jobs + 5 * num_jobs + job)
    axis = tl.load(jobs + 8 * num_jobs + job)
    z_row = tl.load(jobs + 10 * num_jobs + job).to(tl.int64)
    tile = tl.program_id(1) * TILE_M
    m = tile + tl.arange(0, TILE_M)
    n = tl.program_id(2) * TILE_N + tl.arange(0, TILE_N)
    height, width = blocks * FREQS, blocks_across * FREQS_ACROSS
    m_ok = (m < height)[:, None]
    n_ok = (n < width)[None, :]
    begin, end = _band(begins, ends, axis, tile, TILE_M, FREQS, blocks)
    weights = operator + tl.load(starts + axis).to(tl.int64) * height
    total = tl.zeros((TILE_M, TILE_N), tl.float32)
    for k in range(begin, end, TILE_K):
        s = k + tl.arange(0, TILE_K)
        s_ok = s < size
        w = tl.load(
            weights + m[:, None] * size + s[None, :],
            mask=m_ok & s_ok[None, :],
            other=0.0,
        )
        x = tl.load(
            z + (z_row + s)[:, None] * width + n[None, :],
            mask=s_ok[:, None] & n_ok,
            other=0.0,
        )
        total = tl.dot(w, x, total, input_precision="ieee")
    freq = (m % FREQS * freq_down)[:, None] + (n % FREQS_ACROSS * freq_across)[None, :]
    ok = m_ok & n_ok
    channel = tl.load(channels + component * 64 + freq, mask=ok, other=-1)
    ok = ok & (channel >= 0)
    scale = tl.load(scales + channel, mask=ok, other=0.0)
    offset = tl.load(offsets + channel, mask=ok, other=0.0)
    down, across = m // FREQS * stride_down, n // FREQS_ACROSS * stride_across
    place = down[:, None] + across[None, :] + channel * stride_channel
    target = out + image * stride_image + place
    tl.store(target, (total * scale + offset).to(out.dtype.element_ty), mask=ok)


# ---- launches -----------------------------------------------------------------------


def _operators_of(
    packed: PackedBatch, axes: AxisSet, wanted: Frequencies, blocks: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """M of a set of axes, where each begins, and the bands of all blocks.

    The operator of an axis of n samples is ``(blocks * len(wanted), n)``, and lies
    as many elements behind the first as those of the axes before it have.
    """
    steps, starts = packed.array("steps"), packed.array("starts")
    filters, num_axes = packed.layout.filters, len(starts)
    device = steps.device
    rows = blocks * len(wanted)
    operator = torch.zeros(axes.num_samples * rows, device=device)
    begins = torch.empty(num_axes, blocks, dtype=torch.int32, device=device)
    ends = torch.empty_like(begins)
    _operator_kernel[(axes.end - axes.start, blocks)](
        packed.array("axes")[axes.start : axes.end].contiguous(),
        steps,
        packed.array("first"),
        packed.array("sizes"),
        starts,
        _operators.dct(device),
        _operators.indices(device, wanted),
        operator,
        begins,
        ends,
        num_axes,
        blocks,
        KIND=filters[0],
        ANY_KIND=len(filters) > 1,
        FREQS=len(wanted),
        TILE_S=_TILE_S,
    )
    return operator, starts, begins, ends


def resample(
    packed: PackedBatch,
    span: Span,
    wanted: tuple[Frequencies, Frequencies],
    out: Tensor,
    channels: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Carry out the jobs of a span, whose axes have one step each.

    Args:
        packed: The batch.
        span: One of its spans.
        wanted: Vertical and horizontal frequencies that are needed, as stored.
        out: ``(N, C, rows, columns)``, written where the jobs' images are.
        channels: The channel of frequency ``8 v + u`` of each component, in the
            output's sense, by the places of v and u among those wanted: int32
            ``(3, 64)``, -1 for none; then scale and offset of each channel.
    """
    v, u = map(len, wanted)
    down, across = out.shape[:1:-1] if span.transposed else out.shape[2:]
    start, end = span.jobs
    jobs, num_jobs = packed.array("jobs")[:, start:end].contiguous(), end - start
    z = torch.empty(span.num_rows, across * u, device=out.device)
    tiles: dict[str, Any] = {"TILE_M": _TILE_M, "TILE_N": _TILE_N, "TILE_K": _TILE_K}
    columns = triton.cdiv(across * u, _TILE_N)
    _across_kernel[(num_jobs, triton.cdiv(8 * span.blocks[0], _TILE_M), columns)](
        packed.blocks(),
        packed.array("qtables"),
        jobs,
        num_jobs,
        *_operators_of(packed, span.across, wanted[1], across),
        z,
        across,
        FREQS=u,
        **tiles,
    )
    strides = out.stride()
    places = (strides[3], strides[2]) if span.transposed else (strides[2], strides[3])
    freqs = (1, 8) if span.transposed else (8, 1)
    _down_kernel[(num_jobs, triton.cdiv(down * v, _TILE_M), columns)](
        z,
        jobs,
        num_jobs,
        *_operators_of(packed, span.down, wanted[0], down),
        out,
        *channels,
        down,
        across,
        strides[0],
        strides[1],
        *places,
        *freqs,
        FREQS=v,
        FREQS_ACROSS=u,
        **tiles,
    )
