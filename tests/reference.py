"""The meaning of geometry on coefficients, in float64 and without cleverness.

Two forms that must agree: amplitudes -> samples -> resample -> amplitudes
(``resample``), and the operator form Out[p,q] = sum Mv[p,i] X[i,j] Mh[q,j]^T
(``resample_operators``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

BOX, BILINEAR, BICUBIC, LANCZOS = range(4)


@dataclass(frozen=True)
class Step:
    """One resampling of one axis; the words are those of dctload.h."""

    lo: float
    hi: float
    start: float
    step: float
    out_size: int
    filter: int = BILINEAR


@dataclass(frozen=True)
class Geometry:
    """Steps of both axes, after an optional transposition."""

    x: Sequence[Step] = ()
    y: Sequence[Step] = ()
    transpose: bool = False


def dct_matrix(n: int = 8) -> np.ndarray:
    """The orthonormal DCT-II; rows are frequencies."""
    k, u = np.arange(n), np.arange(n)[:, None]
    d = np.sqrt(2 / n) * np.cos(np.pi * (2 * k + 1) * u / (2 * n))
    d[0] /= np.sqrt(2)
    return d


def to_samples(blocks: np.ndarray) -> np.ndarray:
    """Amplitudes (by, bx, 8, 8) to level-shifted samples (8 by, 8 bx)."""
    d = dct_matrix()
    by, bx = blocks.shape[:2]
    samples = np.einsum("vy,pqvu,ux->pyqx", d, blocks.astype(np.float64), d)
    return samples.reshape(8 * by, 8 * bx)


def to_blocks(samples: np.ndarray) -> np.ndarray:
    """Samples to amplitudes; an edge that is no multiple of 8 repeats its last."""
    h, w = samples.shape
    padded = np.pad(samples, ((0, -h % 8), (0, -w % 8)), mode="edge")
    d = dct_matrix()
    blocks = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8)
    return np.einsum("vy,pyqx,ux->pqvu", d, blocks, d)


def weight(kind: int, x: float) -> float:
    """The filter before it is stretched."""
    a = abs(x)
    if kind == BOX:
        return float(-0.5 < x <= 0.5)
    if kind == BILINEAR:
        return max(0.0, 1 - a)
    if kind == BICUBIC:
        if a < 1:
            return 1.5 * a**3 - 2.5 * a**2 + 1
        return -0.5 * a**3 + 2.5 * a**2 - 4 * a + 2 if a < 2 else 0.0
    if x and x == round(x):
        return 0.0  # exactly, so that copying samples is exact
    return float(np.sinc(x) * np.sinc(x / 3)) if a < 3 else 0.0


def step_matrix(
    step: Step, ratio_in: Fraction, ratio_out: Fraction, in_size: int, out_size: int
) -> np.ndarray:
    """One step as a matrix (out samples, in samples) of one component."""
    scale = step.step * float(ratio_in / ratio_out)
    stretch = max(abs(scale), 1)
    first = max(0, math.floor(step.lo * ratio_in.numerator / ratio_in.denominator))
    end = math.ceil(step.hi * ratio_in.numerator / ratio_in.denominator)
    r = np.zeros((out_size, in_size))
    for j in range(out_size):
        centre = step.start * ratio_in.numerator / ratio_in.denominator
        centre += scale * (j + 0.5)
        for i in range(first, min(in_size, end)):
            r[j, i] = weight(step.filter, (i + 0.5 - centre) * (1 / stretch))
        total = r[j].sum()
        r[j] *= 1 / total if total >= 1e-3 * stretch else 0
    return r


def axis_matrix(
    steps: Sequence[Step],
    luma_size: int,
    ratio_in: Fraction,
    ratio_out: Fraction,
    out_size: int,
) -> np.ndarray:
    """All steps of an axis as one matrix; the last one changes the resolution."""
    if not steps:
        steps = [Step(0, luma_size, 0, 1, luma_size)]
    size = math.ceil(luma_size * ratio_in)
    matrix = np.eye(size)
    for k, step in enumerate(steps):
        last = k == len(steps) - 1
        ratio = ratio_out if last else ratio_in
        new_size = out_size if last else math.ceil(step.out_size * ratio_in)
        matrix = step_matrix(step, ratio_in, ratio, size, new_size) @ matrix
        size = new_size
    return matrix


def out_sizes(size: tuple[int, int], geometry: Geometry) -> tuple[int, int]:
    """Luma (width, height) after ``geometry`` of an image of ``size``."""
    width, height = size[::-1] if geometry.transpose else size
    width = geometry.x[-1].out_size if geometry.x else width
    height = geometry.y[-1].out_size if geometry.y else height
    return width, height


def component_matrices(
    size: tuple[int, int],
    sampling: tuple[Fraction, Fraction],
    geometry: Geometry,
    ratio_out: tuple[Fraction, Fraction] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(Rv, Rh) of a component; ``ratio_out`` None keeps its own sampling."""
    stored_w, stored_h = size[::-1] if geometry.transpose else size
    rx, ry = sampling[::-1] if geometry.transpose else sampling
    ox, oy = ratio_out or (rx, ry)
    width, height = out_sizes(size, geometry)
    rh = axis_matrix(geometry.x, stored_w, rx, ox, math.ceil(width * ox))
    rv = axis_matrix(geometry.y, stored_h, ry, oy, math.ceil(height * oy))
    return rv, rh


def resample(
    blocks: np.ndarray,
    size: tuple[int, int],
    sampling: tuple[Fraction, Fraction],
    geometry: Geometry,
    ratio_out: tuple[Fraction, Fraction] | None = None,
) -> np.ndarray:
    """Amplitudes of one component after ``geometry``, by way of samples.

    Args:
        blocks: Dequantised amplitudes (by, bx, 8, 8) as stored.
        size: Luma (width, height) as stored.
        sampling: h / h_max and v / v_max.
        geometry: What to do.
        ratio_out: Resolution of the result in (x, y) relative to luma.
    """
    rv, rh = component_matrices(size, sampling, geometry, ratio_out)
    samples = to_samples(blocks)
    if geometry.transpose:
        samples = samples.T
    samples = samples[: rv.shape[1], : rh.shape[1]]
    return to_blocks(rv @ samples @ rh.T)


def operator(r: np.ndarray) -> np.ndarray:
    """M[o,i] = D R[o,i] D^T as an array (o, i, 8, 8)."""
    out, num = r.shape
    r = np.pad(r, ((0, -out % 8), (0, 0)), mode="edge")
    r = np.pad(r, ((0, 0), (0, -num % 8)))
    d = dct_matrix()
    cut = r.reshape(r.shape[0] // 8, 8, r.shape[1] // 8, 8)
    return np.einsum("ut,otik,wk->oiuw", d, cut, d)


def resample_operators(
    blocks: np.ndarray,
    size: tuple[int, int],
    sampling: tuple[Fraction, Fraction],
    geometry: Geometry,
    ratio_out: tuple[Fraction, Fraction] | None = None,
) -> np.ndarray:
    """The same without making a sample."""
    rv, rh = component_matrices(size, sampling, geometry, ratio_out)
    if geometry.transpose:
        blocks = blocks.transpose(1, 0, 3, 2)
    mv, mh = operator(rv), operator(rh)
    blocks = blocks[: mv.shape[1], : mh.shape[1]].astype(np.float64)
    return np.einsum("pivw,ijwx,qjux->pqvu", mv, blocks, mh, optimize=True)


YCC_FROM_RGB = np.array(
    [
        [0.299, 0.587, 0.114],
        [-0.168735892, -0.331264108, 0.5],
        [0.5, -0.418687589, -0.081312411],
    ]
)
