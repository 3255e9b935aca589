"""Batches that the engine makes from files to samples in one go.

Where each image's geometry depends on its size and its random numbers alone, C works
it out itself (``struct dctload_recipe``) when it has read the header. Nothing waits
for Python between reading and sampling, and a file is in memory only while it is
decoded:

                   batch 0    batch 1    batch 2
    request 0      load       load
                   wait
    request 1                            load
                              wait
"""

from typing import Any

import numpy as np
import torch

from .. import _native
from ._pipeline import Pipeline
from ._step import Draw, Step
from .sources.base import Inputs
from .timing import Clock


class DirectPipeline(Pipeline):
    """The same as its base class, for a plan that has a recipe."""

    def __init__(self, *args: Any, recipe: Any):
        super().__init__(*args)
        self._recipe = recipe

    def _advance(self, clock: Clock) -> None:
        while len(self._sampling) < self._settings.depth:
            fetched = self._fetch(clock)
            if fetched is None:
                return
            self._sampling.append(self._submit(*fetched))

    def _submit(
        self, draw: Draw, inputs: Inputs, tensors: list[torch.Tensor] | None = None
    ) -> Step:
        """Queue all that there is to do for a batch."""
        step = Step(draw, inputs, self._filled(inputs))
        for place, error in inputs.failed.items():
            step.fail(place, error)
        step.tensors = tensors or self._buffers.take(step.num, self._plan.shapes)
        self._set_out(step)
        self._engine.submit_load(
            step.batch,
            draw.ids,
            self._settings.limits,
            self._plan.output,
            self._recipe,
            (self.seed, draw.epoch),
        )
        return step

    def _make_alone(
        self,
        draw: Draw,
        tensors: list[torch.Tensor],
        size: tuple[int, int] | None,
    ) -> Step:
        step = self._submit(draw, self._source.fetch(draw.indices), tensors)
        self._engine.wait(step.batch)
        self._after(step)
        self._note_errors(step)
        return step

    def _before(self, step: Step) -> None:
        """Nothing: what is left for Python is known when the engine is done."""

    def _after(self, step: Step) -> None:
        step.is_ordinary = not step.batch.num_failed(step.num)
        has_boxes = step.inputs.has_boxes()
        if step.is_ordinary and not has_boxes:
            return
        draw = step.draw
        step.uniforms = _native.uniforms(
            self.seed, draw.epoch, draw.ids, self._plan.num_draws
        )
        if not step.is_ordinary:
            step.slowly = self._set_apart(step)
        if has_boxes:
            self._move_boxes(step)
        self._make_slowly(step)

    def _check(self, step: Step) -> list[int]:
        return [] if step.is_ordinary else super()._check(step)

    def _not_native(self, items: Any) -> Any:
        left_out: Any = items["skip"] != 0
        return left_out

    def _move_boxes(self, step: Step) -> None:
        """Let boxes follow their images: what C did, told again."""
        step.briefs = np.empty(step.num, _native.BRIEF_DTYPE)
        step.batch.survey(step.briefs)
        status = step.batch.items["status"][: step.num]
        bad = sorted({*np.flatnonzero(status).tolist(), *step.slowly})
        if len(bad) == step.num:
            return
        good = next(place for place in range(step.num) if place not in bad)
        step.briefs[bad] = step.briefs[good]
        briefs = step.briefs
        codes = briefs["orientation"] if self._settings.upright else None
        geometry = self._plan.geometry(
            briefs["width"], briefs["height"], step.uniforms, codes
        )
        self._follow(step, geometry, 0, bad)
