"""From packed coefficients to the tensors of a batch, in torch on any device.

For each group of jobs, with X the dequantised blocks as a matrix of frequencies,

    amplitudes = Mv X Mh^T

and then, for the whole batch, what C does when it emits: mix components, add offsets
and the mean, multiply by gains, select, scale, offset, cast.
"""

import functools
import logging
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from ...frequencies import Frequencies
from . import _operators
from ._layout import AxisRun, Group, Layout
from ._packed import PackedBatch

log = logging.getLogger("dctload")

Kernels = Literal["torch", "triton"]
# What went wrong with Triton's kernels; they are not tried again.
_triton_errors: list[Exception] = []


def execute(packed: PackedBatch, kernels: Kernels | None) -> list[Tensor]:
    """See :meth:`PackedBatch.emit`."""
    if kernels not in (None, *get_args(Kernels)):
        raise ValueError(f"kernels must be one of {get_args(Kernels)}, got {kernels!r}")
    own = _own_kernels(kernels, packed.buffer.device)
    grids = range(len(packed.layout.form.shapes))
    device = packed.buffer.device
    with _full_precision(device), torch.no_grad(), _current(device):
        # The kernels neither fill what lies outside nor multiply steps.
        if own is not None and not packed.layout.fills and packed.layout.max_steps == 1:
            try:
                return [_emit_by(own, packed, grid) for grid in grids]
            except torch.cuda.OutOfMemoryError:
                raise
            except Exception as error:
                if kernels is not None:
                    raise
                # It needs a C compiler at run time, which not every host has.
                log.warning("Triton does not work here, torch does its part: %s", error)
                _triton_errors.append(error)
        return [_emit(packed, _resampled(packed, grid), grid) for grid in grids]


def _own_kernels(kernels: Kernels | None, device: torch.device) -> Any:
    """The module with Triton's kernels; None: torch's are to be used."""
    automatic = kernels is None
    if kernels == "torch" or (automatic and (device.type != "cuda" or _triton_errors)):
        return None
    try:
        from . import _triton
    except ImportError:
        if kernels is not None:
            raise
        return None
    return _triton


def _current(device: torch.device) -> AbstractContextManager[Any]:
    """Triton launches on the current device, whatever its arguments are on."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Matrix products of all 24 bits, whatever training asks for.

    TF32 would keep 11: half a unit of amplitude where DC is 1000. Torch 2.9 has new
    settings beside the old ones, and means whichever was set last.
    """
    cuda = device.type == "cuda"
    backends: Any = torch.backends
    home = backends.cuda if cuda else backends.mkldnn
    setting: Any = getattr(home, "matmul", None)
    is_new = hasattr(setting, "fp32_precision")
    if is_new and setting.fp32_precision in ("none", "ieee"):
        yield
        return
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:  # the new setting contradicts the old one
        before = "highest"
    if before != "highest":
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
    elif is_new:
        before = setting.fp32_precision
        setting.fp32_precision = "ieee"
        try:
            yield
        finally:
            setting.fp32_precision = before
    else:
        yield


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


def _operator(packed: PackedBatch, runs: tuple[AxisRun, ...], in_size: int) -> Tensor:
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


def _operators_of(
    packed: PackedBatch, group: Group, wanted: tuple[Frequencies, Frequencies]
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """M and cover of a group's axes, down and across."""
    down = _operator(packed, group.down, 8 * group.blocks[0])
    across = _operator(packed, group.across, 8 * group.blocks[1])
    v, u = wanted
    return _operators.to_frequencies(down, v), _operators.to_frequencies(across, u)


def _group_amplitudes(
    packed: PackedBatch, group: Group, wanted: tuple[Frequencies, Frequencies]
) -> Tensor:
    """``(J, P, nv, Q, nu)``: block rows, their frequencies, block columns, theirs."""
    v, u = wanted[::-1] if group.transposed else wanted
    job = packed.array("jobs")[:, slice(*group.jobs)]
    (mv, cover_v), (mh, cover_h) = _operators_of(packed, group, (v, u))
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
    full_v, full_h = (_operators.full_cover(level.device, f) for f in wanted)
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


def _emit(packed: PackedBatch, amplitudes: Tensor, grid: int) -> Tensor:
    """The batch's tensor of one grid, from the amplitudes of all components."""
    if packed.layout.mixes:
        mix = packed.array("mix")
        amplitudes = torch.einsum("ncd,ndpvqu->ncpvqu", mix, amplitudes)
    channels = _Channels.of(packed.layout, grid, amplitudes.device)
    return _finish(_selected(packed, amplitudes, channels), packed.layout.form)


def _emit_by(own: Any, packed: PackedBatch, grid: int) -> Tensor:
    """The same by Triton's kernels, at once where nothing comes between."""
    layout, device = packed.layout, packed.buffer.device
    form, wanted = layout.form, _wanted(layout, grid)
    num_channels, rows, columns = form.shapes[grid]
    v, u = map(len, wanted)
    at_once = not layout.mixes and getattr(torch, form.dtype).is_floating_point
    channels = _Channels.of(layout, grid, device)
    if at_once:
        shape = layout.num_images, num_channels, rows, columns
        order = torch.channels_last if form.channels_last else torch.contiguous_format
        dtype = getattr(torch, form.dtype)
        out = torch.empty(shape, dtype=dtype, device=device, memory_format=order)
        if layout.lacks_components:
            out.copy_(channels.offset[None, :, None, None].expand(shape))
        places = channels.places, channels.scale, channels.offset
    else:
        shape = layout.num_images, 3 * v * u, rows, columns
        out = torch.zeros(shape, device=device)
        places = _all_places(device, v, u)
    for span in layout.spans if v and u else ():
        if span.grid == grid:
            stored = wanted[::-1] if span.transposed else wanted
            own.resample(packed, span, stored, out, places)
    if at_once:
        return out
    amplitudes = out.view(-1, 3, v, u, rows, columns).permute(0, 1, 4, 2, 5, 3)
    return _emit(packed, amplitudes, grid)


@functools.cache
def _all_places(device: torch.device, v: int, u: int) -> tuple[Tensor, Tensor, Tensor]:
    """Channels for all frequencies of three components, as they are."""
    places = torch.full((3, 8, 8), -1, dtype=torch.int32)
    num = 3 * v * u
    places[:, :v, :u] = torch.arange(num, dtype=torch.int32).view(3, v, u)
    return places.to(device), torch.ones(num).to(device), torch.zeros(num).to(device)


_channels: "weakref.WeakKeyDictionary[Any, dict[Any, _Channels]]"
_channels = weakref.WeakKeyDictionary()


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
        places = torch.full((3, 8, 8), -1, dtype=torch.int32)
        for channel, (c, f) in enumerate(index):
            places[c, v.index(f // 8), u.index(f % 8)] = channel
        self.places = places.to(device)  # of frequencies among those wanted
        self.is_dc = _tensor([f == 0 for _, f in index], device)
        self.is_luma = _tensor([c == 0 for c, _ in index], device)
        scale = [float(form.scale[c, f]) for c, f in index]
        offset = [float(form.offset[c, f]) for c, f in index]
        self.scale = torch.tensor(scale, dtype=torch.float32).to(device)
        self.offset = torch.tensor(offset, dtype=torch.float32).to(device)

    @staticmethod
    def of(layout: Layout, grid: int, device: Any) -> "_Channels":
        """The same for all batches of a format."""
        kept = _channels.setdefault(layout.form, {})
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
