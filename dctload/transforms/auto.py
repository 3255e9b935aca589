"""RandAugment and TrivialAugment over operations on coefficients.

An operation changes N images at once, each by its own magnitude (m from 0 to 1,
with a sign). The native ones are geometry and colour maps; sets of them alone keep
the whole pipeline native.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._color import ColorMap
from .._geometry import Geometry
from . import blocks, color
from ._base import Array, GeometryTransform, Transform, pending
from .blocks import erase
from .geometry import quarter_turns

Native = Callable[[Geometry, Array, Array], Geometry]
Slow = Callable[[list[Array], float, float], list[Array]]


@dataclass(frozen=True)
class Operation:
    """One thing that may happen to an image.

    Attributes:
        name: What it is called.
        native: (geometry, magnitude (N,), mask (N,)) -> geometry, or None.
        slow: (planes, magnitude, uniform number) -> planes, where there is no native
            one.
    """

    name: str
    native: Native | None = None
    slow: Slow | None = None


def _by_color(make: Callable[[Array], ColorMap]) -> Native:
    def change(geometry: Geometry, m: Array, mask: Array) -> Geometry:
        return geometry.colored(make(m).only(mask))

    return change


def _translate(axis: int, share: float) -> Native:
    """Move by whole samples; what comes in is black."""

    def change(geometry: Geometry, m: Array, mask: Array) -> Geometry:
        size = geometry.height if axis else geometry.width
        by = np.rint(m * share * size).astype(np.int64)
        left, top = (0, by) if axis else (by, 0)
        out = geometry.crop(left, top, geometry.width, geometry.height, mask)
        return out.filled((-128, 0, 0))

    return change


def _turn(geometry: Geometry, m: Array, mask: Array) -> Geometry:
    turns = np.where(m < 0, 3, 1)
    return quarter_turns(geometry, np.where(mask, turns, 0))


def _grayscale(m: Array) -> ColorMap:
    return color.saturation(np.zeros(len(m)))


def _cutout(planes: list[Array], m: float, u: float) -> list[Array]:
    """Grey out a square around a random place: 2 x 6 of 28 blocks at most."""
    half = abs(m) * 6 / 28
    y, x = blocks.generator(u).random(2)
    box = [max(y - half, 0), max(x - half, 0), min(y + half, 1), min(x + half, 1)]
    return erase(planes, tuple(map(float, box)), (0, 0, 0))


_NATIVE: dict[str, Native] = {
    "Identity": lambda geometry, m, mask: geometry,
    "Brightness": _by_color(lambda m: color.brightness(1 + m * 0.9)),
    "Contrast": _by_color(lambda m: color.contrast(1 + m * 0.9)),
    "Color": _by_color(lambda m: color.saturation(1 + m * 0.9)),
    "Sharpness": _by_color(lambda m: color.sharpness(1 + m * 0.9)),
    "LumaSharpness": _by_color(lambda m: color.luma_sharpness(m * 0.9)),
    "Invert": _by_color(lambda m: color.invert(len(m))),
    "Grayscale": _by_color(_grayscale),
    "ChromaDrop": _by_color(lambda m: color.chroma_drop((m < 0).astype(np.int64))),
    "MidfreqAug": _by_color(lambda m: color.mid_frequency(m * 0.9)),
    "FreqEnhance": _by_color(lambda m: color.frequency_enhance(m * 0.9)),
    "TranslateX": _translate(0, 150 / 336),
    "TranslateY": _translate(1, 150 / 336),
    "Rotate90": _turn,
}
_SLOW: dict[str, Slow] = {
    "AutoContrast": lambda planes, m, u: blocks.autocontrast(planes),
    "AutoSaturation": lambda planes, m, u: blocks.autosaturation(planes),
    "Equalize": lambda planes, m, u: blocks.equalize(planes),
    "Posterize": lambda planes, m, u: blocks.posterize(planes, 8 - round(abs(m) * 5)),
    "Solarize": lambda planes, m, u: blocks.solarize(
        planes, 128 + 102 * (1 - 2 * abs(m))
    ),
    "SolarizeAdd": lambda planes, m, u: blocks.solarize_add(planes, 883 * abs(m)),
    "Cutout": _cutout,
}
OPERATIONS: dict[str, Operation] = {
    **{name: Operation(name, native) for name, native in _NATIVE.items()},
    **{name: Operation(name, None, slow) for name, slow in _SLOW.items()},
}
"""Every operation by name."""

PRESETS: dict[str, tuple[str, ...]] = {
    # What torchvision's has and is linear, so all of it is native.
    "native": (
        "Identity",
        "Brightness",
        "Contrast",
        "Color",
        "Sharpness",
        "TranslateX",
        "TranslateY",
    ),
    # Park and Johnson's subset for ViT-Ti.
    "rgb-no-more": (
        "AutoContrast",
        "Posterize",
        "SolarizeAdd",
        "Color",
        "Contrast",
        "Brightness",
        "MidfreqAug",
        "Cutout",
        "TranslateX",
        "TranslateY",
        "Rotate90",
        "AutoSaturation",
        "Grayscale",
        "ChromaDrop",
    ),
}
"""Sets of operations by name."""

_CHROMA = ("Color", "AutoSaturation", "ChromaDrop")


def _resolve(operations: "str | Sequence[str]") -> list[Operation]:
    names = PRESETS.get(operations) if isinstance(operations, str) else operations
    unknown = [] if names is None else [n for n in names if n not in OPERATIONS]
    if names is None or unknown or not names:
        raise ValueError(
            f"operations must be {', '.join(map(repr, PRESETS))} or some of "
            f"{', '.join(OPERATIONS)}; got {operations!r}"
        )
    return [OPERATIONS[name] for name in names]


class _Auto(Transform):
    """``num_ops`` operations in turn, each with its own choice and magnitude."""

    num_ops: int

    def __init__(self, operations: "str | Sequence[str]"):
        self.operations = operations
        self._operations = _resolve(operations)

    @property
    def num_draws(self) -> int:  # type: ignore[override]
        """Uniform numbers that one sample takes."""
        return 4 * self.num_ops

    def _magnitude(self, u: Array) -> Array:
        """Of N images, 0 to 1."""
        raise NotImplementedError

    def _drawn(self, u: Array, k: int) -> tuple[Array, Array]:
        """Which operation comes k-th and its signed magnitude, for N images."""
        which = (u[:, 4 * k] * len(self._operations)).astype(np.int64)
        sign = np.where(u[:, 4 * k + 1] < 0.5, -1.0, 1.0)
        return which, sign * self._magnitude(u[:, 4 * k + 2])

    def size_after(self, size: Any) -> Any:
        turns = any(op.name == "Rotate90" for op in self._operations)
        square = size is None or size[0] == size[1]
        return size if square or not turns else None

    def apply_image(self, image: Any, u: Array) -> Any:
        gray = False
        for k in range(self.num_ops):
            which, m = self._drawn(u, k)
            op = self._operations[which[0]]
            if gray and op.name in _CHROMA:
                continue  # there is no colour left to change
            gray |= op.name == "Grayscale"
            if op.native is not None:
                moved = op.native(pending(image), m, np.ones(1, bool))
                image = image._replace(pending=moved)
            else:
                assert op.slow is not None
                change = _Planes(op.slow, float(m[0]), float(u[0, 4 * k + 3]))
                image = change.apply_image(image, np.zeros((1, 1)))
        return image


class _Planes(blocks.PlaneTransform):
    """One operation of one magnitude."""

    def __init__(self, slow: Slow, m: float, u: float):
        super().__init__(1.0)
        self._slow, self._m, self._u = slow, m, u

    def change(self, planes: list[Array], u: Array) -> list[Array]:
        return self._slow(planes, self._m, self._u)


class _NativeAuto(_Auto, GeometryTransform):
    """The same where all operations are native: N images at once."""

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        gray = np.zeros(len(geometry), bool)
        for k in range(self.num_ops):
            which, m = self._drawn(u, k)
            done = gray.copy()
            for index, op in enumerate(self._operations):
                mask = which == index
                if op.name in _CHROMA:
                    mask = mask & ~done
                if op.native is not None and mask.any():
                    geometry = op.native(geometry, m, mask)
                if op.name == "Grayscale":
                    gray = gray | mask
        return geometry

    def apply_image(self, image: Any, u: Array) -> Any:
        return image._replace(pending=self.apply(pending(image), u))

    sample = GeometryTransform.sample


def _is_native(operations: "str | Sequence[str]") -> bool:
    return all(op.native is not None for op in _resolve(operations))


class RandAugment(_Auto):
    """Some operations drawn from a set, all of one magnitude.

    Args:
        num_ops: How many in turn.
        magnitude: 0 to ``num_magnitude_bins`` - 1.
        num_magnitude_bins: Of the scale that ``magnitude`` is on.
        operations: A preset ("native" by default, or "rgb-no-more", whose usual
            magnitude is 3 of 11 bins) or names of operations.
    """

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """A native one where all operations are."""
        operations = options.get("operations", args[3] if len(args) > 3 else "native")
        if cls is RandAugment and _is_native(operations):
            return super().__new__(_NativeRandAugment)
        return super().__new__(cls)

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        operations: "str | Sequence[str]" = "native",
    ):
        super().__init__(operations)
        if num_ops < 0 or not 0 <= magnitude < num_magnitude_bins:
            raise ValueError(
                f"magnitude must be 0 to {num_magnitude_bins - 1} and num_ops >= 0, "
                f"got {magnitude} and {num_ops}"
            )
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def _magnitude(self, u: Array) -> Array:
        return np.full(len(u), self.magnitude / max(self.num_magnitude_bins - 1, 1))


class _NativeRandAugment(_NativeAuto, RandAugment):
    pass


class TrivialAugmentWide(_Auto):
    """One operation drawn from a set, of any magnitude.

    Args:
        num_magnitude_bins: Of which one is drawn.
        operations: As for :class:`RandAugment`.
    """

    def __new__(cls, *args: Any, **options: Any) -> Any:
        """A native one where all operations are."""
        operations = options.get("operations", args[1] if len(args) > 1 else "native")
        if cls is TrivialAugmentWide and _is_native(operations):
            return super().__new__(_NativeTrivialAugment)
        return super().__new__(cls)

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        operations: "str | Sequence[str]" = "native",
    ):
        super().__init__(operations)
        if num_magnitude_bins < 2:
            raise ValueError(
                f"num_magnitude_bins must be >= 2, got {num_magnitude_bins}"
            )
        self.num_ops = 1
        self.num_magnitude_bins = num_magnitude_bins

    def _magnitude(self, u: Array) -> Array:
        bins = self.num_magnitude_bins
        drawn: Array = np.floor(u * bins) / (bins - 1)
        return drawn


class _NativeTrivialAugment(_NativeAuto, TrivialAugmentWide):
    pass
