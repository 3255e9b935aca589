"""Operations on one image in NumPy and float64: slow, and free of cleverness.

For planes that no native plan makes: those that a user looks at, and those that a
transform in Python gives.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _resample
from ._ops import LAST_ON_RGB, LAST_ON_SAMPLES, Op, Ops

Array = npt.NDArray[Any]
Ratios = Sequence[tuple[Fraction, Fraction]]

DC_MIN, DC_MAX = -1024.0, 1016.0
_GREY = np.array([0.2989, 0.587, 0.114])  # torchvision's rgb_to_grayscale
_RGB_FROM_YCC = np.linalg.inv(_resample.YCC_FROM_RGB)


def run(
    ops: Ops, i: int, planes: list[Array], size: tuple[int, int], ratios: Ratios
) -> list[Array]:
    """Apply the operations of image ``i``.

    Args:
        ops: Of N images.
        i: Which of them.
        planes: Amplitudes (by, bx, 8, 8) of Y, or of Y, Cb and Cr.
        size: Width and height in luma samples.
        ratios: Resolution (x, y) of each component, at most 1.

    Returns:
        New amplitudes, float32.
    """
    image = _Image(planes, size, ratios)
    for kind, seed, p in ops.of_image(i):
        if kind == Op.NONE:
            continue
        if kind <= LAST_ON_SAMPLES:
            if kind == Op.ERASE_RANDOM:
                _erase_random(image, p, seed)
            else:
                _SAMPLES[kind](image, p)
        elif kind <= LAST_ON_RGB:
            levels = image.rgb()
            if kind == Op.NOISE:
                image.set_rgb(_noise(levels, p, seed))
            else:
                image.set_rgb(np.stack(_RGB[kind](levels, p[0])))
        else:
            parts = [_resample.blocks(_padded(s)) for s in image.samples]
            parts = [_transform(part, _D.T) for part in parts]
            parts = _AMPLITUDES[kind](parts, p, seed)
            image.samples = image.cut([_transform(part, _D) for part in parts])
    return [
        _transform(_resample.blocks(_padded(s)), _D.T).astype(np.float32)
        for s in image.samples
    ]


_D = _resample.dct_matrix()


def _transform(blocks: Array, matrix: Array) -> Array:
    """D^T x D of every block, where ``matrix`` is D; its inverse for D^T."""
    out: Array = matrix.T @ blocks.astype(np.float64) @ matrix
    return out


def _padded(samples: Array) -> Array:
    h, w = samples.shape
    return np.pad(samples, ((0, -h % 8), (0, -w % 8)), mode="edge")


class _Image:
    """Samples of each component, 128 subtracted."""

    def __init__(self, planes: list[Array], size: tuple[int, int], ratios: Ratios):
        self.size, self.ratios = size, ratios
        self.samples = self.cut([_transform(plane, _D) for plane in planes])

    def cut(self, blocks: list[Array]) -> list[Array]:
        """Blocks as samples, without those past the edge."""
        out = []
        for part, (rx, ry) in zip(blocks, self.ratios, strict=False):
            w = _resample.ceil_size(self.size[0], rx)
            h = _resample.ceil_size(self.size[1], ry)
            out.append(_resample.mosaic(part)[:h, :w])
        return out

    def _index(self, c: int, axis: int) -> Array:
        """Which sample of component ``c`` stands for each of luma's positions."""
        at = np.arange(self.size[axis]) + 0.5
        index = np.floor(at * float(self.ratios[c][axis])).astype(np.int64)
        return np.minimum(index, self.samples[c].shape[1 - axis] - 1)

    def rgb(self) -> Array:
        """(1 or 3, height, width), 0 to 255."""
        full = [
            s[np.ix_(self._index(c, 1), self._index(c, 0))]
            for c, s in enumerate(self.samples)
        ]
        if len(full) == 3:
            full = list(np.tensordot(_RGB_FROM_YCC, np.stack(full), 1))
        return np.clip(np.stack(full) + 128, 0, 255)

    def set_rgb(self, levels: Array) -> None:
        """The inverse; a sample of chroma is the mean of those it stands for."""
        full = levels - 128
        if len(full) == 3:
            full = np.tensordot(_resample.YCC_FROM_RGB, full, 1)
        for c in range(len(full)):
            self.samples[c] = self.means(full[c], c)

    def means(self, part: Array, c: int) -> Array:
        """Of the samples of luma that each sample of component ``c`` stands for."""
        for axis in (0, 1):
            index = self._index(c, 1 - axis)
            first = np.flatnonzero(np.diff(index, prepend=-1))
            counts = np.diff(np.append(first, len(index)))
            shape = (-1, 1) if axis == 0 else (1, -1)
            part = np.add.reduceat(part, first, axis=axis) / counts.reshape(shape)
        return part


# ---- samples --------------------------------------------------------------------


def _warp(image: _Image, p: Array) -> None:
    out_size = int(p[11]), int(p[12])
    for c, (rx, ry) in enumerate(image.ratios[: len(image.samples)]):
        sx, sy = float(1 / rx), float(1 / ry)
        w, h = (
            _resample.ceil_size(n, r) for n, r in zip(out_size, (rx, ry), strict=True)
        )
        at_x = (np.arange(w) + 0.5) * sx
        at_y = (np.arange(h)[:, None] + 0.5) * sy
        x = (p[0] * at_x + p[1] * at_y + p[2]) / sx - 0.5
        y = (p[3] * at_x + p[4] * at_y + p[5]) / sy - 0.5
        black = -128.0 if c == 0 else 0.0
        fill = p[6 + c] if p[10] else black
        look = _bilinear if p[9] else _nearest
        inside, total = look(image.samples[c], x, y)
        seen = total + black * (1 - inside)
        if p[9]:
            seen = inside * seen + (1 - inside) * fill if p[10] else seen
        else:
            seen = np.where(inside > 0, total, fill)
        image.samples[c] = seen
    image.size = out_size


def _tap(samples: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Whether a sample is there, and its value or 0."""
    h, w = samples.shape
    inside = (x >= 0) & (x < w) & (y >= 0) & (y < h)
    value = samples[
        np.clip(y, 0, h - 1).astype(np.int64), np.clip(x, 0, w - 1).astype(np.int64)
    ]
    return inside.astype(np.float64), np.where(inside, value, 0.0)


def _nearest(samples: Array, x: Array, y: Array) -> tuple[Array, Array]:
    # The sample that covers the position, so all halves go the same way.
    return _tap(samples, np.floor(x + 0.5), np.floor(y + 0.5))


def _bilinear(samples: Array, x: Array, y: Array) -> tuple[Array, Array]:
    x0, y0 = np.floor(x), np.floor(y)
    total, inside = np.zeros(x.shape), np.zeros(x.shape)
    for dx, wx in ((0, x0 + 1 - x), (1, x - x0)):
        for dy, wy in ((0, y0 + 1 - y), (1, y - y0)):
            there, value = _tap(samples, x0 + dx, y0 + dy)
            inside += wx * wy * there
            total += wx * wy * value
    return inside, total


def _erase(image: _Image, p: Array, noise: Sequence[Array] = ()) -> None:
    for c, (rx, ry) in enumerate(image.ratios[: len(image.samples)]):
        part = image.samples[c] = image.samples[c].copy()
        left, right = (int(np.rint(max(v, 0) * float(rx))) for v in (p[0], p[2]))
        top, bottom = (int(np.rint(max(v, 0) * float(ry))) for v in (p[1], p[3]))
        part[top:bottom, left:right] = p[4 + c]
        if noise:
            part[top:bottom, left:right] += noise[c][top:bottom, left:right]


def _erase_random(image: _Image, p: Array, seed: int) -> None:
    w, h = image.size
    rgb = p[7:10, None, None] * _normals(seed, (3, h, w))
    ycc = np.tensordot(_resample.YCC_FROM_RGB, rgb, 1)
    _erase(image, p, [image.means(ycc[c], c) for c in range(len(image.samples))])


def _color(image: _Image, p: Array) -> None:
    y, *chroma = image.samples
    out = [p[0] * y + p[1] + p[2] * y.mean()]
    for k, (a, b) in enumerate((p[3:5], p[5:7])):
        if chroma:
            out.append(a * chroma[0] + b * chroma[1] + p[7 + k])
    image.samples = out


_SAMPLES: dict[int, Any] = {Op.WARP: _warp, Op.ERASE: _erase, Op.COLOR: _color}


# ---- RGB ------------------------------------------------------------------------


def _blend(levels: Array, other: Any, f: float) -> Array:
    out: Array = np.clip(f * levels + (1 - f) * other, 0, 255)
    return out


def _grey(levels: Array) -> Array:
    weights = _GREY if len(levels) == 3 else np.array([_GREY.sum()])
    out: Array = np.tensordot(weights, levels, 1)
    return out


def _saturation(levels: Array, f: float) -> Array:
    return levels if len(levels) == 1 else _blend(levels, _grey(levels), f)


def _sharpness(levels: Array, f: float) -> Array:
    h, w = levels.shape[1:]
    if h <= 2 or w <= 2:
        return levels
    smooth = 4 * levels[:, 1:-1, 1:-1]
    for dy in range(3):
        for dx in range(3):
            smooth = smooth + levels[:, dy : h - 2 + dy, dx : w - 2 + dx]
    out = levels.copy()
    out[:, 1:-1, 1:-1] = _blend(levels[:, 1:-1, 1:-1], smooth / 13, f)
    return out


def _posterize(levels: Array, bits: float) -> Array:
    step = 2.0 ** (8 - int(bits))
    out: Array = np.floor(np.rint(levels) / step) * step
    return out


def _solarize(levels: Array, threshold: float) -> Array:
    return np.where(np.rint(levels) >= threshold, 255 - levels, levels)


def _autocontrast(levels: Array, _: float) -> list[Array]:
    out = []
    for channel in levels:
        low, high = np.rint(channel.min()), np.rint(channel.max())
        if high > low:
            channel = np.clip((channel - low) * (255 / (high - low)), 0, 255)
        out.append(channel)
    return out


def _equalize(levels: Array, _: float) -> list[Array]:
    out = []
    for channel in levels:
        level = np.rint(channel).astype(np.int64)
        counts = np.bincount(level.reshape(-1), minlength=256)
        below = np.cumsum(counts) - counts
        step = (level.size - counts[level.max()]) // 255
        table = np.minimum((below + step // 2) // max(step, 1), 255)
        out.append(table[level].astype(np.float64) if step else channel)
    return out


def _mix64(z: Array) -> Array:
    """The finaliser of SplitMix64 (Steele, Lea, Flood; OOPSLA 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    out: Array = z ^ (z >> np.uint64(31))
    return out


def _normals(seed: int, shape: tuple[int, ...]) -> Array:
    """By Box and Muller, a pair of normal numbers for two neighbours, (c, h, w)."""
    channels, h, w = shape
    out = []
    for c in range(channels):
        key = _mix64(np.array([seed << 2 | c], np.uint64))
        place = np.arange(h * -(-w // 2), dtype=np.uint64)
        bits = _mix64(key + place * np.uint64(0x9E3779B97F4A7C15))
        a = ((bits >> np.uint64(32)).astype(np.float64) + 1) / 2**32
        b = (bits & np.uint64(0xFFFFFFFF)).astype(np.float64) / 2**32
        turn = np.sqrt(-2 * np.log(a)) * np.exp(2j * np.pi * b)
        pairs = np.stack([turn.real, turn.imag], axis=-1).reshape(h, -1)
        out.append(pairs[:, :w])
    return np.stack(out)


def _noise(levels: Array, p: Array, seed: int) -> Array:
    noisy: Array = levels + p[0] + p[1] * _normals(seed, levels.shape)
    return np.clip(noisy, 0, 255) if p[2] else noisy


_RGB: dict[int, Any] = {
    Op.BRIGHTNESS: lambda x, f: _blend(x, 0, f),
    Op.CONTRAST: lambda x, f: _blend(x, _grey(x).mean(), f),
    Op.SATURATION: _saturation,
    Op.SHARPNESS: _sharpness,
    Op.POSTERIZE: _posterize,
    Op.SOLARIZE: _solarize,
    Op.AUTOCONTRAST: _autocontrast,
    Op.EQUALIZE: _equalize,
}


# ---- amplitudes -----------------------------------------------------------------

# ITU-T T.81 K.1: the tables that quality 50 stands for, natural order.
_LUMA = """
16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56
14 17 22 29 51 87 80 62 18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92
49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99
"""
_CHROMA_CORNER = [
    [17, 18, 24, 47],
    [18, 21, 26, 66],
    [24, 26, 56, 99],
    [47, 66, 99, 99],
]


def base_tables() -> Array:
    """The tables that libjpeg scales by its quality, (2, 8, 8): luma and chroma."""
    base = np.full((2, 8, 8), 99)
    base[0] = np.array(_LUMA.split(), int).reshape(8, 8)
    base[1, :4, :4] = _CHROMA_CORNER
    return base


def quality_tables(quality: int) -> Array:
    """Libjpeg's tables for a quality of 1 to 100, (2, 8, 8): luma and chroma."""
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be 1 to 100, got {quality}")
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables: Array = np.clip((base_tables() * scale + 50) // 100, 1, 255)
    return tables


def _gain(parts: list[Array], p: Array, seed: int) -> list[Array]:
    gain = p[8] + p[9] * np.outer(p[:8], p[:8])
    if p[11]:
        gain[0, 0] = p[10]
    which = int(p[12])
    return [
        part * gain if which >> (c > 0) & 1 else part for c, part in enumerate(parts)
    ]


def _requantize(parts: list[Array], p: Array, seed: int) -> list[Array]:
    tables = quality_tables(int(p[0]))
    out = []
    for c, part in enumerate(parts):
        table = tables[min(c, 1)]
        out.append(np.rint(part / table) * table)
    return out


def _with_dc(part: Array, dc: Array) -> Array:
    out = part.copy()
    out[..., 0, 0] = dc
    return out


def _dc_brightness(parts: list[Array], p: Array, seed: int) -> list[Array]:
    dc = parts[0][..., 0, 0]
    dc = np.clip(dc + (p[0] - 1) * np.abs(dc).mean(), DC_MIN, DC_MAX)
    return [_with_dc(parts[0], dc), *parts[1:]]


def _dc_autocontrast(parts: list[Array], p: Array, seed: int) -> list[Array]:
    dc = parts[0][..., 0, 0]
    low, high = dc.min(), dc.max()
    if high > low:
        dc = (dc - low) * ((DC_MAX - DC_MIN) / (high - low)) + DC_MIN
    return [_with_dc(parts[0], dc), *parts[1:]]


def _dc_autosaturation(parts: list[Array], p: Array, seed: int) -> list[Array]:
    largest = max((np.abs(part[..., 0, 0]).max() for part in parts[1:]), default=0)
    if largest == 0:
        return parts
    chroma = [_with_dc(part, part[..., 0, 0] * DC_MAX / largest) for part in parts[1:]]
    return [parts[0], *chroma]


def _dc_equalize(parts: list[Array], p: Array, seed: int) -> list[Array]:
    dc = parts[0][..., 0, 0]
    level = np.clip(np.rint(dc / 8 + 128), 0, 255).astype(np.int64)
    counts = np.bincount(level.reshape(-1), minlength=256)
    below = np.cumsum(counts) - counts[level.min()]
    rest = level.size - counts[level.min()]
    if rest > 0:
        dc = (np.maximum(below, 0) / rest * 255 - 128)[level] * 8
    return [_with_dc(parts[0], dc), *parts[1:]]


def _dc_posterize(parts: list[Array], p: Array, seed: int) -> list[Array]:
    out = []
    for part in parts:
        dc = np.floor((part[..., 0, 0] - DC_MIN) / p[0]) * p[0] + DC_MIN
        out.append(_with_dc(part, dc))
    return out


def _dc_solarize(parts: list[Array], p: Array, seed: int) -> list[Array]:
    mask = parts[0][..., 0, 0] > p[0]
    out = []
    for part in parts:
        rows = np.arange(part.shape[0]) * _cover(mask.shape[0], part.shape[0])
        columns = np.arange(part.shape[1]) * _cover(mask.shape[1], part.shape[1])
        here = mask[np.ix_(rows, columns)][..., None, None]
        out.append(np.where(here, -part, part))
    return out


def _cover(luma: int, blocks: int) -> int:
    """Blocks of luma along a block of chroma; the last may cover fewer."""
    return round(luma / blocks)


def _dc_solarize_add(parts: list[Array], p: Array, seed: int) -> list[Array]:
    dc = parts[0][..., 0, 0]
    dc = np.where(dc < 0, np.clip(dc + p[0], DC_MIN, DC_MAX), dc)
    return [_with_dc(parts[0], dc), *parts[1:]]


_AMPLITUDES: dict[int, Any] = {
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
