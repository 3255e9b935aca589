"""A DALI pipeline in the place of dctload's own.

    external_source: paths, windows to try, mirror
        io.file.read: paths -> files                   (or external_source: files)
            dctload.decode: -> tensors, statuses
                .gpu(), with a CUDA device

Random numbers are drawn here, by sample, before the image's size is known; the operator
makes them into a window. What is not JPEG, or CMYK, is converted here afterwards.
"""

import errno
import importlib
import itertools
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from .. import _native
from .._files import read_file
from ..data._buffers import Buffers
from ..data._pipeline import UNWANTED
from ..data._slow import load, sample_into, turn_upright
from ..data._step import Draw, Settings, Step
from ..data.sampler import Indices
from ..data.timing import Clock, LoaderStats
from ._recipe import Recipe

# Statuses of files that Pillow may be able to read.
_CONVERTIBLE = (_native.NOT_JPEG, _native.lib.DCTLOAD_COLOR)


class DaliPipeline:
    """Turns draws into steps that are done, in their order. Not thread-safe.

    With the interface of ``dctload.data._pipeline.Pipeline``.

    Args:
        settings: What does not change while a loader lives.
        recipe: The settings' plan, as the operator's arguments.
        buffers: Where batches are copied to, as DALI writes its memory again.
        draws: The batches, decided.
        repair: What to do about samples that failed.
        stats: Counts conversions.
        counters: Counts files and bytes.
        batch_size: Of the largest batch.
        num_threads: Of DALI's.
        device: A CUDA device with its index, or the CPU.
    """

    def __init__(
        self,
        settings: Settings,
        recipe: Recipe,
        buffers: Buffers,
        draws: Iterator[Draw],
        repair: Callable[..., list[int]],
        stats: LoaderStats,
        counters: Any,
        batch_size: int,
        num_threads: int,
        device: torch.device,
    ):
        self._settings, self._recipe, self._buffers = settings, recipe, buffers
        self._plan, self._source = settings.plan, settings.source
        self._draws, self._repair, self._stats = draws, repair, stats
        self._counters, self._device = counters, device
        self._batch_size, self._num_threads = batch_size, num_threads
        self._steps: deque[Step] = deque()
        self.last_whole: Indices = np.empty(0, np.int64)
        self._pid = os.getpid()
        self._are_paths: bool | None = None
        self._pipe: Any = None
        self._is_over = False

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
        self._is_over, self._pipe = True, None
        self._steps.clear()

    def next_is_done(self) -> bool:
        """Whether the next batch could be had without waiting: DALI does not say."""
        return False

    def next(self, clock: Clock) -> tuple[Step, list[int]] | None:
        """The next batch and the places to leave out; None after the last one."""
        if os.getpid() != self._pid:
            raise RuntimeError(
                "this iterator was begun in another process; after a fork, call "
                "iter() on the loader again"
            )
        outputs = None if self._is_over else self._run()
        clock.producer()
        if outputs is None:
            self.close()
            return None
        self._stats.depth = len(self._steps)
        step = self._steps.popleft()
        *tensors, statuses = outputs
        step.tensors = self._buffers.take(len(step), self._plan.shapes)
        for tensor, made in zip(step.tensors, tensors, strict=True):
            self._copy(tensor, made)
        unwanted = self._look_at(step, np.asarray(statuses.as_tensor()).tolist())
        clock.python()
        if not step.failed and not unwanted:
            self.last_whole = step.draw.indices
            return step, []
        return step, self._repair(self, step, step.failed, unwanted)

    def make_one(self, index: int, into: Step, place: int) -> Exception | None:
        """As that of the loader's own pipeline."""
        ids = into.draw.ids[place : place + 1]
        draw = Draw(np.array([index]), ids, into.draw.epoch)
        step = self._begin(draw)
        step.tensors = [tensor[place : place + 1] for tensor in into.tensors]
        self._make_slowly(step, 0)
        into.inputs.put(place, step.inputs)
        error = step.failed.get(0)
        is_other = getattr(error, "status", None) == _native.NOT_JPEG
        if is_other and self._source.other_formats == "skip":
            return UNWANTED
        return error

    # ---- DALI -------------------------------------------------------------------

    def _run(self) -> Any:
        """The outputs of the next batch; None after the last one."""
        try:
            if self._pipe is None:
                self._pipe = self._build()
            return self._pipe.run()
        except StopIteration:
            return None

    def _build(self) -> Any:
        from nvidia.dali import Pipeline, types

        fn: Any = importlib.import_module("nvidia.dali.fn")

        # The first batch says what the samples are; it is the first one fed, too.
        first = next(self._draws, None)
        if first is None:
            raise StopIteration
        self._draws = itertools.chain([first], self._draws)
        self._are_paths = self._source.fetch(first.indices[:1]).is_path
        is_cuda = self._device.type == "cuda"
        pipe = Pipeline(
            self._batch_size,
            self._num_threads,
            self._device.index if is_cuda else None,
            prefetch_queue_depth=self._settings.depth,
        )
        constants = dict(self._recipe.constants)
        for name in ("dtype", "interp_type"):
            constants[name] = getattr(types, constants[name])
        with pipe:
            files, *rest = fn.external_source(self._feed, len(self._columns()) + 1)
            if self._are_paths:
                # A mapped file that is cut short meanwhile would end the process.
                files = fn.io.file.read(files, dont_use_mmap=True)
            arguments = dict(zip(self._columns(), rest, strict=True))
            *tensors, statuses = fn.dctload.decode(
                files, on_error="zero", **arguments, **constants
            )
            if is_cuda:
                tensors = [tensor.gpu() for tensor in tensors]
            pipe.set_outputs(*tensors, statuses)
        pipe.build()
        return pipe

    def _columns(self) -> list[str]:
        """The operator's arguments that differ from sample to sample."""
        recipe = self._recipe
        wanted = {"attempts": recipe.crop, "mirror": recipe.flip}
        return [name for name, value in wanted.items() if value is not None]

    def _feed(self) -> list[Any]:
        """Files and arguments of the batch that DALI wants next."""
        draw = next(self._draws, None)
        if draw is None:
            raise StopIteration
        step = self._begin(draw)
        self._steps.append(step)
        columns = {"attempts": self._recipe.windows, "mirror": self._recipe.mirrored}
        rest = [columns[name](step.uniforms) for name in self._columns()]
        return [self._raw(step), *rest]

    def _raw(self, step: Step) -> list[Any]:
        """What a sample's file is to DALI: its path or its content."""
        if step.inputs.is_path and not self._are_paths:
            return [self._content(step, place) for place in range(len(step))]
        if self._are_paths and not step.inputs.is_path:
            raise TypeError("a data set for DALI must give paths, or contents, always")
        raw = [np.frombuffer(data, np.uint8) for data in step.inputs.raw]
        if self._are_paths:
            for place, path in enumerate(step.inputs.raw):
                size, error = _survey(path)
                if error is not None:
                    step.fail(place, error)
                if not size:
                    raw[place] = _STAND_IN
        return raw

    def _copy(self, to: torch.Tensor, made: Any) -> None:
        """A batch out of DALI's memory."""
        if self._device.type == "cuda":
            from nvidia.dali.plugin.pytorch import feed_ndarray

            stream = torch.cuda.current_stream(self._device)
            feed_ndarray(made.as_tensor(), _in_memory(to), cuda_stream=stream)
            # DALI gives its memory away when the batch is dropped, whatever streams
            # still read. This one is the loader's: the consumer's work is not on it.
            stream.synchronize()
        else:
            _in_memory(to).copy_(torch.from_numpy(np.asarray(made.as_tensor())))

    # ---- samples ------------------------------------------------------------------

    def _begin(self, draw: Draw) -> Step:
        inputs = self._source.fetch(draw.indices)
        step = Step(draw, inputs, None)
        step.uniforms = _native.uniforms(
            self.seed, draw.epoch, draw.ids, self._plan.num_draws
        )
        self._counters.files += len(step)
        return step

    def _look_at(self, step: Step, statuses: list[int]) -> list[int]:
        """Convert or note what failed; returns the places of unwanted files."""
        other, unwanted = self._source.other_formats, []
        for place, status in enumerate(statuses):
            if status == _native.OK or place in step.failed:
                continue
            if other == "skip" and status == _native.NOT_JPEG:
                unwanted.append(place)
            else:
                # Also for its error, with the offset, as an exception.
                self._make_slowly(step, place)
        return unwanted

    def _make_slowly(self, step: Step, place: int) -> None:
        """Make one sample here: converted, or of another index; or note its error."""
        name = self._source.name(int(step.draw.indices[place]))
        convert = self._source.other_formats == "convert"
        try:
            data = self._content(step, place)
            image, converted = load(data, name, self._settings.limits, convert)
            if self._settings.upright:
                image = turn_upright(image, step.inputs, place)
            out = [tensor[place] for tensor in step.tensors]
            sample_into(
                out, self._plan, image, step.uniforms[place], step.inputs, place
            )
            self._stats.converted += converted
        except Exception as error:
            step.fail(place, error)

    def _content(self, step: Step, place: int) -> Any:
        raw = step.inputs.raw[place]
        if not step.inputs.is_path:
            return bytes(raw)
        _, error = _survey(raw)
        if error is not None:
            raise error
        return read_file(raw, self._settings.limits)


# A file that is there and no JPEG: for the sake of one that is empty or cannot be read
# DALI would end the pipeline.
_STAND_IN = np.frombuffer(os.fsencode(__file__), np.uint8)


def _survey(path: bytes) -> tuple[int, OSError | None]:
    """The size of a file and, with 0, why it cannot be read, without opening it."""
    try:
        found = os.stat(path)
        number = 0
    except OSError as error:
        return 0, OSError(error.errno, os.strerror(error.errno or 0), os.fsdecode(path))
    if stat.S_ISDIR(found.st_mode):
        number = errno.EISDIR
    elif not stat.S_ISREG(found.st_mode):
        number = errno.EINVAL
    elif not os.access(path, os.R_OK):
        number = errno.EACCES
    if number:
        return 0, OSError(number, os.strerror(number), os.fsdecode(path))
    return found.st_size, None


def _in_memory(tensor: torch.Tensor) -> torch.Tensor:
    """A batch with its axes in the order in which they lie in memory."""
    return tensor if tensor.is_contiguous() else tensor.permute(0, 2, 3, 1)
