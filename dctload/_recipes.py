"""What becomes of an image, by C alone: ``struct dctload_recipe``, random parts."""

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _native
from ._core import ffi, lib

if TYPE_CHECKING:
    from ._color import ColorMap

CROP_ATTEMPTS = lib.DCTLOAD_CROP_ATTEMPTS
CROP_DRAWS = lib.DCTLOAD_CROP_DRAWS

# What recipes point to lives as long as they do.
_pointed_to: "weakref.WeakKeyDictionary[Any, Any]" = weakref.WeakKeyDictionary()


class Outcomes:
    """``struct dctload_outcome``, as many as ``num``.

    Attributes:
        fields: ``OUTCOME_DTYPE`` records, (num,), zeros to be filled.
    """

    def __init__(self, num: int):
        self.fields = np.zeros(num, _native.OUTCOME_DTYPE)
        self._colors = np.empty(0, _native.FINE_COLOR_DTYPE)

    def set_colors(self, which: np.ndarray, maps: "ColorMap") -> None:
        """Give those in ``which`` (num,) their maps, of ``num``."""
        colors = np.empty(len(which), _native.FINE_COLOR_DTYPE)
        maps.write(colors)
        self._colors = colors = colors[which]
        places = np.arange(len(colors), dtype=np.uintp) * colors.itemsize
        self.fields["color"][which] = colors.ctypes.data + places

    @property
    def pointer(self) -> Any:
        """``struct dctload_outcome *``, good as long as this object."""
        return ffi.cast("struct dctload_outcome *", self.fields.ctypes.data)


def make_recipe(parts: Sequence[dict[str, Any]], num_draws: int, upright: bool) -> Any:
    """``struct dctload_recipe *``, or None if there are more than fit.

    Args:
        parts: Fields of ``struct dctload_part``, those left out 0; "kind" is a name
            of ``enum dctload_part_kind``, "outcomes" is :class:`Outcomes`.
        num_draws: Of one image, for all parts.
        upright: Begin with what EXIF says.
    """
    if len(parts) > lib.DCTLOAD_MAX_PARTS or num_draws > lib.DCTLOAD_MAX_DRAWS:
        return None
    recipe = ffi.new("struct dctload_recipe *")
    recipe.num_parts, recipe.num_draws = len(parts), num_draws
    recipe.upright = upright
    for part, fields in zip(recipe.parts, parts, strict=False):
        for name, value in fields.items():
            if name == "kind":
                value = getattr(lib, f"DCTLOAD_{value}")
            elif name == "outcomes":
                _pointed_to[recipe] = value
                value = value.pointer
            setattr(part, name, value)
    return recipe


def random_boxes(
    scale: Sequence[float],
    ratio: Sequence[float],
    width: np.ndarray,
    height: np.ndarray,
    draws: np.ndarray,
) -> np.ndarray:
    """Left, top, width and height of random parts: int64 ``(N, 4)``.

    Args:
        scale: Least and largest share of the area.
        ratio: Least and largest width / height.
        width: Of the images, int64 ``(N,)``.
        height: Likewise.
        draws: float64 ``(N, CROP_DRAWS)``.
    """
    num = len(width)
    draws = np.ascontiguousarray(draws)
    out = np.empty((num, 4), np.int64)
    lib.dctload_random_boxes(
        [*scale, *ratio],
        num,
        _native.c_array(np.ascontiguousarray(width), "int64", num),
        _native.c_array(np.ascontiguousarray(height), "int64", num),
        _native.c_array(draws, "float64", num * CROP_DRAWS),
        CROP_DRAWS,
        ffi.cast("int64_t(*)[4]", out.ctypes.data),
    )
    return out
