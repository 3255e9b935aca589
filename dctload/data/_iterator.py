"""What ``iter(loader)`` gives: finished steps made into batches."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import TooManyErrors
from ._draws import Progress
from ._errors import ErrorPolicy
from ._packing import emit
from ._pipeline import UNWANTED, Pipeline
from ._step import Draw, Step
from .device import Ahead
from .sampler import Indices, key
from .timing import Clock, LoaderStats

# Samples tried in place of a bad one before the data set is declared bad.
_MAX_TRIES = 100
_REPLACEMENT = 0x5EED


class Repairs:
    """Carries out the error policy on the samples of a batch.

    Args:
        policy: What to do.
        stats: Where to count.
        name: Of a sample.
        others: Gives the samples that may stand in for others; None if it is not
            known which the sampler chooses from, and then it is those of the batch.
    """

    def __init__(
        self,
        policy: ErrorPolicy,
        stats: LoaderStats,
        name: Callable[[int], str],
        others: Callable[[], Sequence[int] | Indices | None],
    ):
        self._policy, self._stats, self._name = policy, stats, name
        self._others = others

    def repair(
        self,
        pipeline: Pipeline,
        step: Step,
        failed: dict[int, Exception],
        unwanted: list[int],
    ) -> list[int]:
        """Replace samples of ``step``, or raise; returns the places to leave out.

        Args:
            pipeline: Where ``step`` comes from.
            step: A batch whose other samples are done.
            failed: Places and what went wrong there.
            unwanted: Places of files that are to be left out without an error.
        """
        for place, error in failed.items():
            self._policy.failed(self._name(int(step.draw.indices[place])), error)
        leave_out = sorted({*failed, *unwanted})
        replace = leave_out if self._policy.on_error == "replace" else []
        if len(leave_out) == len(step) and not replace:
            replace = leave_out[:1]
        others = self._others() if replace else ()
        if others is None:
            others = np.delete(step.draw.indices, leave_out)
            if len(others) == 0:
                others = pipeline.last_whole
        for place in replace:
            self._replace(pipeline, step, place, others)
        self._stats.replaced += len(replace)
        leave_out = [place for place in leave_out if place not in replace]
        self._stats.skipped += len(leave_out)
        return leave_out

    def _replace(
        self,
        pipeline: Pipeline,
        step: Step,
        place: int,
        others: Sequence[int] | Indices,
    ) -> None:
        """Write one of ``others`` at ``place``: the same one in every run."""
        draw = step.draw
        bad = self._name(int(draw.indices[place]))
        if len(others) == 0:
            raise TooManyErrors(
                f"no sample is there to stand in for {bad}: all of its batch failed, "
                "none was good before, and others the sampler may not want"
            )
        base = key(pipeline.seed, draw.epoch, int(draw.ids[place]), _REPLACEMENT)
        error: Exception | None = None
        for attempt in range(_MAX_TRIES):
            other = int(others[key(base, attempt) % len(others)])
            error = pipeline.make_one(other, step, place)
            if error is None:
                return
            if error is not UNWANTED:
                self._policy.failed(self._name(other), error)
        raise TooManyErrors(
            f"no good sample found in place of {bad}: {_MAX_TRIES} others failed as "
            "well, or were left out"
        ) from error


class BatchIterator:
    """One epoch of a loader. Not thread-safe.

    Give it up at any point: dropping it, or :meth:`close`, takes its work off
    the engine. It cannot go on after a KeyboardInterrupt within ``next()``: a batch
    may be half made. The loader's state is then what was received before.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        num_batches: int | None,
        collate: Callable[[Any], Any] | None,
        batched: bool,
        ahead: Ahead | None,
        start: Progress,
        received: Callable[[Progress | None], None],
        stats: LoaderStats,
        engine: Any,
    ):
        self._pipeline, self._num_batches = pipeline, num_batches
        self._collate, self._batched, self._ahead = collate, batched, ahead
        self._given, self._received = start, received
        self._stats, self._engine = stats, engine
        self._clock = Clock(stats)
        self._started = self._interrupted = False
        self.closed = False

    def __iter__(self) -> "BatchIterator":
        return self

    def __len__(self) -> int:
        """Batches from the start of this iteration to its end."""
        if self._num_batches is None:
            raise TypeError("the sampler has no length")
        return self._num_batches

    def close(self) -> None:
        """End the iteration; its epoch counts as begun. Safe to call again."""
        self.closed = True
        self._pipeline.close()
        if self._ahead is not None:
            self._ahead.close()

    def __next__(self) -> Any:
        if self._interrupted:
            raise RuntimeError("this iteration was interrupted; call iter() again")
        if self.closed:
            raise StopIteration
        try:
            batch, progress = self._next()
            self._received(progress)
        except Exception:
            raise
        except BaseException:
            self._interrupted = True
            self._received(self._given)
            self.close()
            raise
        self._given = progress
        return batch

    def _next(self) -> tuple[Any, Progress]:
        """The next batch, and where the epoch stands when it is received."""
        if self._started:
            self._clock.consumer()
        else:
            self._clock.python()
            self._started = True
        if self._ahead is None:
            taken = self._take()
            made = None if taken is None else self._finish(taken)
        else:
            made = self._ahead.next(
                self._take, self._finish, self._pipeline.next_is_done
            )
        if made is None:
            self.close()
            self._received(None)
            raise StopIteration
        batch, (draw, num_images) = made
        self._count(num_images)
        self._clock.python()
        return batch, draw.progress

    def _take(self) -> tuple[Step, list[int]] | None:
        """The next batch as the engine made it, and places to leave out."""
        return self._pipeline.next(self._clock)

    def _finish(self, taken: tuple[Step, list[int]]) -> tuple[Any, tuple[Draw, int]]:
        """The batch, assembled, and what it was drawn as."""
        step, leave_out = taken
        tensors = step.tensors
        if self._ahead is not None and not tensors:
            tensors = emit(step, self._ahead.device, self._ahead.is_cuda)
        if leave_out:
            wanted = [i for i in range(len(step)) if i not in set(leave_out)]
            tensors = [tensor[wanted] for tensor in tensors]
            step.inputs.keep(wanted)
            if step.blocks:
                step.blocks = [step.blocks[i] for i in wanted]
        num_images = len(step) - len(leave_out)
        return self._assemble(step, tensors), (step.draw, num_images)

    def _assemble(self, step: Step, tensors: list[torch.Tensor]) -> Any:
        inputs = step.inputs
        if self._collate is None and not step.blocks:
            whole = tensors[0] if len(tensors) == 1 else tuple(tensors)
            return inputs.collate(whole)
        parts = [list(tensor.unbind()) for tensor in tensors]
        for i, (rows, columns) in enumerate(step.blocks):
            parts[0][i] = parts[0][i][:, :rows, :columns]
            if len(parts) > 1:
                parts[1][i] = parts[1][i][:, : rows // 2, : columns // 2]
        images: list[Any] = parts[0]
        if len(parts) > 1:
            images = list(zip(*parts, strict=True))
        if self._collate is None:
            return inputs.collate(images)
        samples = inputs.uncollated(images)
        try:
            return self._collate(samples if self._batched else samples[0])
        except StopIteration as error:  # would end the epoch without a word
            raise RuntimeError("collate_fn raised StopIteration") from error

    def _count(self, num_images: int) -> None:
        self._stats.images += num_images
        self._stats.batches += 1
        self._stats.add_engine(self._engine.stats())
