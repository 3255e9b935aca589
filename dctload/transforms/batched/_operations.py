"""Operations of many images at once, in torch on any device.

What they mean is described at ``enum dctload_op_kind`` (``csrc/dctload.h``); each is
the batched twin of a function of :mod:`dctload._ops_numpy`. Images of a cohort lie in
planes padded to whole blocks, samples or amplitudes in place, as in C.

Parameters are float64 ``(n, NUM_PARAMS + 1)``, the seed behind them. Positions and
random numbers are computed in float64 too: they need more than 24 bits.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..._ops import NUM_PARAMS, Op
from ..._resample import YCC_FROM_RGB
from . import _operators
from ._amplitudes import AMPLITUDES
from ._program import Cohort, Form, Stage

# Y, and Cb with Cr unless images are grey: (n, 1 or 2, rows, columns).
Planes: TypeAlias = list[Tensor]
Size: TypeAlias = tuple[int, int]

_GREY = (0.2989, 0.587, 0.114)  # torchvision's rgb_to_grayscale


@dataclass(frozen=True)
class Look:
    """What operations on samples know of all images.

    Attributes:
        chroma: Luma samples along one of chroma, 1 or 2.
        size: Width and height of the output, in luma samples.
        is_bilinear: For WARP.
    """

    chroma: int
    size: Size
    is_bilinear: bool


class Images:
    """A cohort's images while operations are carried out on them.

    Args:
        planes: Amplitudes, padded to whole blocks; written to.
        size: Width and height in luma samples.
        chroma: Luma samples along one of chroma, 1 or 2.
    """

    def __init__(self, planes: Planes, size: Size, chroma: int):
        self.planes, self.size, self.chroma = planes, size, chroma

    def run(self, cohort: Cohort, rows: Tensor, p: Tensor) -> Planes:
        """Carry out all stages, which end with amplitudes.

        Args:
            cohort: What to do.
            rows: The program's rows, int32.
            p: Their parameters.
        """
        for stage in cohort.stages:
            here = rows[stage.start : stage.end].long()
            if not stage.parts:
                self._turn(stage, here)
            elif stage.form == Form.SAMPLES:
                self._on_samples(stage, here, p)
            elif stage.form == Form.RGB:
                self._on_rgb(stage, here, p)
            else:
                self._on_amplitudes(stage, here, p)
        return self.planes

    # ---- rows of planes ----

    def _read(self, stage: Stage, rows: Tensor) -> Planes:
        """Padded planes; a copy unless they are all."""
        if stage.is_whole:
            return self.planes
        return [plane.index_select(0, rows) for plane in self.planes]

    def _write(self, stage: Stage, rows: Tensor, planes: Planes) -> None:
        """What was read, as it is now; cut or padded."""
        for k, plane in enumerate(planes):
            if stage.is_whole and plane.shape == self.planes[k].shape:
                self.planes[k] = plane
            else:
                h, w = plane.shape[2:]
                self.planes[k][..., :h, :w].index_copy_(0, rows, plane)

    def _cut(self, planes: Planes) -> Planes:
        out = []
        for plane, n in zip(planes, (1, self.chroma), strict=False):
            w, h = (-(-s // n) for s in self.size)
            out.append(plane[..., :h, :w])
        return out

    # ---- forms ----

    def _turn(self, stage: Stage, rows: Tensor) -> None:
        planes = self._read(stage, rows)
        if stage.form == Form.AMPLITUDES:
            planes = [forward(_padded(plane)) for plane in self._cut(planes)]
        else:
            planes = [inverse(plane) for plane in planes]
        self._write(stage, rows, planes)

    def _on_samples(self, stage: Stage, rows: Tensor, p: Tensor) -> None:
        planes = self._cut(self._read(stage, rows))
        made = []
        for part in stage.parts:
            here = slice(part.start - stage.start, part.end - stage.start)
            some = [plane[here] for plane in planes]
            look = Look(self.chroma, stage.size, part.is_bilinear)
            made.append(_SAMPLES[part.kind](some, p[part.start : part.end], look))
        planes = [torch.cat(parts) for parts in zip(*made, strict=True)]
        if stage.size != self.size:  # they all have it
            self.size = stage.size
            self.planes = [torch.empty_like(_padded(plane)) for plane in planes]
        self._write(stage, rows, planes)

    def _on_rgb(self, stage: Stage, rows: Tensor, p: Tensor) -> None:
        levels = self._rgb(self._cut(self._read(stage, rows)))
        made = []
        for part in stage.parts:
            here = slice(part.start - stage.start, part.end - stage.start)
            made.append(_RGB[part.kind](levels[here], p[part.start : part.end]))
        self._write(stage, rows, self._from_rgb(torch.cat(made)))

    def _on_amplitudes(self, stage: Stage, rows: Tensor, p: Tensor) -> None:
        planes = self._read(stage, rows)
        made = []
        for part in stage.parts:
            here = slice(part.start - stage.start, part.end - stage.start)
            some = [blocks(plane[here]) for plane in planes]
            some = AMPLITUDES[part.kind](some, p[part.start : part.end])
            made.append(
                [
                    x.reshape(plane[here].shape)
                    for x, plane in zip(some, planes, strict=True)
                ]
            )
        self._write(stage, rows, [torch.cat(x) for x in zip(*made, strict=True)])

    def _rgb(self, planes: Planes) -> Tensor:
        """``(n, 1 or 3, height, width)``, 0 to 255."""
        full = planes[0]
        if len(planes) == 2:
            chroma = planes[1]
            if self.chroma == 2:
                chroma = chroma.repeat_interleave(2, 2).repeat_interleave(2, 3)
                chroma = chroma[..., : full.shape[2], : full.shape[3]]
            full = _mixed(_rgb_from_ycc(full.device), torch.cat([full, chroma], 1))
        return (full + 128).clamp_(0, 255)

    def _from_rgb(self, levels: Tensor) -> Planes:
        """The inverse; a sample of chroma is the mean of those it stands for."""
        full = levels - 128
        if full.shape[1] == 1:
            return [full]
        full = _mixed(_ycc_from_rgb(full.device), full)
        return [full[:, :1], _means(full[:, 1:], self.chroma)]


def _means(chroma: Tensor, side: int) -> Tensor:
    """Of the ``side`` x ``side`` samples that one of chroma stands for."""
    if side == 1:
        return chroma
    # The last sample of an odd size stands for one: for it and its copy.
    odd = (0, chroma.shape[3] % 2, 0, chroma.shape[2] % 2)
    return functional.avg_pool2d(functional.pad(chroma, odd, "replicate"), 2)


def _padded(plane: Tensor) -> Tensor:
    """Whole blocks, edges repeated."""
    h, w = plane.shape[2:]
    if h % 8 == 0 and w % 8 == 0:
        return plane
    return functional.pad(plane, (0, -w % 8, 0, -h % 8), "replicate")


def blocks(plane: Tensor) -> Tensor:
    """``(n, c, rows, 8, columns, 8)``."""
    n, c, h, w = plane.shape
    return plane.reshape(n, c, h // 8, 8, w // 8, 8)


def _transformed(plane: Tensor, matrix: Tensor) -> Tensor:
    """``matrix^T x matrix`` of every block."""
    n, c, h, w = plane.shape
    x = (plane.reshape(-1, 8) @ matrix).view(-1, 8, w)
    return torch.matmul(matrix.T, x).view(n, c, h, w)


def forward(plane: Tensor) -> Tensor:
    """Samples in whole blocks to amplitudes."""
    return _transformed(plane, _operators.dct(plane.device).T)


def inverse(plane: Tensor) -> Tensor:
    """Amplitudes to samples."""
    return _transformed(plane, _operators.dct(plane.device))


@functools.cache
def _rgb_from_ycc(device: torch.device) -> Tensor:
    return torch.from_numpy(np.linalg.inv(YCC_FROM_RGB)).float().to(device)


@functools.cache
def _ycc_from_rgb(device: torch.device) -> Tensor:
    return torch.from_numpy(YCC_FROM_RGB).float().to(device)


def _mixed(matrix: Tensor, x: Tensor) -> Tensor:
    return torch.matmul(matrix, x.flatten(2)).view(x.shape)


def _each(values: Tensor) -> Tensor:
    """A number for each image, to go with planes."""
    return values.float().view(-1, 1, 1, 1)


# ---- samples ----------------------------------------------------------------------


def _positions(num: int, device: torch.device) -> Tensor:
    return torch.arange(num, dtype=torch.float64, device=device)


def _warp(planes: Planes, p: Tensor, look: Look) -> Planes:
    first, out = 0, []
    for plane, n in zip(planes, (1, look.chroma), strict=False):
        w, h = (-(-s // n) for s in look.size)
        at_x = (_positions(w, p.device) + 0.5) * n
        at_y = ((_positions(h, p.device) + 0.5) * n)[:, None]
        a, b, c, d, e, f = p[:, :6, None, None].unbind(1)
        x = (a * at_x + b * at_y + c) / n - 0.5
        y = (d * at_x + e * at_y + f) / n - 0.5
        black = -128.0 if first == 0 else 0.0
        channels = plane.shape[1]
        fill = p[:, 6 + first : 6 + first + channels, None, None].float()
        has_fill = p[:, 10].bool().view(-1, 1, 1, 1)
        first += channels
        if look.is_bilinear:
            inside, total = _bilinear(plane, x, y)
            seen = total + black * (1 - inside)
            blend = inside * seen + (1 - inside) * fill
            out.append(torch.where(has_fill, blend, seen))
        else:
            # The sample that covers the position, so all halves go the same way.
            at = torch.floor(x + 0.5), torch.floor(y + 0.5)
            inside, total = _tap(plane, *at)
            fill = torch.where(has_fill, fill, black)
            out.append(torch.where(inside > 0, total, fill))
    return out


def _tap(plane: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a sample is there, ``(n, 1, h, w)``, and its value or 0."""
    rows, columns = plane.shape[2:]
    inside = ((x >= 0) & (x < columns) & (y >= 0) & (y < rows))[:, None]
    index = y.clamp(0, rows - 1) * columns + x.clamp(0, columns - 1)
    index = index.long().flatten(1)[:, None].expand(-1, plane.shape[1], -1)
    value = plane.flatten(2).gather(2, index)
    value = value.view(*plane.shape[:2], *x.shape[1:])
    return inside.float(), torch.where(inside, value, 0.0)


def _bilinear(plane: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    x0, y0 = torch.floor(x), torch.floor(y)
    right, down = (x - x0)[:, None].float(), (y - y0)[:, None].float()
    insides, values = [], []
    for dx, wx in ((0, 1 - right), (1, right)):
        for dy, wy in ((0, 1 - down), (1, down)):
            there, value = _tap(plane, x0 + dx, y0 + dy)
            insides.append(wx * wy * there)
            values.append(wx * wy * value)
    return sum(insides[1:], insides[0]), sum(values[1:], values[0])


def _erase_random(planes: Planes, p: Tensor, look: Look) -> Planes:
    num, _, h, w = planes[0].shape
    rgb = p[:, 7:10, None, None].float() * _normals(p, (num, 3, h, w))
    noise = _mixed(_ycc_from_rgb(p.device), rgb)
    return _erase(planes, p, look, [noise[:, :1], _means(noise[:, 1:], look.chroma)])


def _erase(
    planes: Planes, p: Tensor, look: Look, noise: "Planes | None" = None
) -> Planes:
    first, out = 0, []
    for k, (plane, n) in enumerate(zip(planes, (1, look.chroma), strict=False)):
        box = torch.round(p[:, :4].clamp_min(0) / n)
        left, top, right, bottom = box[:, :, None, None, None].unbind(1)
        x = _positions(plane.shape[3], p.device)
        y = _positions(plane.shape[2], p.device)[:, None]
        here = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        level = p[:, 4 + first : 4 + first + plane.shape[1], None, None].float()
        if noise is not None:
            level = level + noise[k]
        out.append(torch.where(here, level, plane))
        first += plane.shape[1]
    return out


def _color(planes: Planes, p: Tensor, look: Look) -> Planes:
    luma = planes[0]
    mean = luma.mean((2, 3), keepdim=True)
    out = [_each(p[:, 0]) * luma + _each(p[:, 1]) + _each(p[:, 2]) * mean]
    for chroma in planes[1:]:
        matrix, add = p[:, 3:7].float().view(-1, 2, 2), p[:, 7:9].float()
        mixed = torch.baddbmm(add[:, :, None], matrix, chroma.flatten(2))
        out.append(mixed.view(chroma.shape))
    return out


_SAMPLES: dict[int, Callable[[Planes, Tensor, Look], Planes]] = {
    Op.WARP: _warp,
    Op.ERASE: _erase,
    Op.ERASE_RANDOM: _erase_random,
    Op.COLOR: _color,
}


# ---- RGB --------------------------------------------------------------------------


def _blend(levels: Tensor, other: Tensor | float, p: Tensor) -> Tensor:
    f = _each(p[:, 0])
    return (f * levels + (1 - f) * other).clamp_(0, 255)


def _grey(levels: Tensor) -> Tensor:
    """``(n, 1, height, width)``."""
    if levels.shape[1] == 1:
        return levels * sum(_GREY)
    r, g, b = (levels[:, c : c + 1] for c in range(3))
    return _GREY[0] * r + _GREY[1] * g + _GREY[2] * b


def _brightness(levels: Tensor, p: Tensor) -> Tensor:
    return _blend(levels, 0.0, p)


def _contrast(levels: Tensor, p: Tensor) -> Tensor:
    return _blend(levels, _grey(levels).mean((2, 3), keepdim=True), p)


def _saturation(levels: Tensor, p: Tensor) -> Tensor:
    return levels if levels.shape[1] == 1 else _blend(levels, _grey(levels), p)


def _sharpness(levels: Tensor, p: Tensor) -> Tensor:
    h, w = levels.shape[2:]
    if h <= 2 or w <= 2:
        return levels
    inner = levels[..., 1:-1, 1:-1]
    around = functional.avg_pool2d(levels, 3, 1, divisor_override=1)
    out = levels.clone()
    out[..., 1:-1, 1:-1] = _blend(inner, (4 * inner + around) / 13, p)
    return out


def _posterize(levels: Tensor, p: Tensor) -> Tensor:
    step = (256 >> p[:, 0].long()).view(-1, 1, 1, 1)
    return (levels.round().long() // step * step).float()


def _solarize(levels: Tensor, p: Tensor) -> Tensor:
    return torch.where(levels.round() >= _each(p[:, 0]), 255 - levels, levels)


def _autocontrast(levels: Tensor, p: Tensor) -> Tensor:
    low = levels.amin((2, 3), keepdim=True).round()
    high = levels.amax((2, 3), keepdim=True).round()
    scale = 255 / (high - low)
    stretched = ((levels - low) * scale).clamp(0, 255)
    return torch.where(high > low, stretched, levels)


def _histogram(level: Tensor) -> Tensor:
    """Counts of levels 0 to 255 of int64 ``(m, size)``: ``(m, 256)``."""
    counts = level.new_zeros(len(level), 256)
    return counts.scatter_add_(1, level, torch.ones_like(level))


def _equalize(levels: Tensor, p: Tensor) -> Tensor:
    level = levels.round().long().flatten(2).flatten(0, 1)
    counts = _histogram(level)
    below = counts.cumsum(1) - counts
    last = counts.gather(1, level.amax(1, keepdim=True))
    step = (level.shape[1] - last) // 255
    table = ((below + step // 2) // step.clamp_min(1)).clamp_max(255)
    flat = table.gather(1, level).float().view(levels.shape)
    return torch.where(step.view(*levels.shape[:2], 1, 1) > 0, flat, levels)


def _shifted(z: Tensor, n: int) -> Tensor:
    """``z >> n`` of uint64, which int64 stands for."""
    return (z >> n) & ((1 << (64 - n)) - 1)


def _mix64(z: Tensor) -> Tensor:
    """The finaliser of SplitMix64, as in _ops_numpy; products wrap."""
    z = (z ^ _shifted(z, 30)) * (0xBF58476D1CE4E5B9 - (1 << 64))
    z = (z ^ _shifted(z, 27)) * (0x94D049BB133111EB - (1 << 64))
    return z ^ _shifted(z, 31)


def _normals(p: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    """By Box and Muller, a pair of normal numbers for two neighbours; seeds end p."""
    num, channels, h, w = shape
    seed = p[:, NUM_PARAMS].long()[:, None] << 2
    key = _mix64(seed | torch.arange(channels, device=p.device))
    place = torch.arange(h * -(-w // 2), device=p.device)
    bits = _mix64(key[..., None] + place * (0x9E3779B97F4A7C15 - (1 << 64)))
    a = (_shifted(bits, 32) + 1).double() / 2**32
    b = (bits & 0xFFFFFFFF).double() / 2**32
    radius, angle = torch.sqrt(-2 * torch.log(a)), 2 * math.pi * b
    pairs = torch.stack([radius * angle.cos(), radius * angle.sin()], -1)
    return pairs.view(num, channels, h, -1)[..., :w].float()


def _noise(levels: Tensor, p: Tensor) -> Tensor:
    num, channels, h, w = levels.shape
    normal = _normals(p, (num, channels, h, w))
    noisy = levels + _each(p[:, 0]) + _each(p[:, 1]) * normal
    return torch.where(_each(p[:, 2]) != 0, noisy.clamp(0, 255), noisy)


_RGB: dict[int, Callable[[Tensor, Tensor], Tensor]] = {
    Op.BRIGHTNESS: _brightness,
    Op.CONTRAST: _contrast,
    Op.SATURATION: _saturation,
    Op.SHARPNESS: _sharpness,
    Op.POSTERIZE: _posterize,
    Op.SOLARIZE: _solarize,
    Op.AUTOCONTRAST: _autocontrast,
    Op.EQUALIZE: _equalize,
    Op.NOISE: _noise,
}

HANDLED = frozenset([*_SAMPLES, *_RGB, *AMPLITUDES])
"""The kinds that are carried out here."""
