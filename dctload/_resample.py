"""Geometry on floating-point amplitudes, by dense matrices in NumPy.

What C does on the coefficients of a file, for planes that exist already: the slow
way, in few lines. ``operators`` also serve the tensor path (``transforms.batched``).
"""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from ._geometry import Axis, Geometry

Array = npt.NDArray[Any]


def dct_matrix() -> Array:
    """The 8 x 8 orthonormal DCT-II; rows are frequencies."""
    k = np.arange(8)
    d = 0.5 * np.cos(np.pi * (2 * k + 1) * k[:, None] / 16)
    d[0] /= np.sqrt(2)
    return d


_D = dct_matrix()


def _weights(kind: int, x: Array) -> Array:
    """The filter, not stretched; kinds as in ``enum dctload_filter``."""
    a = np.abs(x)
    if kind == 0:
        return ((x > -0.5) & (x <= 0.5)).astype(np.float64)
    if kind == 1:
        return np.maximum(1 - a, 0)
    if kind == 2:
        inner = (1.5 * a - 2.5) * a * a + 1
        outer = ((-0.5 * a + 2.5) * a - 4) * a + 2
        return np.where(a < 1, inner, np.where(a < 2, outer, 0))
    lobes = (a < 3) & ((a == 0) | (a != np.rint(a)))
    return np.where(lobes, np.sinc(x) * np.sinc(x / 3), 0)


def _step_matrix(
    step: Any, ratio_in: Fraction, ratio_out: Fraction, in_size: int, out_size: int
) -> Array:
    num, den = ratio_in.numerator, ratio_in.denominator
    scale = float(step["step"]) * float(ratio_in / ratio_out)
    centre = float(step["start"]) * num / den + scale * (np.arange(out_size) + 0.5)
    first = max(0, int(np.floor(float(step["lo"]) * num / den)))
    end = min(in_size, int(np.ceil(float(step["hi"]) * num / den)))
    out = np.zeros((out_size, in_size))
    if first < end:
        sample = np.arange(first, end) + 0.5
        stretch = max(abs(scale), 1.0)
        x = (sample - centre[:, None]) * (1 / stretch)
        w = _weights(int(step["filter"]), x)
        total = w.sum(axis=1, keepdims=True)
        out[:, first:end] = np.divide(
            w, total, out=np.zeros_like(w), where=total >= 1e-3 * stretch
        )
    return out


def ceil_size(size: int, ratio: Fraction) -> int:
    """Samples of a component along an axis of ``size`` luma samples."""
    return -(-size * ratio.numerator // ratio.denominator)


def axis_matrix(
    axis: Axis, i: int, luma_size: int, ratio_in: Fraction, ratio_out: Fraction
) -> Array:
    """The sample matrix (out, in) of image ``i`` for one component."""
    size = ceil_size(luma_size, ratio_in)
    matrix = np.eye(size)
    num = int(axis.num[i])
    for k in range(num):
        last = k == num - 1
        step = axis.step(i, k)
        ratio = ratio_out if last else ratio_in
        out_size = ceil_size(int(step["out_size"]), ratio)
        matrix = _step_matrix(step, ratio_in, ratio, size, out_size) @ matrix
        size = out_size
    if num == 0 and ratio_in != ratio_out:
        step = {"lo": 0, "hi": luma_size, "start": 0, "step": 1, "filter": 1}
        out_size = ceil_size(luma_size, ratio_out)
        matrix = _step_matrix(step, ratio_in, ratio_out, size, out_size)
    return matrix


def operator(matrix: Array) -> Array:
    """D R D^T, block by block: (8 out blocks, 8 in blocks) as one matrix."""
    out, num = matrix.shape
    padded = np.pad(matrix, ((0, -out % 8), (0, 0)), mode="edge")
    padded = np.pad(padded, ((0, 0), (0, -num % 8)))
    cut = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8)
    m = np.einsum("ut,otik,wk->ouiw", _D, cut, _D, optimize=True)
    return m.reshape(padded.shape)


def mosaic(plane: Array) -> Array:
    """(by, bx, 8, 8) as a matrix (8 by, 8 bx)."""
    by, bx = plane.shape[:2]
    return plane.transpose(0, 2, 1, 3).reshape(8 * by, 8 * bx)


def blocks(matrix: Array) -> Array:
    """The inverse of :func:`mosaic`."""
    h, w = matrix.shape
    return matrix.reshape(h // 8, 8, w // 8, 8).transpose(0, 2, 1, 3)


def _fill(level: float, mv: Array, mh: Array) -> Array:
    """What makes up for positions without samples: their level in amplitudes."""
    cover_v = _to_frequency(mv.sum(axis=1))
    cover_h = _to_frequency(mh.sum(axis=1))
    full_v = _to_frequency(np.ones(len(mv)))
    full_h = _to_frequency(np.ones(len(mh)))
    return level * (np.outer(full_v, full_h) - np.outer(cover_v, cover_h))


def _to_frequency(samples: Array) -> Array:
    padded = np.pad(samples, (0, -len(samples) % 8), mode="edge")
    return (padded.reshape(-1, 8) @ _D.T).reshape(-1)


def resample_plane(
    plane: Array,
    size: tuple[int, int],
    sampling: tuple[Fraction, Fraction],
    geometry: Geometry,
    ratio_out: tuple[Fraction, Fraction] | None = None,
    level: float = 0,
    i: int = 0,
) -> Array:
    """Amplitudes of one component after ``geometry`` of image ``i``.

    Args:
        plane: (by, bx, 8, 8) float amplitudes.
        size: Stored width and height in luma samples.
        sampling: h / h_max, v / v_max.
        geometry: What to do.
        ratio_out: Resolution of the result, (x, y) of the output; None: its own.
        level: Of what lies outside, minus 128.
        i: Which of the geometry's images this is.
    """
    matrix = mosaic(plane).astype(np.float64)
    width, height = size
    rx, ry = sampling
    if geometry.transpose[i]:
        matrix = matrix.T
        width, height, rx, ry = height, width, ry, rx
    ox, oy = ratio_out or (rx, ry)
    rh = axis_matrix(geometry.x, i, width, rx, ox)
    rv = axis_matrix(geometry.y, i, height, ry, oy)
    mh, mv = operator(rh), operator(rv)
    out = mv @ matrix[: mv.shape[1], : mh.shape[1]] @ mh.T
    if level:
        out += _fill(level, rv, rh)
    return blocks(out).astype(np.float32)


def sampling_of(record: Any, c: int) -> tuple[Fraction, Fraction]:
    """Sampling ratios of component ``c`` of a ``struct dctload_info``."""
    part = record["components"][c]
    return (
        Fraction(int(part["h"]), int(record["h_max"])),
        Fraction(int(part["v"]), int(record["v_max"])),
    )


# JFIF's, on levels less 128: no constants.
YCC_FROM_RGB = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168735892, -0.331264108, 0.5],
        [0.5, -0.418687589, -0.081312411],
    ]
)


def image_planes(image: Any, geometry: Geometry) -> list[Array]:
    """Float32 planes of a DctImage's source after its pending geometry."""
    from . import _native

    planes = _moved_planes(image, geometry.before_ops())
    ops, color = geometry.ops, image.info.color
    if ops is not None and not ops.num[0]:
        ops = None
    if geometry.color is None and ops is None:
        return planes
    if color == "RGB":  # colour is meant in YCbCr: there and back
        planes = list(np.tensordot(YCC_FROM_RGB, np.stack(planes), 1))
    if geometry.color is not None:
        planes = geometry.color.apply(planes)
    if ops is not None:
        from ._ops_numpy import run

        if color not in ("grey", "YCbCr", "RGB"):
            raise _native.error(_native.lib.DCTLOAD_COLOR, image.name)
        record = image._header()[0]
        ratios = [sampling_of(record, c) for c in range(len(planes))]
        if geometry.transpose[0]:
            ratios = [(y, x) for x, y in ratios]
        size = int(geometry.x.size[0]), int(geometry.y.size[0])
        planes = run(ops, 0, planes, size, ratios)
    if color == "RGB":
        planes = list(np.tensordot(np.linalg.inv(YCC_FROM_RGB), np.stack(planes), 1))
    return [plane.astype(np.float32) for plane in planes]


def _moved_planes(image: Any, geometry: Geometry) -> list[Array]:
    from . import _native

    planes: list[Array] = image._source.planes(image._i)
    header = image._header()
    if planes[0].dtype == np.int16:
        view = _native.new_geometry(1)
        geometry.write(view)
        width, height = int(geometry.width[0]), int(geometry.height[0])
        resampled: list[Array] = _native.resample(header, planes, view, width, height)
        return resampled
    record = header[0]
    size = int(record["width"]), int(record["height"])
    return [
        resample_plane(
            plane,
            size,
            sampling_of(record, c),
            geometry,
            level=float(geometry.fill[0, c]),
        )
        for c, plane in enumerate(planes)
    ]
