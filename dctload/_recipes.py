"""What becomes of an image, by C alone: ``struct dctload_recipe``, random parts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _native
from ._core import ffi, lib

CROP_ATTEMPTS = lib.DCTLOAD_CROP_ATTEMPTS
CROP_DRAWS = lib.DCTLOAD_CROP_DRAWS


def make_recipe(parts: Sequence[dict[str, Any]], num_draws: int, upright: bool) -> Any:
    """``struct dctload_recipe *``, or None if there are more than fit.

    Args:
        parts: Fields of ``struct dctload_part``, those left out 0; "kind" is a name
            of ``enum dctload_part_kind``.
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
