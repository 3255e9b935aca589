"""A loader's plan as arguments of ``fn.dctload.decode``."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..transforms._plan import Plan
from ..transforms.emission import Normalize, SelectFrequencies
from ..transforms.geometry import (
    CenterCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)

_INTERPOLATIONS = {
    "bilinear": "INTERP_LINEAR",
    "bicubic": "INTERP_CUBIC",
    "lanczos": "INTERP_LANCZOS3",
}
_TYPES = {
    "float32": "FLOAT",
    "float16": "FLOAT16",
    "int16": "INT16",
    "int8": "INT8",
}


@dataclass
class Recipe:
    """A plan as arguments of ``fn.dctload.decode``.

    Attributes:
        constants: Arguments that do not change; ``dtype`` and ``interp_type`` by name.
        crop: Draws windows to try, if any, at this column of the uniform numbers.
        flip: Decides on mirroring, likewise.
    """

    constants: dict[str, Any]
    crop: tuple[RandomResizedCrop, int] | None = None
    flip: tuple[RandomHorizontalFlip, int] | None = None

    @staticmethod
    def of(plan: Plan, upright: bool) -> "Recipe":
        """The recipe of a plan.

        Raises:
            TypeError: The operator cannot carry the plan out.
        """
        form = plan.format
        if form.dtype not in _TYPES:
            raise TypeError(f"DALI has no {form.dtype}; use float16 or float32")
        recipe = Recipe(
            {
                "size": [form.size[1], form.size[0]],
                "adjust_orientation": upright,
                "layout": form.layout,
                "output_layout": "HWC" if form.channels_last else "CHW",
                "dtype": _TYPES[form.dtype],
                "frequencies": str([list(part) for part in form.subset]),
                "scale": form.scale.astype(np.float32).ravel().tolist(),
                "shift": form.offset.astype(np.float32).ravel().tolist(),
            }
        )
        recipe._take(plan)
        return recipe

    def _take(self, plan: Plan) -> None:
        """Take over the plan's transforms, in the order that the operator has."""
        stage, at = 0, 0
        filters: set[str] = set()
        for part in plan.transforms:
            after = _stage_of(part, stage)
            if after is None:
                raise TypeError(
                    f"{part!r} cannot be carried out by fn.dctload.decode here: it "
                    "does RandomResizedCrop, or Resize and CenterCrop, then "
                    "RandomHorizontalFlip. dctload.DataLoader does the rest"
                )
            stage = after
            if isinstance(part, RandomResizedCrop):
                self.crop = part, at
            elif isinstance(part, RandomHorizontalFlip):
                self.flip = part, at
            elif isinstance(part, Resize) and isinstance(part.size, int):
                self.constants["resize_shorter"] = part.size
            if getattr(part, "max_size", None) is not None:
                raise TypeError(f"{part!r}: the operator knows no max_size")
            if isinstance(part, (Resize, RandomResizedCrop)):
                filters.add(part.interpolation)
            at += part.num_draws
        self._check(plan, filters)

    def _check(self, plan: Plan, filters: set[str]) -> None:
        (kind,) = filters or {"bilinear"}
        if kind not in _INTERPOLATIONS:
            raise TypeError(f"interpolation={kind!r} cannot be had in DALI")
        self.constants["interp_type"] = _INTERPOLATIONS[kind]
        crops = [part for part in plan.transforms if isinstance(part, CenterCrop)]
        shorter = self.constants.get("resize_shorter")
        if crops and (shorter is None or shorter < max(plan.format.size)):
            raise TypeError(
                f"{crops[0]!r} needs a Resize to one number, not smaller, before it"
            )

    def windows(self, uniforms: Any) -> Any:
        """``attempts`` of the operator, float64 (N, 24)."""
        assert self.crop is not None
        crop, at = self.crop
        u = uniforms[:, at : at + crop.num_draws]
        low, high = (math.log(ratio) for ratio in crop.ratio)
        least, most = crop.scale
        out = np.empty((len(u), 2 * crop.ATTEMPTS + 4))
        end = 2 * crop.ATTEMPTS
        out[:, 0:end:2] = least + (most - least) * u[:, 0:end:2]
        # The C library's exp, as of those who draw in C: NumPy's may differ.
        logs = low + (high - low) * u[:, 1:end:2]
        out[:, 1:end:2] = np.reshape([math.exp(x) for x in logs.flat], logs.shape)
        out[:, end : end + 2] = u[:, -2:]
        out[:, end + 2 :] = crop.ratio
        return out

    def mirrored(self, uniforms: Any) -> Any:
        """``mirror`` of the operator, int32 (N,)."""
        assert self.flip is not None
        flip, at = self.flip
        return (uniforms[:, at] < flip.p).astype(np.int32)


def _stage_of(part: Any, stage: int) -> int | None:
    """How far in the operator's order a transform leads; None if it cannot stand."""
    if isinstance(part, (SelectFrequencies, Normalize)):
        return stage
    order = {Resize: 1, CenterCrop: 2, RandomResizedCrop: 2, RandomHorizontalFlip: 3}
    after = order.get(type(part))
    if after is None or after <= stage or (stage and type(part) is RandomResizedCrop):
        return None
    return after
