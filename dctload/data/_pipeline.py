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

from .. import _engine, _native
from .._files import read_file
from ..errors import DctloadError, TooSmallError, add_note
from ._buffers import Buffers
from ._fetch import Fetcher
from ._fit import FitPlan
from ._packing import Packing
from ._slow import load, sample_into, turn_upright
from ._step import Draw, Settings, Step
from .sampler import Indices
from .sources.base import Inputs
from .sources.paths import Paths
from .timing import Clock, LoaderStats

_NOT_JPEG = _native.NOT_JPEG

# Batches are planned together up to so many images, and bytes of files.
_GROUP_IMAGES = 256
_GROUP_NBYTES = 32 << 20


UNWANTED = DctloadError("a file in another format, which is left out")

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
        self._fetcher = Fetcher(settings.source, draws, stats, settings.timeout)
        self._trouble: Exception | None = None
        self.last_whole: Indices = np.empty(0, np.int64)  # given, and nothing failed
        self._repair, self._stats = repair, stats
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
        self._fetcher.close()
        self._trouble = None

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
            trouble, self._trouble = self._trouble, None
            if trouble is None:
                return None
            try:
                raise trouble
            finally:
                del trouble  # its traceback has this frame, which would keep it
        step = self._sampling[0]
        self._before(step)
        clock.python()
        self._wait(step)
        clock.producer()
        self._sampling.popleft()
        self._after(step)
        leave_out = self._check(step)
        if not step.failed:
            self.last_whole = step.draw.indices
        self._idle.append(step.batch)
        return step, leave_out

    def next_is_done(self) -> bool:
        """Whether the next batch could be had without waiting."""
        if not self._sampling:
            return False
        return not self._engine.wait(self._sampling[0].batch, timeout=0)

    def make_one(self, index: int, into: Step, place: int) -> Exception | None:
        """Make sample ``index`` at a place of another batch; returns what failed.

        That is ``UNWANTED`` for a file that is to be left out. It is augmented as
        what it stands in for, as it may be in the batch itself.
        """
        ids = into.draw.ids[place : place + 1]
        draw = Draw(np.array([index]), ids, into.draw.epoch)
        tensors = [tensor[place : place + 1] for tensor in into.tensors]
        step = self._make_alone(draw, tensors, into.size)
        if self._packing is not None and not step.failed:
            self._packing.finish(step)
            into.patches[place] = step.packed
        into.inputs.put(place, step.inputs)
        if step.blocks and into.blocks:
            into.blocks[place] = step.blocks[0]
        if self._unwanted(step):
            return UNWANTED
        return step.failed.get(0)

    def _make_alone(
        self,
        draw: Draw,
        tensors: list[torch.Tensor],
        size: tuple[int, int] | None,
    ) -> Step:
        """A batch of one, made at once into these tensors; may have failed."""
        step = self._begin(draw, self._source.fetch(draw.indices))
        self._engine.wait(step.batch)
        step.tensors, step.size = tensors, size
        self._plan_steps([step])
        self._sample(step)
        self._make_slowly(step)
        self._engine.wait(step.batch)
        self._note_errors(step)
        return step

    # ---- filling it -----------------------------------------------------------

    def _advance(self, clock: Clock) -> None:
        """At most ``depth`` batches on their way, and a group that is being read."""
        threads = self._engine.num_threads
        while len(self._sampling) < self._settings.depth:
            self._read_ahead(self._group + 1 if threads else 1, clock)
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
            self._read_ahead(self._group, clock)

    def _read_ahead(self, num: int, clock: Clock) -> None:
        while len(self._reading) < num:
            fetched = self._fetch(clock)
            if fetched is None:
                return
            self._reading.append(self._begin(*fetched))

    def _fetch(self, clock: Clock) -> tuple[Draw, Inputs] | None:
        """The next draw and its images, if any.

        What the data set or the sampler raises meanwhile is kept until the batches
        before it are given away.
        """
        if self._trouble is not None:
            return None
        try:
            return self._fetcher.next(clock)
        except StopIteration as error:  # would end the epoch without a word
            self._trouble = RuntimeError("the data set raised StopIteration")
            self._trouble.__cause__ = error
        except Exception as error:
            self._trouble = error
        return None

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
            nbytes = int(steps[0].briefs["in_nbytes"].sum()) + 1
            fit = min(_GROUP_IMAGES // len(steps[0]), _GROUP_NBYTES // nbytes)
            self._group = max(1, fit)

    def _begin(self, draw: Draw, inputs: Inputs) -> Step:
        """Queue the reading of a batch."""
        batch = self._filled(inputs)
        self._engine.submit_read(batch, len(inputs), self._settings.limits)
        step = Step(draw, inputs, batch)
        for place, error in inputs.failed.items():
            step.fail(place, error)
        return step

    def _filled(self, inputs: Inputs) -> Any:
        """A batch of the engine's that knows its files."""
        batch = self._batch(len(inputs))
        if isinstance(inputs.raw, Paths):
            table = inputs.raw.table
            batch.set_paths_of(table.text, table.starts, inputs.raw.indices)
        elif inputs.is_path:
            batch.set_paths(inputs.raw)
        else:
            batch.set_data(inputs.raw)
        return batch

    def _batch(self, num: int) -> Any:
        while self._idle:
            batch = self._idle.pop()
            if len(batch) >= num:
                return batch
        return _engine.Batch(num)

    def _sample(self, step: Step) -> None:
        """Queue the making of a batch that is planned."""
        plan = self._plan
        if self._packing is not None:
            self._packing.submit(step, self._engine)
            return
        if not step.tensors:
            step.tensors = self._buffers.take(step.num, plan.shapes)
        if plan.native:
            self._set_out(step)
            limits = self._settings.limits
            self._engine.submit_sample(step.batch, step.num, limits, 0, plan.output)

    def _set_out(self, step: Step) -> None:
        """Tell the engine where the samples go."""
        for k, tensor in enumerate(step.tensors):
            stride = tensor.stride(0) * tensor.itemsize
            step.batch.set_out(step.num, k, tensor.data_ptr(), stride)

    def _plan_steps(self, steps: list[Step]) -> None:
        """Draw for batches whose headers are read, and plan what becomes of them."""
        together = np.concatenate([step.draw.ids for step in steps])
        epoch, num_draws = steps[0].draw.epoch, self._plan.num_draws
        uniforms = _native.uniforms(self.seed, epoch, together, num_draws)
        briefs = np.empty(len(together), _native.BRIEF_DTYPE)
        end = 0
        for step in steps:
            part = slice(end, end := end + step.num)
            step.is_planned = True
            step.uniforms, step.briefs = uniforms[part], briefs[part]
            step.is_ordinary = step.batch.survey(step.briefs) and self._plan.native
            if not step.is_ordinary:
                step.slowly = self._set_apart(step)
        if self._packing is not None:
            for step in steps:
                self._packing.plan(step, self._load)
        elif self._plan.native:
            self._plan_geometry(steps, briefs, uniforms)

    def _plan_geometry(self, steps: list[Step], briefs: Any, uniforms: Any) -> None:
        """Let the plan write what becomes of each image that can be read."""
        if self._fit is not None:
            self._load_early(steps[0])
            self._fit.fixed = bool(steps[0].tensors)
            if self._fit.fixed:
                self._fit.size = _size_of(steps[0].tensors[0])
        while True:
            bad = [_not_readable(step) for step in steps]
            if any(map(len, bad)):
                uniforms = uniforms.copy()
                if not _stand_in(briefs, uniforms, steps, bad):
                    return
            views = [step.batch.items[: step.num]["geometry"] for step in steps]
            try:
                geometry = self._plan.fill(
                    briefs, uniforms, views, self._settings.upright
                )
            except TooSmallError as error:
                self._leave_out(steps, error, bad)
            else:
                break
        first = 0
        for step, places in zip(steps, bad, strict=True):
            self._follow(step, geometry, first, places)
            first += step.num

    def _leave_out(
        self, steps: list[Step], error: TooSmallError, bad: list[list[int]]
    ) -> None:
        """Note the images that the plan cannot take, not those that others stand for.

        Raises:
            TooSmallError: It does not say which.
        """
        if not error.places:
            raise error
        first = 0
        for step, others in zip(steps, bad, strict=True):
            for place in range(step.num):
                if first + place in error.places and place not in others:
                    name = self._source.name(int(step.draw.indices[place]))
                    step.leave_out(place, error.of(first + place, name))
            first += step.num

    def _follow(self, step: Step, geometry: Any, first: int, bad: list[int]) -> None:
        """What depends on the geometry: boxes in targets, sizes in a list."""
        fit = self._fit
        if fit is not None and fit.fit == "list":
            step.blocks = fit.blocks(fit.own)
            for place in bad:
                step.blocks[place] = 0, 0
        if step.inputs.has_boxes():
            sizes = zip(step.briefs["height"], step.briefs["width"], strict=True)
            for place, (height, width) in enumerate(sizes):
                if place not in step.images and place not in bad:
                    size = int(height), int(width)
                    step.inputs.move(place, geometry.log, size, first + place)

    def _load_early(self, step: Step) -> None:
        """Images to be converted, for the size of a batch depends on theirs."""
        for place in step.slowly:
            try:
                image, converted = self._load(step, place)
            except Exception as error:
                step.fail(place, error)
                continue
            step.images[place] = image, converted
            header = image._header()[0]
            for name in ("width", "height", "orientation"):
                step.briefs[name][place] = header[name]

    def _load(self, step: Step, place: int) -> tuple[Any, bool]:
        name = self._source.name(int(step.draw.indices[place]))
        return load(self._content(step, place), name, self._settings.limits)

    def _content(self, step: Step, place: int) -> bytes:
        """The file, read again if the engine did not read it all, or keep it."""
        if step.inputs.is_path and not step.batch.items[place]["in"]:
            return read_file(step.inputs.raw[place], self._settings.limits)
        content: bytes = step.batch.data(place)
        return content

    def _set_apart(self, step: Step) -> list[int]:
        """Mark, and list, the items that the engine cannot make into samples."""
        items = step.batch.items[: step.num]
        status = items["status"]
        slow = self._not_native(items) & (status == 0)
        if self._source.other_formats == "convert":
            slow |= status == _NOT_JPEG
        slow[list(step.failed)] = False
        if not slow.any():
            return []
        items["skip"] = slow
        return np.flatnonzero(slow).tolist()  # type: ignore[no-any-return]

    def _not_native(self, items: Any) -> Any:
        """Which of the images that could be read are not the engine's."""
        # CMYK and YCCK are not linear in RGB: no operation on coefficients helps.
        color = items["info"]["color"]
        return np.isin(color, _native.NONLINEAR_COLORS) | (not self._plan.native)

    # ---- emptying it ------------------------------------------------------------

    def _before(self, step: Step) -> None:
        """What there is to do while the engine works on a batch."""
        self._make_slowly(step)

    def _after(self, step: Step) -> None:
        """What there is to do when it is done."""
        if self._packing is not None:
            self._packing.finish(step)

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
                if not isinstance(error, (DctloadError, OSError)):
                    name = self._source.name(int(step.draw.indices[place]))
                    add_note(error, f"of {name}")
                step.fail(place, error)
                continue
            self._stats.converted += converted or not was_jpeg
            self._stats.slow += not converted

    def _note_errors(self, step: Step) -> None:
        """Collect the errors of the engine's items."""
        status = step.batch.items["status"][: len(step)]
        for place in np.flatnonzero(status).tolist():
            if place not in step.slowly and place not in step.inputs.failed:
                name = self._source.name(int(step.draw.indices[place]))
                step.failed[place] = step.batch.error(place, name)

    def _unwanted(self, step: Step) -> list[int]:
        """Places of files in other formats that are to be left out."""
        if self._source.other_formats != "skip":
            return []
        status = step.batch.items["status"][: len(step)]
        places = np.flatnonzero(status == _NOT_JPEG).tolist()
        return [place for place in places if place not in step.inputs.failed]

    def _check(self, step: Step) -> list[int]:
        """Repair what failed; returns the places to leave out."""
        if not step.slowly and not step.batch.num_failed(step.num):
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


def _not_readable(step: Step) -> list[int]:
    """Places without an image, and of those to be made in Python later."""
    if step.is_ordinary:
        return []
    items = step.batch.items[: step.num]
    bad = (items["status"] | items["skip"]) != 0
    bad[list(step.images)] = False
    return bad.nonzero()[0].tolist()  # type: ignore[no-any-return]


def _stand_in(
    briefs: Any, uniforms: Any, steps: list[Step], bad: list[list[int]]
) -> bool:
    """Let places without an image look like one that is there, if there is one.

    What the plan makes of them is not used; so all images are planned in one go.
    """
    good = np.ones(len(briefs), bool)
    first = 0
    for step, places in zip(steps, bad, strict=True):
        good[first : first + step.num][places] = False
        first += step.num
    if not good.any():
        return False
    briefs[~good] = briefs[good.argmax()]
    uniforms[~good] = uniforms[good.argmax()]
    return True


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
