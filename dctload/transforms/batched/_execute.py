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
from . import _operations, _operators
from ._layout import AxisRun, Group, Layout
from ._packed import PackedBatch
from ._program import Program

log = logging.getLogger("dctload")

Kernels = Literal["torch", "triton"]
# What went wrong with Triton's kernels; they are not tried again.
_triton_errors: list[Exception] = []


def execute(packed: PackedBatch, kernels: Kernels | None) -> list[Tensor]:
    """See :meth:`PackedBatch.emit`."""
    if kernels not in (None, *get_args(Kernels)):
        raise ValueError(f"kernels must be one of {get_args(Kernels)}, got {kernels!r}")
    layout, device = packed.layout, packed.buffer.device
    own = _own_kernels(kernels, device)
    # The kernels neither fill what lies outside nor multiply steps, and know one size.
    if layout.fills or layout.max_steps != 1:
        own = None
    if layout.program is not None and not layout.program.is_uniform:
        own = None
    with _full_precision(device), torch.no_grad(), _current(device):
        if own is not None:
            try:
                return _all_grids(packed, own)
            except torch.cuda.OutOfMemoryError:
                raise
            except Exception as error:
                if kernels is not None:
                    raise
                # It needs a C compiler at run time, which not every host has.
                log.warning("Triton does not work here, torch does its part: %s", error)
                _triton_errors.append(error)
        return _all_grids(packed, None)


def _all_grids(packed: PackedBatch, own: Any) -> list[Tensor]:
    """The tensors of a batch, by Triton's kernels if they are given."""
    grids = range(len(packed.layout.form.shapes))
    if packed.layout.program is not None:
        made = _operated(packed, packed.layout.program, own)
        return [_emit(packed, made[grid], grid) for grid in grids]
    if own is not None:
        return [_emit_by(own, packed, grid) for grid in grids]
    return [_emit(packed, _amplitudes(packed, grid), grid) for grid in grids]


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
    if layout.program is not None:
        return tuple(range(8)), tuple(range(8))
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
        missing = -matrix.shape[1] % 8
        if missing:  # operations see sizes that are not whole blocks: edges repeated
            edge = matrix[:, -1:].expand(-1, missing, -1)
            matrix = torch.cat([matrix, edge], 1)
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


def _resampled_cohort(packed: PackedBatch, grid: int, number: int) -> Tensor:
    """The same of one cohort of the program, at its own size."""
    layout = packed.layout
    assert layout.program is not None
    cohort = layout.program.cohorts[number]
    start, end = cohort.images
    columns, rows = (-(-n // (16 if grid else 8)) for n in cohort.size)
    shape = end - start, 3, rows, 8, columns, 8
    out = torch.zeros(shape, device=packed.buffer.device)
    job, place = packed.array("jobs"), packed.array("op_place")
    for group in layout.groups:
        if (group.grid, group.cohort) == (grid, number):
            here = slice(*group.jobs)
            amplitudes = _group_amplitudes(packed, group, _wanted(layout, grid))
            images = place.index_select(0, job[4, here])
            out[images, job[5, here]] = amplitudes
    return out


def _amplitudes(packed: PackedBatch, grid: int) -> Tensor:
    """Y, Cb and Cr, without operations."""
    wanted = _wanted(packed.layout, grid)
    return _colored(packed, _resampled(packed, grid), wanted)


# ---- operations -------------------------------------------------------------------


def _operated(packed: PackedBatch, program: Program, own: Any) -> list[Tensor]:
    """Amplitudes of each grid, ``(N, 3, P, 8, Q, 8)``, all operations carried out."""
    layout, device = packed.layout, packed.buffer.device
    grids = range(len(layout.form.shapes))
    whole = [_amplitudes_by(own, packed, grid) for grid in grids] if own else None
    rows, p = packed.array("op_rows"), packed.array("op_p")
    out = []
    for _, down, across in layout.form.shapes:
        shape = layout.num_images, 3, down, 8, across, 8
        out.append(torch.zeros(shape, device=device))
    for number, cohort in enumerate(program.cohorts):
        images = packed.array("op_images")[slice(*cohort.images)].long()
        if whole is None:
            parts = [_resampled_cohort(packed, grid, number) for grid in grids]
        else:
            parts = [part.index_select(0, images) for part in whole]
        wanted = _wanted(layout, 0)
        parts = [_colored(packed, part, wanted, images) for part in parts]
        # Y of the first grid, chroma of the last.
        planes = [parts[0][:, :1]]
        if not cohort.is_gray:
            planes.append(parts[-1][:, 1:])
        planes = [part.flatten(4, 5).flatten(2, 3).contiguous() for part in planes]
        done = _operations.Images(planes, cohort.size, len(grids)).run(cohort, rows, p)
        out[0][images, :1] = _operations.blocks(done[0])
        for chroma in done[1:]:
            out[-1][images, 1:] = _operations.blocks(chroma)
    return out


# ---- emission ---------------------------------------------------------------------


def _emit(packed: PackedBatch, amplitudes: Tensor, grid: int) -> Tensor:
    """The batch's tensor of one grid, from the amplitudes of all components."""
    layout = packed.layout
    channels = _Channels.of(layout, grid, amplitudes.device)
    return _finish(_selected(amplitudes, channels), layout.form)


def _colored(
    packed: PackedBatch,
    amplitudes: Tensor,
    wanted: tuple[Frequencies, Frequencies],
    images: Tensor | None = None,
) -> Tensor:
    """Y, Cb and Cr with their changes of colour; of ``images``, by default all."""

    def array(name: str) -> Tensor:
        whole = packed.array(name)
        return whole if images is None else whole.index_select(0, images)

    if packed.layout.mixes:
        amplitudes = torch.einsum("ncd,ndpvqu->ncpvqu", array("mix"), amplitudes)
    if not packed.layout.has_color or 0 in amplitudes.shape:
        return amplitudes
    v, u = (_operators.indices(amplitudes.device, part).long() for part in wanted)
    gain = array("gain").view(-1, 2, 8, 8).index_select(2, v).index_select(3, u)
    gain = torch.cat([gain, gain[:, 1:]], 1)
    out = amplitudes * gain[:, :, None, :, None, :]
    if wanted[0][0] == wanted[1][0] == 0:
        add = array("add").clone()
        add[:, 0] += array("mean") * amplitudes[:, 0, :, 0, :, 0].mean((1, 2))
        out[:, :, :, 0, :, 0] += add[..., None, None]
    return out


def _emit_by(own: Any, packed: PackedBatch, grid: int) -> Tensor:
    """The same by Triton's kernels, at once where nothing comes between."""
    layout, device = packed.layout, packed.buffer.device
    form = layout.form
    if layout.mixes or not getattr(torch, form.dtype).is_floating_point:
        wanted = _wanted(layout, grid)
        amplitudes = _colored(packed, _amplitudes_by(own, packed, grid), wanted)
        return _emit(packed, amplitudes, grid)
    channels = _Channels.of(layout, grid, device)
    shape = layout.num_images, *form.shapes[grid]
    order = torch.channels_last if form.channels_last else torch.contiguous_format
    dtype = getattr(torch, form.dtype)
    out = torch.empty(shape, dtype=dtype, device=device, memory_format=order)
    if layout.lacks_components:
        out.copy_(channels.offset[None, :, None, None].expand(shape))
    _run_kernels(
        own, packed, grid, out, (channels.places, channels.scale, channels.offset)
    )
    return out


def _amplitudes_by(own: Any, packed: PackedBatch, grid: int) -> Tensor:
    """What _resampled() gives, by Triton's kernels."""
    layout, device = packed.layout, packed.buffer.device
    v, u = map(len, _wanted(layout, grid))
    _, rows, columns = layout.form.shapes[grid]
    out = torch.zeros(layout.num_images, 3 * v * u, rows, columns, device=device)
    _run_kernels(own, packed, grid, out, _all_places(device, v, u))
    return out.view(-1, 3, v, u, rows, columns).permute(0, 1, 4, 2, 5, 3)


def _run_kernels(
    own: Any,
    packed: PackedBatch,
    grid: int,
    out: Tensor,
    places: tuple[Tensor, Tensor, Tensor],
) -> None:
    wanted = _wanted(packed.layout, grid)
    for span in packed.layout.spans if all(wanted) else ():
        if span.grid == grid:
            stored = wanted[::-1] if span.transposed else wanted
            own.resample(packed, span, stored, out, places)


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
        self.v = _tensor([v.index(f // 8) for _, f in index], device)
        self.u = _tensor([u.index(f % 8) for _, f in index], device)
        places = torch.full((3, 8, 8), -1, dtype=torch.int32)
        for channel, (c, f) in enumerate(index):
            places[c, v.index(f // 8), u.index(f % 8)] = channel
        self.places = places.to(device)  # of frequencies among those wanted
        scale = [float(form.scale[c, f]) for c, f in index]
        offset = [float(form.offset[c, f]) for c, f in index]
        self.scale = torch.tensor(scale, dtype=torch.float32).to(device)
        self.offset = torch.tensor(offset, dtype=torch.float32).to(device)

    @staticmethod
    def of(layout: Layout, grid: int, device: Any) -> "_Channels":
        """The same for all batches of a format."""
        kept = _channels.setdefault(layout.form, {})
        mean = layout.has_color and bool(layout.arrays["mean"].any())
        key = grid, device, mean, layout.program is None
        if key not in kept:
            kept[key] = _Channels(layout, grid, device)
        channels: _Channels = kept[key]
        return channels


def _tensor(values: list[Any], device: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.int64).to(device)


def _selected(amplitudes: Tensor, channels: _Channels) -> Tensor:
    """Channels, scaled: ``(N, C, P, Q)``."""
    scale, offset = (x[:, None, None] for x in (channels.scale, channels.offset))
    values = amplitudes.permute(0, 1, 3, 5, 2, 4)[
        :, channels.component, channels.v, channels.u
    ]
    return torch.addcmul(offset, values, scale)


def _finish(values: Tensor, form: Any) -> Tensor:
    """In the type and memory format that is asked for."""
    dtype = getattr(torch, form.dtype)
    if not dtype.is_floating_point:
        limits = torch.iinfo(dtype)
        values = values.round().clamp_(limits.min, limits.max)
    order = torch.channels_last if form.channels_last else torch.contiguous_format
    return values.to(dtype, memory_format=order)
