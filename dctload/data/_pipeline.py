"""Batches on their way through the engine, in order.

The first requests for a batch do this, with ``depth`` = 2:

                   batch 0    batch 1    batch 2    batch 3
    request 0      read       read
                   sample                read
                              sample
                   wait
    request 1                            sample     read
                              wait

- read: the engine's threads read the files and parse their headers.
- sample: when the headers are there, draw the random numbers of the whole
  batch, let the plan turn them into geometry, and queue decoding and
  transforming into the batch's tensors.
- wait: until the batch's last sample is written, and give the tensors away.

The threads take images from a queue that spans the batches, so they never wait
for a batch to end. Python touches no image, but for files that are not JPEG or
are CMYK (converted here), and for transforms without a native plan.

This file knows neither order nor what becomes of errors: both are handed in.
"""

import itertools
import os
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from .. import _native
from ._buffers import Buffers
from ._fit import FitPlan
from ._packing import Packing
from ._slow import load, sample_into, turn_upright
from ._step import Draw, Settings, Step
from .sources.paths import Paths
from .timing import Clock, LoaderStats

_NOT_JPEG = _native.NOT_JPEG

# Batches are planned together up to so many images, and bytes of files.
_GROUP_IMAGES = 256
_GROUP_NBYTES = 16 << 20

# What a plan needs to know of an image, and its geometry as opaque bytes.
_SIZES = np.dtype([("width", "u4"), ("height", "u4"), ("orientation", "u1")])
_RECORD = np.dtype((np.void, _native.GEOMETRY_DTYPE.itemsize))


# (pipeline, step, failed places, places of unwanted files) -> places to leave out
Repair = Callable[["Pipeline", Step, dict[int, Exception], list[int]], list[int]]


class Pipeline:
    """Turns draws into steps that are done, in their order. Not thread-safe."""

    def __init__(
        self,
        engine: Any,
        settings: Settings,
        buffers: Buffers,
        draws: Iterator[Draw],
        repair: Repair,
        stats: LoaderStats,
    ):
        self._engine, self._settings, self._buffers = engine, settings, buffers
        self._plan, self._source = settings.plan, settings.source
        self._draws, self._repair, self._stats = draws, repair, stats
        self._reading: deque[Step] = deque()
        self._sampling: deque[Step] = deque()
        self._idle: list[Any] = []
        self._group = 1
        self._pid = os.getpid()
        self._fit = self._plan if isinstance(self._plan, FitPlan) else None
        self._packing = Packing(settings, buffers) if settings.on_device else None
        # Runs when the pipeline is forgotten, or at exit: the threads must not
        # write to memory that is gone.
        self._end = weakref.finalize(
            self, _drop, engine, self._pid, self._reading, self._sampling
        )

    @property
    def seed(self) -> int:
        """The loader's seed."""
        return self._settings.seed

    @property
    def num_samples(self) -> int:
        """In the data set."""
        return len(self._source)

    def close(self) -> None:
        """Drop what is under way. Safe to call again."""
        self._end()
        self._draws = iter(())

    def next(self, clock: Clock) -> tuple[Step, list[int]] | None:
        """The next batch and the places to leave out; None after the last one."""
        if os.getpid() != self._pid:
            raise RuntimeError(
                "this iterator was begun in another process; after a fork, call "
                "iter() on the loader again"
            )
        self._advance(clock)
        self._stats.depth = len(self._sampling)
        if not self._sampling:
            return None
        step = self._sampling[0]
        self._make_slowly(step)
        clock.python()
        self._wait(step)
        clock.producer()
        self._sampling.popleft()
        if self._packing is not None:
            self._packing.finish(step)
        leave_out = self._check(step)
        self._idle.append(step.batch)
        return step, leave_out

    def next_is_done(self) -> bool:
        """Whether the next batch could be had without waiting."""
        if not self._sampling:
            return False
        return not self._engine.wait(self._sampling[0].batch, timeout=0)

    def make_one(self, index: int, into: Step, place: int) -> Exception | None:
        """Make sample ``index`` at a place of another batch; returns what failed."""
        draw = Draw(np.array([index]), np.array([index]), into.draw.epoch)
        step = self._begin(draw)
        self._engine.wait(step.batch)
        step.tensors = [tensor[place : place + 1] for tensor in into.tensors]
        step.size = into.size
        self._plan_steps([step])
        self._sample(step)
        self._make_slowly(step)
        self._engine.wait(step.batch)
        self._note_errors(step)
        if self._packing is not None and not step.failed:
            self._packing.finish(step)
            into.patches[place] = step.packed
        into.inputs.put(place, step.inputs)
        if step.blocks and into.blocks:
            into.blocks[place] = step.blocks[0]
        if not step.failed and self._unwanted(step):
            return _native.error(_NOT_JPEG, self._source.name(index))
        return step.failed.get(0)

    # ---- filling it -----------------------------------------------------------

    def _advance(self, clock: Clock) -> None:
        """At most ``depth`` batches on their way, and a group that is being read."""
        threads = self._engine.num_threads
        while len(self._sampling) < self._settings.depth:
            self._read_ahead(self._group + 1 if threads else 1)
            if not self._reading:
                return
            if not self._reading[0].is_planned:
                clock.python()
                self._wait(self._reading[0])
                clock.producer()
                self._plan_group()
            step = self._reading.popleft()
            self._sampling.append(step)
            self._sample(step)
        if threads:
            self._read_ahead(self._group)

    def _read_ahead(self, num: int) -> None:
        while len(self._reading) < num and self._read():
            pass

    def _plan_group(self) -> None:
        """Plan the first batch read, and with it those after it that are read too.

        NumPy's cost per call is spread over their images.
        """
        steps = [self._reading[0]]
        for step in itertools.islice(self._reading, 1, self._group):
            if step.is_planned or self._engine.wait(step.batch, timeout=0):
                break
            steps.append(step)
        self._plan_steps(steps)
        if self._engine.num_threads and self._fit is None:
            num = len(steps[0])
            nbytes = int(steps[0].batch.items["in_nbytes"][:num].sum()) + 1
            self._group = max(1, min(_GROUP_IMAGES // num, _GROUP_NBYTES // nbytes))

    def _read(self) -> bool:
        draw = next(self._draws, None)
        if draw is None:
            return False
        self._reading.append(self._begin(draw))
        return True

    def _begin(self, draw: Draw) -> Step:
        """Queue the reading of a batch."""
        num = len(draw.indices)
        inputs = self._source.fetch(draw.indices)
        batch = self._batch(num)
        if isinstance(inputs.raw, Paths):
            batch.set_path_addresses(inputs.raw.addresses, inputs.raw.table)
        elif inputs.is_path:
            batch.set_paths(inputs.raw)
        else:
            batch.set_data(inputs.raw)
        self._engine.submit_read(batch, num, self._settings.limits)
        return Step(draw, inputs, batch)

    def _batch(self, num: int) -> Any:
        while self._idle:
            batch = self._idle.pop()
            if len(batch) >= num:
                return batch
        return _native.Batch(num)

    def _sample(self, step: Step) -> None:
        """Queue the making of a batch that is planned."""
        num, plan = len(step), self._plan
        if self._packing is not None:
            self._packing.submit(step, self._engine)
            return
        if not step.tensors:
            step.tensors = self._buffers.take(num, plan.shapes)
        if plan.native:
            _place(step.batch.items[:num], step.tensors)
            limits = self._settings.limits
            self._engine.submit_sample(step.batch, num, limits, 0, plan.output)

    def _plan_steps(self, steps: list[Step]) -> None:
        """Draw for batches whose headers are read, and plan what becomes of them."""
        ids = [step.draw.ids for step in steps]
        together = ids[0] if len(ids) == 1 else np.concatenate(ids)
        epoch, num_draws = steps[0].draw.epoch, self._plan.num_draws
        uniforms = _native.uniforms(self.seed, epoch, together, num_draws)
        ends = list(itertools.accumulate(map(len, steps)))
        for step, end in zip(steps, ends, strict=True):
            step.is_planned = True
            step.uniforms = uniforms[end - len(step) : end]
            step.slowly = self._set_apart(step.batch.items[: len(step)])
        if self._packing is not None:
            for step in steps:
                self._packing.plan(step, self._load)
        elif self._plan.native:
            self._plan_geometry(steps, ends, uniforms)

    def _plan_geometry(self, steps: list[Step], ends: list[int], uniforms: Any) -> None:
        """Let the plan write what becomes of each image that can be read."""
        if self._fit is not None:
            self._load_early(steps[0])
            self._fit.fixed = bool(steps[0].tensors)
            if self._fit.fixed:
                self._fit.size = _size_of(steps[0].tensors[0])
        infos = np.empty(ends[-1], _SIZES)
        good = np.empty(ends[-1], bool)
        for step, end in zip(steps, ends, strict=True):
            items, part = step.batch.items[: len(step)], slice(end - len(step), end)
            for name in _SIZES.names or ():
                infos[name][part] = items["info"][name]
            good[part] = (items["status"] | items["skip"]) == 0
            good[part][list(step.images)] = True
        if not good.any():
            return
        records = np.zeros(ends[-1], _native.GEOMETRY_DTYPE)
        geometry = _fill(self._plan, infos, good, uniforms, records, self._settings)
        rank = np.cumsum(good) - 1
        for step, end in zip(steps, ends, strict=True):
            part = slice(end - len(step), end)
            # As bytes: NumPy copies records field by field.
            target = step.batch.items[: len(step)]["geometry"]
            target.view(_RECORD)[...] = records[part].view(_RECORD)
            self._follow(step, geometry, infos[part], good[part], rank[part])

    def _follow(
        self, step: Step, geometry: Any, infos: Any, good: Any, rank: Any
    ) -> None:
        """What depends on the geometry: boxes in targets, sizes in a list."""
        fit = self._fit
        if fit is not None and fit.fit == "list":
            blocks = fit.blocks(fit.own)
            step.blocks = [
                blocks[r] if ok else (0, 0) for r, ok in zip(rank, good, strict=True)
            ]
        if step.inputs.has_boxes():
            for place in good.nonzero()[0].tolist():
                if place not in step.images:
                    size = int(infos["height"][place]), int(infos["width"][place])
                    step.inputs.move(place, geometry.log, size, int(rank[place]))

    def _load_early(self, step: Step) -> None:
        """Images to be converted, for the size of a batch depends on theirs."""
        info = step.batch.items["info"]
        for place in step.slowly:
            try:
                image, converted = self._load(step, place)
            except Exception as error:
                step.failed[place] = error
                continue
            step.images[place] = image, converted
            header = image._header()[0]
            for name in ("width", "height", "orientation"):
                info[name][place] = header[name]

    def _load(self, step: Step, place: int) -> tuple[Any, bool]:
        name = self._source.name(int(step.draw.indices[place]))
        return load(step.batch.data(place), name, self._settings.limits)

    def _set_apart(self, items: Any) -> list[int]:
        """Mark, and list, the items that the engine cannot make into samples."""
        status, color = items["status"], items["info"]["color"]
        # CMYK and YCCK are not linear in RGB: no operation on coefficients helps.
        slow = color == _native.NONLINEAR_COLORS[0]
        slow |= color == _native.NONLINEAR_COLORS[1]
        slow &= status == 0
        if self._source.other_formats == "convert":
            slow |= status == _NOT_JPEG
        if not self._plan.native:
            slow |= status == 0
        if not slow.any():
            return []
        items["skip"] = slow
        return np.flatnonzero(slow).tolist()  # type: ignore[no-any-return]

    # ---- emptying it ------------------------------------------------------------

    def _wait(self, step: Step) -> None:
        timeout = self._settings.timeout
        if self._engine.wait(step.batch, timeout or None):
            raise RuntimeError(f"DataLoader timed out after {timeout:g} seconds")

    def _make_slowly(self, step: Step) -> None:
        """Make in Python what the engine cannot, while it works on the rest."""
        if self._packing is not None:
            self._stats.converted += len(self._packing.fill_slowly(step))
            return
        for place in step.slowly:
            if place in step.failed:
                continue
            was_jpeg = int(step.batch.items[place]["status"]) == 0
            try:
                image, converted = step.images.get(place) or self._load(step, place)
                if self._settings.upright:
                    image = turn_upright(image, step.inputs, place)
                out = [tensor[place] for tensor in step.tensors]
                uniforms = step.uniforms[place]
                sample_into(out, self._plan, image, uniforms, step.inputs, place)
            except Exception as error:
                step.failed[place] = error
                continue
            self._stats.converted += converted or not was_jpeg
            self._stats.slow += not converted

    def _note_errors(self, step: Step) -> None:
        """Collect the errors of the engine's items."""
        status = step.batch.items["status"][: len(step)]
        for place in np.flatnonzero(status).tolist():
            if place not in step.slowly:
                name = self._source.name(int(step.draw.indices[place]))
                step.failed[place] = step.batch.error(place, name)

    def _unwanted(self, step: Step) -> list[int]:
        """Places of files in other formats that are to be left out."""
        if self._source.other_formats != "skip":
            return []
        status = step.batch.items["status"][: len(step)]
        return np.flatnonzero(status == _NOT_JPEG).tolist()  # type: ignore[no-any-return]

    def _check(self, step: Step) -> list[int]:
        """Repair what failed; returns the places to leave out."""
        if not step.slowly and not step.batch.items["status"][: len(step)].any():
            return []
        self._note_errors(step)
        unwanted = self._unwanted(step)
        failed = {
            place: error
            for place, error in step.failed.items()
            if place not in unwanted
        }
        if not failed and not unwanted:
            return []
        return self._repair(self, step, failed, unwanted)


def _size_of(luma: torch.Tensor) -> tuple[int, int]:
    """Width and height of the images in a batch."""
    return 8 * luma.shape[-1], 8 * luma.shape[-2]


def _place(items: Any, tensors: list[torch.Tensor]) -> None:
    """Tell each item where its sample goes."""
    for i, tensor in enumerate(tensors):
        start, stride = tensor.data_ptr(), tensor.stride(0) * tensor.itemsize
        stop = start + stride * len(items)
        items["out"][:, i] = np.arange(start, stop, stride, dtype=np.uintp)


def _fill(
    plan: Any, infos: Any, good: Any, uniforms: Any, records: Any, settings: Settings
) -> Any:
    """Let the plan write the records of the good images; returns the geometry."""
    if good.all():
        return plan.fill(infos, uniforms, records, settings.upright)
    part = records[good]
    geometry = plan.fill(infos[good], uniforms[good], part, settings.upright)
    records[good] = part
    return geometry


def _drop(engine: Any, pid: int, *queues: deque[Step]) -> None:
    """Take batches off the engine and wait for what it has begun of them."""
    steps = [step for queue in queues for step in queue]
    # A closed engine has ended its threads; another process never had them.
    if os.getpid() == pid and not engine.closed:
        for step in steps:
            engine.cancel(step.batch)
        for step in steps:
            engine.abandon(step.batch)
    for queue in queues:
        queue.clear()
