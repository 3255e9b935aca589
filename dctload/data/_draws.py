"""The batches of one epoch, decided: which samples, and the state after each."""

import base64
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from ._step import Draw
from .sampler import Indices, Order, Shard, checked

# Samples of one epoch that a repeating sampler can tell apart: 2^40 indices,
# 2^24 places in the epoch.
_PLACE_SHIFT = 40
# Torch's samplers of a whole data set, and where they keep it.
_DATA = {
    SequentialSampler: "data_source",
    RandomSampler: "data_source",
    DistributedSampler: "dataset",
}


@dataclass(frozen=True)
class Progress:
    """What the consumer has received.

    Attributes:
        epoch: The one under way, or the next one if nothing of it was received.
        position: Samples of it received, by all ranks; by this rank if the order
            is a foreign sampler's.
        sampler: What it takes to bring a foreign sampler to this point.
    """

    epoch: int = 0
    position: int = 0
    sampler: dict[str, Any] | None = None


def own_draws(
    order: Order, epoch: int, batch_size: int, num_batches: int
) -> Iterator[Draw]:
    """Batches in dctload's own order."""
    for k in range(num_batches):
        indices = order.indices(k * batch_size, (k + 1) * batch_size)
        progress = Progress(epoch, order.position((k + 1) * batch_size))
        if k + 1 == num_batches:
            progress = Progress(epoch + 1)
        yield Draw(indices, indices, epoch, progress)


class ForeignSampler:
    """A sampler or batch sampler of the user's, watched so that it can resume.

    One with ``state_dict`` and ``load_state_dict`` is asked for its state.
    Otherwise its indices are drawn again from the start of the epoch, which
    costs about a microsecond each and reads no image. For that the generator's
    state at the start of the epoch is kept: the sampler's own, or torch's
    default one. A sampler that draws from NumPy or ``random`` needs a
    ``state_dict`` to resume: a digest of what was received tells other indices.
    """

    def __init__(
        self, sampler: Any, batch_size: int | None, drop_last: bool, num_samples: int
    ):
        self._sampler, self._num_samples = sampler, num_samples
        self._batch_size, self._drop_last = batch_size, drop_last
        inner = getattr(sampler, "sampler", sampler)
        self._inner = inner
        self._generator = _find_generator(sampler) or _find_generator(inner)
        self._has_state = hasattr(sampler, "state_dict") and hasattr(
            sampler, "load_state_dict"
        )
        self._unique = _never_repeats(inner)

    def set_epoch(self, epoch: int) -> None:
        """Pass the epoch on to samplers that want it."""
        for sampler in (self._sampler, self._inner):
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(epoch)
                return

    def others(self) -> Sequence[int] | Indices | None:
        """The samples that the sampler chooses from, if that is known."""
        kind, num = type(self._inner), self._num_samples
        if type(self._sampler) not in (kind, BatchSampler):
            return None  # it may leave some of these out
        if kind is SubsetRandomSampler:
            return checked(self._inner.indices, num, "the sampler")
        if kind is WeightedRandomSampler:
            return np.flatnonzero(self._inner.weights.numpy())
        if kind in (list, tuple, range) and self._batch_size is not None:
            return checked(self._inner, num, "the sampler")
        data = getattr(self._inner, _DATA.get(kind, ""), ())
        return range(num) if len(data) == num else None

    def at_start(self) -> dict[str, Any]:
        """The state before an epoch."""
        state: dict[str, Any] = {"batches": 0}
        if self._has_state:
            state["state"] = self._sampler.state_dict()
        if hasattr(self._inner, "epoch"):
            state["epoch"] = self._inner.epoch
        if self._generator is not None:
            state["generator"] = _encode(self._generator.get_state())
        return state

    def draws(self, start: Progress, generator: Any) -> Iterator[Draw]:
        """Batches from where ``start`` says.

        ``generator`` is the loader's: torch's loader takes one number from it
        before it asks the sampler, and so does this one, for equal orders.
        """
        state = dict(start.sampler or self.at_start())
        resumed = start.sampler is not None
        if resumed and "epoch" in state and hasattr(self._inner, "set_epoch"):
            self._inner.set_epoch(state["epoch"])
        if resumed and self._generator is not None and "generator" in state:
            self._generator.set_state(_decode(state["generator"]))
        if resumed and self._has_state:
            self._sampler.load_state_dict(state["state"])
        if self._generator is None and "default" not in state:
            state["default"] = _encode(torch.default_generator.get_state())
        received = hashlib.blake2b(digest_size=8)
        batches = self._replayed(state, start.position, generator, resumed, received)
        yield from self._watched(batches, start, state, received)

    def _replayed(
        self,
        state: dict[str, Any],
        position: int,
        generator: Any,
        resumed: bool,
        received: Any,
    ) -> Iterator[list[int]]:
        """Batches of indices, past those that were received."""
        keep = torch.default_generator.get_state()
        replay = resumed and "default" in state and position > 0
        if replay:
            torch.default_generator.set_state(_decode(state["default"]))
        # Lightning and others look for this draw too: it seeds torch's workers.
        torch.empty((), dtype=torch.int64).random_(generator=generator)
        indices = iter(self._sampler)
        if self._batch_size is None:
            skip = 0 if self._has_state else state["batches"]
            batches: Iterator[list[int]] = map(_as_list, indices)
            for batch in itertools.islice(batches, skip):
                received.update(checked(batch, self._num_samples, "the sampler"))
        else:
            skip = 0 if self._has_state else position
            skipped = map(int, itertools.islice(indices, skip))
            found = np.fromiter(skipped, np.int64)
            received.update(checked(found, self._num_samples, "the sampler"))
            batches = self._batched(indices)
        if skip and state.get("received", "") != received.hexdigest():
            raise ValueError(
                f"the {type(self._sampler).__name__} does not give the indices again "
                "that were received before: to resume, it must draw from a "
                "torch.Generator of its own, or have state_dict and load_state_dict"
            )
        first = next(batches, None)
        if replay:
            torch.default_generator.set_state(keep)
        if first is not None:
            yield first
            yield from batches

    def _batched(self, indices: Iterator[Any]) -> Iterator[list[int]]:
        assert self._batch_size is not None
        while batch := list(itertools.islice(indices, self._batch_size)):
            if len(batch) < self._batch_size and self._drop_last:
                return
            yield [int(index) for index in batch]

    def _watched(
        self,
        batches: Iterator[list[int]],
        start: Progress,
        state: dict[str, Any],
        received: Any,
    ) -> Iterator[Draw]:
        """Draws, each known to be the last or not before it is given away."""
        position, waiting = start.position, None
        rank, world = Shard.from_torch().rank, Shard.from_torch().world_size
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    break
                indices = checked(batch, self._num_samples, "the sampler")
            except Exception:
                if waiting is not None:
                    yield waiting  # what went well comes first
                raise
            places = np.arange(position, position + len(batch)) * world + rank + 1
            ids = indices if self._unique else indices + (places << _PLACE_SHIFT)
            position += len(batch)
            state = {**state, "batches": state["batches"] + 1}
            if self._has_state:
                state["state"] = self._sampler.state_dict()
            else:
                received.update(indices)
                state["received"] = received.hexdigest()
            if waiting is not None:
                yield waiting
            progress = Progress(start.epoch, position, state)
            waiting = Draw(indices, ids, start.epoch, progress)
        if waiting is not None:
            waiting.progress = Progress(start.epoch + 1, 0, self.at_start())
            yield waiting


def _as_list(batch: Any) -> list[int]:
    return [int(index) for index in batch]


def _find_generator(sampler: Any) -> torch.Generator | None:
    generator = getattr(sampler, "generator", None)
    return generator if isinstance(generator, torch.Generator) else None


def _never_repeats(sampler: Any) -> bool:
    if isinstance(sampler, RandomSampler):
        return not sampler.replacement
    return isinstance(
        sampler, (SequentialSampler, DistributedSampler, SubsetRandomSampler)
    )


def _encode(state: torch.Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode()


def _decode(text: str) -> torch.Tensor:
    data = np.frombuffer(base64.b64decode(text), np.uint8).copy()
    return torch.from_numpy(data)
