"""Boxes, masks and keypoints follow the image.

A geometry's log is replayed with torchvision's own kernels, so results equal those
of torchvision.transforms.v2. Anything that is no tv_tensor is handed through.
"""

import math
from typing import Any

from .._geometry import Entry


def move(target: Any, log: tuple[Entry, ...], size: tuple[int, int], i: int = 0) -> Any:
    """What becomes of ``target`` by entry ``i`` of the log's arrays.

    Args:
        target: A tv_tensor, or a dict, list or tuple that may hold some.
        log: What was done to the image, in order.
        size: Height and width of the image before.
        i: Which of the images of the log this belongs to.
    """
    if target is None or not log or not _holds_tensors(target):
        return target
    if isinstance(target, dict):
        return {key: move(value, log, size, i) for key, value in target.items()}
    if isinstance(target, (list, tuple)):
        moved = [move(value, log, size, i) for value in target]
        if hasattr(target, "_fields"):
            return type(target)(*moved)
        return type(target)(moved)
    return _replay(target, log, i)


def _holds_tensors(target: Any) -> bool:
    return isinstance(target, (dict, list, tuple)) or hasattr(
        target, "__torch_function__"
    )


def _replay(target: Any, log: tuple[Entry, ...], i: int) -> Any:
    from torchvision import tv_tensors
    from torchvision.transforms.v2 import functional as F

    if not isinstance(target, tv_tensors.TVTensor):
        return target
    for name, args in log:
        *numbers, on = (arg[i].item() for arg in args)
        if not on:
            continue
        if name in ("affine", "rotate"):
            target = _turn(target, name, numbers)
        elif name == "crop":
            target = _crop(target, *numbers)
        elif name == "resize":
            width, height = numbers
            target = F.resize(target, [height, width], antialias=True)
        elif name == "hflip":
            target = F.horizontal_flip(target)
        elif name == "vflip":
            target = F.vertical_flip(target)
        else:
            # Rows for columns: a quarter turn to the left, then upside down.
            target = F.vertical_flip(F.rotate(target, 90, expand=True))
    return target


def _crop(
    target: Any, left: int, top: int, width: int, height: int, level: float
) -> Any:
    """A crop; what lies outside of a mask has ``level``."""
    from torchvision.transforms.v2 import functional as F

    if level:
        old_h, old_w = F.get_size(target)
        right, bottom = left + width - old_w, top + height - old_h
        margins = [max(n, 0) for n in (-left, -top, right, bottom)]
        target = F.pad(target, margins, fill=level)
        left, top = max(left, 0), max(top, 0)
    return F.crop(target, top, left, height, width)


def _turn(target: Any, name: str, numbers: list[float]) -> Any:
    """Affine maps, whose log ends with the centre and the fill of masks."""
    from torchvision.transforms.v2 import functional as F

    *arguments, cx, cy, fill = numbers
    center = None if math.isnan(cx) else [cx, cy]
    level = None if math.isnan(fill) else fill
    if name == "rotate":
        angle, expand = arguments
        return F.rotate(target, angle, expand=bool(expand), center=center, fill=level)
    angle, dx, dy, scale, *shear = arguments
    move = [int(dx), int(dy)]
    return F.affine(target, angle, move, scale, shear, center=center, fill=level)
