"""Colour of many images as one affine map, ``struct dctload_color_map``.

Changes that are linear in YCbCr, and gains of frequencies, compose to

    Y' = g0 Y + y_offset + y_mean * mean(Y)       in levels (samples minus 128)
    (Cb', Cr') = g1 (M (Cb, Cr)) + chroma_offset

where a gain belongs to each frequency. Nothing is clamped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ._ops import Op, params

Array = npt.NDArray[Any]


_FIELDS = ("gain", "y_offset", "y_mean", "chroma", "chroma_offset")


@dataclass(frozen=True)
class ColorMap:
    """The maps of N images.

    Attributes:
        gain: Of Y and of chroma, (N, 2, 64).
        y_offset: (N,).
        y_mean: (N,).
        chroma: M, (N, 2, 2).
        chroma_offset: (N, 2).
        response: Parameters of ``Op.GAIN`` (N, 13) that say what ``gain`` says, of a
            map that is nothing but one frequency response.
    """

    gain: Array
    y_offset: Array
    y_mean: Array
    chroma: Array
    chroma_offset: Array
    response: Array | None = None

    @staticmethod
    def identity(num: int) -> "ColorMap":
        """Nothing is changed."""
        return ColorMap(
            np.ones((num, 2, 64)),
            np.zeros(num),
            np.zeros(num),
            np.tile(np.eye(2), (num, 1, 1)),
            np.zeros((num, 2)),
        )

    @staticmethod
    def of_response(
        axis: Array, k0: Any, k1: Any, dc: "float | None" = None, which: int = 3
    ) -> "ColorMap":
        """Gains ``k0 + k1 axis[v] axis[u]``.

        Args:
            axis: (N, 8).
            k0: One number, or (N,).
            k1: Likewise.
            dc: The gain of the mean in place of that.
            which: 1: of luma, 2: of chroma, 3: of both.
        """
        num = len(axis)
        out = ColorMap.identity(num)
        p = params(num, *axis.T, k0, k1, dc or 0, dc is not None, which)
        gain = axis[:, :, None] * axis[:, None, :]
        gain = p[:, 8, None, None] + p[:, 9, None, None] * gain
        if dc is not None:
            gain[:, 0, 0] = dc
        for k in range(2):
            if which >> k & 1:
                out.gain[:, k] = gain.reshape(num, 64)
        return replace(out, response=p)

    @staticmethod
    def scattered(num: int, parts: "Sequence[tuple[Array, ColorMap]]") -> "ColorMap":
        """The maps of some of ``num`` images: (which, their maps).

        All have a response, or none; the other images are left as they are.
        """
        out = ColorMap.identity(num)
        if any(part.response is not None for _, part in parts):
            nothing = params(num, *[0] * 8, 1, 0, 0, 0, 3)
            out = replace(out, response=nothing)
        names = _FIELDS if out.response is None else (*_FIELDS, "response")
        for rows, part in parts:
            for name in names:
                getattr(out, name)[rows] = getattr(part, name)
        return out

    def then(self, after: "ColorMap") -> "ColorMap":
        """The map that does this and then ``after``."""
        dc = after.gain[:, 0, 0]
        moved = (after.chroma * self.chroma_offset[:, None, :]).sum(axis=2)
        return ColorMap(
            self.gain * after.gain,
            (dc + after.y_mean) * self.y_offset + after.y_offset,
            dc * self.y_mean + after.y_mean * (self.gain[:, 0, 0] + self.y_mean),
            # Not "@", whose last bits depend on how many matrices there are.
            (after.chroma[..., None] * self.chroma[:, None]).sum(axis=2),
            after.gain[:, 1, :1] * moved + after.chroma_offset,
        )

    def changes(self) -> Array:
        """Which images it changes, (N,)."""
        plain = ColorMap.identity(1)
        same = np.ones(len(self.y_offset), bool)
        for name in _FIELDS:
            value: Array = getattr(self, name)
            equal = value == getattr(plain, name)
            same &= equal.reshape(len(same), -1).all(axis=1)
        return ~same

    def only(self, mask: Array) -> "ColorMap":
        """This where ``mask``, the identity elsewhere."""
        plain = ColorMap.identity(len(mask))

        def pick(name: str) -> Array:
            a: Array = getattr(self, name)
            on = mask.reshape(-1, *[1] * (a.ndim - 1))
            return np.where(on, a, getattr(plain, name))

        response = self.response
        if response is not None:
            nothing = [0] * 8 + [1, 0, 0, 0, 3]
            response = np.where(mask[:, None], response, nothing)
        return ColorMap(
            pick("gain"),
            pick("y_offset"),
            pick("y_mean"),
            pick("chroma"),
            pick("chroma_offset"),
            response,
        )

    def as_ops(self) -> list[tuple[Op, Array, Array]]:
        """The same as operations: kind, parameters, and which images it changes."""
        num = len(self.y_offset)
        if self.response is not None:
            p = self.response
            nothing = (p[:, 8] == 1) & (p[:, 9] == 0) & (p[:, 11] == 0)
            return [(Op.GAIN, p, ~nothing)]
        flat = self.gain[:, :, 0]
        if not (self.gain == flat[:, :, None]).all():
            raise ValueError("gains of several responses are no operation")
        chroma = (self.chroma * flat[:, 1, None, None]).reshape(num, 4)
        luma = flat[:, 0], self.y_offset, self.y_mean
        p = params(num, *luma, *chroma.T, *self.chroma_offset.T)
        changes = (p != [1, 0, 0, 1, 0, 0, 1, 0, 0]).any(axis=1)
        return [(Op.COLOR, p, changes)]

    def write(self, records: Array, first: int = 0) -> None:
        """Fill ``struct dctload_color_map`` records, of images from ``first`` on."""
        part = slice(first, first + len(records))
        for name in _FIELDS:
            records[name] = getattr(self, name)[part]

    def apply(self, planes: list[Array], i: int = 0) -> list[Array]:
        """Y, Cb and Cr (or Y alone) of image ``i``, (by, bx, 8, 8) each."""
        gain = self.gain[i].reshape(2, 8, 8)
        y = planes[0]
        out = [y * gain[0]]
        # An amplitude of 8 is a level of 1.
        out[0][..., 0, 0] += 8 * self.y_offset[i] + self.y_mean[i] * y[..., 0, 0].mean()
        if len(planes) == 3:
            for k in range(2):
                a, b = self.chroma[i, k]
                mixed = (a * planes[1] + b * planes[2]) * gain[1]
                mixed[..., 0, 0] += 8 * self.chroma_offset[i, k]
                out.append(mixed)
        return [plane.astype(np.float32) for plane in out]
