"""From packed coefficients to the tensors of a batch, in torch on any device.

For each group of jobs, with X the dequantised blocks as a matrix of frequencies,

    amplitudes = Mv X Mh^T

and then, for the whole batch, what C does when it emits: mix components, add offsets
and the mean, multiply by gains, select, scale, offset, cast.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ...frequencies import Frequencies
from . import _operators
from ._layout import AxisRun, Group, Layout
from ._packed import PackedBatch


def execute(packed: PackedBatch) -> list[Tensor]:
    """See :meth:`PackedBatch.emit`."""
    with _full_precision(), torch.no_grad():
        planes = [
            _resampled(packed, grid) for grid in range(len(packed.layout.form.shapes))
        ]
        return _emit(packed, planes)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Matrix products of all 24 bits, whatever training asks for.

    TF32 would keep 11: half a unit of amplitude where DC is 1000.
    """
    before = torch.get_float32_matmul_precision()
    if before == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


# ---- frequencies -----------------------------------------------------------------


def _wanted(layout: Layout, grid: int) -> tuple[Frequencies, Frequencies]:
    """Vertical and horizontal frequencies that a grid needs, ascending."""
    if len(layout.form.shapes) == 1:
        parts = list(layout.form.subset)
    elif grid == 0:
        parts = [layout.form.subset.y]
    else:
        parts = [layout.form.subset.cb, layout.form.subset.cr]
    all_freqs = {f for part in parts for f in part}
    if layout.has_color and grid == 0 and bool(layout.arrays["mean"].any()):
        all_freqs |= {0}
    v, u = {f // 8 for f in all_freqs}, {f % 8 for f in all_freqs}
    return tuple(sorted(v)), tuple(sorted(u))


# ---- resampling -------------------------------------------------------------------


def _operator(
    packed: PackedBatch, runs: tuple[AxisRun, ...], in_size: int
) -> Tensor:
    """R of a group's axes, ``(A, out, in_size)``."""
    steps, first = packed.array("steps"), packed.array("first")
    filters = packed.layout.filters
    parts = []
    for run in runs:
        rows = slice(run.start, run.end)
        matrix: Tensor | None = None
        for k in range(run.num_steps):
            columns = in_size if matrix is None else matrix.shape[1]
            step = _operators.step_matrices(
                steps[k, :, rows],
                filters,
                run.out_sizes[k],
                columns,
                run.taps[k],
                first[rows] if k == 0 else None,
            )
            matrix = step if matrix is None else torch.bmm(step, matrix)
        assert matrix is not None
        parts.append(matrix)
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _dequantized(packed: PackedBatch, group: Group) -> Tensor:
    """Amplitudes of a group's windows as matrices, ``(J, 8 rows, 8 columns)``."""
    rows, columns = group.blocks
    job = packed.array("jobs")[:, slice(*group.jobs)]
    block, num_rows, num_columns, plane = (row[:, None, None] for row in job[:4])
    y = torch.arange(rows, device=job.device, dtype=torch.int32)[:, None]
    x = torch.arange(columns, device=job.device, dtype=torch.int32)
    index = torch.where(
        (y < num_rows) & (x < num_columns), block + y * num_columns + x, 0
    )
    blocks = packed.blocks().index_select(0, index.view(-1))
    blocks = blocks.view(-1, rows, columns, 8, 8).permute(0, 1, 3, 2, 4)
    tables = packed.array("qtables").index_select(0, plane.view(-1))
    out = torch.empty(blocks.shape, device=job.device)
    torch.mul(blocks, tables.view(-1, 1, 8, 1, 8), out=out)
    return out.view(-1, 8 * rows, 8 * columns)


def _group_amplitudes(
    packed: PackedBatch, group: Group, wanted: tuple[Frequencies, Frequencies]
) -> Tensor:
    """``(J, P, nv, Q, nu)``: block rows, their frequencies, block columns, theirs."""
    v, u = wanted[::-1] if group.transposed else wanted
    job = packed.array("jobs")[:, slice(*group.jobs)]
    mv, cover_v = _operators.to_frequencies(
        _operator(packed, group.down, 8 * group.blocks[0]), v
    )
    mh, cover_h = _operators.to_frequencies(
        _operator(packed, group.across, 8 * group.blocks[1]), u
    )
    x = _dequantized(packed, group)
    out = torch.bmm(x, mh.index_select(0, job[7]).transpose(1, 2))
    out = torch.bmm(mv.index_select(0, job[6]), out)
    out = out.view(len(out), -1, len(v), out.shape[2] // len(u), len(u))
    if packed.layout.fills:
        level = packed.array("fill")[slice(*group.jobs)]
        out += _fill(
            level,
            cover_v.index_select(0, job[6]),
            cover_h.index_select(0, job[7]),
            (v, u),
        )
    return out.permute(0, 3, 4, 1, 2) if group.transposed else out


def _fill(
    level: Tensor,
    cover_v: Tensor,
    cover_h: Tensor,
    wanted: tuple[Frequencies, Frequencies],
) -> Tensor:
    """The amplitudes of positions that see no sample."""
    full_v, full_h = (
        _operators.full_cover(level.device, f) for f in wanted
    )
    full = full_v[:, None, None] * full_h
    covered = cover_v[..., None, None] * cover_h[:, None, None]
    return level.view(-1, 1, 1, 1, 1) * (full - covered)


def _resampled(packed: PackedBatch, grid: int) -> Tensor:
    """Amplitudes of Y, Cb and Cr, or R, G and B, ``(N, 3, P, nv, Q, nu)``.

    Zeros where there is no component.
    """
    layout = packed.layout
    v, u = _wanted(layout, grid)
    _, rows, columns = layout.form.shapes[grid]
    shape = layout.num_images, 3, rows, len(v), columns, len(u)
    out = torch.zeros(shape, device=packed.buffer.device)
    if not (v and u):
        return out
    job = packed.array("jobs")
    for group in layout.groups:
        if group.grid == grid:
            here = slice(*group.jobs)
            out[job[4, here], job[5, here]] = _group_amplitudes(packed, group, (v, u))
    return out


# ---- emission ---------------------------------------------------------------------


def _emit(packed: PackedBatch, planes: list[Tensor]) -> list[Tensor]:
    form = packed.layout.form
    out = []
    for grid, amplitudes in enumerate(planes):
        if packed.layout.mixes:
            amplitudes = torch.einsum("ncd,ndpvqu->ncpvqu", packed.array("mix"), amplitudes)
        channels = _Channels.of(packed.layout, grid, amplitudes.device)
        out.append(_finish(_selected(packed, amplitudes, channels), form))
    return out


class _Channels:
    """What each channel of a tensor is taken from."""

    def __init__(self, layout: Layout, grid: int, device: Any):
        form = layout.form
        v, u = _wanted(layout, grid)
        if len(form.shapes) == 1:
            components = [0, 1, 2]
        else:
            components = [0] if grid == 0 else [1, 2]
        index = [(c, f) for c in components for f in tuple(form.subset)[c]]
        self.component = _tensor([c for c, _ in index], device)
        self.freq = _tensor([f for _, f in index], device)
        self.v = _tensor([v.index(f // 8) for _, f in index], device)
        self.u = _tensor([u.index(f % 8) for _, f in index], device)
        self.is_dc = _tensor([f == 0 for _, f in index], device)
        self.is_luma = _tensor([c == 0 for c, _ in index], device)
        scale = [float(form.scale[c, f]) for c, f in index]
        offset = [float(form.offset[c, f]) for c, f in index]
        self.scale = torch.tensor(scale, dtype=torch.float32).to(device)
        self.offset = torch.tensor(offset, dtype=torch.float32).to(device)

    @staticmethod
    def of(layout: Layout, grid: int, device: Any) -> "_Channels":
        """Kept with the format: the same for all its batches."""
        kept = vars(layout.form).setdefault("_channels", {})
        mean = layout.has_color and bool(layout.arrays["mean"].any())
        key = grid, device, mean
        if key not in kept:
            kept[key] = _Channels(layout, grid, device)
        channels: _Channels = kept[key]
        return channels


def _tensor(values: list[Any], device: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.int64).to(device)


def _selected(packed: PackedBatch, amplitudes: Tensor, channels: _Channels) -> Tensor:
    """Channels, scaled: ``(N, C, P, Q)``."""
    scale, offset = channels.scale[None], channels.offset[None]
    if packed.layout.has_color:
        gain = packed.array("gain")
        chroma = 1 - channels.is_luma
        gain = gain[:, chroma, channels.freq]
        add = packed.array("add")[:, channels.component]
        mean = packed.array("mean")
        if bool(packed.layout.arrays["mean"].any()):
            # DC is the first frequency of both axes.
            of_luma = mean * amplitudes[:, 0, :, 0, :, 0].mean((1, 2))
            add = add + of_luma[:, None] * channels.is_luma
        offset = offset + scale * add * channels.is_dc
        scale = scale * gain
    values = amplitudes.permute(0, 1, 3, 5, 2, 4)[
        :, channels.component, channels.v, channels.u
    ]
    return torch.addcmul(offset[..., None, None], values, scale[..., None, None])


def _finish(values: Tensor, form: Any) -> Tensor:
    """In the type and memory format that is asked for."""
    dtype = getattr(torch, form.dtype)
    if not dtype.is_floating_point:
        limits = torch.iinfo(dtype)
        values = values.round().clamp_(limits.min, limits.max)
    order = torch.channels_last if form.channels_last else torch.contiguous_format
    return values.to(dtype, memory_format=order)


