"""Batches of images whose sizes differ: cut or padded to one size per batch."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from ..errors import TooSmallError
from ..transforms import _targets
from ..transforms._base import pending
from ..transforms._plan import Format, Plan, to_tensor
from ..transforms.compose import Compose
from ..transforms.emission import Emission, Normalize, SelectFrequencies

Fit = Literal["crop", "pad", "list"]

# Stands in until there is a batch; presets of statistics have this size.
_NOMINAL = (224, 224)


class FitPlan(Plan):
    """A plan that decides the size of a batch when it has seen its images.

    ``"crop"`` keeps the middle of each that fits the smallest. ``"pad"`` puts each
    at the top left of what the largest needs; outside all amplitudes are 0, which
    is mid-grey. ``"list"`` pads, and lets the loader cut each image's own blocks
    out again: an image of a size that is no multiple of 8 (16 for planes) keeps its
    margin, and so do masks, in which it is 0.

    Attributes:
        size: Width and height of the batch filled last; set it to (width, height)
            and ``fixed`` to True to fit into a batch that is there already.
        own: Width and height of each of its images, ``(N, 2)``.
    """

    def __init__(self, transforms: Compose, fit: Fit, *options: Any):
        self.fit, self.fixed = fit, False
        self._options = options
        self._formats: dict[tuple[int, int], tuple[Format, Any]] = {}
        super().__init__(transforms.transforms, *options)
        if not self.native:
            raise ValueError(
                f"fit={fit!r} needs transforms with a native plan: "
                + "; ".join(self.why_not)
            )
        self.size = _NOMINAL
        self.own = np.empty((0, 2), np.int64)
        self._unit = 16 if self.format.layout == "planes" else 8

    def _final_size(self) -> tuple[tuple[int, int], str]:
        return _NOMINAL, f"fit={self.fit!r}"

    def fill(self, infos: Any, u: Any, views: Any, orientation: bool) -> Any:
        """Choose the batch's size and write the geometry of its images."""
        geometry = self.decide(infos, u, orientation)
        geometry.write(*views)
        return geometry

    def recipe(self, upright: bool) -> Any:
        """None: what becomes of an image depends on the others of its batch."""
        return None

    def decide(self, infos: Any, u: Any, orientation: bool) -> Any:
        """Choose the batch's size; returns the geometry of its images."""
        codes = infos["orientation"] if orientation else None
        geometry = self.geometry(infos["width"], infos["height"], u, codes)
        self.own = np.stack([geometry.width, geometry.height], axis=1)
        if not self.fixed:
            self.size = self._choose(self.own)
        geometry = self._fitted(geometry, self.size)
        self.format, self.output = self._format(self.size)
        self.shapes = self.format.shapes
        return geometry

    def _choose(self, sizes: Any) -> tuple[int, int]:
        unit = self._unit
        if self.fit != "crop":
            width, height = self._whole_blocks(sizes.max(axis=0)).tolist()
            return width, height
        width, height = (sizes.min(axis=0) // unit * unit).tolist()
        if not width or not height:
            raise TooSmallError.among(
                {
                    int(i): f"{sizes[i, 0]} x {sizes[i, 1]} is smaller than the "
                    f"{unit} x {unit} that fit='crop' needs"
                    for i in np.flatnonzero(sizes.min(axis=1) < unit)
                }
            )
        return width, height

    def _fitted(self, geometry: Any, size: tuple[int, int]) -> Any:
        """The geometry with a last step that gives ``size``."""
        width, height = size
        left = top = 0
        if self.fit == "crop":
            # As CenterCrop rounds.
            left = np.rint((geometry.width - width) / 2)
            top = np.rint((geometry.height - height) / 2)
        fitted = geometry.crop(left, top, width, height, fill=(0, 0, 0))
        if self.fit != "list":
            return fitted
        # The log is for targets: they follow to what the loader cuts out in the end.
        width = np.minimum(self._whole_blocks(geometry.width), width)
        height = np.minimum(self._whole_blocks(geometry.height), height)
        own = geometry.crop(left, top, width, height)
        return replace(fitted, log=own.log)

    def _whole_blocks(self, sizes: Any) -> Any:
        """Sizes, rounded up."""
        return -(-sizes // self._unit) * self._unit

    def _format(self, size: tuple[int, int]) -> tuple[Format, Any]:
        if size not in self._formats:
            emission = Emission()
            for part in self.transforms:
                if isinstance(part, (SelectFrequencies, Normalize)):
                    emission = part.record(emission)
            form = Format(size, emission, *self._options)
            self._formats[size] = form, form.output()
        return self._formats[size]

    def sample_into_size(
        self, image: Any, u: Any, target: Any, size: tuple[int, int]
    ) -> tuple[Any, Any]:
        """One sample the slow way, fitted to ``size``, and its target."""
        u, at = np.reshape(u, (1, -1)), 0
        for part in self.transforms:
            image, target = part.sample(image, target, u[:, at : at + part.num_draws])
            at += part.num_draws
        before = pending(image)
        after = self._fitted(before, size)
        had = int(before.height[0]), int(before.width[0])
        target = _targets.move(target, after.log[len(before.log) :], had)
        image = image._replace(pending=after)
        return to_tensor(image, *self._options), target

    def blocks(self, own: Any) -> list[tuple[int, int]]:
        """Rows and columns of luma blocks of each image."""
        grid = self._whole_blocks(own) // 8
        return [(rows, columns) for columns, rows in grid.tolist()]
