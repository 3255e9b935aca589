"""Operations that follow the geometry, image by image: ``struct dctload_op``.

What no operator of an axis can express, as plain numbers: a kind and its parameters
for each of N images. The kinds and what they mean are described in one place,
``csrc/dctload.h`` at ``enum dctload_op_kind``; C carries them out
(``csrc/dct/pixels*.c``), and :mod:`dctload._ops_numpy` does where there is no plan.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

MAX_OPS = 8
NUM_PARAMS = 14


class Op(IntEnum):
    """``enum dctload_op_kind``."""

    NONE = 0
    WARP = 1
    ERASE = 2
    ERASE_RANDOM = 3
    COLOR = 4
    BRIGHTNESS = 5
    CONTRAST = 6
    SATURATION = 7
    SHARPNESS = 8
    POSTERIZE = 9
    SOLARIZE = 10
    AUTOCONTRAST = 11
    EQUALIZE = 12
    NOISE = 13
    GAIN = 14
    REQUANTIZE = 15
    DC_BRIGHTNESS = 16
    DC_AUTOCONTRAST = 17
    DC_AUTOSATURATION = 18
    DC_EQUALIZE = 19
    DC_POSTERIZE = 20
    DC_SOLARIZE = 21
    DC_SOLARIZE_ADD = 22


# The image is seen as samples up to COLOR, as RGB up to NOISE, then as amplitudes.
LAST_ON_SAMPLES, LAST_ON_RGB = Op.COLOR, Op.NOISE


@dataclass(frozen=True)
class Ops:
    """Up to ``MAX_OPS`` operations of each of N images, in turn. Immutable.

    Attributes:
        num: How many, (N,); the most of them is K.
        kind: Of :class:`Op`, (N, K).
        seed: uint32 numbers for what is random inside, (N, K).
        p: Parameters, (N, K, NUM_PARAMS).
    """

    num: Array
    kind: Array
    seed: Array
    p: Array

    @staticmethod
    def none(num: int) -> "Ops":
        """No operations."""
        return Ops(
            np.zeros(num, np.int64),
            np.zeros((num, 0), np.int64),
            np.zeros((num, 0), np.uint32),
            np.zeros((num, 0, NUM_PARAMS)),
        )

    def append(
        self, kind: Any, p: Array, mask: Array, seed: "Array | None" = None
    ) -> "Ops":
        """One more operation where ``mask``.

        Args:
            kind: One of :class:`Op`, or one for each image.
            p: Its parameters (N, up to NUM_PARAMS); the rest are 0.
            mask: Which images have it.
            seed: uint32 (N,), zeros by default.
        """
        rows = mask.nonzero()[0]
        if not len(rows):
            return self
        at = self.num[rows]
        if at.max() >= MAX_OPS:
            raise ValueError(f"more than {MAX_OPS} operations on one image")
        num = self.num.copy()
        num[rows] += 1
        more = int(at.max()) + 1 > self.kind.shape[1]
        kinds, seeds, ps = (_longer(a, more) for a in (self.kind, self.seed, self.p))
        kinds[rows, at] = np.broadcast_to(kind, mask.shape)[rows]
        ps[rows, at, : p.shape[1]] = p[rows]
        if seed is not None:
            seeds[rows, at] = seed[rows]
        return Ops(num, kinds, seeds, ps)

    def write(self, view: Array, first: int = 0) -> None:
        """Fill ``struct dctload_geometry`` records, of images from ``first`` on."""
        part = slice(first, first + len(view))
        view["num_ops"] = self.num[part]
        used = int(self.num[part].max(initial=0))
        records = view["ops"][:, :used]
        records["kind"] = self.kind[part, :used]
        records["seed"] = self.seed[part, :used]
        records["p"] = self.p[part, :used]

    def of_image(self, i: int) -> list[tuple[int, int, Array]]:
        """(kind, seed, parameters) of each operation of image ``i``."""
        return [
            (int(self.kind[i, k]), int(self.seed[i, k]), self.p[i, k])
            for k in range(int(self.num[i]))
        ]


def _longer(table: Array, more: bool) -> Array:
    """A copy, with room for one operation more if need be."""
    out = np.zeros((len(table), table.shape[1] + more, *table.shape[2:]), table.dtype)
    out[:, : table.shape[1]] = table
    return out


def params(num: int, *values: Any) -> Array:
    """Parameters (num, len(values)) of numbers, or of arrays over the images."""
    out = np.empty((num, len(values)))
    for k, value in enumerate(values):
        out[:, k] = value
    return out
