"""Images and a plan to a packed batch; what can be carried out on a device."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ..._geometry import Array
from ..._ops import Op
from .. import _plan
from .._base import GeometryTransform, Transform, draw
from ..emission import Normalize, SelectFrequencies
from ._layout import Layout
from ._operations import HANDLED
from ._packed import PackedBatch


def why_not(part: Transform) -> str | None:
    """Why a transform is not carried out on a device; None if it is."""
    if isinstance(part, (SelectFrequencies, Normalize)):
        return None
    if not isinstance(part, GeometryTransform):
        return "not carried out on a device"
    missing = sorted(part.op_kinds - HANDLED)
    if missing:
        names = ", ".join(Op(kind).name for kind in missing)
        return f"{names} not carried out on a device"
    return None


def explain(
    transforms: Sequence[Transform],
) -> Iterator[tuple[Transform, str | None]]:
    """Each transform of a sequence, and why it is not carried out; None if it is."""
    for part, not_native in _plan.why_not(transforms):
        reason = why_not(part)
        if reason is None and not_native is not None:
            reason = f"{not_native}, not on a device"
        yield part, reason


def check(plan: _plan.Plan) -> None:
    """Refuse a plan with parts that have no meaning on a device.

    Raises:
        ValueError: Naming each of them.
    """
    missing = [
        f"{part!r}: {reason}"
        for part, reason in explain(plan.transforms)
        if reason is not None
    ]
    if missing:
        raise ValueError("; ".join(missing))


def pack(
    images: Sequence[Any],
    plan: _plan.Plan,
    uniforms: Array | None = None,
    *,
    apply_orientation: bool = True,
) -> PackedBatch:
    """Decoded images as a batch for a device.

    Args:
        images: ``DctImage`` as decoded, with the integers of their files.
        plan: What to do, from ``Compose.plan()``.
        uniforms: Random numbers ``(N, plan.num_draws)``; by default torch's.
        apply_orientation: Show images upright, as their EXIF data say.

    Raises:
        ValueError: A transform is not carried out on a device.

    >>> from dctload import from_rgb, transforms as T
    >>> image = from_rgb(np.zeros((40, 56, 3), np.uint8))
    >>> plan = T.Compose([T.RandomResizedCrop(32), T.SelectFrequencies("24")]).plan()
    >>> packed = pack([image, image], plan)
    >>> [tuple(x.shape) for x in packed.emit()]
    [(2, 24, 4, 4)]
    """
    check(plan)
    if uniforms is None:
        uniforms = np.concatenate([draw(plan.num_draws) for _ in images])
    infos = np.concatenate([image._header() for image in images])
    codes = infos["orientation"] if apply_orientation else None
    geometry = plan.geometry(infos["width"], infos["height"], uniforms, codes)
    layout = Layout(infos, geometry, plan.format)
    buffer = torch.empty(PackedBatch.nbytes_of(layout), dtype=torch.uint8)
    packed = PackedBatch.empty(layout, buffer)
    for i, image in enumerate(images):
        planes = image._source.planes(image._i)
        if image._pending is not None or planes[0].dtype != np.int16:
            raise ValueError(f"{image.name}: transformed already")
        packed.set_planes(i, planes)
    packed.set_tables(infos)
    return packed
