"""What a loader's epochs hold: by its own order, or by a sampler of the user's."""

from collections.abc import Iterator, Sequence, Sized
from typing import Any

import torch
from torch.utils.data import BatchSampler

from ._draws import ForeignSampler, Progress, own_draws
from ._step import Draw
from .sampler import (
    Indices,
    InOrderSampler,
    Shard,
    ShuffledSampler,
    is_distributed,
    key,
)

OwnSampler = ShuffledSampler | InOrderSampler


def make_sampler(
    source: Sized,
    batch_size: int | None,
    shuffle: Any,
    sampler: Any,
    batch_sampler: Any,
    shard: Shard | None,
) -> OwnSampler | None:
    """The sampler of the loader's own order, None if the user gives one.

    Raises:
        ValueError: The arguments contradict each other. Torch cannot see that, as
            it is given a sampler in any case.
    """
    if shard is not None and not isinstance(shard, Shard):
        raise TypeError(f"shard must be a dctload.data.Shard, got {shard!r}")
    if batch_size is None and isinstance(sampler, BatchSampler):
        raise TypeError("sampler gives batches of indices; use batch_sampler=")
    foreign = "sampler" if sampler is not None else "batch_sampler"
    if sampler is None and batch_sampler is None:
        own = ShuffledSampler(source) if shuffle else InOrderSampler(source)
        if shard is None:
            own.follow_torch()
        else:
            own.shard = shard
        return own
    if shuffle:
        raise ValueError(f"{foreign} option is mutually exclusive with shuffle")
    if shard is not None:
        raise ValueError("shard is for the loader's own order: the sampler shares")
    return None


class LoaderOrder:
    """Order, share and seed of one loader.

    The seed may be given; otherwise it is decided when first needed, from the
    generator's or torch's. With torch.distributed it is that of rank 0, from when that
    is in use, which takes a collective call, made only if there is something random.
    """

    def __init__(
        self, loader: Any, source: Sized, own: OwnSampler | None, is_random: bool
    ):
        # No reference to the loader: a cycle would keep its threads.
        self.own = own
        self.foreign = None if own is not None else _watch(loader, len(source))
        self._is_random = is_random
        self._batches = loader._index_sampler
        self._batch_size, self._drop_last = loader.batch_size or 1, loader.drop_last
        self._generator = loader.generator
        self._seed_is_given = self._is_agreed = loader.seed is not None
        self._shard_is_given = loader.shard is not None
        self._seed: int | None = None
        if loader.seed is not None:
            self._set_seed(int(loader.seed))  # the sampler's order is known from now on
        if own is not None and loader.shard is None and own.shard.world_size > 1:
            self.seed()  # every rank makes its loader now

    def seed(self) -> int:
        """The seed, decided at the latest now."""
        if self._is_random and not self._shard_is_given and not self._is_agreed:
            self._agree()
        return self._decided()

    def set_seed(self, seed: int) -> None:
        """Replace the seed, by the same one on all ranks."""
        self._set_seed(seed)
        self._is_agreed = True

    def _agree(self) -> None:
        """Take the seed of rank 0, if torch.distributed is in use."""
        if is_distributed():
            seeds = [self._decided()]
            torch.distributed.broadcast_object_list(seeds, src=0)
            self.set_seed(seeds[0])

    def _decided(self) -> int:
        seed = self._seed
        if seed is None:
            generator = self._generator or torch.default_generator
            seed = key(generator.initial_seed()) >> 1
            self._set_seed(seed)
        return seed

    def _set_seed(self, seed: int) -> None:
        self._seed = seed
        if self.own is not None:
            self.own.seed = seed

    def draws(self, start: Progress) -> tuple[Iterator[Draw], int | None]:
        """The batches from ``start`` on, and how many, if that is known."""
        if self.foreign is not None:
            try:
                length = len(self._batches)
            except TypeError:
                length = None
            return self.foreign.draws(start, self._generator), length
        assert self.own is not None
        self.seed()
        order = self.own.order(start.epoch, start.position)
        num, rest = divmod(order.num_samples, self._batch_size)
        if rest and not self._drop_last:
            num += 1
        return own_draws(order, start.epoch, self._batch_size, num), num

    def others(self) -> Sequence[int] | Indices | None:
        """The samples that the order is made of, if that is known."""
        if self.foreign is not None:
            return self.foreign.others()
        assert self.own is not None
        return range(len(self.own.data_source))

    def set_epoch(self, epoch: int) -> None:
        """Pass an epoch on to a sampler that wants it."""
        if self.foreign is not None:
            self.foreign.set_epoch(epoch)

    def asked_epoch(self) -> int | None:
        """What ``loader.sampler.set_epoch()`` was called with since the last look."""
        if self.own is None:
            return None
        asked, self.own.asked_epoch = self.own.asked_epoch, None
        return asked

    def kind(self) -> str:
        """A word that tells apart orders between which a state cannot be moved."""
        if self.own is None:
            return "foreign"
        return "shuffled" if self.own.shuffle else "in-order"

    @property
    def num_shares(self) -> int:
        """How many ranks share an epoch, as far as the loader knows."""
        return 1 if self.own is None else self.own.shard.world_size

    def reshard(self, shard: Shard) -> None:
        """Take another share; a collective call unless the seed was given."""
        if self.own is None:
            raise ValueError("the order is a sampler's, which has to share it out")
        self.own.shard = shard
        if not self._seed_is_given:
            self._agree()


def _watch(loader: Any, num: int) -> ForeignSampler:
    if loader.batch_size is None and loader.batch_sampler is not None:
        return ForeignSampler(loader.batch_sampler, None, False, num)
    size = loader.batch_size or 1
    return ForeignSampler(loader.sampler, size, loader.drop_last, num)
