"""RandAugment and TrivialAugment over operations on coefficients.

An operation changes N images at once, each by its own magnitude. All are native: maps
of colour and geometry where those suffice, else operations on RGB or on amplitudes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from .._color import ColorMap
from .._geometry import Geometry
from .._ops import Op, params
from . import color
from ._base import Array, GeometryTransform
from .affine import affine, is_bilinear
from .geometry import BLACK, fill_levels, quarter_turns


@dataclass(frozen=True)
class Drawn:
    """What one operation is told about N images.

    Attributes:
        level: Share of the largest magnitude, 0 to 1, (N,).
        sign: 1 or -1, (N,).
        mask: Which images it changes, (N,).
        u: One uniform number more, (N,).
    """

    level: Array
    sign: Array
    mask: Array
    u: Array

    @property
    def signed(self) -> Array:
        """Level times sign."""
        return self.level * self.sign


class Motion(IntEnum):
    """A parameter of torchvision's affine map, which the magnitude is given to.

    Angles are those of ``rotate``; shears are tangents, from the top left corner;
    moves are whole samples, of a share of the size up to 1, of a number above.
    """

    ANGLE = 0
    SHEAR_X = 1
    SHEAR_Y = 2
    X = 3
    Y = 4


# (geometry, what was drawn, largest magnitude) -> geometry
Apply = Callable[[Geometry, Drawn, float], Geometry]


@dataclass(frozen=True)
class Operation:
    """One thing that may happen to an image.

    Attributes:
        name: What it is called.
        apply: (geometry, drawn, most) -> geometry; or the kind of an operation, or
            which motion, of which many images' are put down at once.
        value: With a kind: its parameter, of the signed magnitude; None: it has none.
        most: The largest magnitude, of RandAugment.
        widest: The same of TrivialAugmentWide.
        uses_chroma: It changes nothing where colour is gone.
        turns: It exchanges width and height.
    """

    name: str
    apply: "Apply | Op | Motion"
    most: float = 0.9
    widest: float = 0.99
    uses_chroma: bool = False
    turns: bool = False
    value: Callable[[Array], Array] | None = None


def _map(make: Callable[[Array], ColorMap]) -> Apply:
    """By a map of colours, which takes the signed magnitude."""

    def change(geometry: Geometry, d: Drawn, most: float) -> Geometry:
        return geometry.colored(make(d.signed * most).only(d.mask))

    return change


def _move(geometry: Geometry, by: Array, axis: int, mask: Array, fill: Any) -> Geometry:
    left, top = (0, -by) if axis else (-by, 0)
    return geometry.crop(left, top, geometry.width, geometry.height, mask, fill)


def _roll(axis: int) -> Apply:
    """By pairs of blocks; what comes in has no amplitude ("RGB no more")."""

    def change(geometry: Geometry, d: Drawn, most: float) -> Geometry:
        size = geometry.height if axis else geometry.width
        by = 16 * np.rint(d.signed * most * size / 16).astype(np.int64)
        return _move(geometry, by, axis, d.mask, (0, 0, 0))

    return change


def _turn(geometry: Geometry, d: Drawn, most: float) -> Geometry:
    turns = np.where(d.sign < 0, 3, 1)
    return quarter_turns(geometry, np.where(d.mask, turns, 0))


def _cutout(geometry: Geometry, d: Drawn, most: float) -> Geometry:
    """Empty a square of pairs of blocks around a random place ("RGB no more")."""
    half = 16 * np.rint(d.level * most / 2)
    # Two numbers of one: its high and its low bits.
    at = d.u * 2**20
    where = np.stack([np.floor(at) / 2**20, at % 1])
    size = np.stack([geometry.width, geometry.height])
    x, y = 16 * np.floor(where * size / 16)
    p = params(len(geometry), x - half, y - half, x + half, y + half, 0, 0, 0)
    return geometry.with_op(Op.ERASE, p, d.mask & (half > 0))


def _one_plus(m: Array) -> Array:
    return 1 + m


_TORCHVISION = [
    Operation("Identity", lambda geometry, d, most: geometry),
    Operation("ShearX", Motion.SHEAR_X, 0.3, 0.99),
    Operation("ShearY", Motion.SHEAR_Y, 0.3, 0.99),
    Operation("TranslateX", Motion.X, 150 / 331, 32),
    Operation("TranslateY", Motion.Y, 150 / 331, 32),
    Operation("Rotate", Motion.ANGLE, 30, 135),
    Operation("Brightness", Op.BRIGHTNESS, value=_one_plus),
    Operation("Color", Op.SATURATION, value=_one_plus, uses_chroma=True),
    Operation("Contrast", Op.CONTRAST, value=_one_plus),
    Operation("Sharpness", Op.SHARPNESS, value=_one_plus),
    Operation("Posterize", Op.POSTERIZE, 4, 6, value=lambda m: 8 - np.rint(abs(m))),
    Operation("Solarize", Op.SOLARIZE, 255, 255, value=lambda m: 255 - abs(m)),
    Operation("AutoContrast", Op.AUTOCONTRAST),
    Operation("Equalize", Op.EQUALIZE),
    Operation("Invert", _map(lambda m: color.invert(len(m)))),
]
# Park and Johnson's, with their magnitudes, which act on amplitudes.
_RGB_NO_MORE = [
    Operation("DctBrightness", Op.DC_BRIGHTNESS, value=_one_plus),
    Operation("DctContrast", _map(lambda m: color.dc_gain(1 + m, 1))),
    Operation("DctColor", _map(lambda m: color.dc_gain(1 + m, 2)), uses_chroma=True),
    Operation("DctAutoContrast", Op.DC_AUTOCONTRAST),
    Operation("AutoSaturation", Op.DC_AUTOSATURATION, uses_chroma=True),
    Operation("DctEqualize", Op.DC_EQUALIZE),
    Operation(
        "DctPosterize", Op.DC_POSTERIZE, 5, 5, value=lambda m: 2.0 ** np.rint(abs(m))
    ),
    Operation("DctSolarize", Op.DC_SOLARIZE, 1636, 1636, value=lambda m: 818 - abs(m)),
    Operation("SolarizeAdd", Op.DC_SOLARIZE_ADD, 883, 883, value=np.abs),
    Operation("DctSharpness", _map(color.luma_sharpness), 0.9, 0.9),
    Operation("MidfreqAug", _map(color.mid_frequency), 0.9, 0.9),
    Operation("FreqEnhance", _map(color.frequency_enhance), 0.9, 0.9),
    Operation("Grayscale", _map(lambda m: color.saturation(np.zeros(len(m))))),
    Operation(
        "ChromaDrop",
        _map(lambda m: color.chroma_drop((m < 0).astype(np.int64))),
        uses_chroma=True,
    ),
    Operation("DctTranslateX", _roll(0), 150 / 336, 150 / 336),
    Operation("DctTranslateY", _roll(1), 150 / 336, 150 / 336),
    Operation("Cutout", _cutout, 6, 6),
    Operation("Rotate90", _turn, turns=True),
]
# Without clamping, so that they cost nothing.
_LINEAR = [
    Operation("LinearBrightness", _map(lambda m: color.brightness(1 + m))),
    Operation("LinearContrast", _map(lambda m: color.contrast(1 + m))),
    Operation("LinearColor", _map(lambda m: color.saturation(1 + m)), uses_chroma=True),
    Operation("LinearSharpness", _map(lambda m: color.sharpness(1 + m))),
]

OPERATIONS: dict[str, Operation] = {
    op.name: op for op in (*_TORCHVISION, *_RGB_NO_MORE, *_LINEAR)
}
"""Every operation by name."""

PRESETS: dict[str, tuple[str, ...]] = {
    # torchvision's, on RGB.
    "torchvision": tuple(op.name for op in _TORCHVISION if op.name != "Invert"),
    # Those of torchvision that are linear, which is free.
    "linear": (
        "Identity",
        *(op.name for op in _LINEAR),
        "TranslateX",
        "TranslateY",
    ),
    # Park and Johnson's subset for ViT-Ti.
    "rgb-no-more": (
        "DctAutoContrast",
        "DctPosterize",
        "SolarizeAdd",
        "DctColor",
        "DctContrast",
        "DctBrightness",
        "MidfreqAug",
        "Cutout",
        "DctTranslateX",
        "DctTranslateY",
        "Rotate90",
        "AutoSaturation",
        "Grayscale",
        "ChromaDrop",
    ),
}
"""Sets of operations by name."""


def _resolve(operations: "str | Sequence[str]") -> list[Operation]:
    names = PRESETS.get(operations) if isinstance(operations, str) else operations
    unknown = [] if names is None else [n for n in names if n not in OPERATIONS]
    if names is None or unknown or not names:
        raise ValueError(
            f"operations must be {', '.join(map(repr, PRESETS))} or some of "
            f"{', '.join(OPERATIONS)}; got {operations!r}"
        )
    return [OPERATIONS[name] for name in names]


class _Auto(GeometryTransform):
    """``num_ops`` operations in turn, each with its own choice and magnitude.

    Draws for each: which, the sign, the magnitude, one for the operation itself.
    """

    num_ops: int

    def __init__(
        self, interpolation: Any, fill: Any, operations: "str | Sequence[str]"
    ):
        self.interpolation = interpolation
        self.fill = fill
        self.operations = operations
        self._operations = _resolve(operations)
        self._bilinear = is_bilinear(interpolation)
        if fill is not None:
            fill_levels(fill)

    @property
    def num_draws(self) -> int:  # type: ignore[override]
        """Uniform numbers that one sample takes."""
        return 4 * self.num_ops

    @property
    def op_kinds(self) -> frozenset[Op]:  # type: ignore[override]
        """Of the operations that it may leave an image with."""
        named = [op.apply for op in self._operations if isinstance(op.apply, Op)]
        # Motions, and changes of colour after another operation.
        return frozenset([*named, Op.WARP, Op.ERASE, Op.COLOR, Op.GAIN])

    def _level(self, u: Array) -> Array:
        """Of N images, 0 to 1."""
        raise NotImplementedError

    def _most(self, op: Operation) -> float:
        return op.most

    def size_after(self, size: Any) -> Any:
        square = size is None or size[0] == size[1]
        turns = any(op.turns for op in self._operations)
        return size if square or not turns else None

    def apply(self, geometry: Geometry, u: Array) -> Geometry:
        gray = np.zeros(len(geometry), bool)
        for k in range(self.num_ops):
            one = u[:, 4 * k : 4 * k + 4]
            geometry, gray = self._apply_one(geometry, one, gray)
        return geometry

    def _apply_one(
        self, geometry: Geometry, u: Array, gray: Array
    ) -> tuple[Geometry, Array]:
        """One operation of each image; which of them are grey before and after."""
        num = len(geometry)
        which = (u[:, 0] * len(self._operations)).astype(np.int64)
        level = self._level(u[:, 2])
        sign = np.where(u[:, 1] < 0.5, -1.0, 1.0)
        kinds, values = np.zeros(num, np.int64), np.zeros((num, 1))
        motions = np.zeros((len(Motion), num))
        now_gray = gray
        for index in np.unique(which).tolist():
            op, mask = self._operations[index], which == index
            most = self._most(op)
            if op.uses_chroma:
                mask &= ~gray  # there is no colour left to change
            if op.name == "Grayscale":
                now_gray = gray | mask
            if isinstance(op.apply, Motion):
                if op.apply >= Motion.X and most <= 1:
                    size = geometry.height if op.apply == Motion.Y else geometry.width
                    most = most * size[mask]
                motions[op.apply, mask] = (level * sign)[mask] * most
            elif isinstance(op.apply, Op):
                kinds[mask] = op.apply
                if op.value is not None:
                    values[mask, 0] = op.value((level * sign)[mask] * most)
            elif mask.any():
                drawn = Drawn(level, sign, mask, u[:, 3])
                geometry = op.apply(geometry, drawn, most)
        geometry = self._moved(geometry, motions)
        if kinds.any():
            geometry = geometry.with_op(kinds, values, kinds != Op.NONE)
        return geometry, now_gray

    def _moved(self, geometry: Geometry, motions: Array) -> Geometry:
        """All motions of one turn: each image has one, or none."""
        if not motions.any():
            return geometry
        angle, tan_x, tan_y, dx, dy = motions
        moves = (np.trunc(dx) != 0) | (np.trunc(dy) != 0)
        if moves.any():
            fill = BLACK if self.fill is None else fill_levels(self.fill)
            size = geometry.width, geometry.height
            geometry = geometry.crop(-np.trunc(dx), -np.trunc(dy), *size, moves, fill)
        shears = (tan_x != 0) | (tan_y != 0)
        turns = shears | (angle != 0)
        if not turns.any():
            return geometry
        zero, corner = np.zeros(len(geometry)), np.where(shears, 0.0, np.nan)
        return affine(
            geometry,
            -angle,
            (zero, zero),
            zero + 1,
            (np.degrees(np.arctan(tan_x)), np.degrees(np.arctan(tan_y))),
            turns,
            bilinear=self._bilinear,
            fill=self.fill,
            center=(corner, corner),
        )


class RandAugment(_Auto):
    """Some operations drawn from a set, all of one magnitude.

    Args:
        num_ops: How many in turn.
        magnitude: 0 to ``num_magnitude_bins`` - 1.
        num_magnitude_bins: Of the scale that ``magnitude`` is on.
        interpolation: "nearest" or "bilinear", where samples move.
        fill: A grey or an RGB colour, 0 to 255, of what lies outside; None is black.
        operations: A preset or names of operations. "torchvision" has torchvision's,
            on RGB; "linear" those that are linear, which cost nothing; "rgb-no-more"
            those of "RGB no more", whose usual magnitude is 3 of 11 bins.
    """

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: Any = "nearest",
        fill: Any = None,
        operations: "str | Sequence[str]" = "torchvision",
    ):
        super().__init__(interpolation, fill, operations)
        if num_ops < 0 or not 0 <= magnitude < num_magnitude_bins:
            raise ValueError(
                f"magnitude must be 0 to {num_magnitude_bins - 1} and num_ops >= 0, "
                f"got {magnitude} and {num_ops}"
            )
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def _level(self, u: Array) -> Array:
        return np.full(len(u), self.magnitude / max(self.num_magnitude_bins - 1, 1))


class TrivialAugmentWide(_Auto):
    """One operation drawn from a set, of any magnitude.

    Args:
        num_magnitude_bins: Of which one is drawn.
        interpolation: As for :class:`RandAugment`.
        fill: Likewise.
        operations: Likewise.
    """

    num_ops = 1

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: Any = "nearest",
        fill: Any = None,
        operations: "str | Sequence[str]" = "torchvision",
    ):
        super().__init__(interpolation, fill, operations)
        if num_magnitude_bins < 2:
            raise ValueError(
                f"num_magnitude_bins must be >= 2, got {num_magnitude_bins}"
            )
        self.num_magnitude_bins = num_magnitude_bins

    def _level(self, u: Array) -> Array:
        bins = self.num_magnitude_bins
        drawn: Array = np.floor(u * bins) / (bins - 1)
        return drawn

    def _most(self, op: Operation) -> float:
        return op.widest
