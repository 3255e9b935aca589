"""Pixels to coefficients and back, in float64: to look at images, not to be fast."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def _dct_matrix() -> Floats:
    """The orthonormal 8x8 DCT-II: row u holds the cosine of frequency u."""
    u, x = np.mgrid[:8, :8]
    matrix: Floats = np.cos((2 * x + 1) * u * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix


DCT = _dct_matrix()


def blocks_from_samples(samples: Floats) -> Floats:
    """Level-shifted samples ``(8 by, 8 bx)`` to amplitudes ``(by, bx, 8, 8)``."""
    height, width = samples.shape
    blocks = samples.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    amplitudes: Floats = DCT @ blocks @ DCT.T
    return amplitudes


def samples_from_blocks(blocks: Array) -> Floats:
    """Amplitudes ``(by, bx, 8, 8)`` to level-shifted samples ``(8 by, 8 bx)``."""
    samples: Floats = DCT.T @ blocks.astype(np.float64) @ DCT
    by, bx = blocks.shape[:2]
    samples = samples.swapaxes(1, 2).reshape(8 * by, 8 * bx)
    return samples


def stored_samples(blocks: Array, width: int, height: int) -> Floats:
    """A component's samples as a decoder stores them: 0 to 255, whole numbers."""
    samples = samples_from_blocks(blocks)[:height, :width]
    stored: Floats = np.clip(np.rint(samples + 128), 0, 255)
    return stored


# ---- changing a component's size ---------------------------------------------


def _stretch_axis(samples: Floats, axis: int, num: int, ratio: float) -> Floats:
    """Linear interpolation to ``num`` positions at ``ratio`` per sample.

    Samples are centred as JFIF says: position i of the result lies at
    (i + 0.5) / ratio - 0.5. With a ratio of 2 that is libjpeg's "fancy
    upsampling", weights 3/4 and 1/4.
    """
    at = np.clip((np.arange(num) + 0.5) / ratio - 0.5, 0, samples.shape[axis] - 1)
    low = np.floor(at).astype(np.intp)
    high = np.minimum(low + 1, samples.shape[axis] - 1)
    shape = [1, 1]
    shape[axis] = num
    weight = (at - low).reshape(shape)
    below, above = samples.take(low, axis), samples.take(high, axis)
    between: Floats = below + weight * (above - below)
    return between


def stretch(samples: Floats, width: int, height: int, h: float, v: float) -> Floats:
    """Bring a component to full size; ``h``, ``v``: full samples per sample."""
    if h != 1:
        samples = _stretch_axis(samples, 1, width, h)
    if v != 1:
        samples = _stretch_axis(samples, 0, height, v)
    return samples[:height, :width]


def _repeat_edge(samples: Floats, multiple_x: int, multiple_y: int) -> Floats:
    height, width = samples.shape
    pad = [(0, -height % multiple_y), (0, -width % multiple_x)]
    return np.pad(samples, pad, mode="edge")


def box_average(samples: Floats, h: int, v: int) -> Floats:
    """The mean of each h by v box; boxes over the edge see its samples repeated."""
    samples = _repeat_edge(samples, h, v)
    height, width = samples.shape
    boxes = samples.reshape(height // v, v, width // h, h)
    mean: Floats = boxes.mean(axis=(1, 3))
    return mean


def forward(samples: Floats) -> Array:
    """A component's samples (0 to 255) to rounded int16 blocks."""
    padded = _repeat_edge(samples - 128.0, 8, 8)
    blocks = np.rint(blocks_from_samples(padded))
    return np.ascontiguousarray(blocks, np.int16)


# ---- colour -------------------------------------------------------------------


def ycc_from_rgb(rgb: Array) -> list[Floats]:
    """JFIF: BT.601 luma, full range, chroma around 128."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return [y, 128 + (b - y) / 1.772, 128 + (r - y) / 1.402]


def _rgb_from_ycc(y: Floats, cb: Floats, cr: Floats) -> list[Floats]:
    r = y + 1.402 * (cr - 128)
    b = y + 1.772 * (cb - 128)
    g = (y - 0.299 * r - 0.114 * b) / 0.587
    return [r, g, b]


def rgb_from_components(samples: Sequence[Floats], color: str) -> npt.NDArray[np.uint8]:
    """Full-size components to ``(height, width, 3)``.

    Four-colour files hold inverted ink, as Adobe writes it and as Pillow and
    browsers take it: the stored C, M, Y are R, G, B, darkened by the stored K.
    YCCK is that, complemented and turned into YCbCr.
    """
    if color == "grey":
        rgb = [samples[0]] * 3
    elif color == "YCbCr":
        rgb = _rgb_from_ycc(*samples)
    elif color == "RGB":
        rgb = list(samples)
    elif color in ("CMYK", "YCCK"):
        ink = list(samples[:3])
        if color == "YCCK":
            ink = [255 - np.clip(np.rint(c), 0, 255) for c in _rgb_from_ycc(*ink)]
        rgb = [c * samples[3] / 255 for c in ink]
    else:
        raise ValueError(f"no way from {len(samples)} {color} components to RGB")
    return np.clip(np.rint(np.stack(rgb, -1)), 0, 255).astype(np.uint8)
