"""Operations on the amplitudes of many images, and on the means of their blocks.

The batched twins of the last part of :mod:`dctload._ops_numpy`. Each takes Y, and Cb
with Cr unless images are grey, as blocks ``(n, 1 or 2, rows, 8, columns, 8)``, and
parameters ``(n, ...)`` in float64; what it is given stays as it is.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from ..._ops import Op
from ..._ops_numpy import DC_MAX, DC_MIN, base_tables


def _gain(parts: list[Tensor], p: Tensor) -> list[Tensor]:
    gain = p[:, 8, None, None] + p[:, 9, None, None] * p[:, :8, None] * p[:, None, :8]
    gain[:, 0, 0] = torch.where(p[:, 11] != 0, p[:, 10], gain[:, 0, 0])
    which, gain = p[:, 12].long(), gain.float()[:, None, None, :, None, :]
    out = []
    for k, part in enumerate(parts):
        here = (which >> k & 1).bool().view(-1, 1, 1, 1, 1, 1)
        out.append(torch.where(here, part * gain, part))
    return out


@functools.cache
def _base_tables(device: torch.device) -> Tensor:
    return torch.from_numpy(base_tables()).to(device)


def _requantize(parts: list[Tensor], p: Tensor) -> list[Tensor]:
    quality = p[:, 0].long()
    percent = torch.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    tables = _base_tables(p.device) * percent.view(-1, 1, 1, 1)
    tables = ((tables + 50) // 100).clamp(1, 255).float()
    out = []
    for k, part in enumerate(parts):
        table = tables[:, k, None, None, :, None, :]
        out.append((part / table).round() * table)
    return out


# ---- means of blocks --------------------------------------------------------------


def _dc(part: Tensor) -> Tensor:
    """``(n, 1 or 2, rows, columns)``."""
    return part[:, :, :, 0, :, 0]


def _with_dc(part: Tensor, dc: Tensor) -> Tensor:
    out = part.clone()
    out[:, :, :, 0, :, 0] = dc
    return out


def _each(values: Tensor) -> Tensor:
    return values.float().view(-1, 1, 1, 1)


def _dc_brightness(parts: list[Tensor], p: Tensor) -> list[Tensor]:
    dc = _dc(parts[0])
    mean = dc.abs().mean((1, 2, 3), keepdim=True)
    dc = (dc + _each(p[:, 0] - 1) * mean).clamp(DC_MIN, DC_MAX)
    return [_with_dc(parts[0], dc), *parts[1:]]


def _dc_autocontrast(parts: list[Tensor], p: Tensor) -> list[Tensor]:
    dc = _dc(parts[0])
    low, high = (f(dc, (1, 2, 3), keepdim=True) for f in (torch.amin, torch.amax))
    stretched = (dc - low) * ((DC_MAX - DC_MIN) / (high - low)) + DC_MIN
    dc = torch.where(high > low, stretched, dc)
    return [_with_dc(parts[0], dc), *parts[1:]]


def _dc_autosaturation(parts: list[Tensor], p: Tensor) -> list[Tensor]:
    chroma = []
    for part in parts[1:]:
        dc = _dc(part)
        largest = dc.abs().amax((1, 2, 3), keepdim=True)
        dc = torch.where(largest > 0, dc * (DC_MAX / largest), dc)
        chroma.append(_with_dc(part, dc))
    return [parts[0], *chroma]


def _dc_equalize(parts: list[Tensor], p: Tensor) -> list[Tensor]:
    dc = _dc(parts[0]).flatten(1)
    level = (dc / 8 + 128).round().clamp(0, 255).long()
    counts = level.new_zeros(len(level), 256)
    counts.scatter_add_(1, level, torch.ones_like(level))
    lowest = counts.gather(1, level.amin(1, keepdim=True))
    below = (counts.cumsum(1) - lowest).clamp_min(0)
    rest = level.shape[1] - lowest
    table = 8 * (below / rest.clamp_min(1) * 255 - 128)
    dc = torch.where(rest > 0, table.gather(1, level), dc)
    return [_with_dc(parts[0], dc.view(_dc(parts[0]).shape)), *parts[1:]]


def _dc_posterize(parts: list[Tensor], p: Tensor) -> list[Tensor]:
    step = _each(p[:, 0])
    out = []
    for part in parts:
        dc = torch.floor((_dc(part) - DC_MIN) / step) * step + DC_MIN
        out.append(_with_dc(part, dc))
    return out


def _dc_solarize(parts: list[Tensor], p: Tensor) -> list[Tensor]:
    mask = _dc(parts[0]) > _each(p[:, 0])
    out = []
    for part in parts:
        # A block of chroma follows the first block of luma that it covers.
        every = [
            round(m / n) for m, n in zip(mask.shape[2:], part.shape[2::2], strict=True)
        ]
        here = mask[:, :, :: every[0], :: every[1]][:, :, :, None, :, None]
        out.append(torch.where(here, -part, part))
    return out


def _dc_solarize_add(parts: list[Tensor], p: Tensor) -> list[Tensor]:
    dc = _dc(parts[0])
    more = (dc + _each(p[:, 0])).clamp(DC_MIN, DC_MAX)
    return [_with_dc(parts[0], torch.where(dc < 0, more, dc)), *parts[1:]]


AMPLITUDES: dict[int, Callable[[list[Tensor], Tensor], list[Tensor]]] = {
    Op.GAIN: _gain,
    Op.REQUANTIZE: _requantize,
    Op.DC_BRIGHTNESS: _dc_brightness,
    Op.DC_AUTOCONTRAST: _dc_autocontrast,
    Op.DC_AUTOSATURATION: _dc_autosaturation,
    Op.DC_EQUALIZE: _dc_equalize,
    Op.DC_POSTERIZE: _dc_posterize,
    Op.DC_SOLARIZE: _dc_solarize,
    Op.DC_SOLARIZE_ADD: _dc_solarize_add,
}
"""What carries out each kind."""
