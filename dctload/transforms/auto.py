"""RandAugment and TrivialAugment over operations on coefficients.

An operation changes N images at once, each by its own magnitude. All are native: maps
of colour and geometry where those suffice, else operations on RGB or on amplitudes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._color import ColorMap
from .._geometry import Geometry
from .._ops import Op, params
from . import color
from ._at_once import Motion, put_down
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


# (geometry, what was drawn, largest magnitude) -> geometry
Apply = Callable[[Geometry, Drawn, float], Geometry]


@dataclass(frozen=True)
class Coloring:
    """A map of colours for each signed magnitude.

    Attributes:
        make: Magnitudes (N,) to maps.
    """

    make: Callable[[Array], ColorMap]


@dataclass(frozen=True)
class Operation:
    """One thing that may happen to an image.

    Attributes:
        name: What it is called.
        apply: The kind of an operation, which motion, or a map of colours, of which
            many images' are put down at once; None: nothing; or else (geometry,
            drawn, most) -> geometry.
        value: With a kind: its parameter, of the signed magnitude; None: it has none.
        most: The largest magnitude, of RandAugment.
        widest: The same of TrivialAugmentWide.
        uses_chroma: It changes nothing where colour is gone.
        turns: It exchanges width and height.
    """

    name: str
    apply: "Op | Motion | Coloring | Apply | None"
    most: float = 0.9
    widest: float = 0.99
    uses_chroma: bool = False
    turns: bool = False
    value: Callable[[Array], Array] | None = None


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
    Operation("Identity", None),
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
    Operation("Invert", Coloring(lambda m: color.invert(len(m)))),
]
# Park and Johnson's, with their magnitudes, which act on amplitudes.
_RGB_NO_MORE = [
    Operation("DctBrightness", Op.DC_BRIGHTNESS, value=_one_plus),
    Operation("DctContrast", Coloring(lambda m: color.dc_gain(1 + m, 1))),
    Operation(
        "DctColor", Coloring(lambda m: color.dc_gain(1 + m, 2)), uses_chroma=True
    ),
    Operation("DctAutoContrast", Op.DC_AUTOCONTRAST),
    Operation("AutoSaturation", Op.DC_AUTOSATURATION, uses_chroma=True),
    Operation("DctEqualize", Op.DC_EQUALIZE),
    Operation(
        "DctPosterize", Op.DC_POSTERIZE, 5, 5, value=lambda m: 2.0 ** np.rint(abs(m))
    ),
    Operation("DctSolarize", Op.DC_SOLARIZE, 1636, 1636, value=lambda m: 818 - abs(m)),
    Operation("SolarizeAdd", Op.DC_SOLARIZE_ADD, 883, 883, value=np.abs),
    Operation("DctSharpness", Coloring(color.luma_sharpness), 0.9, 0.9),
    Operation("MidfreqAug", Coloring(color.mid_frequency), 0.9, 0.9),
    Operation("FreqEnhance", Coloring(color.frequency_enhance), 0.9, 0.9),
    Operation("Grayscale", Coloring(lambda m: color.saturation(np.zeros(len(m))))),
    Operation(
        "ChromaDrop",
        Coloring(lambda m: color.chroma_drop((m < 0).astype(np.int64))),
        uses_chroma=True,
    ),
    Operation("DctTranslateX", _roll(0), 150 / 336, 150 / 336),
    Operation("DctTranslateY", _roll(1), 150 / 336, 150 / 336),
    Operation("Cutout", _cutout, 6, 6),
    Operation("Rotate90", _turn, turns=True),
]
# Without clamping, so that they cost nothing.
_LINEAR = [
    Operation("LinearBrightness", Coloring(lambda m: color.brightness(1 + m))),
    Operation("LinearContrast", Coloring(lambda m: color.contrast(1 + m))),
    Operation(
        "LinearColor", Coloring(lambda m: color.saturation(1 + m)), uses_chroma=True
    ),
    Operation("LinearSharpness", Coloring(lambda m: color.sharpness(1 + m))),
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

    Attributes:
        num_ops: How many.
        num_levels: Of magnitudes that may be drawn.
    """

    num_ops: int
    num_levels: int

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
        self._tabulate()

    def _tabulate(self) -> None:
        """Put what the operations are in arrays over them."""
        ops = self._operations
        applies = [op.apply for op in ops]
        self._mosts = np.array([self._most(op) for op in ops])
        self._uses_chroma = np.array([op.uses_chroma for op in ops])
        self._grays = np.array([op.name == "Grayscale" for op in ops])
        self._kinds = np.array([a if isinstance(a, Op) else Op.NONE for a in applies])
        self._motions = np.array([a if isinstance(a, Motion) else -1 for a in applies])
        moves = self._motions >= Motion.X
        self._moves_by_share = bool((self._mosts[moves] <= 1).all())
        self._values = [
            (value, np.array([op.value is value for op in ops]))
            for value in {op.value for op in ops if op.value is not None}
        ]
        known = (Op, Motion, Coloring, type(None))
        self._colorings = {k for k, a in enumerate(applies) if isinstance(a, Coloring)}
        # Nothing else has to know what came before it.
        self._at_once = all(a is None or isinstance(a, (Op, Motion)) for a in applies)
        self._specials = {k for k, a in enumerate(applies) if not isinstance(a, known)}

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

    @property
    def num_choices(self) -> int:
        """Operations that there are to choose from."""
        return len(self._operations)

    def needs_color(self, which: Array) -> Array:
        """Whether operations, by number, change nothing where colour is gone."""
        needs: Array = self._uses_chroma[which]
        return needs

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
        if geometry.ops is None and self._at_once:
            return self._apply_at_once(geometry, u)
        return self.apply_in_turn(geometry, u)

    def _apply_at_once(self, geometry: Geometry, u: Array) -> Geometry:
        """:meth:`apply_in_turn` of kinds and motions alone."""
        one = u.reshape(len(u), self.num_ops, 4)
        which = (one[..., 0] * len(self._operations)).astype(np.int64)
        sign = np.where(one[..., 1] < 0.5, -1.0, 1.0)
        amount = self._level(one[..., 2]) * sign * self._mosts[which]
        values = np.zeros(which.shape)
        for value, has_it in self._values:
            mask = has_it[which]
            values[mask] = value(amount[mask])
        motion = self._motions[which]
        if self._moves_by_share:
            for axis, size in (
                (Motion.X, geometry.width),
                (Motion.Y, geometry.height),
            ):
                amount = np.where(motion == axis, amount * size[:, None], amount)
        return put_down(
            geometry,
            self._kinds[which],
            values,
            motion,
            amount,
            self._bilinear,
            self.fill,
        )

    def apply_in_turn(self, geometry: Geometry, u: Array) -> Geometry:
        """One operation after the other, of whatever kinds."""
        gray = np.zeros(len(geometry), bool)
        for k in range(self.num_ops):
            one = u[:, 4 * k : 4 * k + 4]
            geometry, gray = self.apply_turn(geometry, one, gray)
        return geometry

    def apply_turn(
        self, geometry: Geometry, u: Array, gray: Array
    ) -> tuple[Geometry, Array]:
        """One operation of each image; which of them are grey before and after."""
        which = (u[:, 0] * len(self._operations)).astype(np.int64)
        level = self._level(u[:, 2])
        sign = np.where(u[:, 1] < 0.5, -1.0, 1.0)
        # There may be no colour left to change.
        on = ~(self._uses_chroma[which] & gray)
        amount = level * sign * self._mosts[which]
        kinds = np.where(on, self._kinds[which], Op.NONE)
        values = np.zeros((len(u), 1))
        for value, has_it in self._values:
            mask = has_it[which]
            values[mask, 0] = value(amount[mask])
        for index in self._specials & set(which.tolist()):
            op = self._operations[index]
            assert callable(op.apply)
            drawn = Drawn(level, sign, (which == index) & on, u[:, 3])
            geometry = op.apply(geometry, drawn, self._most(op))
        geometry = self._colored(geometry, which, amount, on)
        geometry = self._moved(geometry, self._motions[which], amount)
        if kinds.any():
            geometry = geometry.with_op(kinds, values, kinds != Op.NONE)
        return geometry, gray | self._grays[which]

    def _colored(
        self, geometry: Geometry, which: Array, amount: Array, on: Array
    ) -> Geometry:
        """All maps of one turn: one for those of frequencies, one for the rest."""
        maps = []
        for index in self._colorings & set(which.tolist()):
            coloring = self._operations[index].apply
            assert isinstance(coloring, Coloring)
            rows = ((which == index) & on).nonzero()[0]
            maps.append((rows, coloring.make(amount[rows])))
        for has_response in (False, True):
            some = [m for m in maps if (m[1].response is not None) == has_response]
            if some:
                geometry = geometry.colored(ColorMap.scattered(len(geometry), some))
        return geometry

    def _moved(self, geometry: Geometry, motion: Array, amount: Array) -> Geometry:
        """All motions of one turn: each image has one, or none."""
        dx, dy = (
            np.where(motion == axis, amount, 0.0) for axis in (Motion.X, Motion.Y)
        )
        if self._moves_by_share:
            dx, dy = dx * geometry.width, dy * geometry.height
        dx, dy = np.trunc(dx), np.trunc(dy)
        moves = (dx != 0) | (dy != 0)
        if moves.any():
            fill = BLACK if self.fill is None else fill_levels(self.fill)
            size = geometry.width, geometry.height
            geometry = geometry.crop(-dx, -dy, *size, moves, fill)
        turns = (motion >= 0) & (motion < Motion.X) & (amount != 0)
        if not turns.any():
            return geometry
        angle, tan_x, tan_y = (
            np.where(motion == m, amount, 0.0)
            for m in (Motion.ANGLE, Motion.SHEAR_X, Motion.SHEAR_Y)
        )
        zero = np.zeros(len(geometry))
        corner = np.where(motion == Motion.ANGLE, np.nan, zero)
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

    num_levels = 1

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
        return np.full(u.shape, self.magnitude / max(self.num_magnitude_bins - 1, 1))


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

    @property
    def num_levels(self) -> int:  # type: ignore[override]
        """Magnitudes that may be drawn."""
        return self.num_magnitude_bins

    def _level(self, u: Array) -> Array:
        bins = self.num_magnitude_bins
        drawn: Array = np.floor(u * bins) / (bins - 1)
        return drawn

    def _most(self, op: Operation) -> float:
        return op.widest
