"""The two matrix products of a group as Triton kernels.

What they save over torch's: blocks are dequantised where they are multiplied, so no
padded float copy of the windows is made; only the band of an operator that is not
zero is multiplied; and the second product is scaled, cast and put where it belongs as
it leaves the registers. All products keep float32's 24 bits.

Imported only where it is used: Triton comes with torch for CUDA, not for CPUs.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...frequencies import Frequencies
from . import _operators
from ._layout import AxisRun, Group
from ._packed import PackedBatch

# Rows and columns of a tile of the result, and how much of the sum is added at once.
_TILE_M, _TILE_N, _TILE_K = 64, 64, 32

# What differs from batch to batch: a kernel for each value would never be done.
_SIZES = ["num_jobs", "in_size", "blocks", "blocks_across"]


@triton.jit
def _band(first, end, axis, tile, size: tl.constexpr, freqs: tl.constexpr, blocks):
    """The samples that ``size`` rows of an operator see, from row ``tile`` on.

    Both ends of a band go one way only, so the outermost blocks decide.
    """
    a = tile // freqs
    b = tl.minimum((tile + size - 1) // freqs, blocks - 1)
    at = axis.to(tl.int64) * blocks
    begin = tl.minimum(tl.load(first + at + a), tl.load(first + at + b))
    stop = tl.maximum(tl.load(end + at + a), tl.load(end + at + b))
    return begin // 8 * 8, stop


@triton.jit(do_not_specialize=_SIZES[:3])
def _across_kernel(
    coefs,
    tables,
    jobs,
    num_jobs,
    z_rows,
    operator,
    first,
    end,
    z,
    in_size,
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
    axis = tl.load(jobs + 7 * num_jobs + job)
    m = tl.program_id(1) * TILE_M + tl.arange(0, TILE_M)
    tile = tl.program_id(2) * TILE_N
    n = tile + tl.arange(0, TILE_N)
    width = blocks * FREQS
    m_ok = (m < rows)[:, None]
    n_ok = (n < width)[None, :]
    begin, stop = _band(first, end, axis, tile, TILE_N, FREQS, blocks)
    # A tile below the window has nothing to add.
    stop = tl.where(tl.program_id(1) * TILE_M < rows, stop, begin)
    row_start = coefs + (block + (m // 8) * columns) * 64 + (m % 8) * 8
    table = tables + plane * 64 + (m % 8) * 8
    weights = operator + axis.to(tl.int64) * width * in_size
    total = tl.zeros((TILE_M, TILE_N), tl.float32)
    for k in range(begin, stop, TILE_K):
        s = k + tl.arange(0, TILE_K)
        at = (s // 8) * 64 + s % 8
        x_ok = m_ok & (s < 8 * columns)[None, :]
        x = tl.load(row_start[:, None] + at[None, :], mask=x_ok, other=0)
        t = tl.load(table[:, None] + (s % 8)[None, :])
        w = tl.load(
            weights + n[None, :] * in_size + s[:, None],
            mask=n_ok & (s < in_size)[:, None],
            other=0.0,
        )
        total = tl.dot(x.to(tl.float32) * t, w, total, input_precision="ieee")
    out = z + (tl.load(z_rows + job) + m)[:, None] * width + n[None, :]
    tl.store(out, total, mask=m_ok & n_ok)


@triton.jit(do_not_specialize=_SIZES)
def _down_kernel(
    z,
    z_rows,
    jobs,
    num_jobs,
    operator,
    first,
    end,
    out,
    channels,
    scales,
    offsets,
    in_size,
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
    rows = 8 * tl.load(jobs + num_jobs + job)
    image = tl.load(jobs + 4 * num_jobs + job).to(tl.int64)
    component = tl.load(jobs + 5 * num_jobs + job)
    axis = tl.load(jobs + 6 * num_jobs + job)
    tile = tl.program_id(1) * TILE_M
    m = tile + tl.arange(0, TILE_M)
    n = tl.program_id(2) * TILE_N + tl.arange(0, TILE_N)
    height, width = blocks * FREQS, blocks_across * FREQS_ACROSS
    m_ok = (m < height)[:, None]
    n_ok = (n < width)[None, :]
    begin, stop = _band(first, end, axis, tile, TILE_M, FREQS, blocks)
    start = z + tl.load(z_rows + job) * width
    weights = operator + axis.to(tl.int64) * height * in_size
    total = tl.zeros((TILE_M, TILE_N), tl.float32)
    for k in range(begin, stop, TILE_K):
        s = k + tl.arange(0, TILE_K)
        w = tl.load(
            weights + m[:, None] * in_size + s[None, :],
            mask=m_ok & (s < in_size)[None, :],
            other=0.0,
        )
        x = tl.load(
            start + s[:, None] * width + n[None, :],
            mask=(s < rows)[:, None] & n_ok,
            other=0.0,
        )
        total = tl.dot(w, x, total, input_precision="ieee")
    freq = (m % FREQS * freq_down)[:, None] + (n % FREQS_ACROSS * freq_across)[None, :]
    ok = m_ok & n_ok
    channel = tl.load(channels + component * 64 + freq, mask=ok, other=-1)
    ok = ok & (channel >= 0)
    scale = tl.load(scales + channel, mask=ok, other=0.0)
    offset = tl.load(offsets + channel, mask=ok, other=0.0)
    place = (m // FREQS * stride_down)[:, None] + (n // FREQS_ACROSS * stride_across)[
        None, :
    ]
    target = out + image * stride_image + channel * stride_channel + place
    tl.store(target, (total * scale + offset).to(out.dtype.element_ty), mask=ok)


def _bands(
    packed: PackedBatch, runs: tuple[AxisRun, ...], in_size: int
) -> tuple[Tensor, Tensor]:
    """First and end sample of each output block of a group's axes, ``(A, blocks)``."""
    steps, first = packed.array("steps"), packed.array("first")
    parts = []
    for run in runs:
        rows, out_size = slice(run.start, run.end), run.out_sizes[-1]
        if run.num_steps == 1:
            band = _operators.bands(steps[0, :, rows], first[rows], out_size)
        else:
            band = torch.tensor([0, in_size]).to(first.device)
            band = band[:, None, None].expand(2, run.end - run.start, out_size // 8)
        parts.append(band.clamp(0, in_size).int())
    begin, end = torch.cat(parts, 1)
    return begin.contiguous(), end.contiguous()


def resample(
    packed: PackedBatch,
    group: Group,
    operators: tuple[Tensor, Tensor],
    wanted: tuple[Frequencies, Frequencies],
    out: Tensor,
    channels: tuple[Tensor, Tensor, Tensor],
) -> None:
    """Carry out a group of jobs.

    Args:
        packed: The batch.
        group: One of its groups.
        operators: Mv and Mh of the group's axes, as stored: see ``to_frequencies``.
        wanted: Frequencies that the operators give, as stored.
        out: ``(N, C, rows, columns)``, written where the jobs' images are.
        channels: The channel of frequency ``8 v + u`` of each component, in the
            output's sense, by the places of v and u among those wanted: int32
            ``(3, 64)``, -1 for none; then scale and offset of each channel.
    """
    mv, mh = operators
    v, u = map(len, wanted)
    rows_down, rows_across = 8 * group.blocks[0], 8 * group.blocks[1]
    start, end = group.jobs
    jobs, num_jobs = packed.array("jobs")[:, start:end].contiguous(), end - start
    sizes = 8 * jobs[1].long()
    z_rows = sizes.cumsum(0) - sizes
    # The largest window's rows for each: its size is known without asking the device.
    z = torch.empty(num_jobs * rows_down, mh.shape[1], device=out.device)
    down, across = mv.shape[1] // v, mh.shape[1] // u
    tiles: dict[str, Any] = {"TILE_M": _TILE_M, "TILE_N": _TILE_N, "TILE_K": _TILE_K}
    _across_kernel[
        (
            num_jobs,
            triton.cdiv(rows_down, _TILE_M),
            triton.cdiv(mh.shape[1], _TILE_N),
        )
    ](
        packed.blocks(),
        packed.array("qtables"),
        jobs,
        num_jobs,
        z_rows,
        mh,
        *_bands(packed, group.across, rows_across),
        z,
        rows_across,
        across,
        FREQS=u,
        **tiles,
    )
    strides = out.stride()
    places = (strides[3], strides[2]) if group.transposed else (strides[2], strides[3])
    freqs = (1, 8) if group.transposed else (8, 1)
    _down_kernel[
        (
            num_jobs,
            triton.cdiv(mv.shape[1], _TILE_M),
            triton.cdiv(mh.shape[1], _TILE_N),
        )
    ](
        z,
        z_rows,
        jobs,
        num_jobs,
        mv,
        *_bands(packed, group.down, rows_down),
        out,
        *channels,
        rows_down,
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
