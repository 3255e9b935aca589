"""Transforms as numbers that C follows by itself: ``struct dctload_recipe``."""

from collections.abc import Callable, Sequence
from typing import Any

from .. import _recipes
from .._geometry import FILTERS
from ._base import Size, Transform, two_sizes
from ._outcomes import outcomes
from .auto import RandAugment, TrivialAugmentWide
from .emission import Normalize, SelectFrequencies
from .geometry import (
    BLACK,
    CenterCrop,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
)

Part = dict[str, Any]


def _resize(transform: Resize) -> Part:
    filter_ = FILTERS[transform.interpolation]
    if isinstance(transform.size, Sequence):
        height, width = transform.size
        return {"kind": "RESIZE", "filter": filter_, "width": width, "height": height}
    return {
        "kind": "RESIZE_SHORT",
        "filter": filter_,
        "side": transform.size or 0,
        "max_side": transform.max_size or 0,
    }


def _center_crop(transform: CenterCrop) -> Part:
    height, width = two_sizes(transform.size, "CenterCrop")
    return {"kind": "CENTER_CROP", "width": width, "height": height, "fill": BLACK}


def _random_crop(transform: RandomCrop) -> Part:
    height, width = transform.size
    return {
        "kind": "RANDOM_CROP",
        "width": width,
        "height": height,
        "side": bool(transform.pad_if_needed),
        "margins": transform.padding or (0, 0, 0, 0),
        "fill": transform._levels,
    }


def _random_resized_crop(transform: RandomResizedCrop) -> Part:
    height, width = two_sizes(transform.size, "RandomResizedCrop")
    return {
        "kind": "RANDOM_RESIZED_CROP",
        "filter": FILTERS[transform.interpolation],
        "width": width,
        "height": height,
        "p": (*transform.scale, *transform.ratio),
    }


def _pad(transform: Pad) -> Part:
    return {"kind": "PAD", "margins": transform.padding, "fill": transform._levels}


def _augment(transform: Any, size: Size) -> Part:
    return {
        "kind": "AUGMENT",
        "num_turns": transform.num_ops,
        "num_choices": transform.num_choices,
        "num_levels": transform.num_levels,
        "outcomes": outcomes(transform, size),
    }


# By the type itself: a class derived from one of these may mean something else.
_PARTS: dict[type, Callable[[Any], Part]] = {
    Resize: _resize,
    CenterCrop: _center_crop,
    RandomCrop: _random_crop,
    RandomResizedCrop: _random_resized_crop,
    Pad: _pad,
    RandomHorizontalFlip: lambda t: {"kind": "RANDOM_HFLIP", "p": (t.p, 0, 0, 0)},
    RandomVerticalFlip: lambda t: {"kind": "RANDOM_VFLIP", "p": (t.p, 0, 0, 0)},
}


def _part_of(transform: Transform, size: Size | None) -> Part | None:
    """None if numbers do not say it; ``size`` is what all images have before it."""
    if type(transform) in (RandAugment, TrivialAugmentWide):
        # What becomes of an image then depends on nothing but what it draws.
        return None if size is None else _augment(transform, size)
    of = _PARTS.get(type(transform))
    return None if of is None else of(transform)


def make_recipe(transforms: Sequence[Transform], upright: bool) -> Any:
    """``struct dctload_recipe *``, or None where one of them has no such numbers.

    Args:
        transforms: In their order.
        upright: Begin with what EXIF says.
    """
    parts: list[Part] = []
    num_draws = 0
    size: Size | None = None
    for transform in transforms:
        if isinstance(transform, (SelectFrequencies, Normalize)):
            continue
        part = _part_of(transform, size)
        if part is None or (parts and parts[-1]["kind"] == "AUGMENT"):
            return None
        parts.append({**part, "first_draw": num_draws})
        num_draws += transform.num_draws
        size = transform.size_after(size)
    return _recipes.make_recipe(parts, num_draws, upright)
