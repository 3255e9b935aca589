"""Batches that are transformed on a device: the engine only decodes blocks.

A batch's geometry is decided as always; what each crop can see of its image is
decoded into one buffer, which the device gets as it is
(:mod:`dctload.transforms.batched`).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .. import _native
from ..errors import TooSmallError
from ..transforms.batched import PackedBatch, check
from ..transforms.batched._layout import Layout
from ._buffers import Buffers
from ._fit import FitPlan
from ._step import Settings, Step

# (step, place) -> image, whether it was converted
Load = Callable[[Step, int], tuple[Any, bool]]


class Packing:
    """Plans and fills the packed batches of one iteration.

    Args:
        settings: The loader's.
        buffers: Memory for bytes.
    """

    def __init__(self, settings: Settings, buffers: Buffers):
        check(settings.plan)
        self._settings, self._plan, self._buffers = settings, settings.plan, buffers

    def plan(self, step: Step, load: Load) -> None:
        """Decide what becomes of a batch whose headers are read."""
        for place in step.slowly:
            try:
                step.images[place] = load(step, place)
            except Exception as error:
                step.fail(place, error)
        infos = self._infos(step)
        step.places = self._good_places(step, infos)
        geometry = None
        while geometry is None:
            if len(step.places) == 0:
                return
            try:
                geometry = self._geometry(step, infos)
            except TooSmallError as error:
                self._leave_out(step, error)
        layout = Layout(infos[step.places], geometry, self._plan.format)
        nbytes = PackedBatch.nbytes_of(layout)
        (buffer,) = self._buffers.take(1, [(1, 1, nbytes)])
        step.packed = PackedBatch.empty(layout, buffer.view(-1))

    def submit(self, step: Step, engine: Any) -> None:
        """Queue the decoding of the batch's blocks."""
        num, limits = len(step), self._settings.limits
        items = step.batch.items[:num]
        if step.packed is None:
            items["skip"] = 1
        else:
            _set_excerpts(items["excerpts"], step)
        engine.submit_excerpt(step.batch, num, limits)

    def fill_slowly(self, step: Step) -> list[int]:
        """Copy the blocks of images that the engine cannot decode; their places."""
        if not step.images:
            return []
        rank = {place: i for i, place in enumerate(step.places.tolist())}
        done = [place for place in step.images if place in rank]
        for place in done:
            image, _ = step.images[place]
            planes = image._source.planes(image._i)
            step.packed.set_planes(rank[place], planes)
        return done

    def finish(self, step: Step) -> None:
        """Everything is decoded: write what was not known before."""
        if step.packed is not None:
            step.packed.set_tables(self._infos(step)[step.places])

    def _infos(self, step: Step) -> Any:
        """Headers of all images, those that are loaded already included."""
        infos = step.batch.copy_infos(0, len(step))
        for place, (image, _) in step.images.items():
            infos[place] = image._header()[0]
        return infos

    def _good_places(self, step: Step, infos: Any) -> Any:
        items = step.batch.items[: len(step)]
        good = (items["status"] | items["skip"]) == 0
        good[list(step.images)] = True
        color, num = infos["color"], infos["num_components"]
        linear = ((color == _native.lib.DCTLOAD_GRAY) & (num == 1)) | (
            ((color == _native.lib.DCTLOAD_YCBCR) | (color == _native.lib.DCTLOAD_RGB))
            & (num == 3)
        )
        for place in (good & ~linear).nonzero()[0].tolist():
            items["status"][place] = _native.lib.DCTLOAD_COLOR
        return (good & linear).nonzero()[0]

    def _leave_out(self, step: Step, error: TooSmallError) -> None:
        """Note the images that the plan cannot take."""
        if not error.places:
            raise error
        small = list(error.places)
        for i in small:
            place = int(step.places[i])
            name = self._settings.source.name(int(step.draw.indices[place]))
            step.leave_out(place, error.of(i, name))
        step.places = np.delete(step.places, small)

    def _geometry(self, step: Step, infos: Any) -> Any:
        infos, uniforms = infos[step.places], step.uniforms[step.places]
        upright = self._settings.upright
        if isinstance(self._plan, FitPlan):
            self._plan.fixed = step.size is not None
            if step.size is not None:
                self._plan.size = step.size
            geometry = self._plan.decide(infos, uniforms, upright)
            step.size = self._plan.size
            if self._plan.fit == "list":
                step.blocks = [(0, 0)] * len(step)
                own = self._plan.blocks(self._plan.own)
                for place, blocks in zip(step.places.tolist(), own, strict=True):
                    step.blocks[place] = blocks
        else:
            codes = infos["orientation"] if upright else None
            geometry = self._plan.geometry(
                infos["width"], infos["height"], uniforms, codes
            )
        if step.inputs.has_boxes():
            for i, place in enumerate(step.places.tolist()):
                size = int(infos["height"][i]), int(infos["width"][i])
                step.inputs.move(place, geometry.log, size, i)
        return geometry


def _set_excerpts(excerpts: Any, step: Step) -> None:
    """Tell the engine which blocks of each image go where."""
    windows = step.packed.layout.windows
    places = step.places[windows.image], windows.component
    excerpts["row"] = excerpts["end_row"] = excerpts["col"] = excerpts["end_col"] = 0
    for name in ("row", "end_row", "col", "end_col"):
        excerpts[name][places] = getattr(windows, name)
    excerpts["out"][places] = step.packed.block_addresses()


def emit(step: Step, device: torch.device, non_blocking: bool) -> list[torch.Tensor]:
    """The tensors of a batch, on ``device``; those of failed places are arbitrary."""
    if step.packed is None:
        made = []
    else:
        made = step.packed.to(device, non_blocking).emit()
    if len(step.places) == len(step) and not step.patches:
        return made
    patches = {
        place: packed.to(device).emit() for place, packed in step.patches.items()
    }
    like = made or next(iter(patches.values()))
    out = [part.new_zeros(len(step), *part.shape[1:]) for part in like]
    for i, whole in enumerate(out):
        if made:
            whole[torch.from_numpy(step.places).to(device)] = made[i]
        for place, parts in patches.items():
            whole[place] = parts[i][0]
    return out
